"""The ways to a minimum: L-BFGS-B, and Adam for losses of mini-batches."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from zygopy.demo.problem import Fit, Problem

MAX_ITERATIONS = 300
EPOCHS = 20  # this and the rate are from cross-validation on the training digits
RATE, MEAN_DECAY, SQUARE_DECAY = 0.01, 0.9, 0.999


def l_bfgs_b(problem: Problem, gradient, advance: Callable) -> Fit:
    """On all data at once, by SciPy."""
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
    return Fit(problem, result.x, losses, result.nfev)


def adam(problem: Problem, gradient, advance: Callable) -> Fit:
    """Kingma and Ba (2015), algorithm 1; each epoch takes the rows of the data in a new order."""
    assert problem.batch
    rng = np.random.default_rng(0)
    parameters = tuple(p.copy() for p in problem.start)
    means, squares = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    losses, steps = [float(gradient.primal(parameters, *problem.data))], 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(problem.data[0]))
        for rows in np.array_split(order, len(order) // problem.batch):
            _, bars = gradient.value_and_grad(parameters, *(column[rows] for column in problem.data))
            steps += 1
            for p, p_bar, mean, square in zip(parameters, bars, means, squares, strict=True):
                mean += (1.0 - MEAN_DECAY) * (p_bar - mean)
                square += (1.0 - SQUARE_DECAY) * (p_bar**2 - square)
                root = np.sqrt(square / (1.0 - SQUARE_DECAY**steps)) + 1e-8
                p -= RATE * mean / (1.0 - MEAN_DECAY**steps) / root
        losses.append(float(gradient.primal(parameters, *problem.data)))
        advance()
    return Fit(problem, parameters, losses, steps)
