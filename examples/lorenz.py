"""The Lorenz system's three parameters, fitted to a measured trajectory through a Runge-Kutta integrator."""

import numpy as np
from scipy.optimize import minimize

import zygopy as zg

STEP, STEPS_BETWEEN = 0.01, 5


def slope(state, sigma, rho, beta):
    x, y, z = state
    return sigma * (y - x), x * (rho - z) - y, x * y - beta * z


def moved(state, rate, h):
    return state[0] + h * rate[0], state[1] + h * rate[1], state[2] + h * rate[2]


def runge_kutta(state, sigma, rho, beta):
    k1 = slope(state, sigma, rho, beta)
    k2 = slope(moved(state, k1, 0.5 * STEP), sigma, rho, beta)
    k3 = slope(moved(state, k2, 0.5 * STEP), sigma, rho, beta)
    k4 = slope(moved(state, k3, STEP), sigma, rho, beta)
    state = moved(moved(state, k1, STEP / 6.0), k2, STEP / 3.0)
    return moved(moved(state, k3, STEP / 3.0), k4, STEP / 6.0)


@zg.value_and_grad
def misfit(parameters, observed):
    sigma, rho, beta = parameters[0], parameters[1], parameters[2]
    state = (observed[0, 0], observed[0, 1], observed[0, 2])
    total = 0.0
    for k in range(1, len(observed)):
        for _ in range(STEPS_BETWEEN):
            state = runge_kutta(state, sigma, rho, beta)
        x, y, z = state
        total += (x - observed[k, 0]) ** 2 + (y - observed[k, 1]) ** 2 + (z - observed[k, 2]) ** 2
    return total / len(observed)


truth = (10.0, 28.0, 8.0 / 3.0)
trajectory = [(1.0, 1.0, 20.0)]
for _ in range(30):
    state = trajectory[-1]
    for _ in range(STEPS_BETWEEN):
        state = runge_kutta(state, *truth)  # the same code, run by Python
    trajectory.append(state)
observed = np.array(trajectory)
observed[1:] += 0.05 * np.random.default_rng(0).normal(size=(30, 3))

result = minimize(misfit, np.array([8.0, 24.0, 2.0]), args=(observed,), jac=True, method="L-BFGS-B")
print(f"{result.nfev} gradients; true parameters {np.round(truth, 3)}, fitted {np.round(result.x, 3)}")
