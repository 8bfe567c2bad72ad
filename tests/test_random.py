"""Random programs with fixed seeds: none wrong, few refused, every construct drawn."""

import numpy as np
import pytest

from tests.generator import generate
from tests.random_programs import ARRAYS, STRUCTURES, run_seeds
from tests.shrink import shrink


def test_generator_repeats_itself():
    assert generate(7).source == generate(7).source


@pytest.mark.parametrize("first", range(0, 150, 50))
def test_random_programs_on_python(first):
    report = run_seeds(range(first, first + 50), "python", seconds=20)
    assert not report.wrong, str(report)
    assert sum(report.refused.values()) <= 2, str(report)
    assert len(report.unstable) <= 2, str(report)


@pytest.mark.parametrize("first", range(1000, 1006, 2))
def test_random_programs_compiled(first):
    report = run_seeds(range(first, first + 2), "cpu", seconds=0)
    assert not report.wrong, str(report)
    assert sum(report.refused.values()) <= 1, str(report)


@pytest.mark.parametrize("first", range(0, 24, 8))
def test_random_array_programs_on_python(first):
    report = run_seeds(range(first, first + 8), "python", seconds=0, kind=ARRAYS)
    assert not report.wrong, str(report)
    assert sum(report.refused.values()) <= 3, str(report)
    assert len(report.unstable) <= 2, str(report)


def test_random_structure_programs_on_python():
    report = run_seeds(range(12), "python", seconds=0, kind=STRUCTURES)
    assert not report.wrong, str(report)
    assert sum(report.refused.values()) <= 4, str(report)
    assert len(report.unstable) <= 2, str(report)
    assert len(report.constructs) > 80


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
