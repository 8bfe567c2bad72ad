"""The order in which NumPy lays out new arrays: like that of their operands, where these are not in C order.

y = np.cos(x.T)         # in Fortran order in NumPy, in C order here
z = y.reshape(n, m)     # so a copy in NumPy, and a view here, did we not know

Only reshaping asks for it: arrays that NumPy may lay out otherwise are *loose*.
"""

import numpy as np

from zygopy.transform import ops
from zygopy.transform.ir import Effect, Let, Var
from zygopy.transform.reading.values import Repeated, View

ALWAYS_C = {np.matmul, np.dot, np.tensordot, np.repeat, np.tile, np.take, np.kron, np.ascontiguousarray, "copy"}


def loosen(s, result: object, operands: object, function: object = None) -> None:
    """Note that the new arrays of a result may have another order in NumPy, if operands are not in C order."""
    if function in ALWAYS_C:
        return
    given = [view for view in _views(operands) if view.ndim > 1]
    by_columns = (getattr(function, "__module__", None) or "").startswith("scipy.linalg")  # as LAPACK gives them
    if all(is_in_c_order(s, view) for view in given) and not by_columns:
        return
    old = {view.base for view in _views(operands)}
    for view in _views(result):
        if view.base not in old and view.ndim > 1 and (by_columns or not _decides(s, given, view)):
            s.loose.add(view.base)


def _decides(s, operands: list[View], result: View) -> bool:
    """Whether one of the operands has the result's axes, none repeated, and is in C order: NumPy then chooses C."""
    return any(
        view.ndim == result.ndim and is_in_c_order(s, view) and not any(isinstance(a, Repeated) for a in view.spans)
        for view in operands
    )


def is_in_c_order(s, view: View) -> bool:
    """Whether the strides of a view fall from axis to axis, whatever their signs, in NumPy as here."""
    places = [k for k in view.own_axes if isinstance(k, int)]
    given = s.outer is not None and view.base in s.parameters  # to a kept function, each time in another order
    return places == sorted(places) and view.base.type.layout == "C" and not given and not is_loose(s, view.base)


def is_loose(s, array: Var) -> bool:
    """Whether NumPy may lay out an array other than in C order."""
    if not s.loose or array in s.parameters:
        return False
    let = s.facts.definitions.get(array)
    if isinstance(let, Let) and let.op in ops.VIEWS:
        return is_loose(s, let.args[0])
    made_here = isinstance(let, Let) and let.op.effect is Effect.ALLOCATES
    return array in s.loose or not made_here  # what branches and loops hand on may be any of them


def _views(value: object) -> list[View]:
    if isinstance(value, View):
        return [value]
    return [view for item in value for view in _views(item)] if isinstance(value, tuple | list) else []
