"""Compiled code on disk: found again where all is the same, never where anything is not, and never needed."""

import importlib.util
import json
import linecache
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import zygopy as zg
from zygopy.__main__ import main
from zygopy.backends import cache
from zygopy.backends.fingerprint import Fingerprint

PROGRAM = """
from dataclasses import dataclass
import numpy as np
import zygopy as zg

SCALE, RATE = 2.0, 0.5

def helper(x, p=3):
    return x ** p

def loss(x):
    return np.sum(np.tanh(x) @ x.T) + helper(x[0, 0])

def power(x, n):
    return 1.0 if n == 0 else x * power(x, n - 1)


@dataclass
class Layer:
    w: float
    name: str = "layer"

TABLE = np.arange(3.0)

def bound(layer, function, x):
    return np.sum(function(layer.w * x * TABLE)) * RATE
"""
CALL = """
import json, sys, numpy, program
of_power = program.zg.grad(program.power)
of_power(2.0, 3)
gradient = program.zg.grad(program.loss)
found = gradient(numpy.random.default_rng(0).normal(size=(5, 5)))
of_layer = program.zg.grad(program.bound)
layer = of_layer(program.Layer(2.0), numpy.sin, numpy.ones(3))
natives = [of_power, gradient, *(entry.native for entry in of_layer._entries.values())]
print(json.dumps([[sum(n.stats.cache_hits.values()) for n in natives], found.tolist(), layer.w, layer.name,
    "zygopy.transform.pipeline" in sys.modules]))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of its own, which is empty."""
    monkeypatch.setenv("ZYGOPY_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def hits(derivative) -> int:
    return sum(derivative.stats.cache_hits.values())


def run(place: Path, folder: Path) -> list:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(place), *sys.path]),
        "ZYGOPY_CACHE_DIR": str(folder),
    }
    done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout)


def test_a_second_process_compiles_nothing(tmp_path):
    """Vector functions, BLAS, own routines and functions that call themselves are found again, without the compiler.

    So are changes of helpers.
    """
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    first, second = (run(tmp_path, tmp_path / "cache") for _ in range(2))
    assert first[0] == [0, 0, 0]
    assert first[4]
    assert second == [[1, 1, 1], *first[1:4], False]
    np.testing.assert_allclose(first[2], 0.5 * (np.cos(2.0) + 2 * np.cos(4.0)))
    assert first[3] == "layer"
    file.write_text(PROGRAM.replace("x ** p", "x ** p * SCALE").replace("RATE = 2.0, 0.5", "RATE = 2.0, 1.0"))
    changed = run(tmp_path, tmp_path / "cache")
    assert changed[0] == [1, 0, 0]
    assert changed[1] != first[1]
    np.testing.assert_allclose(changed[2], 2 * first[2])


# -- what code depends on --------------------------------------------------------------------------------------------


def loaded(tmp_path, text: str):
    """The module of a text, of which there may have been others in the same file."""
    path = tmp_path / "program.py"
    path.write_text(text)
    os.utime(path, (1, 1))  # not newer than this process
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


BASE = """
import numpy as np
import zygopy as zg
from dataclasses import dataclass
from typing import NamedTuple

N, TABLE, NAMES = 3, np.arange(3.0), {"a": 1.0}

class Settings:
    rate = 0.5
    def twice(self, x):
        return 2 * x

class Pair(NamedTuple):
    a: float
    b: float = 1.0

@dataclass
class Layer:
    w: float

    def apply(self, x):
        return self.w * x

def inner(x):
    return x * N

def helper(x, p=2):
    return inner(x) ** p

layer, settings, pair = Layer(2.0), Settings, Pair(1.0)
gradient = zg.grad(helper)

def loss(x, flag=True):
    def local(y):
        return helper(y) + TABLE[0] + NAMES["a"]
    return local(x) + layer.w + settings.rate + pair.a + gradient(x) if flag else x

@zg.elementwise(helper)
def rule(ans, x, p):
    return 2 * x, 0.0
"""
CHANGES = [
    ("N, TABLE, NAMES = 3", "N, TABLE, NAMES = 4"),
    ("3, np.arange(3.0)", "3, np.ones((3, 1))"),
    ('{"a": 1.0}', '{"a": 1.5}'),
    ("rate = 0.5", "rate = 0.25"),
    ("return 2 * x\n\nclass", "return 3 * x\n\nclass"),
    ("b: float = 1.0", "b: float = 2.0"),
    ("return self.w * x", "return self.w + x"),
    ("return x * N", "return x + N"),
    ("p=2", "p=3"),
    ("Layer(2.0)", "Layer(3.0)"),
    ("Pair(1.0)", "Pair(2.0)"),
    ("zg.grad(helper)", "zg.grad(helper, 1)"),
    ("zg.grad(helper)", "zg.grad(inner)"),
    ("flag=True", "flag=False"),
    ("local(x) +", "local(x) -"),
    ("return 2 * x, 0.0", "return 3 * x, 0.0"),
    ("def loss(", "\ndef loss("),  # the lines in its errors
]


def test_all_that_a_function_reaches_is_in_its_digest(tmp_path):
    digests = [Fingerprint(loaded(tmp_path, BASE).loss).digest for _ in range(2)]
    assert digests[0] is not None
    assert digests[0] == digests[1]
    for old, new in CHANGES:
        assert old in BASE
        digests.append(Fingerprint(loaded(tmp_path, BASE.replace(old, new, 1)).loss).digest)
    assert None not in digests
    assert len(set(digests)) == len(CHANGES) + 1


PAIR = """
from typing import NamedTuple

class Pair(NamedTuple):
    a: float
    b: float = 1.0

    def area(self):
        return self.a * self.b

def loss(pair):
    return pair.area()
"""


def test_code_depends_on_the_classes_of_its_arguments(tmp_path, folder, monkeypatch):
    """Their methods are followed, and the function need not name them."""
    found = []
    for text in (PAIR, PAIR, PAIR.replace("self.a * self.b", "self.a + self.b"), PAIR.replace("b: float", "b: int")):
        module = loaded(tmp_path, text)
        linecache.clearcache()
        monkeypatch.setitem(sys.modules, "program", module)
        gradient = zg.grad(module.loss)
        found.append((tuple(gradient(module.Pair(2.0, 3))), hits(gradient)))
    assert found == [((3.0, 2.0), 0), ((3.0, 2.0), 1), ((1.0, 1.0), 0), ((3.0, 3), 0)]


def test_what_is_not_reached_is_not_in_its_digest(tmp_path):
    module = loaded(tmp_path, BASE + "\nother = object()\n\ndef unused(x):\n    return other\n")
    assert Fingerprint(module.loss).digest == Fingerprint(loaded(tmp_path, BASE).loss).digest


def test_values_without_known_meaning_have_no_digest(tmp_path):
    module = loaded(tmp_path, BASE.replace("Layer(2.0), Settings,", "Layer(2.0), Settings(),"))
    assert Fingerprint(module.loss).digest is None


def test_a_file_that_was_edited_since_has_no_digest(tmp_path):
    module = loaded(tmp_path, BASE)
    os.utime(tmp_path / "program.py")
    assert Fingerprint(module.loss).digest is None


# -- the files -------------------------------------------------------------------------------------------------------


@dataclass
class Weights:
    w: float


def cube(x):
    return x**3


def made():
    return zg.grad(cube)


def test_code_is_taken_from_the_folder(folder):
    first, second = made(), made()
    assert first(2.0) == 12.0
    assert hits(first) == 0
    assert second(2.0) == 12.0
    assert hits(second) == 1
    assert len(list(folder.glob("programs/*"))) == 1
    assert zg.value_and_grad(cube)(2.0) == (8.0, 12.0)  # another operator is another file
    assert len(list(folder.glob("programs/*"))) == 2


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-1], lambda data: data[:50] + b"x" + data[51:]]
)
def test_damaged_files_are_replaced(folder, damage):
    assert made()(2.0) == 12.0
    (file,) = folder.glob("programs/*")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    again = made()
    assert again(2.0) == 12.0
    assert hits(again) == 0
    (file,) = folder.glob("programs/*")
    assert len(file.read_bytes()) >= len(whole) - 64


@pytest.mark.parametrize("failing", ["mkdir", "mkstemp", "replace", "write"])
def test_a_folder_that_cannot_be_written(folder, monkeypatch, failing):
    def fail(*args, **kwargs):
        raise OSError("no space left on device")

    if failing == "write":
        real = cache._checksum
        monkeypatch.setattr(cache, "_checksum", lambda data: fail() if folder.exists() else real(data))
    else:
        owner = {"mkdir": cache.Path, "mkstemp": cache.tempfile, "replace": cache.os}[failing]
        monkeypatch.setattr(owner, failing, fail)
    assert made()(2.0) == 12.0
    assert not [f for f in folder.rglob("*") if f.is_file()]


def test_a_folder_that_is_a_file(folder):
    folder.write_text("")
    assert made()(2.0) == 12.0


def test_the_cache_may_be_off(folder, monkeypatch):
    monkeypatch.setenv("ZYGOPY_CACHE_DIR", "")
    assert made()(2.0) == 12.0
    assert not folder.exists()
    assert cache.folder() is None


def test_the_folder_of_a_user(monkeypatch, tmp_path):
    monkeypatch.delenv("ZYGOPY_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "zygopy"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(cache.Path, "home", lambda: tmp_path)
    assert cache.folder() == tmp_path / ".cache" / "zygopy"


def test_files_that_were_not_used_for_longest_go_first(folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 450)
    for k in range(5):
        cache.write(f"programs/{k}", bytes(84))  # 100 with its checksum
        os.utime(folder / f"programs/{k}", (k, k))
    assert {file.name for file in folder.glob("programs/*")} == {"3", "4"}


def test_many_threads_write_and_read(folder):
    """Each sees no file, or a whole one."""
    wrong = []

    def work():
        for k in range(50):
            cache.write("programs/same", bytes([k]) * 10_000)
            data = cache.read("programs/same")
            if data is None or len(data) != 10_000 or len(set(data)) != 1:
                wrong.append(data)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_errors_of_classes_that_cannot_be_imported_are_the_same(folder):
    class OwnError(Exception):
        pass

    def checked(x):
        if x < 0:
            raise OwnError("negative")
        return x * x

    for _ in range(2):
        gradient = zg.grad(checked)
        assert gradient(2.0) == 4.0
        assert hits(gradient) == 0
        with pytest.raises(OwnError, match="negative"):
            gradient(-1.0)


@pytest.mark.parametrize("module", ["__main__", __name__])
def test_objects_of_main_are_followed_anew(folder, monkeypatch, module):
    """Another process has another class of that name: what a call gives is built of the class of this one."""
    monkeypatch.setattr(Weights, "__module__", module)
    for _ in range(2):
        gradient = zg.grad(lambda p: p.w * p.w)
        found = gradient(Weights(3.0))
        assert type(found) is Weights
        assert found.w == 6.0
    assert len(list(folder.glob("programs/*"))) == (1 if module == "__main__" else 2)


# -- other processes -------------------------------------------------------------------------------------------------


@zg.grad
def decorated(x):
    return np.sum(x * x)


def scaled(x, y=2.0):
    return x * x * y


OPERATORS = [
    decorated,
    decorated.value_and_grad,
    zg.grad(cube),
    zg.value_and_grad(scaled, ("x", "y")),
    zg.jit(cube),
    zg.grad(cube, backend="python"),
    zg.grad(zg.grad(cube)),
]


@pytest.mark.parametrize("operator", OPERATORS[:-1])
def test_operators_can_be_pickled(operator):
    again = pickle.loads(pickle.dumps(operator))
    assert (again.function, again.task, again.backend) == (operator.function, operator.task, operator.backend)
    assert again(3.0) == operator(3.0)
    assert (again is decorated) is (operator is decorated)


@pytest.mark.parametrize("operator", [OPERATORS[-1], zg.grad(lambda x: x * x)])
def test_functions_without_a_name_cannot_be_pickled(operator):
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(operator)


def test_another_process_calls_a_pickled_operator():
    """A process of its own that is spawned, as multiprocessing and joblib do it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(zg.grad(cube), [1.0, 2.0]) == [3.0, 12.0]


def rows(x):
    return np.sum(np.log(np.sum(np.exp(x), axis=1)))


def test_code_for_short_rows_is_not_taken_for_long_ones(folder):
    for shape in ((5, 3), (5, 3), (5, 200)):
        x, gradient = np.ones(shape), zg.grad(rows)
        np.testing.assert_allclose(gradient(x), np.full(shape, 1 / shape[1]))
    assert hits(gradient) == 0
    assert len(list(folder.glob("programs/*"))) == 2


def test_the_command_line(folder, capsys):
    made()(2.0)
    for action, wanted in (("info", "1 files"), ("clear", "1 files removed"), ("info", "0 files")):
        assert main(["cache", action]) == 0
        assert wanted in capsys.readouterr().out
