"""Numba's private interfaces, which only this file and `numba_lowering` touch.

A dispatcher that generates its code for each signature; the passes that emitted code needs; functions that are written
as LLVM instructions.

Numba's own dispatcher compiles one Python function for the types of a call. `NativeFunction` is such a dispatcher, with
the same cost per call, whose Python function is made for these types by `generate`. It is callable from `@njit` code.
"""

import gc
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
import llvmlite.ir as llvm_ir
import numpy as np
from numba import njit
from numba._dispatcher import Dispatcher as CDispatcher
from numba.core import (
    cgutils,
    compiler,
    compiler_machinery,
    config,
    errors,
    rewrites,
    serialize,
    typed_passes,
    types,
    untyped_passes,
)
from numba.core import dispatcher as numba_dispatcher
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.runtime import rtsys
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin

from zygopy.backends import cache as files
from zygopy.backends.fingerprint import OF_BACKENDS, OF_PACKAGE, Fingerprint
from zygopy.backends.numba_calls import Callee, Caller
from zygopy.backends.numba_lowering import Library
from zygopy.errors import DtypeError, ZygopyError
from zygopy.transform.arguments import LONGEST, ArgumentType, with_lengths
from zygopy.transform.reading.values import Static
from zygopy.transform.records import Record
from zygopy.transform.types import BOOL, COMPLEX, FLOAT, INT, Array, Scalar

if TYPE_CHECKING:
    from zygopy.transform.emit import Source

OPTIONS = {"nopython": True, "no_cfunc_wrapper": True, "error_model": "numpy", "boundscheck": False, "nogil": True}


def instruction(generate: Callable | None, typing: Callable) -> Callable:
    """A function for compiled code only, of any number of arguments.

    `typing` takes Numba types and gives the signature; `generate(context, builder, signature, args)` writes LLVM
    instructions, None where `numba_calls` does. Numba's `@intrinsic` does the same for a fixed number of arguments,
    more slowly.
    """

    def handle(*args):
        raise NotImplementedError("for compiled code only")

    class Template(AbstractTemplate):
        key = handle

        def generic(self, args, kws):
            return typing(*args)

    infer_global(handle, types.Function(Template))
    if generate is not None:
        lower_builtin(handle, types.VarArg(types.Any))(generate)
    return handle


# -- code that other code calls by address ---------------------------------------------------------------------------
# The names of such functions, "zygopy.kind.what", tell how to make them: so code from disk finds them again.

_PROVIDERS: dict[str, Callable[[str], int]] = {}
_PLACES = {  # of providers elsewhere
    "blas": "zygopy.backends.blas",
    "callee": "zygopy.backends.callees",
    "memory": "zygopy.backends.allocation",
    "vector": "zygopy.backends.vector_functions",
}
_OUR_SYMBOLS = "zygopy."
_MARK = "numba.dynamic.globals.zygopy"


def provider(kind: str) -> Callable:
    """Declare the function that gives the address of what a name stands for; it gets the part behind the kind."""
    return lambda give: _PROVIDERS.setdefault(kind, give)


@cache
def provide(symbol: str) -> None:
    """Tell LLVM where a function of ours is."""
    _, kind, what = symbol.split(".", 2)
    if kind not in _PROVIDERS:
        import_module(_PLACES[kind])
    llvm.add_symbol(symbol, _PROVIDERS[kind](what))


def use(module: llvm_ir.Module, symbol: str) -> None:
    """Have a function of ours for a module that calls it, and keep Numba from caching the module on disk.

    Numba does that where it finds a name that begins so: it could not provide the function in another process.
    """
    provide(symbol)
    if _MARK not in module.globals:
        mark = llvm_ir.GlobalVariable(module, llvm_ir.IntType(8), _MARK)
        mark.linkage, mark.global_constant = "weak_odr", True
        mark.initializer = llvm_ir.Constant(mark.value_type, 0)


def compiled_once(function: Callable, constants: tuple[float, ...] = ()) -> Callable:
    """A function of arrays, and of constants behind them, that is compiled once for each dtype and called by address.

    The arrays may have any strides; the constants have the dtype of the first array. What calls it holds none of its
    code. The function is a name of its module.
    """

    def typing(*arrays):
        return types.none(*(types.Array(t.dtype, t.ndim, "A") for t in arrays))

    def generate(context, builder, signature, args):
        dtype = signature.args[0].dtype
        given = (*signature.args, *(dtype for _ in constants))
        args = [*args, *(context.get_constant_generic(builder, dtype, c) for c in constants)]
        kinds = "-".join([*(f"{t.dtype}:{t.ndim}" for t in signature.args), *(f"{dtype}:0" for _ in constants)])
        symbol = f"{_OUR_SYMBOLS}routine.{function.__module__}:{function.__name__}-{kinds}"
        use(builder.module, symbol)
        convention = context.call_conv
        type_ = convention.get_function_type(types.none, given)
        callee = cgutils.get_or_insert_function(builder.module, type_, symbol)
        status, _ = convention.call_function(builder, callee, types.none, given, args)
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return instruction(generate, typing)


_BY_ADDRESS: dict[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
_held: list = []  # functions whose code others call


@provider("routine")
def _address_of_routine(what: str) -> int:
    """The address of a function compiled for a signature, now or in an earlier process."""
    place, *kinds = what.split("-")
    module, name = place.split(":")
    signature: tuple = ()
    for kind in kinds:
        dtype, ndim = kind.split(":")
        number = getattr(types, dtype)
        signature += (number if ndim == "0" else types.Array(number, int(ndim), "A"),)
    compiled: Any = njit(**_BY_ADDRESS)(getattr(import_module(module), name))
    compiled._cache = _Kept(lambda _: what, {}, of_library=True)
    compiled.compile(signature)
    _held.append(compiled)
    found = compiled.overloads[signature]
    return found.library.get_pointer_to_function(found.fndesc.llvm_func_name)


# -- kept functions --------------------------------------------------------------------------------------------------


def address_at(builder, symbol: str, type_):
    """The address of a function, a pointer of a type, that stands at a symbol of ours."""
    use(builder.module, symbol)
    slot = builder.module.globals.get(symbol)
    if slot is None:
        slot = llvm_ir.GlobalVariable(builder.module, type_, symbol)
    return builder.load(slot)


_STACK = 4 << 20 if sys.platform.startswith("linux") else 256 << 10  # bytes that calls of calls may take


def _stack_end(context, builder, signature, args):
    here = builder.ptrtoint(cgutils.alloca_once(builder, llvm_ir.IntType(8)), llvm_ir.IntType(64))
    return builder.sub(here, llvm_ir.Constant(here.type, _STACK))


stack_end = instruction(_stack_end, lambda: types.int64())  # the address that the stack may grow down to


def _stay_above(context, builder, signature, args):
    here = builder.ptrtoint(cgutils.alloca_once(builder, llvm_ir.IntType(8)), args[0].type)
    with builder.if_then(builder.icmp_unsigned("<", here, args[0]), likely=False):
        context.call_conv.return_user_exc(builder, RecursionError, ("maximum recursion depth exceeded",))
    return context.get_dummy_value()


stay_above = instruction(_stay_above, lambda end: types.none(end))  # raises where the stack has grown to that address


def compile_kept(function: Callable, signature, symbol: str, stays: bool) -> tuple[object, int]:
    """A function compiled for a signature, and the address of its code; on disk it has the name of its symbol."""
    compiled: Any = njit(pipeline_class=_PassesOfKept, **_BY_ADDRESS)(function)
    compiled._cache = _KeptFunction(symbol, stays)
    compiled.compile(signature)
    found = compiled.overloads[tuple(signature.args)]
    return compiled, found.library.get_pointer_to_function(found.fndesc.llvm_func_name)


def load_kept(symbol: str) -> tuple[object, int] | None:
    """The code of a kept function from disk, and its address."""
    found = _KeptFunction(symbol, False).load_overload(None, cpu_target.target_context)
    if found is None:
        return None
    return found, found.library.get_pointer_to_function(found.fndesc.llvm_func_name)


# -- code on disk ----------------------------------------------------------------------------------------------------


@cache
def _machine(of_library: bool) -> str:
    """What code depends on beside its source: versions, the processor, how LLVM is to work."""
    settings = [getattr(config, name) for name in ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "DEBUGINFO_DEFAULT")]
    source = OF_BACKENDS if of_library else OF_PACKAGE
    return repr((source, cpu_target.target_context.codegen().magic_tuple(), settings))


class _Kept:
    """What Numba asks for code before it compiles any, and gives new code to: the files of `cache`.

    `identity` gives the name of the code for a signature, None where there can be none; `notes` are kept with it.
    """

    cache_path = None

    def __init__(self, identity: Callable[[Any], str | None], notes: dict[str, bool], of_library: bool = False):
        self._identity, self._notes, self._of_library = identity, notes, of_library

    def _name(self, signature) -> str | None:
        identity = self._identity(signature)
        return identity and files.name(self._of_library, _machine(self._of_library), str(signature), identity)

    def load_overload(self, signature, target_context):
        name = self._name(signature)
        data = files.read(name) if name is not None else None
        if data is None:
            return None
        rtsys.initialize(target_context)
        notes, symbols, reduced = pickle.loads(data)
        try:
            for symbol in symbols:
                provide(symbol)
        except LookupError:  # what it calls is no longer on disk
            return None
        self._notes.update(notes)
        return compiler.CompileResult._rebuild(target_context, *reduced)

    def save_overload(self, signature, result) -> None:
        name = self._name(signature)
        library = result.library
        stays = self._notes.get("stays") or {*library._dynamic_globals} - {_MARK}
        if name is None or stays or files.folder() is None:
            return
        module = library._final_module
        called = [f.name for f in (*module.functions, *module.global_variables) if f.is_declaration]
        symbols = [symbol for symbol in called if symbol.startswith(_OUR_SYMBOLS)]
        files.write(name, serialize.dumps((self._notes, symbols, result._reduce())))


class _KeptFunction(_Kept):
    """The file of a kept function, of which the symbol tells everything."""

    def __init__(self, symbol: str, stays: bool):
        super().__init__(lambda _: symbol, {"stays": stays})

    def _name(self, signature) -> str | None:
        return files.name(False, _machine(False), "callee", self._identity(signature) or "")


def kept_library(name: str, define: Callable):
    """The code of functions without Python, which `define` writes into an LLVM module; compiled or from disk."""
    rtsys.initialize(cpu_target.target_context)
    codegen = cpu_target.target_context.codegen()
    file = files.name(True, _machine(True), name)
    if (data := files.read(file)) is not None:
        return codegen.unserialize_library(pickle.loads(data))
    library = codegen.create_library(name)
    module = library.create_ir_module(name)
    define(module)
    library.add_ir_module(module)
    library.enable_object_caching()
    library.finalize()
    files.write(file, pickle.dumps(library.serialize_using_object_code()))
    return library


class _Typing:
    """Numba's typing context, with the types of operators and ufuncs remembered: Numba finds them at each use."""

    _operators: dict[tuple, object] = {}

    def __init__(self, context):
        self._context = context

    def __getattr__(self, name: str):
        return getattr(self._context, name)

    def resolve_function_type(self, function, args, kws):
        named = getattr(function, "typing_key", None)
        if not isinstance(named, np.ufunc | BuiltinFunctionType) or kws:
            return self._context.resolve_function_type(function, args, kws)
        key = (function, args)
        if (found := self._operators.get(key)) is None:
            found = self._operators[key] = self._context.resolve_function_type(function, args, kws)
        return found


@compiler_machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _Rewrites(untyped_passes.GenericRewrites):
    """What Numba writes otherwise before it looks for types: subscripts and exceptions that are constants.

    Numba finds out behind this, and before it, where variables are last used; legalization does so again.
    """

    _name = "zygopy_rewrites"

    def run_pass(self, state):
        blocks = state.func_ir.blocks
        for kind in rewrites.rewrite_registry.rewrites["before-inference"]:
            rewrite, waiting = kind(state), list(blocks.items())
            while waiting:
                label, block = waiting.pop()
                if rewrite.match(state.func_ir, block, state.typemap, state.calltypes):
                    blocks[label] = rewrite.apply()
                    waiting.append((label, blocks[label]))
        return True


@compiler_machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _TypeInference(typed_passes.NopythonTypeInference):
    _name = "zygopy_type_inference"

    def run_pass(self, state):
        context = state.typingctx
        state.typingctx = _Typing(context)
        try:
            return super().run_pass(state)
        finally:
            state.typingctx = context


@compiler_machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(typed_passes.BaseNativeLowering):
    _name = "zygopy_lowering"
    lowering_class = Caller

    def run_pass(self, state):
        if state.library is None:
            state.library = Library(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()
        return super().run_pass(state)


@compiler_machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _LoweringOfKept(_Lowering):
    _name = "zygopy_lowering_of_kept"
    lowering_class = Callee


class _Passes(compiler.CompilerBase):
    """Numba's passes without those for closures, array expressions, `with` and inlining, which emitted code has not.

    Nor those that give each assignment a variable of its own, which take a quarter of the time of a long program: in
    emitted code a name has one type, and LLVM finds for itself which assignment a use sees.
    """

    lowering: type = _Lowering

    def define_pipelines(self):
        passes = compiler_machinery.PassManager("zygopy")
        for step in (
            untyped_passes.TranslateByteCode,
            untyped_passes.FixupArgs,
            _Rewrites,
            _TypeInference,
            typed_passes.IRLegalization,
            typed_passes.AnnotateTypes,
            self.lowering,
            typed_passes.NoPythonBackend,
        ):
            passes.add_pass(step, step._name)
        passes.finalize()
        return [passes]


class _PassesOfKept(_Passes):
    """Those passes for a kept function."""

    lowering = _LoweringOfKept


class _Compiler(numba_dispatcher._FunctionCompiler):
    """Asks its owner for the function to compile; code without a loop keeps the GIL, which costs 40 ns to release."""

    owner: "NativeFunction"

    def _customize_flags(self, flags):
        self.flags = flags
        return flags

    def _get_implementation(self, args, kws):
        implementation = self.owner.implementation(args)
        text = self.owner.sources[args].text
        callees = self.owner.sources[args].callees
        self.flags.release_gil = bool(callees) or "for " in text or "while " in text
        return implementation


class NativeFunction(CPUDispatcher):
    """A function that is generated and compiled to machine code for the types of each call.

    Parameters
    ----------
    face : callable
        A Python function with the signature and defaults; its body does not matter.
    generate : callable
        Takes the tuple of argument types, gives the `Source`.
    identity : callable
        Names what the code depends on beside the types; None if code is not to be kept on disk.
    plain_defaults : int
        How many of the last defaults are typed as the numbers that they are; omitted arguments take 60 ns.
    """

    def __init__(
        self,
        face: Callable,
        generate: "Callable[[tuple], Source]",
        identity: Callable[[], str | None] = lambda: None,
        plain_defaults: int = 0,
    ):
        super().__init__(face, targetoptions=dict(OPTIONS))
        self._plain_defaults = plain_defaults
        if plain_defaults:
            self._type_defaults_as_they_are(face, plain_defaults)
        self.notes: dict[str, bool] = {}  # what is known of the code, and is kept with it
        self._cache = _Kept(self._name, self.notes)
        self._identity = identity
        self._generate = generate
        self._with_c_wrapper: dict[int, Any] = {}  # what calls this with so many arguments
        self.sources: dict[tuple, Source] = {}
        self._given: tuple = ()  # the arguments of the call that the code is made for
        options = dict(OPTIONS)
        self._compiler = _Compiler(face, self.targetdescr, options, {}, _Passes)
        self._compiler.owner = self

    def _type_defaults_as_they_are(self, face: Callable, count: int) -> None:
        """Make the dispatcher of C again, as Numba does, with these defaults."""
        values = face.__defaults__ or ()
        names = tuple(self._compiler.pysig.parameters)
        defaults = (*map(numba_dispatcher.OmittedArg, values[:-count]), *values[-count:])
        CDispatcher.__init__(
            self, self._tm.get_pointer(), len(names), self._fold_args, names, defaults, False, False, False
        )

    def implementation(self, numba_types: tuple) -> Callable:
        """The Python function that Numba compiles for argument types."""
        from zygopy.backends import cpu  # loads all that emitted code may call

        names = list(self._compiler.pysig.parameters)
        found = tuple(zygopy_type(t, n) for t, n in zip(numba_types, names, strict=True))
        if len(self._given) == len(found):
            found = tuple(map(with_lengths, found, self._given))
        source = self._generate(found)
        if not all(map(_is_importable, source.errors.values())):
            self.notes["stays"] = True  # another process would have another class of that name
        self.sources[numba_types] = source
        for k in range(len(names) - self._plain_defaults, len(names)):
            if not isinstance(found[k], Array | tuple):
                names[k] = f"{cpu.OWN}{names[k]}"  # a number that nothing reads
        return cpu.function(source, names)

    def get_compile_result(self, sig):
        """Numba's hook for functions as arguments, which are called by C functions: those of one that calls this."""
        from zygopy.backends.c_functions import with_c_wrapper

        count = len(sig.args)
        if count not in self._with_c_wrapper:
            self._with_c_wrapper[count] = with_c_wrapper(self, count)
        return self._with_c_wrapper[count].get_compile_result(sig)

    def _name(self, signature) -> str | None:
        """What the code of a signature depends on beside it."""
        classes = [(class_, Fingerprint(class_).digest) for class_ in _classes(signature)]
        if not all(_is_importable(class_) and digest for class_, digest in classes):
            return None
        identity = self._identity()
        return identity and repr((identity, [digest for _, digest in classes], *map(_short_axes, self._given)))

    def _compile_for_args(self, *args, **kwargs):
        self._given = () if kwargs else args
        try:
            with _no_collection():
                return super()._compile_for_args(*args, **kwargs)
        except errors.TypingError as error:
            if (own := _own_error(error)) is not None:
                raise own from None
            raise
        finally:
            self._given = ()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without Python's search for garbage, which takes a tenth of the time of a compilation and finds next to none."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def given_value(argument: object) -> object:
    """The value of an argument as Numba hands it on, a default among them."""
    return argument.value if isinstance(argument, numba_dispatcher.OmittedArg) else argument


def _is_importable(class_: type) -> bool:
    """Whether another process finds the same class by name."""
    found: object = None if class_.__module__ == "__main__" else sys.modules.get(class_.__module__)
    for name in class_.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is class_


def _classes(signature: tuple) -> list[type]:
    """The classes of the NamedTuples in a signature."""
    found = [t.instance_class for t in signature if isinstance(t, types.BaseNamedTuple)]
    return found + [c for t in signature if isinstance(t, types.BaseTuple) for c in _classes(tuple(t.types))]


def _short_axes(value: object) -> object:
    """What the choice of forms by lengths depends on."""
    if isinstance(value, np.ndarray):
        return tuple(n <= LONGEST for n in value.shape)
    return tuple(map(_short_axes, value)) if isinstance(value, tuple) else None


def _own_error(error: BaseException | None) -> ZygopyError | None:
    """The error of ours that made Numba give up, if there is one."""
    seen = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ZygopyError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def zygopy_type(t: types.Type, name: str) -> ArgumentType:
    """The type that a Numba type stands for.

    Raises
    ------
    DtypeError
        For types that cannot be computed with; the message says what to do.
    """
    if isinstance(t, types.Omitted):
        return Static(t.value)
    t = types.unliteral(t)
    if isinstance(t, types.BaseTuple):
        items = [zygopy_type(item, f"{name}[{k}]") for k, item in enumerate(t.types)]
        named = isinstance(t, types.BaseNamedTuple)
        return Record(items, t.instance_class, t.fields) if named else tuple(items)
    if isinstance(t, types.Boolean):
        return BOOL
    if t == types.float64:
        return FLOAT
    if t == types.int64:
        return INT
    if t == types.complex128:
        return COMPLEX
    if isinstance(t, types.Number) and t != types.float16:
        return Scalar(np.dtype(t.name))
    if isinstance(t, types.Array):
        return _array_type(t, name)
    if isinstance(t, types.NoneType):
        return Static(None)
    raise DtypeError(f"{name} is {_describe(t)}", help=_advice(t))


def _array_type(t: types.Array, name: str) -> Array:
    if not isinstance(t.dtype, types.Number | types.Boolean) or t.dtype == types.float16:
        raise DtypeError(f"{name} is an array of {t.dtype}", help="convert it: x.astype(float)")
    if not 1 <= t.ndim <= 8:
        raise DtypeError(f"{name} is an array with {t.ndim} dimensions", help="pass a number: x.item()")
    dtype = np.dtype(np.bool_) if isinstance(t.dtype, types.Boolean) else np.dtype(t.dtype.name)
    return Array(dtype, t.ndim, t.layout, t.mutable)


def _describe(t: types.Type) -> str:
    if isinstance(t, types.UnicodeType):
        return "a string"
    return f"of a type that is not supported ({t})"


def _advice(t: types.Type) -> str:
    if isinstance(t, types.List | types.DictType):
        return "lists and dicts are taken from Python only; pass a tuple or NamedTuple"
    return "pass numbers, arrays, or tuples of them"
