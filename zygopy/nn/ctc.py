"""Connectionist temporal classification: how likely a network is to spell a text, summed over all ways to time it."""

import numpy as np

from zygopy.nn.activations import log_softmax


def ctc(logits, labels, lengths=None, label_lengths=None, blank=0, agg=np.mean):
    """-log of the probability of each text (Graves et al. 2006, equations 5 to 8).

    Parameters
    ----------
    logits : array (batch, steps, classes)
    labels : array of int (batch, letters)
        Classes other than the blank.
    lengths, label_lengths : array of int (batch,), optional
        How many steps and letters count of each; all, if they are left out.
    blank : int
        The class that stands for no letter.
    agg : callable
        Of the losses of the texts; that of a text with too few steps is infinite.

    Examples
    --------
    >>> float(ctc(np.zeros((1, 2, 2)), np.array([[1]])).round(4))  # 3 of 4 paths spell it
    0.2877
    """
    if logits.ndim != 3 or labels.ndim != 2 or labels.shape[0] != logits.shape[0]:
        raise ValueError(
            "ctc takes logits of shape (batch, steps, classes) and labels of shape (batch, letters), "
            f"not {logits.shape} and {labels.shape}"
        )
    logs = log_softmax(logits)
    batch, steps, letters = logits.shape[0], logits.shape[1], labels.shape[1]
    losses = np.zeros(batch, logits.dtype)
    for b in range(batch):
        count = letters if label_lengths is None else label_lengths[b]
        until = steps if lengths is None else lengths[b]
        forward = np.full(2 * letters + 3, -np.inf, logits.dtype)  # two places of nothing, then blanks, letters
        forward[2] = logs[b, 0, blank]
        if count > 0:
            forward[3] = logs[b, 0, labels[b, 0]]
        for t in range(1, until):
            before = forward.copy()
            for k in range(2 * count + 1):
                letter = labels[b, k // 2] if k % 2 == 1 else blank
                repeats = k < 3 or k % 2 == 0 or labels[b, k // 2] == labels[b, k // 2 - 1]
                skipped = -np.inf if repeats else before[k]
                forward[k + 2] = _log_sum(_log_sum(before[k + 2], before[k + 1]), skipped) + logs[b, t, letter]
        last = forward[2 * count + 1] if count > 0 else -np.inf
        losses[b] = -_log_sum(forward[2 * count + 2], last)
    return agg(losses)


def _log_sum(a, b):
    """log(exp(a) + exp(b)), of which the derivative is right where both are -inf."""
    top = max(a, b)
    return top if top == -np.inf else top + np.log1p(np.exp(min(a, b) - top))
