"""`python -m benchmarks.gpu`: on a GPU, correctness first, then times beside PyTorch, JAX and the copy bandwidth.

Without a GPU, `--runner` runs each program at a few elements, as loops over the grid, and the others on the CPU, to see
that this script is whole. Every figure needs the device's name and the versions beside it, which the table's head has.
PyTorch and JAX take part where they are installed.
"""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import zygopy as zg
from benchmarks import gpu_peers, groups, nn_models
from benchmarks.gpu_peers import installed, jax_gradient, jax_step, torch_gradient, torch_step
from benchmarks.harness import shown_time, table
from tests import cuda_programs, test_cuda_models
from tests.compare import assert_close
from tests.grid_native import NativeRunner
from tests.grid_runner import GridError, on
from tests.programs import PROGRAMS
from zygopy import optim
from zygopy.backends import gpu

FLOAT = np.float32
_SMALL = 12
Calls = dict[str, Callable]  # of each contender: no arguments, the value or the value and the gradient


@dataclass(frozen=True)
class Case:
    """What is timed: its contenders at a size, on "cuda" or "cpu", and the fewest bytes that its gradient must move."""

    title: str
    contenders: Callable[[int, str], Calls]
    size: int
    moved: Callable[[int], int] | None = None


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, FLOAT)


def _positive(*shape: int) -> np.ndarray:
    return 0.5 + np.random.default_rng(1).random(shape, FLOAT)


def gradients(function: Callable, argnums: tuple[int, ...], make_args: Callable, size: int, where: str) -> Calls:
    """Value and gradient of an array program, by zygopy and by the program of the same name in `gpu_peers`."""
    args, peer = make_args(size), getattr(gpu_peers, function.__name__)
    calls: Calls = {"zygopy": partial(zg.value_and_grad(function, argnums, backend="cuda"), *zg.to_device(args))}
    if installed("torch"):
        calls["torch"] = torch_gradient(peer, argnums, args, where)
    if installed("jax"):
        calls["jax"] = jax_gradient(peer, argnums, args)
    return calls


def steps(make_model: Callable[[int], nn_models.Model], size: int, where: str) -> Calls:
    """A step of Adam: zygopy's as one program, called and as a graph."""
    made = make_model(size)
    calls: Calls = {}
    for name, run in (("zygopy", _step), ("zygopy, graph", zg.cuda.graph(_step))):
        given = zg.to_device((optim.setup(optim.Adam(gpu_peers.RATE), made.model), made.model, *made.data))
        calls[name] = partial(run, *given)
    if installed("torch"):
        calls["torch"] = torch_step(*made.torch.args[:3], where)
    if installed("jax"):
        calls["jax"] = jax_step(*made.jax.args[:3])
    return calls


_step = zg.jit(test_cuda_models.step, backend="cuda")


CASES = [
    Case(
        "fused chain",
        partial(gradients, cuda_programs.chain, (0, 1, 2), lambda n: (_normal(n), _normal(n), _normal(n))),
        2**28,
        lambda n: 6 * 4 * n,
    ),
    Case(
        "softmax cross-entropy, rows of 1,024",
        partial(
            gradients,
            cuda_programs.softmax_cross_entropy,
            (0,),
            lambda n: (_normal(n, min(n, 1024)), _normal(n, min(n, 1024))),
        ),
        65_536,
        lambda n: 3 * 4 * n * min(n, 1024),
    ),
    Case(
        "Black-Scholes Greeks",
        partial(
            gradients,
            cuda_programs.black_scholes,
            (0, 1, 2, 3),
            lambda n: (_positive(n), _positive(n), _positive(n), _positive(n), 0.1),
        ),
        10**8,
        lambda n: 8 * 4 * n,
    ),
    Case(
        "heat by slices, 100 steps",
        partial(
            gradients, cuda_programs.heat_in_slices, (0,), lambda n: (_normal(n, n), 0.1, 100 if n > _SMALL else 2)
        ),
        4_096,
        lambda n: 200 * 2 * 4 * n * n,
    ),
    Case(
        "n-body",
        partial(gradients, cuda_programs.n_body, (0, 1), lambda n: (_normal(n, 2), _positive(n))),
        16_384,
    ),
    Case(
        "three matrix products: MLP 784-256-10, batch",
        partial(
            gradients,
            cuda_programs.mlp,
            (0, 1, 2, 3),
            lambda n: (
                _normal(784, 256) / FLOAT(28),
                _normal(256),
                _normal(256, 10) / FLOAT(16),
                _normal(10),
                _normal(n, 784),
                _normal(n, 10),
            ),
        ),
        8_192,
    ),
    Case("training step, MLP 784-256-128-10, batch", partial(steps, nn_models.mlp), 1_024),
    Case("training step, LeNet, batch", partial(steps, nn_models.lenet), 1_024),
    Case(
        "launch overhead: chain of",
        partial(gradients, cuda_programs.chain, (0, 1, 2), lambda n: (_normal(n), _normal(n), _normal(n))),
        16,
    ),
]


# -- correctness -----------------------------------------------------------------------------------------------------


def checks() -> Iterator[tuple[str, Callable, tuple, Any, float]]:
    """Of each program its name, function, arguments, what is differentiated, and the tolerance; the largest first."""
    for name, (loss, *args) in test_cuda_models.MODELS.items():
        yield name, loss, tuple(args), 0, 1e-4
    for function in cuda_programs.SAMPLES:
        yield function.__name__, function, cuda_programs.args_of(function), cuda_programs.argnums_of(function), 1e-12
    for name in groups.NAMES:
        p = groups.load(name)
        args = p.make_inputs(p.tiny)
        single = any(isinstance(a, np.ndarray) and a.dtype == FLOAT for a in args)
        yield p.title, p.fun, args, p.argnums, 1e-4 if single else 1e-11
    for name, program in PROGRAMS.items():
        yield name, program.function, program.args(), program.argnums, 1e-4 if "float32" in program.tags else 1e-11


def check_all(seconds: float) -> None:
    """Value and gradient of as many programs as the time allows, on the device and by plain Python."""
    end, right, refused = time.monotonic() + seconds, 0, 0
    for name, function, args, argnums, tolerance in checks():
        if time.monotonic() > end:
            break
        given = zg.to_device(args)
        try:
            got = zg.to_host(zg.value_and_grad(function, argnums, backend="cuda")(*given))
        except (zg.UnsupportedError, zg.DtypeError, GridError):  # the last two: arrays of the host that it captures
            refused += 1
            continue
        expected = zg.value_and_grad(function, argnums, backend="python")(*args)
        for mine, wanted in zip(zg.leaves(got), zg.leaves(expected), strict=True):
            assert_close(mine, wanted, tolerance, name)
        right += 1
    print(f"the same gradients as plain Python: {right} programs; refused: {refused}", flush=True)


def check(case: Case, where: str) -> None:
    """What the contenders give in their third call, when a graph is captured, beside each other at a few elements."""
    found = {name: [call() for _ in range(3)][-1] for name, call in case.contenders(_SMALL, where).items()}
    first = zg.to_host(found.pop("zygopy"))
    for name, other in found.items():
        parts = zg.to_host(other) if name.startswith("zygopy") else other
        for mine, wanted in zip(_flat(first), _flat(parts), strict=True):
            assert_close(mine, wanted, 1e-4, f"{case.title}: {name}")
    print(f"{case.title}: alike in {', '.join(['zygopy', *found])}", flush=True)


def _flat(tree: Any) -> list[np.ndarray]:
    if isinstance(tree, tuple | list):
        return [leaf for item in tree for leaf in _flat(item)]
    return [np.asarray(tree.cpu() if hasattr(tree, "cpu") else tree)]


# -- times -----------------------------------------------------------------------------------------------------------


def seconds_of(calls: Calls, wait: Callable, rounds: int = 15) -> dict[str, float]:
    """The median time of each contender; calls alternate, and each is waited for."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(3):  # compiled, captured, run once more
            call(), wait()
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call(), wait()
            taken[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in taken.items()}


def copy_bandwidth(wait: Callable) -> float:
    """Bytes read and written in a second by a copy of 2 GiB."""
    cupy = gpu.device().arrays
    a = cupy.empty(2**29, FLOAT)
    b = cupy.empty_like(a)
    return 2 * a.nbytes / seconds_of({"copy": lambda: cupy.copyto(b, a)}, wait)["copy"]


def measure() -> None:
    """The table."""
    cupy = gpu.device().arrays
    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    wait = cupy.cuda.runtime.deviceSynchronize
    bandwidth = copy_bandwidth(wait)
    versions = [f"{n} {importlib.import_module(n).__version__}" for n in ("cupy", "torch", "jax") if installed(n)]
    print(f"{properties['name'].decode()}, {', '.join(versions)}, copies {bandwidth / 1e9:.0f} GB/s")
    rows = []
    for case in CASES:
        took = seconds_of(case.contenders(case.size, "cuda"), wait)
        own = took["zygopy"]
        share = f"{case.moved(case.size) / own / bandwidth:.0%}" if case.moved else ""
        others = [f"{took[name] / own:.2f}" if name in took else "" for name in ("zygopy, graph", "torch", "jax")]
        rows.append([f"{case.title} {case.size:,}", shown_time(own), share, *others])
        print(rows[-1], flush=True)
        cupy.get_default_memory_pool().free_all_blocks()
    print(table(["program", "zygopy", "of the copy bandwidth", "graph/zygopy", "torch/zygopy", "jax/zygopy"], rows))


def main() -> None:
    """Check everything, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runner", action="store_true", help="without a GPU: only check, as loops over the grid")
    parser.add_argument("--seconds", type=float, default=240.0, help="how long to check programs of the tests")
    options = parser.parse_args()
    with on(NativeRunner(), threads=1) if options.runner else nullcontext():
        for case in CASES:
            check(case, "cpu" if options.runner else "cuda")
        check_all(0.0 if options.runner else options.seconds)
    if not options.runner:
        measure()


if __name__ == "__main__":
    main()
