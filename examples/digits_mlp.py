"""Handwritten digits with a network of two layers, on scikit-learn's 1,797 images of 8 x 8 pixels.

`--small` trains for a moment only.
"""

import sys

import numpy as np
from sklearn.datasets import load_digits

from zygopy import models, nn, optim, training

SMALL = "--small" in sys.argv


def loss(model, images, digits):
    return nn.logit_crossentropy(model(images), digits)


def accuracy(model):
    return np.mean(training.one_cold(model(test[0])) == test[1])


images, digits = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
train, test = training.split((images.astype(np.float32) / 16.0, digits), at=0.8, rng=rng)

model = nn.Chain(nn.Dense(64, 128, nn.relu, rng=1), nn.Dense(128, 10, rng=2))
print(models.summary(model))
history = training.train(
    loss,
    model,
    training.DataLoader(train, batch=32, rng=rng),
    optim.AdamW(0.002, decay=0.05),
    epochs=2 if SMALL else 60,
    callbacks=[training.Measure("accuracy", accuracy)],
    progress=True,
)
print(f"{history.measured['accuracy'][-1]:.1%} of {len(test[1])} test images are read right")
if not SMALL:
    history.draw("docs/figures/digits_mlp.svg", "Digits, two dense layers")
