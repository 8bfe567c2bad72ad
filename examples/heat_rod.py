"""An inverse problem: where a rod was heated, from the temperatures a while later."""

import numpy as np
from scipy.optimize import minimize

import zygopy as zg

SWEEPS, CONDUCTIVITY, SMOOTHNESS = 40, 0.2, 1e-3


def cool(temperature):
    """Let heat flow between neighbours; the temperatures are overwritten."""
    for _ in range(SWEEPS):
        for i in range(len(temperature) - 1):
            flow = CONDUCTIVITY * (temperature[i + 1] - temperature[i])
            temperature[i] += flow
            temperature[i + 1] -= flow


@zg.value_and_grad
def misfit(start, measured):
    temperature = start.copy()
    cool(temperature)
    total = 0.0
    for i in range(len(measured)):
        total += (temperature[i] - measured[i]) ** 2
    for i in range(len(start) - 1):
        total += SMOOTHNESS * (start[i + 1] - start[i]) ** 2
    return total


cells = np.arange(60)
truth = np.exp(-(((cells - 20.0) / 4.0) ** 2)) + 0.6 * np.exp(-(((cells - 42.0) / 6.0) ** 2))
measured = truth.copy()
cool(measured)  # the same code, run by Python
measured += 0.01 * np.random.default_rng(0).normal(size=len(measured))

result = minimize(misfit, measured, args=(measured,), jac=True, method="L-BFGS-B")
print(f"misfit {misfit(measured, measured)[0]:.4f} -> {result.fun:.4f} in {result.nfev} gradients")
print(f"largest error: {np.max(np.abs(measured - truth)):.3f} in the measurement,", end=" ")
print(f"{np.max(np.abs(result.x - truth)):.3f} in the recovered start")
