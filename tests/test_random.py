"""Random programs with fixed seeds: none wrong, few refused, every construct drawn."""

import numpy as np

from tests.generator import generate
from tests.random_programs import ARRAYS, run_seeds
from tests.shrink import shrink


def test_generator_repeats_itself():
    assert generate(7).source == generate(7).source


def test_random_programs_on_python():
    report = run_seeds(range(150), "python", seconds=20)
    assert not report.wrong, str(report)
    assert sum(report.refused.values()) <= 5, str(report)
    assert len(report.unstable) <= 3, str(report)


def test_random_programs_compiled():
    report = run_seeds(range(1000, 1006), "cpu", seconds=0)
    assert not report.wrong, str(report)
    assert sum(report.refused.values()) <= 1, str(report)


ARRAY_SEEDS = range(24)


def test_random_array_programs_on_python():
    report = run_seeds(ARRAY_SEEDS, "python", seconds=0, kind=ARRAYS)
    assert not report.wrong, str(report)
    assert sum(report.refused.values()) <= 6, str(report)
    assert len(report.unstable) <= 4, str(report)


def test_every_construct_is_drawn():
    """Over as many seeds as the project's full run has, each of these is in at least one program in a hundred."""
    counts = {}
    for seed in range(400):
        for name in generate(seed).counts:
            counts[name] = counts.get(name, 0) + 1
    rare = {name: n for name, n in counts.items() if n < 4}
    assert not rare, rare
    assert len(counts) > 100


def test_shrink():
    source = (
        "def f(x, y):\n    a = x * y\n    for i in range(3):\n        y = y + a\n        b = 3\n    return y + b + a\n"
    )

    def fails(text):
        try:
            namespace = {"np": np}
            exec(text, namespace)
            return namespace["f"](2, 3) > 6 and "range" in text
        except Exception:
            return False

    assert len(shrink(source, fails)) < 0.8 * len(source)
