"""The demo: three models written in plain Python, fitted to data by their gradients."""

from importlib.util import find_spec
from pathlib import Path

_EXTRAS = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}


def missing_packages() -> list[str]:
    """The packages of the extra `demo` that are not installed."""
    return [package for module, package in _EXTRAS.items() if find_spec(module) is None]


def run(small: bool = False, plot: Path = Path("zygopy-demo.png")) -> None:
    """Fit all models, show what happens, save the plot; `small` takes a part of the data."""
    from zygopy.demo import digits, heat_rod, logistic
    from zygopy.demo.fit import fit
    from zygopy.demo.picture import draw
    from zygopy.demo.screen import Screen

    screen = Screen()
    screen.title()
    modules = (logistic, heat_rod, digits)
    fits = [fit(module.problem(small), screen, number) for number, module in enumerate(modules, start=1)]
    draw(fits, plot)
    screen.end(plot)
