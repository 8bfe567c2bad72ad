"""One model through the whole job: gradient compiled, shown, checked, used by an optimiser, and timed."""

import time
from collections.abc import Callable
from copy import deepcopy

import numpy as np

import zygopy as zg
from zygopy.demo.problem import Fit, Parameters, Problem
from zygopy.demo.screen import Screen, shown_time

ROUNDS = 31
COMPONENTS = 100  # of each array, at most, for finite differences


def fit(problem: Problem, screen: Screen, number: int) -> Fit:
    """Minimise the problem's loss with zygopy's gradient."""
    screen.section(number, problem.title, problem.story)
    screen.code("your code", "\n\n".join(map(_source_of, problem.programs)))

    gradient = zg.grad(problem.loss)
    arguments = problem.arguments
    components = sum(min(array.size, COMPONENTS) for array in _arrays(problem.start))
    with screen.progress() as progress, progress.step("compiling the gradient", 1):
        compile_s = _seconds(gradient.value_and_grad, arguments)
    screen.code("the gradient that zygopy wrote", gradient.source(*arguments))
    if problem.by_hand:
        screen.code("the gradient by hand", _source_of(problem.by_hand))
    with screen.progress() as progress:
        with progress.step("finite differences", components) as advance:
            error = _difference_error(gradient, arguments, advance)
        with progress.step(f"{problem.step}s", None) as advance:
            began = time.perf_counter()
            found = problem.minimise(problem, gradient, advance)
            fit_s = time.perf_counter() - began
        with progress.step("timing", ROUNDS) as advance:
            calls = [gradient.value_and_grad, gradient.primal, *filter(None, [problem.by_hand])]
            gradient_s, primal_s, *by_hand_s = _times_in_turn(calls, arguments, advance)

    losses = f"{found.losses[0]:.4g} -> {found.losses[-1]:.4g}"
    rows = [
        ("finite differences", f"agree to {error:.0e} of the largest component ({components} components)"),
        ("fit", f"loss {losses} in {found.gradients} gradients and {shown_time(fit_s)}"),
        *problem.report(found.parameters),
        ("time of the function", shown_time(np.median(primal_s))),
        ("time of value and gradient", f"{_compared(gradient_s, primal_s)} the function's"),
    ]
    if problem.by_hand:
        fitted = (found.parameters, *arguments[1:])
        apart = _relative_difference(gradient.value_and_grad(*fitted), problem.by_hand(*fitted))
        ratio = f"{_compared(by_hand_s[0], gradient_s)} zygopy's"
        rows.append(("value and gradient by hand", f"{ratio}, the same to {apart:.0e}"))
    screen.results([*rows, ("first gradient, compiled in", shown_time(compile_s))])
    return found


def _source_of(function: Callable) -> str:
    from inspect import getsource

    return getsource(function).rstrip()


def _seconds(call: Callable, arguments: tuple) -> float:
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def _arrays(parameters: Parameters) -> tuple[np.ndarray, ...]:
    return parameters if isinstance(parameters, tuple) else (parameters,)


def _difference_error(gradient, arguments: tuple, advance: Callable) -> float:
    """Largest difference from central differences, away from the start, over the gradient's largest component."""
    rng, h = np.random.default_rng(1), 1e-5
    point, *data = deepcopy(arguments)
    for array in _arrays(point):
        array += 0.1 * rng.normal(size=array.shape)
    exact = _arrays(gradient.value_and_grad(point, *data)[1])
    errors = []
    for array, array_bar in zip(_arrays(point), exact, strict=True):
        for i in rng.permutation(array.size)[:COMPONENTS]:
            kept, ends = array.flat[i], []
            for array.flat[i] in (kept + h, kept - h):
                ends.append(gradient.primal(point, *data))
            array.flat[i] = kept
            errors.append(abs((ends[0] - ends[1]) / (2 * h) - array_bar.flat[i]))
            advance()
    return max(errors) / max(np.max(np.abs(array_bar)) for array_bar in exact)


def _relative_difference(ours: tuple, theirs: tuple) -> float:
    """Of two values and gradients: the largest difference in an array, over the largest component there."""
    pairs = zip((ours[0], *_arrays(ours[1])), (theirs[0], *_arrays(theirs[1])), strict=True)
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)


def _times_in_turn(calls: list[Callable], arguments: tuple, advance: Callable) -> np.ndarray:
    """Seconds of each call (rows) in each round (columns)."""
    rounds = []
    for _ in range(ROUNDS):
        rounds.append([_seconds(call, arguments) for call in calls])
        advance()
    return np.transpose(rounds)


def _compared(times: np.ndarray, others: np.ndarray) -> str:
    """The median, and the median of the ratios to the other's times."""
    return f"{shown_time(np.median(times))}, {np.median(times / others):.1f} times"
