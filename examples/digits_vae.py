"""A variational autoencoder: handwritten digits as points of a plane, and images of points (Kingma & Welling 2014).

`--small` trains for a moment only.
"""

import sys

import numpy as np
from sklearn.datasets import load_digits

from zygopy import nn, optim, training

SMALL = "--small" in sys.argv
LATENT = 2


def loss(model, images, noise):
    """Minus the evidence lower bound, per image: how badly it is drawn again, and how far its code is from N(0, 1)."""
    code = model["encoder"](images)
    mean, log_variance = code[:, :LATENT], code[:, LATENT:]
    point = mean + np.exp(0.5 * log_variance) * noise
    logits = model["decoder"](point)
    drawn = np.sum(np.maximum(logits, 0.0) - logits * images + np.log1p(np.exp(-np.abs(logits))))
    apart = 0.5 * np.sum(np.exp(log_variance) + mean**2 - 1.0 - log_variance)
    return (drawn + apart) / len(images)


class Batches:
    """Batches of images, each with fresh noise."""

    def __iter__(self):
        for batch in loader:
            yield batch, rng.normal(size=(len(batch), LATENT)).astype(np.float32)


images, digits = load_digits(return_X_y=True)
images = images.astype(np.float32) / 16.0
rng = np.random.default_rng(0)
loader = training.DataLoader(images, batch=64, rng=rng, last="drop")
model = {
    "encoder": nn.Chain(nn.Dense(64, 128, nn.tanh, rng=1), nn.Dense(128, 2 * LATENT, rng=2)),
    "decoder": nn.Chain(nn.Dense(LATENT, 128, nn.tanh, rng=3), nn.Dense(128, 64, rng=4)),
}
history = training.train(loss, model, Batches(), optim.Adam(0.002), epochs=2 if SMALL else 300)
print(f"minus the evidence lower bound: {history.epochs[0]:.2f} -> {history.epochs[-1]:.2f} nats per image")

shades = " .:-=+*#%@"
points = np.array([[-1.5, 0.0], [-0.5, 0.0], [0.5, 0.0], [1.5, 0.0]], np.float32)
drawn = nn.sigmoid(model["decoder"](points)).reshape(-1, 8, 8)
for row in range(8):
    print("   ".join("".join(shades[int(9.99 * v)] * 2 for v in image[row]) for image in drawn))
if not SMALL:
    history.draw("docs/figures/digits_vae.svg", "Digits, a variational autoencoder")
