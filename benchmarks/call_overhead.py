"""`python -m benchmarks.call_overhead`: nanoseconds of a call, beside @njit with the same arguments and results.

A dataclass and a dict stand beside @njit with the six arrays themselves, which knows no such objects.
"""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import math
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numba import njit

from benchmarks import harness

compiled = njit(error_model="numpy")


@dataclass(frozen=True)
class Case:
    """A tiny function, its value and gradient by hand, and the arguments of the call."""

    title: str
    fun: Callable
    argnums: int | tuple[int, ...]
    hand: Callable
    args: tuple
    hand_args: tuple | None = None  # of @njit, where these are others


def one(x):
    return x * math.sin(x)


@compiled
def one_hand(x):
    return x * math.sin(x), math.sin(x) + x * math.cos(x)


def three(x, y, z):
    return x * y + y * z


@compiled
def three_hand(x, y, z):
    return x * y + y * z, (y, x + z, y)


def of_tuple(point, scale):
    x, y, z = point
    return scale * (x * y + y * z)


@compiled
def of_tuple_hand(point, scale):
    x, y, z = point
    return scale * (x * y + y * z), (scale * y, scale * (x + z), scale * y)


def of_array(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


@compiled
def of_array_hand(x):
    total = 0.0
    x_bar = np.empty(len(x))
    for i in range(len(x)):
        total += x[i] * x[i]
        x_bar[i] = 2.0 * x[i]
    return total, x_bar


def of_three_arrays(x, y, z):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * y[i] * z[i]
    return total


@compiled
def of_three_arrays_hand(x, y, z):
    total = 0.0
    x_bar, y_bar, z_bar = np.empty(len(x)), np.empty(len(x)), np.empty(len(x))
    for i in range(len(x)):
        total += x[i] * y[i] * z[i]
        x_bar[i] = y[i] * z[i]
        y_bar[i] = x[i] * z[i]
        z_bar[i] = x[i] * y[i]
    return total, (x_bar, y_bar, z_bar)


def of_mixed(x, scale, count):
    total = 0.0
    for i in range(count):
        total += scale * x[i]
    return total


@compiled
def of_mixed_hand(x, scale, count):
    total = scale_bar = 0.0
    x_bar = np.zeros(len(x))
    for i in range(count):
        total += scale * x[i]
        scale_bar += x[i]
        x_bar[i] = scale
    return total, (x_bar, scale_bar)


class Six(NamedTuple):
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray
    e: np.ndarray
    f: np.ndarray


@dataclass
class SixFields:
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray
    e: np.ndarray
    f: np.ndarray


def of_six(p):
    total = 0.0
    for i in range(len(p.a)):
        total += p.a[i] * p.b[i] + p.c[i] * p.d[i] + p.e[i] * p.f[i]
    return total


def of_dict(p):
    total = 0.0
    for i in range(len(p["a"])):
        total += p["a"][i] * p["b"][i] + p["c"][i] * p["d"][i] + p["e"][i] * p["f"][i]
    return total


@compiled
def of_six_hand(p):
    total = 0.0
    n = len(p.a)
    a, b, c, d, e, f = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        total += p.a[i] * p.b[i] + p.c[i] * p.d[i] + p.e[i] * p.f[i]
        a[i], b[i], c[i], d[i], e[i], f[i] = p.b[i], p.a[i], p.d[i], p.c[i], p.f[i], p.e[i]
    return total, Six(a, b, c, d, e, f)


@compiled
def six_hand(a, b, c, d, e, f):
    total, found = of_six_hand(Six(a, b, c, d, e, f))
    return total, (found.a, found.b, found.c, found.d, found.e, found.f)


VECTOR = np.linspace(0.1, 1.0, 10)
SIX = tuple(VECTOR + k for k in range(6))
CASES = (
    Case("1 float", one, 0, one_hand, (0.7,)),
    Case("3 floats", three, (0, 1, 2), three_hand, (0.7, 0.8, 0.9)),
    Case("tuple of 3 floats, float", of_tuple, 0, of_tuple_hand, ((0.7, 0.8, 0.9), 2.0)),
    Case("array", of_array, 0, of_array_hand, (VECTOR,)),
    Case("3 arrays", of_three_arrays, (0, 1, 2), of_three_arrays_hand, (VECTOR, VECTOR + 1.0, VECTOR + 2.0)),
    Case("NamedTuple of 6 arrays", of_six, 0, of_six_hand, (Six(*SIX),)),
    Case("dataclass of 6 arrays", of_six, 0, six_hand, (SixFields(*SIX),), SIX),
    Case("dict of 6 arrays", of_dict, 0, six_hand, (dict(zip("abcdef", SIX, strict=True)),), SIX),
    Case("array, float, int", of_mixed, (0, 1), of_mixed_hand, (VECTOR, 2.0, 10)),
)


def plain(result: tuple) -> tuple:
    """A value and a gradient, objects as tuples."""
    value, gradient = result
    if isinstance(gradient, dict):
        gradient = tuple(gradient.values())
    return value, tuple(vars(gradient).values()) if isinstance(gradient, SixFields) else gradient


def main() -> int:
    """0 where zygopy compiled every case and agrees."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.call_overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    chosen = parser.parse_args()
    import zygopy

    load_before = harness.load()
    rows, ratios, failures = [], [], []
    for case in CASES:
        calls = {"njit": partial(case.hand, *(case.hand_args or case.args))}
        expected = calls["njit"]()
        try:
            calls["zygopy"] = partial(zygopy.value_and_grad(case.fun, case.argnums), *case.args)
            error = harness.relative_error(plain(calls["zygopy"]()), expected)
            if not error < 1e-12:
                failures.append(f"{case.title}: relative error {error:.0e}")
        except Exception as raised:
            calls.pop("zygopy", None)
            failures.append(f"{case.title}: zygopy raised {type(raised).__name__}: {str(raised).splitlines()[:1]}")
        samples = harness.interleave(calls, chosen.rounds)
        ratio = harness.ratio(samples, "zygopy", "njit")
        ratios += [ratio] if ratio else []
        times = [
            f"{statistics.median(samples[name]) * 1e9:.0f}" if name in samples else "raised"
            for name in ("njit", "zygopy")
        ]
        beyond = (np.array(samples["zygopy"]) - samples["njit"]) if "zygopy" in samples else [math.nan]
        rows.append([case.title, *times, harness.shown_ratio(ratio), f"{statistics.median(beyond) * 1e9:.0f}"])
    print(
        f"{harness.machine()}\nload {load_before} before, {harness.load()} after; {chosen.rounds} rounds, interleaved\n"
    )
    print(harness.table(["value and gradient of", "njit ns", "zygopy ns", "zygopy/njit", "beyond, ns"], rows))
    if ratios:
        print(f"\nzygopy/njit: median {statistics.median(ratios):.2f}, largest {max(ratios):.2f}")
    print("\n".join(failures), end="\n" if failures else "")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
