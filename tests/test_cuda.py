"""Backend cuda without a GPU: kernels run thread by thread (`grid_runner`), against the other backends.

It cannot see what Numba's compiler for GPUs makes of a kernel (`test_ptx` can, where its wheels are installed), nor how
CuPy and a device behave.
"""

import re
import sys
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from zlib import crc32

import numpy as np
import pytest

import zygopy as zg
from tests import cuda_programs
from tests.compare import assert_close
from tests.device_arrays import Array, ForeignArray
from tests.grid_runner import GridError, Runner, on
from tests.oracle import finite_differences
from tests.programs import PROGRAMS
from tests.programs.registry import numbers
from tests.ptx import kernels_of
from zygopy.backends import gpu
from zygopy.backends.cuda_text import KernelText
from zygopy.transform.arguments import type_of_array
from zygopy.transform.gpu import gather, rows

REFUSED = {
    "the test of a loop depends on numbers that a GPU computes",
    "a function that calls itself on backend cuda",
    "the test of a branch depends on numbers that a GPU computes",
    "the number of trips of a loop depends on numbers that a GPU computes",
    "the shape or place of an array depends on numbers that a GPU computes",
}
SAMPLE = [name for name in PROGRAMS if crc32(name.encode()) % 5 < 2]
RAN = set()


def on_runner(operator, args, seed=0):
    """What an operator gives on the runner, in the host's memory, and the kernels that were launched."""
    with on(Runner(seed)) as runner:
        return zg.to_host(operator(*zg.to_device(args))), runner.launches


def check_refusal(error):
    assert error.what in REFUSED
    assert error.loc is not None


@pytest.mark.parametrize("name", SAMPLE)
def test_programs_agree_or_are_refused(name):
    p = PROGRAMS[name]
    try:
        got, _ = on_runner(zg.value_and_grad(p.function, p.argnums, backend="cuda"), p.args())
    except zg.UnsupportedError as error:
        check_refusal(error)
        return
    expected = zg.value_and_grad(p.function, p.argnums, backend="python")(*p.args())
    tolerance = 1e-5 if "float32" in p.tags else 1e-12
    assert_close(got[0], expected[0], tolerance, "value")
    assert_close(got[1], expected[1], tolerance, "gradient")
    RAN.add(name)


def test_most_of_them_run():
    """Sees something only behind all tests of the sample."""
    assert not RAN or len(RAN) > 80


@pytest.mark.parametrize("function", cuda_programs.SAMPLES, ids=lambda f: f.__name__)
def test_gradients_in_blocks_of_few_threads(function):
    args, argnums = cuda_programs.args_of(function), cuda_programs.argnums_of(function)
    (value, gradient), _ = on_runner(zg.value_and_grad(function, argnums, backend="cuda"), args, seed=1)
    expected = zg.value_and_grad(function, argnums, backend="python")(*args)
    assert_close(value, expected[0], 1e-12, "value")
    assert_close(gradient, expected[1], 1e-12, "gradient")
    assert_close(gradient, finite_differences(function, args, argnums), 1e-5, "differences")
    (value, gradient), _ = on_runner(
        zg.value_and_grad(function, argnums, backend="cuda"), cuda_programs.args_of(function, np.float32)
    )
    assert all(g.dtype == np.float32 for g in gradient)
    assert_close(gradient, expected[1], 1e-5, "in float32")


@pytest.mark.parametrize("name", ["n_body", "mlp", "logistic_regression", "layer_norm"])
def test_sums_of_other_threads_are_gathered_where_there_are_enough(name, monkeypatch):
    """With a threshold of one thread: what the rows add to a column, and what bodies add to each other."""
    monkeypatch.setattr(gather, "ENOUGH", 1)
    function = getattr(cuda_programs, name)
    args, argnums = cuda_programs.args_of(function), cuda_programs.argnums_of(function)
    operator = zg.value_and_grad(function, argnums, backend="cuda")
    got, _ = on_runner(operator, args, seed=2)
    assert_close(got, zg.value_and_grad(function, argnums, backend="python")(*args), 1e-12)
    atomics = operator.source(*args).count("cuda.atomic.add")
    assert atomics == (0 if name in ("n_body", "mlp") else 1)


@pytest.mark.parametrize("name", ["n_body", "mlp", "picked", "layer_norm", "logistic_regression", "chain"])
def test_deterministic_programs_give_the_same_bits_in_each_run(name):
    """Whatever the order of threads; with the additions of other threads turned around, or done by one."""
    function = getattr(cuda_programs, name)
    args, argnums = cuda_programs.args_of(function), cuda_programs.argnums_of(function)
    operator = zg.value_and_grad(function, argnums, backend="cuda")
    with zg.cuda.deterministic():
        assert "cuda.atomic.add" not in operator.source(*args)
        first, second = (on_runner(operator, args, seed)[0] for seed in (4, 5))
    assert_close(first, second, 0.0)
    assert_close(first, zg.value_and_grad(function, argnums, backend="python")(*args), 1e-12)
    if name in ("picked", "layer_norm"):
        assert "cuda.atomic.add" in operator.source(*args)


def statistics(x, y):
    """Sums, a largest element with its place, and a product of matrices, row by row; stores in the middle of a row."""
    scaled = np.empty(x.shape)
    total = 0.0
    for i in range(x.shape[0]):
        row = np.zeros(x.shape[1])
        for j in range(x.shape[1]):
            row[j] += x[i, j] * y[j]
        scale = np.sqrt(np.sum(row**2)) + np.max(x[i])
        for j in range(x.shape[1]):
            scaled[i, j] = row[j] / scale
        scaled[i, 0] *= y[i % len(y)]
        total += np.sum(scaled[i] ** 3)
    return total


ROWS = [cuda_programs.softmax_cross_entropy, cuda_programs.layer_norm, cuda_programs.logistic_regression, statistics]


@pytest.mark.parametrize("function", ROWS, ids=lambda f: f.__name__)
def test_long_rows_are_made_by_blocks_of_threads(function, monkeypatch):
    monkeypatch.setattr(rows, "LONG", 2)
    args = (numbers(7, 19), numbers(19, phase=2.0)) if function is statistics else cuda_programs.args_of(function)
    argnums = (0, 1)
    operator = zg.value_and_grad(function, argnums, backend="cuda")
    assert "(thread, " in operator.source(*args)
    got, _ = on_runner(operator, args, seed=3)
    assert_close(got, zg.value_and_grad(function, argnums, backend="python")(*args), 1e-12)


def test_stencils_are_gathered():
    for function in (cuda_programs.heat_in_loops, cuda_programs.heat_in_slices):
        operator = zg.value_and_grad(function, cuda_programs.argnums_of(function))
        assert "atomic" not in operator.source(*cuda_programs.args_of(function), target="cuda")


def test_trips_that_use_memory_one_after_the_other_become_threads():
    """Rows that are normalised, each by a thread: one launch for all, and one for the sum."""
    args = cuda_programs.args_of(cuda_programs.layer_norm)
    _, launches = on_runner(zg.value_and_grad(cuda_programs.layer_norm, (0, 1), backend="cuda"), args)
    assert launches == ["layer_norm_value_and_grad_1", "sum_float64"]


@pytest.mark.parametrize("operator", [zg.jvp, zg.jacfwd, zg.jacrev, zg.hessian], ids=lambda f: f.__name__)
def test_other_operators(operator):
    f, (x, w, b) = cuda_programs.chain, (a[:9] for a in cuda_programs.args_of(cuda_programs.chain))
    if operator is zg.jvp:
        got, _ = on_runner(lambda *a: zg.jvp(f, a, a, backend="cuda"), (x, w, b))
        expected = zg.jvp(f, (x, w, b), (x, w, b), backend="python")
    else:
        got, _ = on_runner(operator(f, backend="cuda"), (x, w, b))
        expected = operator(f, backend="python")(x, w, b)
    assert_close(got, expected, 1e-12)


def test_arguments_of_any_number():
    def summed(scale, *xs):
        return sum(np.sum(scale * x**2) for x in xs)

    args = (np.ones(3), numbers(3), numbers(3, phase=1.0))
    got, _ = on_runner(zg.grad(summed, backend="cuda"), args)
    assert_close(got, zg.grad(summed, backend="python")(*args), 1e-12)


def test_arguments_on_a_gpu_choose_the_backend():
    args = cuda_programs.args_of(cuda_programs.chain)
    gradient = zg.grad(cuda_programs.chain)
    with on(Runner()) as runner:
        got = gradient(*zg.to_device(args))
        assert isinstance(got, ForeignArray)
        assert runner.launches
        found = zg.to_host(got)
    assert_close(found, zg.grad(cuda_programs.chain, backend="python")(*args), 1e-12)


def weighted(x, y):
    return np.sum((x * y * WEIGHTS) ** 2)


WEIGHTS = np.array([[1.0, 2.0, 3.0]])


@pytest.mark.parametrize("operator", [zg.grad, zg.hessian], ids=lambda f: f.__name__)
def test_axes_of_length_1_and_captured_arrays(operator, monkeypatch):
    """Arrays of other libraries, which have dtypes of their own, too."""
    args = numbers(4, 3), numbers(4, 1)
    expected = operator(weighted, backend="python")(*args)
    with on(Runner()):
        for kind in (Array, OtherArray):
            monkeypatch.setitem(globals(), "WEIGHTS", kind(np.array([[1.0, 2.0, 3.0]])))
            assert_close(zg.to_host(operator(weighted)(*map(kind, args))), expected, 1e-12)
            with pytest.raises(zg.DtypeError) as caught:
                operator(weighted)(*args)
            assert str(caught.value) == (
                "WEIGHTS is in a GPU's memory, and no argument is\n"
                "help: pass arguments in the GPU's memory too: zygopy.to_device(x)"
            )


class OtherArray(ForeignArray):
    """One with a dtype of its library's own."""

    def __init__(self, array):
        self.array, self.dtype, self.shape = array, "float64", array.shape


@pytest.mark.parametrize("array", [np.zeros((2, 3)), np.zeros((2, 3)).T, np.zeros((4, 3))[::2], np.zeros((1, 0))])
def test_types_of_arrays_on_a_gpu(array):
    """By CUDA's interface of arrays, which has no strides where elements lie by rows."""
    expected = type_of_array(array, "x")
    assert type_of_array(ForeignArray(array), "x") == expected
    without = SimpleNamespace(__cuda_array_interface__=dict(array.__array_interface__, strides=None))
    if expected.layout == "C":
        assert type_of_array(without, "x") == expected


@pytest.mark.parametrize("package, make", [("torch", "ones"), ("jax.numpy", "ones")])
def test_arrays_of_other_libraries_in_the_hosts_memory(package, make):
    x = getattr(pytest.importorskip(package), make)(3)
    with pytest.raises(zg.DtypeError, match=re.escape("help: pass it as a NumPy array: np.asarray(x)")):
        zg.grad(cuda_programs.chain)(x, x, x)


def test_models_go_to_the_device_and_back():
    model = {"w": np.ones((2, 3)), "layers": [np.zeros(2), 0.5], "name": "mlp"}
    with on(Runner()):
        moved = zg.to_device(model)
        assert isinstance(moved["w"], ForeignArray)
        assert isinstance(moved["layers"][0], ForeignArray)
        back = zg.to_host(moved)
    np.testing.assert_array_equal(back["w"], model["w"])
    assert (back["layers"][1], back["name"]) == (0.5, "mlp")
    assert zg.to_host(model) is model


def test_a_gradient_is_launched_with_no_more_than_it_needs():
    """One kernel does forward and reverse of a fused nest, a second one adds up what its blocks have left."""
    args = cuda_programs.args_of(cuda_programs.chain)
    _, launches = on_runner(zg.value_and_grad(cuda_programs.chain, (0, 1, 2), backend="cuda"), args)
    assert launches == ["chain_value_and_grad_1", "sum_float64"]


def test_without_packages_the_message_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    gpu.gpu.cache_clear()
    with pytest.raises(zg.ArgumentError) as caught:
        zg.to_device(np.ones(3))
    assert str(caught.value) == ("backend cuda needs a package that is missing: cupy\nhelp: pip install zygopy[cuda]")
    with pytest.raises(zg.ArgumentError, match="backend cuda needs a package that is missing: cupy"):
        zg.cuda.graph(zg.grad(cuda_programs.chain))(np.ones(3))


def test_arrays_in_the_hosts_memory_are_refused():
    """Given to a program, or captured by it."""
    args = cuda_programs.args_of(cuda_programs.chain)
    with on(Runner()), pytest.raises(GridError, match="x is in the host's memory"):
        zg.grad(cuda_programs.chain, backend="cuda")(*args)
    weights = np.ones(40)
    with on(Runner()), pytest.raises(GridError, match="an array that a function captures is in the host's memory"):
        zg.grad(lambda x: np.sum(x * weights), backend="cuda")(zg.to_device(args[0]))
    device = object.__new__(gpu.Gpu)
    with pytest.raises(zg.DtypeError) as caught:
        device.taken(np.ones(2), "x")
    assert str(caught.value) == (
        "x is in the host's memory\n"
        "why:  a program for backend cuda reads the GPU's memory only, and copies nothing in secret\n"
        "help: pass it as an argument, copied once: zygopy.to_device(x)"
    )


class _Tensor:
    """An array of PyTorch, as far as its place is asked for."""

    device = SimpleNamespace(index=1)


_Tensor.__module__ = "torch"


def test_work_for_pytorch_is_on_its_stream_and_in_its_memory(monkeypatch):
    """CuPy and PyTorch are stood for by what is called of them."""
    done: list = []
    pytorch = ModuleType("torch.cuda")
    pytorch.current_stream = lambda device: f"stream of device {device.index}"
    pytorch.caching_allocator_alloc = lambda *args: done.append(args) or 4096
    pytorch.caching_allocator_delete = lambda *args: done.append(args)
    monkeypatch.setitem(sys.modules, "torch.cuda", pytorch)

    @contextmanager
    def inside(what):
        done.append(("enter", what))
        yield
        done.append(("leave", what))

    def pool(allocate, free):
        return SimpleNamespace(malloc=lambda size: free(allocate(size, 1), 1))

    device = object.__new__(gpu.Gpu)
    device.captures = None
    device.arrays = SimpleNamespace(
        cuda=SimpleNamespace(
            Device=lambda number: inside(f"device {number}"),
            Stream=SimpleNamespace(from_external=inside),
            PythonFunctionAllocator=pool,
            using_allocator=lambda malloc: malloc(512) or inside("pool"),
        )
    )
    with device.beside(_Tensor()):
        done.append(("work",))
    stream = "stream of device 1"
    entered = [("enter", "device 1"), ("enter", stream), (512, 1, stream), (4096,), ("enter", "pool")]
    assert done == [*entered, ("work",), ("leave", "pool"), ("leave", stream), ("leave", "device 1")]
    done.clear()
    with device.beside(np.ones(2)):
        pass
    device.captures = {}
    with device.beside(_Tensor()):
        pass
    assert done == []


def test_a_call_puts_its_work_beside_its_arguments():
    """And beside an argument that is given by name."""
    places: list = []

    class Watched(Runner):
        def beside(self, like):
            places.append(like)
            return super().beside(like)

    with on(Watched()):
        x, w = zg.to_device((np.ones(3), np.ones(3)))
        gradient = zg.grad(lambda x, w: np.sum(x * w), backend="cuda")
        gradient(x, w)
        gradient(x=w, w=x)
    assert [place is wanted for place, wanted in zip(places, (x, w), strict=True)] == [True, True]


def test_operators_that_stay_on_the_cpu_say_so():
    with on(Runner()):
        args = zg.to_device(cuda_programs.args_of(cuda_programs.chain))
        with pytest.raises(zg.ArgumentError, match="vjp and linearize of arrays on a GPU are not supported"):
            zg.vjp(cuda_programs.chain, *args)
        with pytest.raises(zg.DtypeError, match="an argument is in a GPU's memory"):
            zg.grad(cuda_programs.chain, backend="python")(*args)


def test_gradients_into_arrays_of_the_caller():
    args = cuda_programs.args_of(cuda_programs.chain)
    with on(Runner()):
        filled = zg.to_device(np.zeros(40))
        zg.grad(cuda_programs.chain)(*zg.to_device(args), out=filled)
    assert_close(filled.array, zg.grad(cuda_programs.chain, backend="python")(*args), 1e-12)


# -- tapes that grow -------------------------------------------------------------------------------------------------


def until_small(x, bound):
    """Of each element, how often it takes to fall below a bound, and what is left."""
    total = 0.0
    for i in range(len(x)):
        y = x[i]
        while y > bound:
            y = y * (0.99 - 0.01 * y)
        total += y
    return total


def overwritten(x, stop):
    n, y = 0, 1.0
    while y < stop:
        y += (1.1 + np.sin(y)) * x[n % 3]
        x[n % 3] *= 0.999
        n += 1
    return y


def test_tapes_are_made_longer_until_they_suffice():
    """Each thread has a tape of its own; the second call knows how long they must be."""
    x = np.linspace(0.1, 0.9, 9)
    operator = zg.value_and_grad(until_small, backend="cuda")
    got, launches = on_runner(operator, (x, 0.2))
    assert_close(got, zg.value_and_grad(until_small, backend="python")(x, 0.2), 1e-12)
    with on(Runner()) as runner:
        operator(*zg.to_device((x, 0.2)))
    assert 2 * len(runner.launches) <= len(launches)
    assert "for i in range(cuda.grid(1), n, cuda.gridsize(1))" in operator.source(x, 0.2)


def test_a_program_that_starts_again_finds_its_arguments_as_they_were():
    x = np.full(3, 0.1)
    with on(Runner()):
        moved = zg.to_device(x)
        got = zg.to_host(zg.value_and_grad(overwritten, backend="cuda")(moved, 9.0))
        left = zg.to_host(moved)
    assert_close(got, zg.value_and_grad(overwritten, backend="python")(x, 9.0), 1e-12)
    assert_close(left, x, 1e-12)


def sought(x, k):
    while x[k] > 0.0:
        k += 1
    return x[k] * x[0]


def test_a_loop_ends_where_a_test_in_it_fails():
    with on(Runner()), pytest.raises(zg.OutOfBoundsError):
        zg.jit(sought, backend="cuda")(zg.to_device(np.ones(4)), 1)


# -- refusals --------------------------------------------------------------------------------------------------------


def turned(x, steps):
    total = np.sum(x)
    for _ in range(steps):
        if total > 1.0:
            x = x * 2.0
    return np.sum(x)


def solved(a, b):
    return np.sum(np.linalg.solve(a, b))


def factored(a):
    return np.sum(np.linalg.cholesky(a))


def said(error) -> str:
    """A message without the file and the line's number."""
    lines = str(error.value).split("\n")
    return "\n".join(line.partition("|")[2] or line for line in lines if "-->" not in line)


def test_a_branch_on_the_data_is_refused():
    with pytest.raises(zg.UnsupportedError) as caught:
        zg.grad(turned).source(np.ones(3), 2, target="cuda")
    assert said(caught) == (
        "the test of a branch depends on numbers that a GPU computes\n"
        "         if total > 1.0:\n"
        "         ^^^^^^^^^^^^^^^\n"
        "why:  the host would have to wait for them\n"
        "help: make it depend on lengths and arguments that are Python numbers, or use np.where"
    )


def test_singular_matrices_are_found_behind_the_kernels():
    with on(Runner()), pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        zg.grad(solved, backend="cuda")(*zg.to_device((np.ones((3, 3)), np.ones(3))))
    with on(Runner()), pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        zg.grad(factored, backend="cuda")(zg.to_device(np.ones((3, 3))))


def out_of_bounds(x, index):
    total = 0.0
    for k in range(len(index)):
        total += x[index[k]] * x[index[k]]
    return total


def test_an_index_out_of_range_is_found_in_a_kernel():
    index = np.arange(40) % 5
    with on(Runner()), pytest.raises(zg.OutOfBoundsError) as caught:
        zg.grad(out_of_bounds, backend="cuda")(*zg.to_device((np.ones(4), index)))
    assert "total += x[index[k]] * x[index[k]]" in str(caught.value)


# -- the runner itself -----------------------------------------------------------------------------------------------

KERNELS = {
    "race": "    y[0] = x[cuda.grid(1)]\n",
    "and a plain access": "    cuda.atomic.add(y, 0, x[0])\n    y[0] += x[0]\n",
    "barrier": "    if cuda.threadIdx.x < 3:\n        cuda.syncthreads()\n",
    "outside": "    y[cuda.grid(1) + 1] = 0.0\n",
}


@pytest.mark.parametrize("what", KERNELS)
def test_the_runner_sees(what):
    text = f"@cuda.jit\ndef k(x, y):\n{KERNELS[what]}"
    with pytest.raises(GridError):
        Runner().compile(KernelText("k", text, ()))((2, 1, 1), (4, 1, 1), np.ones(8), np.zeros(8))


@pytest.mark.parametrize("name", ["chain", "heat_in_loops", "n_body", "layer_norm"])
def test_the_runner_sees_missing_barriers_and_atomics(name, monkeypatch):
    """Kernels with their barriers or atomic additions taken out are found."""
    monkeypatch.setattr(rows, "LONG", 2)
    function = getattr(cuda_programs, name)
    args, argnums = cuda_programs.args_of(function), cuda_programs.argnums_of(function)

    class Careless(Runner):
        def compile(self, kernel):
            text = kernel.text.replace("    cuda.syncthreads()\n", "    pass\n")
            text = re.sub(r"cuda\.atomic\.add\((\w+), (u32\(.*?\)), (.*)\)$", r"\1[\2] += \3", text, flags=re.M)
            return super().compile(replace(kernel, text=text))

    with on(Careless()), pytest.raises(GridError):
        zg.value_and_grad(function, argnums, backend="cuda")(*zg.to_device(args))


def test_literals_of_kernels_are_typed():
    """In float32 kernels no number is a float64."""
    for function in cuda_programs.IN_FLOAT32:
        for kernel in kernels_of(function, np.float32):
            code = "\n".join(line.partition("#")[0] for line in kernel.text.split("\n"))
            assert "float64" not in code
            assert not re.findall(r"\d\.\d*", re.sub(r"np\.float32\([^()]*\)", "", code))
