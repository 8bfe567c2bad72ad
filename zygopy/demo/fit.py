"""One model through the whole job: gradient compiled, shown, checked, used by an optimiser, and timed."""

import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import OptimizeResult, minimize

import zygopy as zg
from zygopy.demo.problem import Fit, Problem
from zygopy.demo.screen import Screen, shown_time

MAX_ITERATIONS = 300
ROUNDS = 31


def fit(problem: Problem, screen: Screen, number: int) -> Fit:
    """Minimise the problem's loss by L-BFGS-B with zygopy's gradient."""
    screen.section(number, problem.title, problem.story)
    screen.code("your code", "\n\n".join(map(_source_of, problem.programs)))

    gradient = zg.grad(problem.loss)
    arguments = (problem.start, *problem.data)
    with screen.progress() as progress, progress.step("compiling the gradient", 1):
        compile_s = _seconds(lambda: gradient.value_and_grad(*arguments))
    screen.code("the gradient that zygopy wrote", gradient.source(*arguments))
    with screen.progress() as progress:
        with progress.step("finite differences", len(problem.start)) as advance:
            error = _difference_error(problem, gradient, advance)
        with progress.step("L-BFGS-B iterations", None) as advance:
            began = time.perf_counter()
            result, losses = _minimise(problem, gradient, advance)
            fit_s = time.perf_counter() - began
        with progress.step("timing", ROUNDS) as advance:
            calls = (lambda: gradient.primal(*arguments), lambda: gradient.value_and_grad(*arguments))
            primal_s, gradient_s, ratio = _paired_times(*calls, advance)

    screen.results(
        [
            ("finite differences", f"agree to {error:.0e} of the largest component ({len(problem.start)} components)"),
            ("fit", f"loss {losses[0]:.4g} -> {losses[-1]:.4g} in {result.nfev} gradients and {shown_time(fit_s)}"),
            *problem.report(result.x),
            ("time of the function", shown_time(primal_s)),
            ("time of value and gradient", f"{shown_time(gradient_s)}, {ratio:.1f} times the function's"),
            ("first gradient, compiled in", shown_time(compile_s)),
        ]
    )
    return Fit(problem, result.x, losses)


def _source_of(function: Callable) -> str:
    from inspect import getsource

    return getsource(function).rstrip()


def _seconds(call: Callable) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _difference_error(problem: Problem, gradient, advance: Callable) -> float:
    """Largest difference from central differences, away from the start, over the gradient's largest component."""
    rng = np.random.default_rng(1)
    point = problem.start + 0.1 * rng.normal(size=len(problem.start))
    exact, h = gradient.value_and_grad(point, *problem.data)[1], 1e-5
    differences = []
    for unit in np.eye(len(point)):
        ends = [gradient.primal(point + step * unit, *problem.data) for step in (h, -h)]
        differences.append((ends[0] - ends[1]) / (2 * h))
        advance()
    return float(np.max(np.abs(exact - differences)) / np.max(np.abs(exact)))


def _minimise(problem: Problem, gradient, advance: Callable) -> tuple[OptimizeResult, list[float]]:
    losses = [float(gradient.primal(problem.start, *problem.data))]

    def after_iteration(intermediate_result):
        losses.append(float(intermediate_result.fun))
        advance()

    result = minimize(
        gradient.value_and_grad,
        problem.start,
        args=problem.data,
        jac=True,
        method="L-BFGS-B",
        callback=after_iteration,
        options={"maxiter": MAX_ITERATIONS, "ftol": 1e-15, "gtol": 1e-9},
    )
    return result, losses


def _paired_times(primal: Callable, gradient: Callable, advance: Callable) -> tuple[float, float, float]:
    """Median seconds of both calls, which take turns, and the median of their ratios."""
    rounds = []
    for _ in range(ROUNDS):
        rounds.append((_seconds(primal), _seconds(gradient)))
        advance()
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    return medians[0], medians[1], statistics.median(g / p for p, g in rounds)
