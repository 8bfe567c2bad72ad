"""From a Python function to the source of its derivative.

    specialise    Python and argument types -> typed IR
    simplify      constants, repeated expressions, dead code
    reverse       IR -> IR whose reverse part names primal values freely; `jam`, `tape.close` bring them there
    forward       IR -> IR with a tangent beside each value
    emit          IR -> readable Python

Everything is decided here, from types; backends compile what `emit` writes.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial

from zygopy.errors import DtypeError, OutputError
from zygopy.transform import Program, Task, ops
from zygopy.transform.arguments import ArgumentType, Lengths
from zygopy.transform.differentiation.apart import apart
from zygopy.transform.differentiation.forward import forward
from zygopy.transform.differentiation.halves import cut
from zygopy.transform.differentiation.jacobians import jacobian
from zygopy.transform.differentiation.reverse import Open, reverse
from zygopy.transform.differentiation.settle import settle, share_again
from zygopy.transform.differentiation.split import (
    Split,
    differentiable_leaves,
    linearized,
    split,
    weighted,
    without_counts,
    without_prints,
)
from zygopy.transform.differentiation.tape import close
from zygopy.transform.differentiation.unit_seeds import unit_seeds
from zygopy.transform.differentiation.winners import winners
from zygopy.transform.into import into
from zygopy.transform.ir import (
    Const,
    Function,
    Leaves,
    Let,
    Push,
    Value,
    Var,
    everywhere,
    leaves,
    replace,
    walk,
    with_reachable,
)
from zygopy.transform.library import (  # noqa: F401  (functions register themselves)
    fourier,
    linear_algebra_functions,
    numpy_functions,
    numpy_samples,
    numpy_shapes,
    numpy_ufuncs,
    windows,
    written,
)
from zygopy.transform.memory import stored_parameters
from zygopy.transform.notes import notes
from zygopy.transform.passes.dead_stores import dead_stores
from zygopy.transform.passes.detach import detach
from zygopy.transform.passes.distribute import distribute
from zygopy.transform.passes.double_buffer import double_buffer
from zygopy.transform.passes.fuse import fuse
from zygopy.transform.passes.hoist import hoist, hoist_numbers
from zygopy.transform.passes.jam import jam
from zygopy.transform.passes.on_tape import on_tape
from zygopy.transform.passes.orient import orient
from zygopy.transform.passes.overlaps import refuse_overlaps
from zygopy.transform.passes.overwrite import overwrite
from zygopy.transform.passes.promote import promote
from zygopy.transform.passes.reassociate import reassociate
from zygopy.transform.passes.reread import reread
from zygopy.transform.passes.rotate import rotate
from zygopy.transform.passes.share import share
from zygopy.transform.passes.strips import strips
from zygopy.transform.passes.vectorise import vectorise
from zygopy.transform.reading import folds  # noqa: F401  (functions register themselves)
from zygopy.transform.reading.signature import Specialised, specialise
from zygopy.transform.reading.values import Static, describe
from zygopy.transform.records import Record, keys_of, place
from zygopy.transform.rules import every  # noqa: F401  (rules register themselves)
from zygopy.transform.simplify import simplify
from zygopy.transform.types import Array
from zygopy.transform.verify import verify

Pass = Callable[[Function], Function]
_AS_THEY_ARE = ("jvp", "vjp", "linearize", "pullback", "pull", "push")  # kinds for which ints count


def build(
    function: Callable,
    types: list[ArgumentType],
    task: Task,
    lengths: Lengths | None = None,
    out: ArgumentType | None = None,
    target: str = "cpu",
) -> Program:
    """The IR for a task on a function with arguments of the given types, and axes of length 1.

    `out` is the type of a structure of arrays that a derivative is written into; `target` says what loops are made fast
    for: "cpu" or "cuda".

    Raises
    ------
    ZygopyError
        If the function cannot be differentiated; the message names the line and the reason.
    """
    checked_names = differentiable(function, types, task) if task.kind not in _AS_THEY_ARE else []
    promoted = [] if task.kind in ("jacfwd", "jacrev") else checked_names
    once = task.kind not in ("vjp", "linearize", "jacfwd", "jacrev")  # the others would run forward parts again
    found = specialise(function, types, promoted, lengths, reuse=once and target != "cuda")
    taken = notes()
    if taken is not None:
        taken.functions += _with_kept(found.function)
    guarded = checked(refuse_overlaps(found.function, stored_parameters(found.function)))
    passes = (
        simplify,
        *((winners, detach) if task.kind != "primal" else ()),
        double_buffer,
        _FUSE[target],
        reassociate,
    )
    primal = verify(_through(passes, guarded))  # always: what is out of scope would have no derivative, in silence
    if taken is not None:
        taken.fused += _with_kept(primal)
    is_inner = lengths is not None and lengths.ask is not None
    settled: Pass = partial(settle, once=is_inner)
    second = None
    if task.kind == "vjp":
        outputs = _value_and_aux(primal)[0] if task.has_aux else primal.results
        parts = halves(primal, [found.wrt[name] for name in task.wrt], settled, outputs=outputs)
        derived, second = parts.forward, parts.backward
    elif task.kind == "linearize":
        parts = _tuned_halves(linearized(everywhere(settled, primal), *_apart(primal, list(task.wrt), settled)))
        derived, second = parts.forward, parts.backward
    else:
        tuned: Pass = partial(everywhere, simplify) if is_inner else partial(_tuned, target=target)
        derived = _derive(primal, found, task, settled, tuned)
    if out is not None:
        derived = checked(into(derived, _gradient(derived.results, task), out))
    primals = sum(len(_numbers_of(type_)) for type_ in types)
    return Program(derived, found.captured, tuple(found.numbers), primals, found.guarded, second)


def halves(
    primal: Function,
    wrt: list[Leaves],
    settled: Pass = settle,
    owned: bool = True,
    outputs: Leaves | None = None,
) -> Split:
    """The derivative of a function as two, each in the form that compiles to the fastest loops; see `split`."""
    return _tuned_halves(split(primal, wrt, partial(_closed, settled=settled, jammed=False), owned, outputs))


def _tuned_halves(found: Split) -> Split:
    return Split(*(_tuned(checked(everywhere(simplify, checked(half)))) for half in (found.forward, found.backward)))


def _derive(primal: Function, found: Specialised, task: Task, settled: Pass, tuned: Pass) -> Function:
    """The program of a task; `settled` is applied once nothing differentiates it any more, and `tuned` at last."""
    match task.kind:
        case "primal":
            return tuned(everywhere(settled, primal))
        case "pull":
            outputs = _value_and_aux(primal)[0] if task.has_aux else primal.results
            quiet = replace(primal, body=without_prints(primal.body))
            seeded, _, total = weighted(quiet, differentiable_leaves(outputs))
            wrt = [without_counts(found.wrt[name]) for name in task.wrt]
            return replace(tuned(_closed(seeded, wrt, total, tuple, settled)), name=f"{primal.name}_vjp")
        case "jvp" | "push":
            moving = primal if task.kind == "jvp" else replace(primal, body=without_prints(primal.body))
            tangents = forward(moving, list(task.wrt))
            if task.tangent_only or task.kind == "push":
                _, dots = tangents.results
                tangents = replace(tangents, body=replace(tangents.body, yields=tuple(leaves(dots))), results=dots)
            tangents = everywhere(simplify, tangents)
            return replace(tuned(everywhere(settled, tangents)), name=f"{primal.name}_jvp")
        case "jacfwd":
            sides = partial(_tangents, settled=settled)
            columns = jacobian(primal, list(task.wrt), task.single, None, sides, task.symmetric)
            columns = checked(unit_seeds(everywhere(simplify, checked(columns))))
            return replace(tuned(checked(everywhere(settled, columns))), name=f"{primal.name}_jacfwd")
        case "jacrev":
            adjoints = partial(_adjoints, settled=settled)
            rows = everywhere(simplify, checked(jacobian(primal, list(task.wrt), task.single, adjoints)))
            rows = checked(unit_seeds(rows))
            return replace(tuned(rows), name=f"{primal.name}_jacrev")
    wrt = [found.wrt[name] for name in task.wrt]
    if task.kind == "pullback":
        outputs = [y for y in leaves(primal.results) if y.type.dtype.kind in "fc"]
        function, _, total = weighted(primal, outputs)
        wrt = [without_counts(tree) for tree in wrt]
        return tuned(_closed(function, wrt, total, tuple, settled))
    output, aux = _output(primal, task.has_aux)

    def results(bars: list[Leaves]) -> Leaves:
        gradient = bars[0] if task.single else tuple(bars)
        value = (output, aux) if task.has_aux else output
        if task.kind == "value_and_grad":
            return (value, gradient)
        return (gradient, aux) if task.has_aux else gradient

    closed = _closed(primal, wrt, output, results, settled)
    return replace(tuned(closed), name=f"{primal.name}_{task.kind}")


def _gradient(results: Leaves, task: Task) -> Leaves:
    """The derivatives among the results of a task."""
    if task.kind == "value_and_grad":
        return results[1]
    return results[0] if task.kind == "grad" and task.has_aux else results


def _closed(
    primal: Function,
    wrt: list[Leaves],
    output: Value,
    results: Callable[[list[Leaves]], Leaves],
    settled: Pass,
    jammed: bool = True,
) -> Function:
    """The forward and the reverse part as one program; `jammed`: side by side where that needs no tape."""
    program = reverse(primal, wrt, output, results)
    functions = {callee: settled(kept) for callee, kept in primal.callees}
    for half in program.halves:
        forward_part, backward_part = cut(_with_tapes(half.program, settled, True), half)
        functions |= {half.forward: forward_part, half.backward: backward_part}
    return with_reachable(_with_tapes(program, settled, jammed), functions)


def _with_tapes(program: Open, settled: Callable[[Function], Function], jammed: bool) -> Function:
    """An open program, closed."""
    opened = settled(replace(program.function, callees=()))
    opened = simplify(checked(opened, True), True)
    program = replace(program, function=checked(jam(opened), True) if jammed else opened)
    return checked(simplify(share_again(checked(close(program)))))


def _tangents(primal: Function, wrt: list[str], settled: Pass) -> Function:
    """The program of values and tangents, apart where that can be."""
    return _apart(primal, wrt, settled)[0]


def _apart(primal: Function, wrt: list[str], settled: Pass) -> tuple[Function, bool]:
    """The program of values and tangents, and whether all values stand before all tangents."""
    program = apart(primal, wrt)
    if program is not None:
        closed = _with_tapes(program, settled, False)
        pushes = [sum(isinstance(s, Push) for s in walk(f.body)) for f in (program.function, closed)]
        if pushes[0] == pushes[1]:  # a tape that grows gives back in reverse order
            return with_reachable(closed, {callee: settled(kept) for callee, kept in primal.callees}), True
    return everywhere(settled, forward(primal, wrt)), False


def _adjoints(primal: Function, wrt: list[Leaves], output: Value, settled: Pass) -> Function:
    """The program of nothing but the adjoints of `wrt`."""
    return _closed(primal, wrt, output, tuple, settled)


_SHARED = (on_tape, overwrite, share, dead_stores, promote, orient, hoist_numbers)
_TUNING: dict[str, tuple[Pass, ...]] = {
    "cpu": (*_SHARED, strips, hoist, distribute, rotate, vectorise),
    "cuda": _SHARED,  # the others make one thread's loops vectorise, or have trips share memory
}
_FUSE: dict[str, Pass] = {"cpu": fuse, "cuda": partial(fuse, for_grids=True)}
_FUSE_AGAIN: dict[str, tuple[Pass, ...]] = {"cpu": (reread, _FUSE["cpu"]), "cuda": (_FUSE["cuda"],)}


def _tuned(function: Function, target: str = "cpu") -> Function:
    """The same program in the form that compiles to the fastest loops."""
    return _through((simplify, *_FUSE_AGAIN[target], *_TUNING[target], simplify), function)


def _with_kept(function: Function) -> list[Function]:
    return [function, *(kept for _, kept in function.callees)]


def _through(passes: Sequence[Callable[[Function], Function]], function: Function) -> Function:
    """The function and those that it keeps, changed by passes, which are verified on demand."""
    for change in passes:
        function = checked(everywhere(change, function))
        if change is orient and (taken := notes()) is not None:  # what later passes make are rows of strips
            made = [s for f in _with_kept(function) for s in walk(f.body) if isinstance(s, Let)]
            taken.tapes |= {s.var for s in made if s.op in (ops.SCRATCH, ops.NEW_STACK)}
    return function


def checked(function: Function, open_program: bool = False) -> Function:
    """The function, verified if `ZYGOPY_VERIFY` is set."""
    return verify(function, open_program) if os.environ.get("ZYGOPY_VERIFY") else function


def differentiable(function: Callable, types: list[ArgumentType], task: Task) -> list[str]:
    """Check that the parameters to differentiate hold real or complex numbers; the names of those."""
    from zygopy.transform.reading.parse import parameter_names

    by_name = dict(zip(parameter_names(function), types, strict=True))
    for name in task.wrt:
        _check_inexact(name, by_name[name])
        if isinstance(by_name[name], Record) and not _numbers_of(by_name[name]):
            raise DtypeError(f"cannot differentiate with respect to {name}: it holds no numbers")
    return list(task.wrt)


def _check_inexact(name: str, type_: ArgumentType) -> None:
    if isinstance(type_, tuple):
        for key, item in zip(keys_of(type_), type_, strict=True):
            if not isinstance(item, Static):
                _check_inexact(place(name, type_, key), item)
    elif isinstance(type_, Static):
        raise DtypeError(
            f"cannot differentiate with respect to {name}: it is {type(type_.value).__name__}, not a number or array",
            help="name the arguments to differentiate: argnums=...",
        )
    elif isinstance(type_, Array) and type_.dtype.kind not in "fc":
        raise DtypeError(
            f"cannot differentiate with respect to {name}: it is an array of {type_.dtype}",
            why="a gradient has the dtype of its argument, and integers cannot hold one",
            help=f"pass {name}.astype(float)",
        )


def _numbers_of(type_: ArgumentType) -> list:
    """The types of the leaves of an argument."""
    if isinstance(type_, tuple):
        return [leaf for item in type_ for leaf in _numbers_of(item)]
    return [] if isinstance(type_, Static) else [type_]


def _output(primal: Function, has_aux: bool) -> tuple[Var | Const, Leaves]:
    value, aux = _value_and_aux(primal) if has_aux else (primal.results, ())
    if isinstance(value, tuple) or isinstance(value.type, Array):
        what = "an array" if not isinstance(value, tuple) else describe(value) if len(value) else "None"
        raise OutputError(
            f"{primal.name} returns {what}; a gradient needs one real number",
            primal.loc,
            help="return a sum or another scalar, or use has_aux=True for (value, rest)",
        )
    if value.type.is_complex:
        raise OutputError(
            f"{primal.name} returns a complex number; a gradient needs one real number",
            primal.loc,
            help="return a real number of it, such as z.real or abs(z) ** 2",
        )
    if not value.type.is_float:
        raise OutputError(f"{primal.name} returns an integer; a gradient needs a real number", primal.loc)
    return value, aux


def _value_and_aux(primal: Function) -> tuple[Leaves, Leaves]:
    found = primal.results
    is_tuple = isinstance(found, tuple) and not (isinstance(found, Record) and not found.is_named_tuple)
    if not (is_tuple and len(found) == 2):
        raise OutputError(f"{primal.name} must return a pair (value, aux), as has_aux=True says", primal.loc)
    return found[0], found[1]
