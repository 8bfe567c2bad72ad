"""Whole trainings beside PyTorch's (eager), in float32, on one core: a network of 10 neurons, and the digits CNN.

    python -m benchmarks.nn_training [--steps 100000] [--epochs 30] [--no-neurons] [--no-digits]

Both start from the same weights and see the same batches with the same rates; PyTorch's are tensors of
its layout already. The 10 neurons are trained by one native
loop, PyTorch's by a loop of Python. The epochs of the CNN alternate; times are CPU seconds of the process, without the
first epoch, which compiles: the median, and the median of the paired ratios.
"""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import zygopy as zg
from benchmarks.harness import load, machine, shown_ratio, shown_time, table
from zygopy import nn, optim, training


def classified(model, images, digits):
    return nn.logit_crossentropy(model(images), digits)


def squared(model, x, wanted):
    return nn.mse(model(x), wanted)


@zg.jit
def fit(state, model, x, wanted, steps):
    """A whole training: the last loss."""
    value = 0.0
    for _ in range(steps):
        value, gradient = zg.value_and_grad(squared)(model, x, wanted)
        optim.update(state, model, gradient)
    return value


# -- 10 neurons ------------------------------------------------------------------------------------------------------


def neurons(steps: int) -> list[str]:
    """A row of the table: a network 1-10-1 with 32 samples of a sine, by plain descent."""
    x = np.linspace(-2.0, 2.0, 32, dtype=np.float32)[:, np.newaxis]
    wanted, rate = np.sin(2.0 * x), 0.05

    def network():
        return nn.Chain(nn.Dense(1, 10, nn.tanh, rng=0), nn.Dense(10, 1, rng=1))

    theirs = torch_neurons(network(), x, wanted, rate)
    model = network()
    state = optim.setup(optim.Descent(rate), model)
    fit(state, model, x, wanted, 0)  # compiles
    ours_s, ours = timed(lambda: fit(state, model, x, wanted, steps))
    theirs_s, other = timed(lambda: theirs(steps))
    each = [f"{seconds / steps * 1e6:.2f} us" for seconds in (ours_s, theirs_s)]
    ends = [f"{value:.2e}" for value in (ours, other)]
    return [f"10 neurons, {steps:,} steps", *each, shown_ratio(theirs_s / ours_s), *ends]


def torch_neurons(model: Any, x: np.ndarray, wanted: np.ndarray, rate: float) -> Callable[[int], float]:
    import torch

    network = torch.nn.Sequential(torch.nn.Linear(1, 10), torch.nn.Tanh(), torch.nn.Linear(10, 1))
    copy_dense(((network[0], model[0]), (network[2], model[1])))
    descent, given, aim = torch.optim.SGD(network.parameters(), lr=rate), torch.tensor(x), torch.tensor(wanted)

    def train(steps: int) -> float:
        for _ in range(steps):
            value = torch.nn.functional.mse_loss(network(given), aim)
            descent.zero_grad()
            value.backward()
            descent.step()
        return value.item()

    return train


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def copy_dense(pairs: Any) -> None:
    """zygopy's weights into layers of PyTorch."""
    import torch

    for theirs, ours in pairs:
        theirs.weight.data, theirs.bias.data = torch.tensor(ours.weight.T.copy()), torch.tensor(ours.bias.copy())


# -- digits ----------------------------------------------------------------------------------------------------------


def digits(epochs: int, batch: int = 32) -> list[str]:
    """A row of the table: the network of examples/digits_cnn.py."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype(np.float32) / np.float32(16.0)
    train, test = training.split((images, labels), at=0.8, rng=0)
    model = nn.Chain(
        nn.Conv((3, 3), 1, 16, nn.relu, padding="same", rng=1),
        nn.MaxPool((2, 2)),
        nn.Conv((3, 3), 16, 32, nn.relu, padding="same", rng=2),
        nn.MaxPool((2, 2)),
        nn.flatten,
        nn.Dense(128, 64, nn.relu, rng=3),
        nn.Dense(64, 10, rng=4),
    )
    batches = training.DataLoader(train, batch, rng=0)
    rate = optim.OneCycle(0.004, steps=epochs * len(batches))
    state = optim.setup(optim.AdamW(rate, decay=0.05), model)
    theirs, accuracy_of_theirs = torch_digits(model, rate)
    spent: dict[str, list[float]] = {"zygopy": [], "torch": []}
    for number in range(epochs):
        data = list(batches)  # the same for both
        given = [tensors(*pair) for pair in data]
        calls = {
            "zygopy": partial(training.train, classified, model, data, state),
            "torch": partial(theirs, given, number * len(data)),
        }
        for name in reversed(calls) if number % 2 else calls:
            spent[name].append(timed(calls[name])[0])
    ours_s, theirs_s = (statistics.median(spent[name][1:] or spent[name]) for name in spent)
    pairs = list(zip(spent["torch"], spent["zygopy"], strict=True))
    ratio = statistics.median(a / b for a, b in pairs[1:] or pairs)
    right = float(np.mean(training.one_cold(model(test[0])) == test[1]))
    accuracies = [f"{right:.1%}", f"{accuracy_of_theirs(*test):.1%}"]
    times = [f"{shown_time(seconds)}" for seconds in (ours_s, theirs_s)]
    return [f"digits CNN, an epoch of {len(train[1]):,} images", *times, shown_ratio(ratio), *accuracies]


def torch_digits(model: Any, rate: Callable[[float], float]) -> tuple[Callable, Callable]:
    """An epoch of the same network in PyTorch's own layout, and its accuracy."""
    import torch

    torch.set_num_threads(1)
    t = torch.nn
    convolutions = [t.Conv2d(1, 16, 3, padding="same"), t.Conv2d(16, 32, 3, padding="same")]
    dense = [t.Linear(128, 64), t.Linear(64, 10)]
    network = t.Sequential(
        *(convolutions[0], t.ReLU(), t.MaxPool2d(2), convolutions[1], t.ReLU(), t.MaxPool2d(2)),
        *(t.Flatten(), dense[0], t.ReLU(), dense[1]),
    )
    for theirs, ours in zip(convolutions, (model[0], model[2]), strict=True):
        theirs.weight.data = torch.tensor(ours.weight.transpose(3, 2, 0, 1).copy())
        theirs.bias.data = torch.tensor(ours.bias.copy())
    copy_dense(((dense[0], model[5]), (dense[1], model[6])))
    flat = model[5].weight.reshape(2, 2, 32, 64).transpose(3, 2, 0, 1).reshape(64, 128)  # channels first
    dense[0].weight.data = torch.tensor(flat.copy())
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.05)

    def epoch(data: list, first: int) -> None:
        for number, (given, wanted) in enumerate(data, start=first):
            optimiser.param_groups[0]["lr"] = rate(float(number))
            value = torch.nn.functional.cross_entropy(network(given), wanted)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()

    def accuracy(images: np.ndarray, labels: np.ndarray) -> float:
        given, wanted = tensors(images, labels)
        with torch.no_grad():
            return float((network(given).argmax(1) == wanted).float().mean())

    return epoch, accuracy


def tensors(images: np.ndarray, labels: np.ndarray) -> tuple:
    """Images and labels for PyTorch, channels first."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))), torch.from_numpy(labels)


def main() -> None:
    """Train both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100_000, help="of the 10 neurons")
    parser.add_argument("--epochs", type=int, default=30, help="of the digits")
    parser.add_argument("--no-neurons", action="store_true")
    parser.add_argument("--no-digits", action="store_true")
    options = parser.parse_args()
    before = load()
    rows = [] if options.no_neurons else [neurons(options.steps)]
    rows += [] if options.no_digits else [digits(options.epochs)]
    print(machine())
    print(f"load {before} before, {load()} after")
    print(table(["training", "zygopy", "torch", "torch/zygopy", "end", "torch's end"], rows))
    print("end: the last loss of the 10 neurons, the accuracy on the digits' 359 test images")


if __name__ == "__main__":
    main()
