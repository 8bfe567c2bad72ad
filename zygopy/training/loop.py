"""The training loop."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import zygopy as zg
from zygopy import optim
from zygopy.training.bar import Bar
from zygopy.training.nonfinite import non_finite_error
from zygopy.training.step import training_step

FUSED = 8  # parameters of which the updates are compiled into the step


@dataclass
class History:
    """How a training went, up to now: what `train` returns, and what callbacks see.

    Attributes
    ----------
    model, state
        What is trained, and what its optimiser remembers; their arrays change in place.
    losses : list of float
        The loss of each batch, before its update.
    epochs : list of float
        The mean loss of each epoch.
    measured : dict
        What callbacks have measured at the end of each epoch, by name.
    """

    model: Any
    state: optim.State
    losses: list[float] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)
    measured: dict[str, list[float]] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """The rate that the next update of the first parameter has."""
        return optim.rate_of(optim.parts_of(self.state)[0])

    def draw(self, path: str | Path, title: str = "") -> None:
        """Save a figure of the losses, and of what was measured at the end of each epoch; needs Matplotlib."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.0, 3.2), layout="constrained")
        axes = figure.subplots()
        some = slice(None, None, len(self.losses) // 500 + 1)
        at = np.linspace(0.0, len(self.epochs), len(self.losses), endpoint=False)
        axes.plot(at[some], self.losses[some], linewidth=0.7, alpha=0.5, label="loss of a batch")
        axes.plot(np.arange(len(self.epochs)) + 1.0, self.epochs, label="mean of each epoch")
        axes.set(title=title, xlabel="epoch", ylabel="loss", yscale="log" if min(self.losses) > 0.0 else "linear")
        lines = axes.lines[:]
        if self.measured:
            other = axes.twinx()
            for k, (name, values) in enumerate(self.measured.items()):
                other.plot(np.arange(len(values)) + 1.0, values, color=f"C{k + 2}", linestyle="--", label=name)
            other.set_ylabel(", ".join(self.measured))
            lines = [*lines, *other.lines]
        axes.legend(lines, [str(line.get_label()) for line in lines], fontsize="small")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None)


def train(
    loss: Callable,
    model: Any,
    data: Iterable,
    optimiser: optim.Rule | optim.State,
    *,
    epochs: int = 1,
    has_state: bool = False,
    callbacks: Iterable[Callable] = (),
    progress: bool = False,
) -> History:
    """Fit a model to data, in place.

    Parameters
    ----------
    loss : callable
        `loss(model, *batch)`, a real number.
    model
        A structure whose arrays of floats are its parameters; they change in place.
    data : iterable
        Gives batches, each time it is iterated over: a `DataLoader`, a list. A batch that is a tuple is several
        arguments of the loss.
    optimiser : Rule or State
        An optimiser, or the state of one from an earlier training, which goes on from there.
    epochs : int
        How many times to go through the data.
    has_state : bool
        Whether the loss returns a pair: the number, and the model with its new state, as `nn.train` gives it.
    callbacks : iterable of callable
        Each is called with the `History` after each epoch; training ends when one returns True.
    progress : bool
        Whether to show a bar with the loss, the rate and the speed.

    Raises
    ------
    ArgumentError
        If there are no batches.
    NonFiniteError
        At a loss that is infinite or not a number; it names the layer where that arose. The model is as it was before.

    Examples
    --------
    >>> def loss(model, x, y):
    ...     return np.mean((x * model["slope"] - y) ** 2)
    >>> model, x = {"slope": np.zeros(1)}, np.linspace(0.0, 1.0, 20)
    >>> history = train(loss, model, [(x, 3.0 * x)], optim.Momentum(0.1), epochs=200)
    >>> model["slope"].round(3), len(history.losses)
    (array([3.]), 200)
    """
    state = optimiser if isinstance(optimiser, optim.State) else optim.setup(optimiser, model)
    step = training_step(loss, has_state, fused=len(optim.parts_of(state)) <= FUSED)
    history = History(model, state)
    with Bar(progress, epochs, data) as bar:
        for _ in range(epochs):
            done = len(history.losses)
            for batch in data:
                batch = batch if isinstance(batch, tuple) else (batch,)
                value = step(state, model, *batch)
                history.losses.append(float(value))
                if not np.isfinite(value):
                    raise non_finite_error(loss, model, batch, value, len(history.losses))
                bar.advance(history)
            if len(history.losses) == done:
                raise zg.ArgumentError(
                    f"the data gives no batches in epoch {len(history.epochs) + 1}",
                    help="a generator gives them once only: use a list or a DataLoader",
                )
            history.epochs.append(float(np.mean(history.losses[done:])))
            stops = [callback(history) for callback in callbacks]
            if any(stops):
                break
    return history
