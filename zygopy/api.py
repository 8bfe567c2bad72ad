"""The operators: from a user's function to a compiled derivative.

`grad(f)` is an object that compiles itself for the argument types of its first call, as `@njit` does. Everything else
about it (`.primal`, `.value_and_grad`, `.source`, `.ir`) makes further such objects or shows what was generated.
"""

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from types import FunctionType
from typing import Any

import numpy as np

from zygopy.binding import bind, task_of
from zygopy.derivative import Batched, Compiled, Derivative, call_of, caller, make
from zygopy.errors import ArgumentError
from zygopy.linear_maps import collect, like_of, value_and_linear_map, value_and_pullback
from zygopy.structures import is_static
from zygopy.transform import Task
from zygopy.transform.build import constant
from zygopy.transform.ir import Const
from zygopy.transform.reading import user_rules
from zygopy.transform.reading.handlers import builtin, stop_gradient
from zygopy.transform.reading.parse import parameter_names
from zygopy.transform.reading.recomputed import Checkpoint
from zygopy.transform.reading.values import Applied, Mapped, Static
from zygopy.transform.records import is_record_class

Argnums = int | str | tuple[int | str, ...]
Axes = int | None | tuple["Axes", ...]


def grad(f: Callable | None = None, argnums: Argnums = 0, has_aux: bool = False, *, backend: str = "cpu"):
    """The gradient of a function of numbers and arrays that returns one real number.

    Parameters
    ----------
    f : callable
        A plain function, lambda, closure or `@njit` function.
    argnums : int, str or tuple of these
        The parameters to differentiate with respect to, by position or name.
    has_aux : bool
        Whether `f` returns a pair (value, aux); the gradient is then returned as (gradient, aux).
    backend : {"cpu", "cuda", "python"}
        What runs the generated code: Numba's native code, or plain Python for debugging.

    Returns
    -------
    callable
        Takes the arguments of `f`; returns a gradient with the structure, shape and dtype of the argument, or a tuple
        of such if `argnums` is a tuple. With `out`, an earlier one say, it is written into these arrays.

    Raises
    ------
    ArgumentError
        If `argnums` names no parameter of `f`.

    Examples
    --------
    >>> @grad
    ... def cube(x):
    ...     return x * x * x
    >>> cube(2.0)
    12.0
    """
    return _operator("grad", f, argnums, has_aux, backend)


def value_and_grad(f: Callable | None = None, argnums: Argnums = 0, has_aux: bool = False, *, backend: str = "cpu"):
    """Like `grad`, and the value with it: returns (value, gradient), or ((value, aux), gradient).

    Examples
    --------
    >>> value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)
    """
    return _operator("value_and_grad", f, argnums, has_aux, backend)


def jit(f: Callable | None = None, *, backend: str = "cpu"):
    """A function compiled through zygopy's pipeline; it keeps its meaning.

    Returns
    -------
    callable
        `f`, compiled; with `.grad(argnums)`, `.value_and_grad(argnums)` and `.source(*args)`.
    """
    if f is None:
        return lambda f: jit(f, backend=backend)
    return make(python_function(f), Task("primal"), backend)


def jvp(f: Callable, primals: tuple, tangents: tuple, *, backend: str = "cpu") -> tuple:
    """The value of a function and its directional derivative (forward mode).

    Parameters
    ----------
    f : callable
        A function of numbers, arrays and tuples of them.
    primals, tangents : tuple
        The arguments, and a direction for each, of the same structure, shapes and dtypes; None for an argument that
        stands still. What cannot be differentiated (an int that counts, say) takes any tangent.

    Returns
    -------
    tuple
        (value, tangent), both with the structure of what `f` returns.

    Examples
    --------
    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)
    """
    return _directional(python_function(f), primals, tangents, backend)


def _directional(function: Callable, primals: tuple, tangents: tuple, backend: str, second: bool = False) -> Any:
    """The derivative in a direction, or the change of the gradient in it."""
    if len(primals) != len(tangents):
        raise ArgumentError(f"{len(primals)} primals and {len(tangents)} tangents were given")
    still = tuple(map(is_static, tangents))
    names, derivative = _directed(function, still, backend, second)
    for name, primal, tangent in zip(names, primals, tangents, strict=False):
        if not (_is_of_kind(primal, tangent) or is_static(primal) or is_static(tangent)):
            collect("tangent", name, like_of(primal), tangent, [])
    directions = [t for t, stands in zip(tangents, still, strict=True) if not stands]
    return derivative(*bind(function, primals, {}), *directions)


def _is_of_kind(a: Any, b: Any) -> bool:
    """Whether two values are arrays of one shape and dtype."""
    return type(a) is type(b) is np.ndarray and a.shape == b.shape and a.dtype is b.dtype


@lru_cache(maxsize=1024)
def _directed(function: Callable, still: tuple[bool, ...], backend: str, second: bool) -> tuple[list[str], Derivative]:
    """The names of a function's parameters, and what `jvp` and `hvp` call; `still`: the arguments that do not move."""
    names = parameter_names(function)
    if function.__code__.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        raise ArgumentError(
            f"jvp of {function.__name__}, which has *args or **kwargs, is not supported",
            help="wrap it in a function that names its arguments: lambda x, y: ...",
        )
    moving = tuple(k for k, stands in enumerate(still) if not stands)
    if second and not moving:
        raise ArgumentError("no argument moves: all tangents are None")
    directed = _gradient_of(function, moving, backend) if second else function
    return names, jvp_function(directed, tuple(names[k] for k in moving if k < len(names)), backend, second)


def vjp(f: Callable, *primals, has_aux: bool = False, backend: str = "cpu") -> tuple:
    """The value of a function and its pullback, which takes adjoints of the value to adjoints of the arguments.

    Parameters
    ----------
    f : callable
        A function of numbers, arrays and structures of them that returns such.
    *primals
        The arguments.
    has_aux : bool
        Whether `f` returns a pair (value, aux); the result is then (value, pullback, aux).

    Returns
    -------
    tuple
        (value, pullback). The pullback takes a seed of the structure, shapes and dtypes of the value, and returns a
        tuple with an adjoint for each argument, None for those without real or complex numbers. It may be called many
        times, by many threads at once, and reads nothing that the caller can change.

    Raises
    ------
    DtypeError
        If no argument holds a real or complex number.
    ArgumentError, ShapeError, DtypeError
        By the pullback, if its seed is not like the value.

    Examples
    --------
    >>> value, pull = vjp(lambda x, y: x * y, 2.0, np.array([1.0, 3.0]))
    >>> pull(np.array([1.0, 10.0]))
    (31.0, array([ 2., 20.]))
    """
    return value_and_pullback(python_function(f), primals, has_aux, backend)


pullback = vjp


def linearize(f: Callable, *primals, backend: str = "cpu") -> tuple:
    """The value of a function and its derivative there as a linear function of tangents.

    Parameters
    ----------
    f : callable
        A function of numbers, arrays and structures of them that returns such.
    *primals
        The arguments.

    Returns
    -------
    tuple
        (value, linear map). The map takes a tangent for each argument, of its structure, shapes and dtypes (anything
        for one that has no real or complex numbers), and returns the tangent of the value. It may be called many
        times, by many threads at once, and reads nothing that the caller can change.

    Raises
    ------
    DtypeError
        If no argument holds a real or complex number.
    ArgumentError, ShapeError, DtypeError
        By the map, if a tangent is not like its argument.

    Examples
    --------
    >>> value, push = linearize(lambda x, y: x * y, 2.0, np.array([1.0, 3.0]))
    >>> push(1.0, np.array([0.0, 1.0]))
    array([1., 5.])
    """
    return value_and_linear_map(python_function(f), primals, backend)


def jacfwd(f: Callable | None = None, argnums: Argnums = 0, *, backend: str = "cpu"):
    """The Jacobian of a function, column by column (forward mode): for few arguments and many results.

    Parameters
    ----------
    f : callable
        A function of numbers, arrays and tuples of them that returns such.
    argnums : int, str or tuple of these
        The parameters to differentiate with respect to, by position or name.

    Returns
    -------
    callable
        Takes the arguments of `f`; returns the structure of what `f` returns, with derivatives in the structure of the
        argument (or a tuple of such if `argnums` is one) for each number or array of it. Those of an array of shape
        (m,) with respect to one of shape (n,) have shape (m, n).

    Raises
    ------
    DtypeError, OutputError
        If an argument or a result is not of real numbers.
    UnsupportedError
        If `f` stores into an argument.

    Examples
    --------
    >>> jacfwd(lambda x: np.array([x[0] * x[1], x[0] + x[1]]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [1., 1.]])
    """
    return _operator("jacfwd", f, argnums, False, backend)


def jacrev(f: Callable | None = None, argnums: Argnums = 0, *, backend: str = "cpu"):
    """The Jacobian of a function, row by row (reverse mode): for many arguments and few results. See `jacfwd`.

    Examples
    --------
    >>> jacrev(lambda x: np.array([x[0] * x[1], x[0] + x[1]]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [1., 1.]])
    """
    return _operator("jacrev", f, argnums, False, backend)


def jacobian(f: Callable | None = None, argnums: Argnums = 0, *, backend: str = "cpu"):
    """The Jacobian of a function, as `jacrev` makes it.

    Examples
    --------
    >>> jacobian(lambda x: x * x)(3.0)
    6.0
    """
    return jacrev(f, argnums, backend=backend)


def hessian(f: Callable | None = None, argnums: Argnums = 0, *, backend: str = "cpu"):
    """The second derivatives of a function that returns one real number: `jacfwd` of its gradient.

    Examples
    --------
    >>> hessian(lambda x: x[0] * x[0] * x[1])(np.array([2.0, 3.0]))
    array([[6., 4.],
           [4., 0.]])
    """
    if f is None:
        return lambda f: hessian(f, argnums, backend=backend)
    function = python_function(grad(f, argnums, backend=backend))
    return make(function, replace(task_of("jacfwd", function, argnums, False), symmetric=True), backend)


def hvp(f: Callable, primals: tuple, tangents: tuple, *, backend: str = "cpu") -> Any:
    """The Hessian of a function times a direction, without the Hessian: `jvp` of the gradient.

    Parameters
    ----------
    f : callable
        A function of numbers, arrays and tuples of them that returns one real number.
    primals, tangents : tuple
        The arguments, and a direction for each, as `jvp` takes them; None for an argument that stands still, with
        respect to which nothing is differentiated.

    Returns
    -------
    number, array or tuple
        The change of the gradient with respect to the argument that moves; a tuple of such if several move.

    Examples
    --------
    >>> hvp(lambda x: x[0] * x[0] * x[1], (np.array([2.0, 3.0]),), (np.array([1.0, 0.0]),))
    array([6., 4.])
    """
    return _directional(python_function(f), primals, tangents, backend, second=True)


@lru_cache(maxsize=1024)
def _gradient_of(function: Callable, moving: tuple[int, ...], backend: str) -> Callable:
    """The function of the gradient, the same object each time, so that it is compiled once."""
    return call_of(grad(function, moving if len(moving) > 1 else moving[0], backend=backend))


@lru_cache(maxsize=1024)
def jvp_function(function: Callable, moving: tuple[str, ...], backend: str, tangent_only: bool = False) -> Derivative:
    """The compiled function behind `jvp`: takes all primals, then the tangents of those that move."""
    return make(function, Task("jvp", moving, tangent_only=tangent_only), backend)


def explain(f: Callable) -> Callable:
    """What the compiler decides about each line of a function, for the arguments of a call.

    Parameters
    ----------
    f : callable
        What an operator returned, or a function, of which the gradient is explained.

    Returns
    -------
    callable
        Takes the arguments of `f`, compiles nothing and returns a table: as plain text by `str`, with colours by
        `.show()` in a terminal, as HTML in Jupyter. For each line: whether it carries derivatives; the loop nest that
        it is part of, which lines of merged expressions share; the values of it that the reverse part needs, and
        whether these are stored, reloaded or recomputed; the size of their tape; how indices are known to be in range.

    Examples
    --------
    >>> def cube_sum(x):
    ...     total = 0.0
    ...     for v in x:
    ...         total += v * v * v
    ...     return total
    >>> print(explain(cube_sum)(np.ones(3)).total)
    0
    """
    derivative = f if isinstance(f, Derivative) else grad(f)
    return derivative.explain


def vmap(f: Callable | None = None, in_axes: Axes = 0, out_axes: Axes = 0, *, backend: str = "cpu"):
    """A function of single items, applied to all items along an axis of its arguments, in one compiled loop.

    Parameters
    ----------
    f : callable
        A function of numbers, arrays and structures of them.
    in_axes : int, None or tuple of these
        The axis to map over: one for all arguments, or one for each; None for an argument that is the same for all
        items. One axis stands for all arrays of a structure, a tuple for the members of a tuple.
    out_axes : int or tuple of these
        Where the mapped axis stands in the results.

    Returns
    -------
    callable
        Takes the arguments of `f` with one more axis where they are mapped; keywords are mapped over their first axis.
        A number that `f` returns becomes an array.

    Raises
    ------
    ArgumentError
        If axes do not fit the arguments.
    ShapeError
        If mapped axes have different lengths.
    UnsupportedError
        If `f` may return arrays of different shapes.

    Examples
    --------
    >>> vmap(lambda x, w: x @ w, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    """
    if f is None:
        return lambda f: vmap(f, in_axes, out_axes, backend=backend)
    function = python_function(f)
    mapped = Batched(function, in_axes, out_axes)
    name = f"{function.__name__.strip('<>')}_vmap"
    return make(caller(mapped, name, inspect.signature(function).parameters), Task("primal"), backend)


def custom_vjp(f: Callable | None = None, nondiff_argnums: tuple[int, ...] = ()):
    """Give a function a derivative of its own for reverse mode, in two parts; JAX's `custom_vjp`.

    Parameters
    ----------
    f : callable
        A plain Python function, which is returned as it is with `defvjp` added.
    nondiff_argnums : tuple of int
        Positions of arguments without a derivative; the backward rule is given them first.

    Returns
    -------
    callable
        `f`, with `f.defvjp(fwd, bwd)`: fwd takes the arguments of `f` and returns (value, kept), bwd takes (kept, g),
        where g is the adjoint of the value, and returns a tuple with an adjoint for each argument, None for those that
        have none. The derivative of the derivative is that of `fwd` and `bwd` as they are written.

    Raises
    ------
    ArgumentError
        If `f` cannot have a rule, has another one, or was compiled before.

    Examples
    --------
    >>> @custom_vjp
    ... def clipped(x):
    ...     return x
    >>> clipped.defvjp(lambda x: (x, None), lambda kept, g: (np.clip(g, -1.0, 1.0),))
    >>> grad(lambda x: 5.0 * clipped(x))(2.0)
    1.0
    """
    if f is None:
        return lambda f: custom_vjp(f, nondiff_argnums)

    def defvjp(fwd: Callable, bwd: Callable) -> None:
        """Declare the forward and the backward rule."""
        count = f.__code__.co_argcount
        fixed = tuple(k % count for k in nondiff_argnums)
        user_rules.declare(f, "forward", fwd, 0)
        user_rules.declare(f, "backward", bwd, fixed=fixed)

    f.defvjp = defvjp  # type: ignore[attr-defined]
    return f


def hook(f: Callable, x: Any) -> Any:
    """x, and on the way back its adjoint replaced by f(x_bar); Zygote's `hook`.

    Parameters
    ----------
    f : callable
        A function of the adjoint that returns one like it; it may print.
    x : number, array or tuple of them

    Examples
    --------
    >>> grad(lambda x: hook(lambda x_bar: 10.0 * x_bar, x) * x)(3.0)
    33.0
    """
    return x


def _operator(kind: str, f: Callable | None, argnums: Argnums, has_aux: bool, backend: str):
    if f is None:
        return lambda f: _operator(kind, f, argnums, has_aux, backend)
    function = python_function(f)
    return make(function, task_of(kind, function, argnums, has_aux), backend)


def python_function(f: Any) -> Callable:
    """The Python function that an operator is applied to; a function around a derivative."""
    if type(f) is FunctionType:
        return f
    if isinstance(f, Compiled):
        return f.function
    if isinstance(f, Derivative):
        return call_of(f)
    function: Any = f.function if isinstance(f, Checkpoint) else getattr(f, "py_func", f)
    if is_record_class(type(function)) and callable(function):
        function = function.__call__
    if inspect.ismethod(function) or isinstance(function, partial):
        return _function_of(function)
    if not hasattr(function, "__code__"):
        raise ArgumentError(
            f"cannot differentiate {f!r}",
            why="it is not a Python function",
            help="wrap it in a function: lambda x: ...",
        )
    return function


@lru_cache(maxsize=1024)
def _function_of(f: Any) -> Callable:
    """A function that calls a method of an object, or a partial one, with the arguments that are still to be given."""
    fixed = f.keywords if isinstance(f, partial) else ()
    parameters = {n: p for n, p in inspect.signature(f).parameters.items() if n not in fixed}
    inner = f
    while isinstance(inner, partial):
        inner = inner.func
    name = getattr(inner, "__name__", "")
    return caller(f, name if name.isidentifier() else "function", parameters)


@builtin(grad)
def _grad(s, f, argnums=None, has_aux=None):
    return _inside(s, grad, f, argnums, has_aux)


@builtin(value_and_grad)
def _value_and_grad(s, f, argnums=None, has_aux=None):
    return _inside(s, value_and_grad, f, argnums, has_aux)


@builtin(jacfwd)
def _jacfwd(s, f, argnums=None):
    return _inside(s, jacfwd, f, argnums)


@builtin(jacrev)
def _jacrev(s, f, argnums=None):
    return _inside(s, jacrev, f, argnums)


@builtin(jacobian)
def _jacobian(s, f, argnums=None):
    return _inside(s, jacobian, f, argnums)


@builtin(hessian)
def _hessian(s, f, argnums=None):
    return _inside(s, hessian, f, argnums)


@builtin(hvp)
def _hvp(s, f, primals, tangents, backend=None):
    from zygopy.transform.reading.nested import tangents_of

    moving = tuple(k for k, t in enumerate(tangents) if not isinstance(t, Static))
    if not moving:
        raise ArgumentError("no argument moves: all tangents are None", s.loc)
    gradient = _inside(s, grad, f, tuple(map(constant, moving)) if len(moving) > 1 else constant(moving[0]))
    return tangents_of(s, _followed(gradient), Task("jvp", tangent_only=True), primals, tangents)


@builtin(vjp)
def _vjp(s, f, *primals, has_aux=None, backend=None):
    from zygopy.transform.reading.nested import linear_at

    return linear_at(s, _followed(f), "pull", primals, has_aux is not None and bool(_plain(has_aux)))


@builtin(hook)
def _hook(s, f, x):
    from zygopy.transform.reading.hooks import hooked

    return hooked(s, f, x)


@builtin(vmap)
def _vmap(s, f, in_axes=None, out_axes=None, backend=None):
    axes = (0 if given is None else _plain(given) for given in (in_axes, out_axes))
    return Mapped(_followed(f), *axes)


@builtin(linearize)
def _linearize(s, f, *primals, backend=None):
    from zygopy.transform.reading.nested import linear_at

    return linear_at(s, _followed(f), "push", primals)


@builtin(jit)
def _jit(s, f):
    return f


@builtin(jvp)
def _jvp(s, f, primals, tangents, backend=None):
    from zygopy.transform.reading.nested import tangents_of

    return tangents_of(s, _followed(f), Task("jvp"), primals, tangents)


def _followed(f: object) -> object:
    """A function as values of the interpreter say it: one from outside as a plain Python function."""
    return Static(python_function(f.value)) if isinstance(f, Static) else f


def _inside(s, operator: Callable, f: object, argnums: object, has_aux: object = None) -> Static | Applied:
    """An operator applied inside a differentiated function."""
    wrt = 0 if argnums is None else _plain(argnums)
    with_aux = has_aux is not None and bool(_plain(has_aux))
    if isinstance(f, Static):
        return Static(operator(f.value, wrt, with_aux) if with_aux else operator(f.value, wrt))
    if operator is hessian:
        return _inside(s, jacfwd, _inside(s, grad, f, argnums), argnums)
    from zygopy.transform.reading.lifted import Lifted

    kind = "jacrev" if operator is jacobian else operator.__name__
    return Applied(f, task_of(kind, Lifted(s, f), wrt, with_aux))


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_plain(v) for v in value)
    return value.value if isinstance(value, Const | Static) else value


__all__ = [
    "explain",
    "custom_vjp",
    "grad",
    "hessian",
    "hook",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "jvp_function",
    "linearize",
    "python_function",
    "pullback",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
]
