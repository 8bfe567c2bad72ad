"""`python -m tests.stress`: many threads and processes compile and call gradients, over one folder of compiled code.

Each calls the same and different functions, by shared derivatives and by new ones, and compares with derivatives that
are written out by hand; now and then somebody empties the folder.
"""

import argparse
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

COUNT = 30  # functions of each form
TEXT = """
from typing import NamedTuple
import numpy as np
import scipy.special

class Pair(NamedTuple):
    a: object
    b: float
"""
FORMS = """
def waves_{k}(x):
    return np.sum(np.sin({k}.0 * x))

def products_{k}(x):
    return np.sum((np.outer(x, x) @ x) * {k}.0) + scipy.special.erf(x[0])

def loops_{k}(x):
    total = 0.0
    for i in range(len(x)):
        total += waves_{k}(x[i : i + 1]) * scale
    return total

def of_pair_{k}(p):
    return np.sum(p.a ** 2) * p.b + {k}.0 * p.b
"""


def worker(seed: int, end: float, module, shared: dict, failures: list, counts: list) -> None:
    """Call gradients until a moment; what goes wrong is put into a list."""
    import numpy as np

    import zygopy as zg
    from zygopy.backends import cache

    rng = random.Random(seed)
    x = np.linspace(0.1, 0.9, 4)

    def wanted(form: str, k: int) -> np.ndarray:
        if form == "products":
            first = 2.0 / np.sqrt(np.pi) * np.exp(-(x[0] ** 2)) * np.array([1.0, 0.0, 0.0, 0.0])
            return k * (2.0 * x * np.sum(x) + np.sum(x * x)) + first
        if form == "of_pair":
            return 2.0 * x * 1.5
        return k * np.cos(k * x) * (module.scale if form == "loops" else 1.0)

    while time.time() < end and not failures:
        form, k = rng.choice(["waves", "products", "loops", "of_pair"]), rng.randrange(1, COUNT)
        function = getattr(module, f"{form}_{k}")
        try:
            derivative = shared.setdefault(function, zg.grad(function)) if rng.random() < 0.7 else zg.grad(function)
            if form == "of_pair":
                pair = derivative(module.Pair(x, 1.5))
                found = pair.a
                np.testing.assert_allclose(pair.b, np.sum(x * x) + k)
            else:
                found = derivative(x)
            np.testing.assert_allclose(found, wanted(form, k), rtol=1e-12)
            if rng.random() < 0.01:
                cache.clear()
        except BaseException as error:
            failures.append(f"{form}_{k}: {type(error).__name__}: {error}")
        counts.append(form)


def child(path: str, seed: int, threads: int, end: float) -> int:
    """The work of one process."""
    spec = importlib.util.spec_from_file_location("stressed", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["stressed"] = module
    spec.loader.exec_module(module)
    failures: list[str] = []
    counts: list[str] = []
    shared: dict = {}
    work = [
        threading.Thread(target=worker, args=(1000 * seed + k, end, module, shared, failures, counts))
        for k in range(threads)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    print("\n".join([*failures, f"{len(counts)} calls"]))
    return 1 if failures else 0


def main() -> int:
    """0 where every gradient was right, and every process ended well and in time."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=8, help="of the first process")
    parser.add_argument("--processes", type=int, default=8, help="beside the first, of one thread each")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        path, seed, threads, end = chosen.child
        return child(path, int(seed), int(threads), float(end))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stressed.py"
        path.write_text(TEXT + "scale = 0.5\n" + "".join(FORMS.format(k=k) for k in range(1, COUNT)))
        os.utime(path, (1, 1))
        environment = {**os.environ, "ZYGOPY_CACHE_DIR": str(Path(folder) / "cache")}
        end = time.time() + chosen.seconds
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.stress", "--child", str(path), str(k), str(threads), str(end)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for k, threads in enumerate([chosen.threads, *[1] * chosen.processes])
        ]
        failed = 0
        for k, process in enumerate(processes):
            try:
                said, _ = process.communicate(timeout=max(end - time.time(), 0.0) + 120.0)
            except subprocess.TimeoutExpired:
                process.kill()
                said = f"did not end: {process.communicate()[0]}"
            failed += process.returncode != 0
            print(f"process {k}: {said.strip()}" + (f" (status {process.returncode})" if process.returncode else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
