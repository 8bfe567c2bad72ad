"""The training step: value, gradient and update as one compiled function."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

import zygopy as zg
from zygopy import optim


@lru_cache(maxsize=256)
def training_step(loss: Callable, has_state: bool = False, *, fused: bool = True, backend: str = "cpu") -> Callable:
    """What computes the loss, its gradient and the update of the model: one native function.

    Parameters
    ----------
    loss : callable
        `loss(model, *batch)`, a real number.
    has_state : bool
        Whether the loss returns a pair: the number, and the model with its new state, such as running means.
    fused : bool
        Whether loss, gradient and update are one native function; otherwise the update is one for each parameter,
        called from Python. Its code is compiled once for each kind of parameter, which matters where there are many.
    backend : {"cpu", "python"}
        What runs it.

    Returns
    -------
    callable
        `step(state, model, *batch)`, which gives the loss before the update. The arrays of the model and of the state
        (from `optim.setup`) change in place; at a loss that is not finite they stay as they are.

    Examples
    --------
    >>> def loss(model, x, y):
    ...     return np.mean((x * model["slope"] - y) ** 2)
    >>> model = {"slope": np.zeros(1)}
    >>> step, state = training_step(loss), optim.setup(optim.Descent(0.1), model)
    >>> x = np.array([1.0, 2.0])
    >>> losses = [step(state, model, x, 3.0 * x) for _ in range(50)]
    >>> model["slope"].round(6)
    array([3.])
    """
    value_and_gradient = zg.value_and_grad(loss, has_aux=has_state, backend=backend)

    def step_with_state(state, model, *batch):
        (value, new), gradient = value_and_gradient(model, *batch)
        if np.isfinite(value):
            optim.update(state, model, gradient)
            for old, now in zip(zg.state_leaves(model), zg.state_leaves(new), strict=True):
                old[...] = now
        return value

    def step(state, model, *batch):
        value, gradient = value_and_gradient(model, *batch)
        if np.isfinite(value):
            optim.update(state, model, gradient)
        return value

    chosen = step_with_state if has_state else step
    return zg.jit(chosen, backend=backend) if fused else chosen
