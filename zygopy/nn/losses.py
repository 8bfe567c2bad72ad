"""Losses: a number for how far predictions are from what they should be, smaller for better ones.

Each is a formula for every element or sample, and `agg` of these: np.mean, np.sum, or `identity` for all of them.
Classes are along the last axis. Labels are one-hot, or probabilities, of the predictions' shape, or integers of one
axis less. Those that take logits stay finite for logits of any size. Predictions and what was wanted have one shape:
nothing is broadcast in silence, but a number stands for an array of it.
"""

import numpy as np

from zygopy.nn.activations import log_sigmoid, log_softmax, softplus


def like(predicted, wanted):
    """What was wanted, with its ints and bools as floats of the predictions' dtype; another shape is refused."""
    if np.ndim(wanted) == 0:
        return wanted
    if wanted.shape != predicted.shape:
        raise ValueError(f"predictions of shape {predicted.shape} do not fit what was wanted, of shape {wanted.shape}")
    return wanted.astype(predicted.dtype) if wanted.dtype.kind in "iub" else wanted


def mse(predicted, wanted, agg=np.mean):
    """(predicted - wanted)**2"""
    wanted = like(predicted, wanted)
    return agg((predicted - wanted) ** 2)


def mae(predicted, wanted, agg=np.mean):
    """abs(predicted - wanted)"""
    wanted = like(predicted, wanted)
    return agg(np.abs(predicted - wanted))


def huber(predicted, wanted, delta=1.0, agg=np.mean):
    """e**2 / 2 for errors e up to delta, delta * (e - delta / 2) for larger ones (Huber 1964)."""
    wanted = like(predicted, wanted)
    error = np.abs(predicted - wanted)
    small = np.minimum(error, delta)
    return agg(small * (error - 0.5 * small))


def msle(predicted, wanted, agg=np.mean):
    """(log1p(predicted) - log1p(wanted))**2"""
    wanted = like(predicted, wanted)
    return agg((np.log1p(predicted) - np.log1p(wanted)) ** 2)


def chosen(values, labels):
    """The sum of labels * values over the last axis; of integer labels the values that they name."""
    if labels.ndim == values.ndim:
        return np.sum(like(values, labels) * values, axis=-1)
    if labels.shape != values.shape[:-1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"predictions of shape {values.shape} do not fit labels of shape {labels.shape}: "
            "they are ints of one axis less, or of the predictions' shape"
        )
    if np.any((labels < 0) | (labels >= values.shape[-1])):
        raise ValueError(f"labels of {values.shape[-1]} classes are ints from 0 to {values.shape[-1] - 1}")
    return np.take_along_axis(values, labels[..., np.newaxis], -1)[..., 0]


def crossentropy(probabilities, labels, eps=1e-7, agg=np.mean):
    """-sum of labels * log(probabilities + eps), for each sample."""
    return agg(-chosen(np.log(probabilities + eps), labels))


def logit_crossentropy(logits, labels, agg=np.mean):
    """-sum of labels * log_softmax(logits), for each sample.

    Examples
    --------
    >>> float(logit_crossentropy(np.array([[0.0, 0.0], [1e4, -1e4]]), np.array([1, 0])).round(4))
    0.3466
    """
    return agg(-chosen(log_softmax(logits), labels))


def binary_crossentropy(probabilities, labels, eps=1e-7, agg=np.mean):
    """-label * log(p + eps) - (1 - label) * log(1 - p + eps)"""
    labels = like(probabilities, labels)
    return agg(-labels * np.log(probabilities + eps) - (1 - labels) * np.log(1 - probabilities + eps))


def logit_binary_crossentropy(logits, labels, agg=np.mean):
    """-label * log(sigmoid(logit)) - (1 - label) * log(sigmoid(-logit))"""
    labels = like(logits, labels)
    return agg((1 - labels) * logits - log_sigmoid(logits))


def kl_divergence(probabilities, labels, eps=1e-7, agg=np.mean):
    """The sum of labels * log(labels / probabilities), for each sample; both with eps added."""
    labels = like(probabilities, labels)
    return agg(np.sum(labels * (np.log(labels + eps) - np.log(probabilities + eps)), axis=-1))


def hinge(predicted, labels, agg=np.mean):
    """max(1 - label * predicted, 0), for labels -1 and 1."""
    labels = like(predicted, labels)
    return agg(np.maximum(1 - labels * predicted, 0))


def squared_hinge(predicted, labels, agg=np.mean):
    """max(1 - label * predicted, 0)**2, for labels -1 and 1."""
    labels = like(predicted, labels)
    return agg(np.maximum(1 - labels * predicted, 0) ** 2)


def poisson(rates, counts, eps=1e-7, agg=np.mean):
    """rate - count * log(rate + eps)"""
    counts = like(rates, counts)
    return agg(rates - counts * np.log(rates + eps))


def focal(probabilities, labels, gamma=2.0, eps=1e-7, agg=np.mean):
    """-sum of labels * (1 - p)**gamma * log(p + eps), for each sample (Lin et al. 2017)."""
    return agg(-chosen(np.maximum(1 - probabilities, eps) ** gamma * np.log(probabilities + eps), labels))


def logit_binary_focal(logits, labels, gamma=2.0, agg=np.mean):
    """(1 - p)**gamma * -log(p), with p = sigmoid(logit) for label 1 and sigmoid(-logit) for label 0."""
    labels = like(logits, labels)
    margin = (2 * labels - 1) * logits
    return agg(np.exp(-gamma * softplus(margin)) * softplus(-margin))


def cosine_loss(predicted, wanted, eps=1e-8, agg=np.mean):
    """1 - the cosine between predicted and wanted, along the last axis."""
    wanted = like(predicted, wanted)
    squares = np.sum(predicted**2, axis=-1) * np.sum(wanted**2, axis=-1)
    return agg(1 - np.sum(predicted * wanted, axis=-1) / np.sqrt(np.maximum(squares, eps**2)))


def contrastive(distances, same, margin=1.0, agg=np.mean):
    """d**2 for pairs of one kind, max(margin - d, 0)**2 for others (Hadsell et al. 2006)."""
    same = like(distances, same)
    return agg(same * distances**2 + (1 - same) * np.maximum(margin - distances, 0) ** 2)
