"""A network of two layers in plain NumPy, trained on mini-batches of scikit-learn's handwritten digits."""

import numpy as np
from scipy.special import softmax

from zygopy.demo.optimisers import EPOCHS, adam
from zygopy.demo.problem import Problem

BATCH = 64


def network(weights, images):
    w1, b1, w2, b2 = weights
    return np.tanh(images @ w1 + b1) @ w2 + b2


def digits_loss(weights, images, labels):
    scores = network(weights, images)
    scores = scores - scores.max(axis=1, keepdims=True)
    log_mass = np.log(np.exp(scores).sum(axis=1))
    return np.mean(log_mass - scores[np.arange(len(labels)), labels])


def by_hand(weights, images, labels):
    w1, b1, w2, b2 = weights
    rows = np.arange(len(labels))
    hidden = np.tanh(images @ w1 + b1)
    scores = hidden @ w2 + b2
    scores -= scores.max(axis=1, keepdims=True)
    mass = np.exp(scores)
    total = mass.sum(axis=1)
    loss = np.mean(np.log(total) - scores[rows, labels])
    scores_bar = mass / total[:, np.newaxis]
    scores_bar[rows, labels] -= 1.0
    scores_bar /= len(labels)
    hidden_bar = scores_bar @ w2.T * (1.0 - hidden**2)
    return loss, (images.T @ hidden_bar, hidden_bar.sum(axis=0), hidden.T @ scores_bar, scores_bar.sum(axis=0))


def problem(small: bool) -> Problem:
    """Three quarters of the digits to train on, one to test; all of them in the small demo too, for they are quick."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    table = load_digits()
    images, test_images, labels, test_labels = train_test_split(
        table.data / 16.0, table.target, test_size=0.25, stratify=table.target, random_state=0
    )
    sizes = (images.shape[1], 64, len(table.target_names))

    def share_right(weights, images, labels):
        return f"{np.mean(network(weights, images).argmax(axis=1) == labels):.1%} of {len(labels)}"

    def report(weights):
        return [
            ("training digits read right", share_right(weights, images, labels)),
            ("test digits read right", share_right(weights, test_images, test_labels)),
        ]

    def draw(axes, weights):
        mass = softmax(network(weights, test_images), axis=1)
        hardest = np.argsort(mass[np.arange(len(test_labels)), test_labels])[:21].reshape(3, 7)
        tiles = [[np.pad(test_images[k].reshape(8, 8), 2) for k in row] for row in hardest]
        axes.imshow(np.block(tiles), cmap="gray_r")
        for (i, j), k in np.ndenumerate(hardest):
            guess = mass[k].argmax()
            axes.text(12 * j, 12 * i + 3, guess, color="tab:green" if guess == test_labels[k] else "tab:red")
        axes.set(title="Digits: the hardest of the test and how they are read", xticks=[], yticks=[])

    return Problem(
        title="A neural network, in plain NumPy",
        story=f"Sizes {sizes}; {len(labels)} of scikit-learn's digits to train on in mini-batches of {BATCH}, "
        f"{EPOCHS} epochs; {len(test_labels)} to test with.",
        programs=(network, digits_loss),
        loss=digits_loss,
        start=_first_weights(*sizes),
        data=(images, labels),
        minimise=adam,
        step="Adam epoch",
        report=report,
        draw=draw,
        batch=BATCH,
        by_hand=by_hand,
    )


def _first_weights(pixels: int, hidden: int, classes: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    w1 = rng.normal(size=(pixels, hidden)) / np.sqrt(pixels)
    w2 = rng.normal(size=(hidden, classes)) / np.sqrt(hidden)
    return w1, np.zeros(hidden), w2, np.zeros(classes)
