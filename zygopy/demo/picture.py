"""The demo's plot: each model's fit, and the way there."""

from pathlib import Path

import numpy as np

from zygopy.demo.problem import Fit


def draw(fits: list[Fit], path: Path) -> None:
    """Save one row for each fit: the result, and the loss over the iterations."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4 * len(fits)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(fits), 2, squeeze=False, width_ratios=(3, 2))
    for (left, right), fit in zip(grid, fits, strict=True):
        fit.problem.draw(left, fit.parameters)
        losses = np.array(fit.losses)
        right.semilogy(losses, marker=".", linewidth=1)
        right.set(title="loss while it is fitted", xlabel=fit.problem.step, ylabel="loss")
    figure.savefig(path, dpi=120)
