"""Rosenbrock's valley in 10 dimensions: a gradient for scipy.optimize."""

import numpy as np
from scipy.optimize import minimize

import zygopy as zg


@zg.value_and_grad
def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


start = np.where(np.arange(10) % 2 == 0, -1.2, 1.0)
result = minimize(rosenbrock, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9})
print(f"{result.nfev} gradients from {rosenbrock(start)[0]:.1f} to {result.fun:.1e}")
print("minimum at", np.round(result.x, 6))
