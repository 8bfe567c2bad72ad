"""A neural ODE: a network as the right side of a differential equation, fitted to 21 years of lynx and hare.

Pelts that the Hudson's Bay Company bought, in thousands: the standard example for the equations of Lotka and Volterra.
The network has to find such a law from forecasts of four years. `--small` trains for a moment only.
"""

import sys

import numpy as np

from zygopy import nn, optim, training

HARE = [
    30,
    47.2,
    70.2,
    77.4,
    36.3,
    20.6,
    18.1,
    21.4,
    22,
    25.4,
    27.1,
    40.3,
    57,
    76.6,
    52.3,
    19.5,
    11.2,
    7.6,
    14.6,
    16.2,
    24.7,
]
LYNX = [4, 6.1, 9.8, 35.2, 59.4, 41.7, 19, 13, 8.3, 9.1, 7.4, 8, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6]
YEARS, SUBSTEPS = 4, 4
SMALL = "--small" in sys.argv


def year_later(rate, z):
    """The state a year later, by Runge and Kutta's method."""
    h = 1.0 / SUBSTEPS
    for _ in range(SUBSTEPS):
        a = rate(z)
        b = rate(z + 0.5 * h * a)
        c = rate(z + 0.5 * h * b)
        z = z + h / 6.0 * (a + 2.0 * b + 2.0 * c + rate(z + h * c))
    return z


def loss(rate, windows):
    """The error of forecasts from the first year of each window: windows has shape (windows, years, species)."""
    z = windows[:, 0]
    total = 0.0
    for year in range(1, windows.shape[1]):
        z = year_later(rate, z)
        total += np.mean((z - windows[:, year]) ** 2)
    return total / (windows.shape[1] - 1)


logs = np.log(np.array([HARE, LYNX], np.float32).T)
logs -= logs.mean(axis=0)
windows = np.stack([logs[k : k + YEARS + 1] for k in range(len(logs) - YEARS)])

model = nn.Chain(nn.Dense(2, 16, nn.tanh, rng=0), nn.Dense(16, 2, rng=1))
rule = optim.Chain(optim.ClipNorm(1.0), optim.WeightDecay(1e-3), optim.Adam(0.01))
history = training.train(loss, model, [(windows,)], rule, epochs=50 if SMALL else 3000)

still = np.mean((windows[:, 1:] - windows[:, :1]) ** 2)
print(f"forecasts of {YEARS} years: mean square error {history.losses[-1]:.3f} in the logarithm,", end=" ")
print(f"{still:.3f} if nothing changed")
if not SMALL:
    history.draw("docs/figures/lynx_and_hare.svg", "A neural ODE on lynx and hare")
