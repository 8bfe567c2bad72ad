"""How kernels call functions of numbers: those that Numba-CUDA has under NumPy's name, `math`, NVIDIA's libdevice.

Formulas stand for the rest; a text with {0} more than once names its operand again, which the compiler computes once.
Special functions are the Python of `runtime`, as device functions.
"""

import inspect
import re

from zygopy.backends import runtime
from zygopy.errors import UnsupportedError
from zygopy.transform import ops
from zygopy.transform.ir import Let, Op
from zygopy.transform.types import FLOAT32

# NumPy's names that Numba-CUDA has for numbers.
_NUMPY = {ops.LOG, ops.LOG2, ops.LOG10, ops.SIN, ops.COS, ops.TAN, ops.ARCSIN, ops.ARCCOS, ops.ARCTAN, ops.ARCTAN2}
_NUMPY |= {ops.SINH, ops.COSH, ops.TANH, ops.ARCSINH, ops.ARCCOSH, ops.ARCTANH, ops.HYPOT, ops.ISNAN}
_NUMPY |= {ops.MAXIMUM, ops.MINIMUM, ops.FMAX, ops.FMIN, ops.DEGREES, ops.RADIANS}

# {f} is "f" for float32 and nothing for float64, {one} the number 1 of the operand's precision.
_TEXTS: dict[Op, str] = {
    ops.EXP: "math.exp({0})",
    ops.EXPM1: "math.expm1({0})",
    ops.LOG1P: "math.log1p({0})",
    ops.SQRT: "math.sqrt({0})",
    ops.ERF: "math.erf({0})",
    ops.ERFC: "math.erfc({0})",
    ops.COPYSIGN: "math.copysign({0}, {1})",
    ops.FMOD: "math.fmod({0}, {1})",
    ops.ISINF: "math.isinf({0})",
    ops.ISFINITE: "math.isfinite({0})",
    ops.FABS: "abs({0})",
    ops.EXP2: "libdevice.exp2{f}({0})",
    ops.CBRT: "libdevice.cbrt{f}({0})",
    ops.FLOOR: "libdevice.floor{f}({0})",
    ops.CEIL: "libdevice.ceil{f}({0})",
    ops.TRUNC: "libdevice.trunc{f}({0})",
    ops.RINT: "libdevice.rint{f}({0})",
    ops.NEXTAFTER: "libdevice.nextafter{f}({0}, {1})",
    ops.SIGN: "({0} if {0} == 0 or {0} != {0} else math.copysign({one}, {0}))",
    ops.SIGNBIT: "(math.copysign({one}, {0}) < 0)",
    ops.EXPIT: "({one} / ({one} + math.exp(-{0})))",
    ops.XLOGY: "({0} * {zero} if {0} == 0 and {1} == {1} else {0} * np.log({1}))",
    ops.LOGADDEXP: "(max({0}, {1}) + math.log1p(math.exp(-abs({0} - {1}))) if {0} != {1} else {0} + {log2})",
}
_INTEGER_SIGN = "(({0} > 0) - ({0} < 0))"


def function_text(let: Let) -> str | None:
    """How a kernel writes a function, with operands as {0}, {1}; None for what it writes as the host does.

    Raises
    ------
    UnsupportedError
        For functions that kernels do not have.
    """
    op = let.op
    if op is ops.SIGN and getattr(let.args[0].type, "is_integer", False):
        return _INTEGER_SIGN
    if op in _TEXTS:
        single = let.args[0].type.dtype == FLOAT32
        number = (lambda x: f"np.float32({x})") if single else str
        names = {
            "f": "f" if single else "",
            "one": number(1.0),
            "zero": number(0.0),
            "log2": number(0.6931471805599453),
        }
        return re.sub(r"\{([a-z]\w*)\}", lambda found: names[found[1]], _TEXTS[op])
    if op not in _NUMPY and any(name not in _OWN for name in _called(op.text)):
        raise UnsupportedError(
            f"{op.name} in a loop over elements is not supported on backend cuda", let.loc, help='use backend="cpu"'
        )
    return None


_OWN = {"abs", "min", "max", *runtime.SPECIAL}


def _called(text: str) -> list[str]:
    return re.findall(r"(?<![\w.])([a-z]\w*(?:\.\w+)?)\(", text)


def device_functions(text: str) -> tuple[str, ...]:
    """The texts of the functions of ours that a kernel calls."""
    return tuple(_device_function(name) for name in sorted({*_called(text)} & {*runtime.SPECIAL}))


def _device_function(name: str) -> str:
    source = inspect.getsource(runtime.SPECIAL[name])
    for known, here in _ON_DEVICE.items():
        source = source.replace(f"{known}(", f"{here}(")
    return f"@cuda.jit(device=True)\n{source}"


_ON_DEVICE = {"np.floor": "libdevice.floor", "np.rint": "libdevice.rint", "np.isinf": "math.isinf"}
_ON_DEVICE |= {"np.sqrt": "math.sqrt", "np.exp": "math.exp"}
