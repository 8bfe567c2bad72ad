"""Handwritten digits with a convolutional network like LeNet, on scikit-learn's 1,797 images of 8 x 8 pixels.

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
images = images.reshape(-1, 8, 8, 1).astype(np.float32) / 16.0  # channels last
rng = np.random.default_rng(0)
train, test = training.split((images, digits), at=0.8, rng=rng)

model = nn.Chain(
    nn.Conv((3, 3), 1, 16, nn.relu, padding="same", rng=1),
    nn.MaxPool((2, 2)),
    nn.Conv((3, 3), 16, 32, nn.relu, padding="same", rng=2),
    nn.MaxPool((2, 2)),
    nn.flatten,
    nn.Dense(128, 64, nn.relu, rng=3),
    nn.Dense(64, 10, rng=4),
)
print(models.summary(model))
epochs = 1 if SMALL else 30
loader = training.DataLoader(train, batch=32, rng=rng)
history = training.train(
    loss,
    model,
    loader,
    optim.AdamW(optim.OneCycle(0.004, steps=epochs * len(loader)), decay=0.05),
    epochs=epochs,
    callbacks=[training.Measure("accuracy", accuracy)],
    progress=True,
)
print(f"{history.measured['accuracy'][-1]:.1%} of {len(test[1])} test images are read right")
if not SMALL:
    history.draw("docs/figures/digits_cnn.svg", "Digits, a convolutional network")
