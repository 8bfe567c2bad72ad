"""Forecasts of next year's sunspots by an LSTM, on the yearly series since 1700 that statsmodels has.

`--small` trains for a moment only.
"""

import sys

import numpy as np
from statsmodels.datasets import sunspots

from zygopy import nn, optim, training

SMALL = "--small" in sys.argv
YEARS = 22  # that a forecast looks back on


def last(states):
    return states[:, -1]


def loss(model, past, following):
    return np.mean((model(past) + past[:, -1] - following) ** 2)


series = np.sqrt(sunspots.load_pandas().data["SUNACTIVITY"].to_numpy(np.float32)) / 5.0
past = np.stack([series[k : k + YEARS, None] for k in range(len(series) - YEARS)])
following = series[YEARS:, None]
train, test = training.split((past, following), at=0.75)
rng = np.random.default_rng(0)

model = nn.Chain(nn.LSTM(1, 16, rng=1), last, nn.Dense(16, 1, rng=2))
history = training.train(
    loss,
    model,
    training.DataLoader(train, batch=32, rng=rng),
    optim.Chain(optim.ClipNorm(1.0), optim.AdamW(0.005, decay=0.1)),
    epochs=2 if SMALL else 150,
    callbacks=[training.Measure("test", lambda model: loss(model, *test))],
)


def spots(scaled):
    """Numbers of sunspots, of what the network sees."""
    return (5.0 * np.maximum(scaled, 0.0)) ** 2


wanted = spots(test[1])
by_network = np.sqrt(np.mean((spots(model(test[0]) + test[0][:, -1]) - wanted) ** 2))
naive = np.sqrt(np.mean((spots(test[0][:, -1]) - wanted) ** 2))
print(
    f"root mean square error in {len(wanted)} years: {by_network:.1f} sunspots; {naive:.1f} if next year is as this one"
)
if not SMALL:
    history.draw("docs/figures/sunspots_lstm.svg", "Sunspots, an LSTM")
