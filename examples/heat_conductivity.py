"""Physics and a network in one program: how the conductivity of a rod depends on its temperature.

A solver of the heat equation, written as one does, with loops that store into arrays; the law of the conductivity is
unknown, and a small network takes its place. Both are differentiated as they are. `--small` trains for a moment only.
"""

import sys

import numpy as np

from zygopy import models, nn, optim, training

CELLS, STEPS, SNAPSHOTS = 30, 25, 4
SMALL = "--small" in sys.argv


def solve(conductivity, cooling, start, snapshots):
    """Temperatures at times 1, 2, ... of a rod that also loses heat to its surroundings at temperature 0."""
    found = np.empty((snapshots, len(start)))
    temperature = start.copy()
    flow = np.zeros(len(start) + 1)
    for n in range(snapshots):
        for _ in range(STEPS):
            k = conductivity(temperature)
            for i in range(1, len(start)):
                flow[i] = 0.5 * (k[i - 1] + k[i]) * (temperature[i - 1] - temperature[i])
            for i in range(len(start)):
                temperature[i] += flow[i] - flow[i + 1] - cooling * temperature[i]
        found[n] = temperature
    return found


def law(network, temperature):
    """The conductivity that the network gives for each temperature."""
    return 0.4 * network(temperature[:, np.newaxis])[:, 0]


def loss(unknown, start, measured):
    def conductivity(temperature):
        return law(unknown["network"], temperature)

    return np.mean((solve(conductivity, unknown["cooling"][0], start, len(measured)) - measured) ** 2)


def truth(temperature):
    return 0.1 + 0.25 * temperature**2


place = np.linspace(0.0, 1.0, CELLS)
start = np.exp(-(((place - 0.35) / 0.12) ** 2)) + 0.4 * (place > 0.8)
measured = solve(truth, 0.004, start, SNAPSHOTS)  # the same code, run by Python
measured += 0.005 * np.random.default_rng(0).normal(size=measured.shape)

network = nn.Chain(nn.Dense(1, 8, nn.tanh, rng=1), nn.Dense(8, 1, nn.sigmoid, rng=2))
unknown = {"network": models.convert(network, np.float64), "cooling": np.array([0.0])}
rule = optim.Adam(optim.WarmUp(20, optim.Cosine(0.02, steps=1500, restarts=False)))
history = training.train(loss, unknown, [(start, measured)], rule, epochs=20 if SMALL else 1500)

print(f"misfit {history.losses[0]:.2e} -> {history.losses[-1]:.2e}, that of the noise is 2.5e-05")
print(f"cooling {unknown['cooling'][0]:.4f}, the true one is 0.004")
for t in (0.1, 0.3, 0.5, 0.7):
    found = law(unknown["network"], np.array([t]))[0]
    print(f"conductivity at temperature {t}: {found:.3f}, the true one is {truth(t):.3f}")
if not SMALL:
    history.draw("docs/figures/heat_conductivity.svg", "A heat solver with a network inside")
