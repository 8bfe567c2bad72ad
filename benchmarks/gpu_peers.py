"""What benchmarks.gpu measures zygopy beside: the same programs for PyTorch, eager, and JAX, jitted.

Of an array program one text serves both, with their functions as `xp`; PyTorch and JAX take the words `axis` and
`keepdims` of NumPy.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

RATE, FIRST, SECOND, SMALL = 1e-3, 0.9, 0.999, 1e-8  # Adam's, as Kingma and Ba have them


def chain(xp, x, w, b):
    return xp.sum(xp.tanh(x * w + b) ** 2)


def softmax_cross_entropy(xp, z, y):
    m = xp.amax(z, axis=1)
    total = m + xp.log(xp.sum(xp.exp(z - m[:, None]), axis=1))
    return xp.mean(total - xp.sum(z * y, axis=1))


def black_scholes(xp, s, k, t, v, r):
    d1 = (xp.log(s / k) + (r + 0.5 * v * v) * t) / (v * xp.sqrt(t))
    d2 = d1 - v * xp.sqrt(t)
    below = 0.5 * (1 + xp.tanh(0.8 * d1)), 0.5 * (1 + xp.tanh(0.8 * d2))
    return xp.sum(s * below[0] - k * xp.exp(-r * t) * below[1])


def heat_in_slices(xp, u, a, steps):
    def change(u):
        return a * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1])

    if hasattr(u, "at"):
        from jax import lax

        u = lax.scan(lambda u, _: (u.at[1:-1, 1:-1].add(change(u)), None), u, None, steps)[0]
        return xp.sum(u * u)
    for _ in range(steps):
        moved = u.clone()
        moved[1:-1, 1:-1] += change(u)
        u = moved
    return xp.sum(u * u)


def n_body(xp, p, m):
    d = p[:, None, :] - p[None, :, :]
    pulls = m[:, None] * m[None, :] / xp.sqrt(xp.sum(d * d, axis=2) + 0.01)
    return xp.sum(m * m) * 10.0 - xp.sum(pulls)  # without the pairs of a body with itself


def mlp(xp, w1, b1, w2, b2, x, y):
    return xp.mean((xp.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2)


def torch_gradient(function: Callable, argnums: tuple[int, ...], args: tuple, where: str) -> Callable:
    """A call that gives the value and the gradients of a program for PyTorch."""
    import torch

    given: list[Any] = [torch.tensor(a, device=where) if isinstance(a, np.ndarray) else a for a in args]
    own = [given[k].requires_grad_() for k in argnums]

    def call():
        value = function(torch, *given)
        return value.detach(), torch.autograd.grad(value, own)

    return call


def jax_gradient(function: Callable, argnums: tuple[int, ...], args: tuple) -> Callable:
    """A call that gives the value and the gradients of a program for JAX; integers are known when it compiles."""
    import jax
    import jax.numpy as jnp

    static = tuple(k for k, a in enumerate(args) if isinstance(a, int))
    operator = jax.value_and_grad(lambda *a: function(jnp, *a), argnums)
    compiled = jax.jit(operator, static_argnums=static)
    given = [jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in args]
    return lambda: jax.block_until_ready(compiled(*given))


def torch_step(forward: Callable, arrays: list, data: tuple, where: str) -> Callable:
    """A step of Adam that gives the loss; `forward` takes torch, the parameters as tensors and x."""
    import torch

    own = [torch.tensor(np.ascontiguousarray(a), device=where, requires_grad=True) for a in arrays]
    x, wanted = (torch.tensor(a, device=where) for a in data)
    adam = torch.optim.Adam(own, RATE, (FIRST, SECOND), SMALL)

    def call():
        adam.zero_grad()
        loss = torch.nn.functional.cross_entropy(forward(torch, own, x), wanted)
        loss.backward()
        adam.step()
        return loss.detach()

    return call


def jax_step(forward: Callable, arrays: list, data: tuple) -> Callable:
    """A jitted step of Adam that gives the loss; `forward` takes the parameters and x."""
    import jax
    import jax.numpy as jnp

    x, wanted = map(jnp.asarray, data)

    def loss(own):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(forward(own, x)), wanted[:, None], 1))

    def moved(p, g, m, v, t):
        m, v = FIRST * m + (1 - FIRST) * g, SECOND * v + (1 - SECOND) * g * g
        return p - RATE * (m / (1 - FIRST**t)) / (jnp.sqrt(v / (1 - SECOND**t)) + SMALL), m, v

    @jax.jit
    def step(own, first, second, t):
        value, gradient = jax.value_and_grad(loss)(own)
        found = [moved(*each, t) for each in zip(own, gradient, first, second, strict=True)]
        return value, *map(list, zip(*found, strict=True)), t + 1

    own = [jnp.asarray(a) for a in arrays]
    state = own, [jnp.zeros_like(p) for p in own], [jnp.zeros_like(p) for p in own], jnp.float32(1.0)

    def call():
        nonlocal state
        value, *state = step(*state)
        return jax.block_until_ready(value)

    return call


def installed(name: str) -> bool:
    """Whether a package can be imported."""
    try:
        import_module(name)
    except ImportError:
        return False
    return True
