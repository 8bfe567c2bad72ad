"""What a benchmark program consists of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Program:
    """A function in a user's words beside its contenders.

    Every contender returns what ``zygopy.value_and_grad(fun, argnums)`` returns, from the same arguments.

    Attributes
    ----------
    title : str
        Name in the table.
    fun : callable
        The program: loops over array elements or expressions of whole arrays, its helper functions in the same file.
    argnums : int or tuple of int
        The arguments that are differentiated.
    make_inputs : callable
        ``make_inputs(size)`` gives the arguments, always the same ones.
    sizes : mapping
        Label to size, one row of the table each.
    tiny : object
        A size that plain Python can run, for tests and for compile times.
    hand : callable
        The adjoint written by hand for Numba: nothing taped that is cheap to recompute, forward and reverse fused where
        iterations are independent. Of loops, with the arithmetic and the order of `fun`; of array expressions, whose
        order NumPy leaves open, with vector instructions and BLAS.
    jax : mapping
        Idiom to function of the same arguments; the fastest one is the contender.
    static : int
        How many trailing arguments JAX must know when it compiles.
    variants : mapping
        Further adjoints by hand that change the algorithm or the arithmetic; shown, never the yardstick.
    primal : str
        What runs `fun` where it is timed and differenced: Numba, or NumPy for what Numba refuses.
    tolerance : float
        The largest relative difference between contenders: larger for a program in float32.
    note : str
        What had to be rewritten for JAX.
    """

    title: str
    fun: Callable
    argnums: int | tuple[int, ...]
    make_inputs: Callable
    sizes: Mapping[str, Any]
    tiny: Any
    hand: Callable
    jax: Mapping[str, Callable]
    static: int = 0
    variants: Mapping[str, Callable] = field(default_factory=dict)
    primal: Literal["numba", "numpy"] = "numba"
    tolerance: float = 1e-10
    note: str = ""
