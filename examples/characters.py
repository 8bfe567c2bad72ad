"""A transformer that writes, character by character, in the manner of Python's own documentation.

`--small` trains for a moment only.
"""

import sys
from dataclasses import dataclass
from pydoc_data.topics import topics

import numpy as np

from zygopy import models, nn, optim, training

SMALL = "--small" in sys.argv
TOKENS, WIDTH = 64, 64


@dataclass
class Writer:
    """Scores of the next character, at each place of a text."""

    characters: nn.Embedding
    places: np.ndarray
    blocks: tuple
    norm: nn.LayerNorm
    out: nn.Dense

    def __call__(self, text):
        x = self.characters(text) + self.places[: text.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x))


def loss(model, text):
    return nn.logit_crossentropy(model(text[:, :-1]), text[:, 1:])


def write(model, start, count, rng):
    """Go on with a text, a character at a time."""
    found = [alphabet.index(c) for c in start]
    for _ in range(count):
        scores = model(np.array([found[-TOKENS:]]))[0, -1].astype(float)
        shares = np.exp((scores - scores.max()) / 0.7)
        found.append(rng.choice(len(alphabet), p=shares / shares.sum()))
    return "".join(alphabet[k] for k in found)


text = "".join(topics[name] for name in sorted(topics))[:200_000]
alphabet = sorted(set(text))
codes = np.array([alphabet.index(c) for c in text])
rng = np.random.default_rng(0)


class Batches:
    """Pieces of the text, at random."""

    def __len__(self):
        return 4 if SMALL else 250

    def __iter__(self):
        for _ in range(len(self)):
            starts = rng.integers(0, len(codes) - TOKENS - 1, 16)
            yield np.stack([codes[k : k + TOKENS + 1] for k in starts])


model = Writer(
    nn.Embedding(len(alphabet), WIDTH, rng=1),
    nn.normal((TOKENS, WIDTH), rng=2),
    (nn.TransformerBlock(WIDTH, 4, causal=True, rng=3),),
    nn.LayerNorm(WIDTH),
    nn.Dense(WIDTH, len(alphabet), rng=5),
)
print(models.summary(model))
rule = optim.Chain(optim.ClipNorm(1.0), optim.AdamW(0.002))
history = training.train(loss, model, Batches(), rule, epochs=1 if SMALL else 6, progress=True)

shares = np.bincount(codes) / len(codes)
entropy = -np.sum(shares[shares > 0] * np.log2(shares[shares > 0]))
print(
    f"{history.epochs[-1] / np.log(2.0):.2f} bits per character; {entropy:.2f} by the frequencies of characters alone"
)
print(write(model, "The ", 20 if SMALL else 300, rng))
if not SMALL:
    history.draw("docs/figures/characters.svg", "A transformer on Python's documentation")
