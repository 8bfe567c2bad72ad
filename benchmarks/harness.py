"""The common part of all benchmarks: contenders, interleaved rounds, paired ratios, errors, the machine."""

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from itertools import repeat
from types import FunctionType

import numba
import numpy as np

from benchmarks.program import Program

ROUND_S = 0.01  # a contender's share of one round, as far as one call is shorter
BUDGET_S = 5.0  # a contender slower than this for all rounds gets fewer rounds


def leaves(tree):
    """The numbers and arrays of nested tuples, as float64 arrays."""
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [np.asarray(tree, dtype=np.float64)]


def relative_error(actual, expected) -> float:
    """The largest difference in any leaf over the largest number of that leaf."""
    pairs = list(zip(leaves(actual), leaves(expected), strict=True))
    assert all(a.shape == b.shape for a, b in pairs), [(a.shape, b.shape) for a, b in pairs]
    return max(float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1e-300)) for a, b in pairs)


def primal_of(program: Program) -> Callable:
    return jit_primal(program.fun) if program.primal == "numba" else program.fun


def jit_primal(fun: Callable) -> Callable:
    """`fun` by Numba, and all helper functions of its file."""
    scope = dict(fun.__globals__)
    for name in fun.__code__.co_names:
        helper = scope.get(name)
        if isinstance(helper, FunctionType) and helper.__module__ == fun.__module__:
            scope[name] = jit_primal(helper)
    return numba.njit(error_model="numpy")(FunctionType(fun.__code__, scope, fun.__name__, fun.__defaults__))


def jax_contender(program: Program, idiom: str, args, on_device: bool) -> Callable:
    """A call of the jitted value and gradient; `on_device` passes JAX's own arrays in place of NumPy's."""
    import jax

    jax.config.update("jax_enable_x64", True)
    count = len(args) - program.static
    fixed = args[count:]
    compiled = jax.jit(jax.value_and_grad(lambda *free: program.jax[idiom](*free, *fixed), program.argnums))
    free = jax.tree.map(jax.numpy.asarray, args[:count]) if on_device else args[:count]

    def call():
        result = compiled(*free)
        result[0].block_until_ready()  # all results of one call are ready together
        return result

    return call


def zygopy_contender(program: Program, args) -> Callable:
    import zygopy

    return partial(zygopy.value_and_grad(program.fun, program.argnums), *args)


def argnums_of(program: Program) -> tuple[int, ...]:
    return program.argnums if isinstance(program.argnums, tuple) else (program.argnums,)


def moved(program: Program, args, direction, h):
    """The arguments, the differentiated ones moved by `h` times the direction."""

    def move(value, along):
        if isinstance(value, tuple):
            return tuple(move(v, a) for v, a in zip(value, along, strict=True))
        return value + h * along

    active = dict(zip(argnums_of(program), direction, strict=True))
    return tuple(move(arg, active[i]) if i in active else arg for i, arg in enumerate(args))


def in_float64(value):
    """The same arguments, the arrays of float32 as float64."""
    if isinstance(value, tuple):
        return tuple(in_float64(v) for v in value)
    single = isinstance(value, np.ndarray) and value.dtype == np.float32
    return value.astype(np.float64) if single else value


def random_direction(program: Program, args):
    """One tangent for each differentiated argument, of its structure and size."""
    rng = np.random.default_rng(1)

    def draw(value):
        if isinstance(value, tuple):
            return tuple(draw(v) for v in value)
        if isinstance(value, np.ndarray):
            return rng.normal(size=value.shape).astype(value.dtype)
        return float(rng.normal())

    return tuple(draw(args[i]) for i in argnums_of(program))


def slope_along(gradient, direction) -> tuple[float, float]:
    """The gradient times the direction, and the sum of the sizes of its terms (the scale of its rounding)."""
    products = [g * d for g, d in zip(leaves(gradient), leaves(direction), strict=True)]
    return float(sum(p.sum() for p in products)), float(sum(np.abs(p).sum() for p in products))


def difference_error(program: Program, primal, args, gradient, h=1e-6) -> float:
    """How far the gradient along a random direction is from a central difference of the primal in float64."""
    args = in_float64(args)
    direction = random_direction(program, args)
    slope, scale = slope_along(gradient, direction)
    ends = [primal(*moved(program, args, direction, step)) for step in (h, -h)]
    return abs((ends[0] - ends[1]) / (2 * h) - slope) / scale


def transpose_error(program: Program, args, gradient, backend="cpu") -> float:
    """How far `zygopy.jvp` along a random direction is from the gradient times that direction."""
    import zygopy

    direction = random_direction(program, args)
    slope, scale = slope_along(gradient, direction)
    active = dict(zip(argnums_of(program), direction, strict=True))
    tangents = tuple(active.get(i, zero_like(arg)) for i, arg in enumerate(args))
    _, tangent = zygopy.jvp(program.fun, args, tangents, backend=backend)
    return abs(float(tangent) - slope) / scale


def zero_like(value):
    if isinstance(value, tuple):
        return tuple(zero_like(v) for v in value)
    return np.zeros_like(value) if isinstance(value, np.ndarray) else 0.0


def timed(call: Callable, calls: int) -> float:
    """Seconds per call."""
    start = time.perf_counter()
    for _ in repeat(None, calls):
        call()
    return (time.perf_counter() - start) / calls


def interleave(calls: dict[str, Callable], rounds: int, round_s: float = ROUND_S) -> dict[str, list[float]]:
    """Seconds per call of each contender in each round; every other round runs in the opposite order."""
    pace = {name: min(timed(call, 1), timed(call, 1)) for name, call in calls.items()}
    counts = {name: max(1, int(round_s / max(pace[name], 1e-7))) for name in calls}
    wanted = {name: min(rounds, max(3, int(BUDGET_S / pace[name]))) for name in calls}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            for name in reversed(calls) if number % 2 else calls:
                if number < wanted[name]:
                    samples[name].append(timed(calls[name], counts[name]))
    finally:
        gc.enable()
    return samples


def ratio(samples: dict[str, list[float]], over: str, under: str) -> float | None:
    """Median over the rounds of the paired ratio; None where a contender is missing."""
    if not (samples.get(over) and samples.get(under)):
        return None
    return statistics.median(a / b for a, b in zip(samples[over], samples[under], strict=False))


def machine() -> str:
    """The CPU and the versions in one line."""
    cpu = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    versions = [f"Python {platform.python_version()}"]
    for package in ("numpy", "numba", "llvmlite", "jax", "zygopy"):
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return f"{cpu}, {os.cpu_count()} cores, one used; {', '.join(versions)}"


def load() -> str:
    """The load averages of the last 1, 5 and 15 minutes."""
    return "/".join(f"{x:.2f}" for x in os.getloadavg())


def shown_time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def shown_ratio(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns as wide as their widest cell, the first to the left."""
    widths = [max(len(row[c]) for row in [header, *rows]) for c in range(len(header))]
    lines = []
    for row in [header, ["-" * w for w in widths], *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells))
    return "\n".join(lines)
