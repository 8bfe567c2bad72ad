"""Sum of Black-Scholes prices of many calls, some of them expired."""

import math

import numpy as np
import scipy.special
from numba import njit

from benchmarks.array_programs.vector import exp, log, normal_tail
from benchmarks.program import Program


def normal_cdf(x):
    return 0.5 * (1.0 + scipy.special.erf(x / np.sqrt(2.0)))


def black_scholes(spot, volatility, strike, expiry, rate):
    alive = expiry > 0.0
    t = np.where(alive, expiry, 1.0)
    spread = volatility * np.sqrt(t)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * t) / spread
    price = spot * normal_cdf(d1) - strike * np.exp(-rate * t) * normal_cdf(d1 - spread)
    return np.sum(np.where(alive, price, np.maximum(spot - strike, 0.0)))


def make_inputs(size):
    rng = np.random.default_rng(0)
    expiry = rng.uniform(0.1, 2.0, size)
    expiry[::50] = 0.0
    return rng.uniform(60.0, 140.0, size), rng.uniform(0.1, 0.6, size), rng.uniform(70.0, 130.0, size), expiry, 0.03


@njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def adjoint(spot, volatility, strike, expiry, rate, spot_bar, volatility_bar):
    """The derivatives in closed form: the spot's is the distribution at d1, the volatility's has its density."""
    total = 0.0
    for i in range(spot.size):
        s, k, v = spot[i], strike[i], volatility[i]
        alive = expiry[i] > 0.0
        t = expiry[i] if alive else 1.0
        root = math.sqrt(t)
        spread = v * root
        d1 = (log(s / k) + (rate + 0.5 * v * v) * t) / spread
        d2 = d1 - spread
        bell1, bell2 = exp(-0.5 * d1 * d1), exp(-0.5 * d2 * d2)
        tail1, tail2 = bell1 * normal_tail(abs(d1)), bell2 * normal_tail(abs(d2))
        below1 = 1.0 - tail1 if d1 > 0.0 else tail1
        below2 = 1.0 - tail2 if d2 > 0.0 else tail2
        price = s * below1 - k * exp(-rate * t) * below2
        total += price if alive else max(s - k, 0.0)
        spot_bar[i] = below1 if alive else (1.0 if s > k else 0.0)
        volatility_bar[i] = s * root * 0.3989422804014327 * bell1 if alive else 0.0
    return total


def hand(spot, volatility, strike, expiry, rate):
    gradient = np.empty_like(spot), np.empty_like(volatility)
    return adjoint(spot, volatility, strike, expiry, rate, *gradient), gradient


def with_erf(spot, volatility, strike, expiry, rate):
    import jax
    import jax.numpy as jnp

    def normal_cdf(x):
        return 0.5 * (1.0 + jax.lax.erf(x / jnp.sqrt(2.0)))

    return prices(normal_cdf, spot, volatility, strike, expiry, rate)


def with_cdf(spot, volatility, strike, expiry, rate):
    import jax

    return prices(jax.scipy.stats.norm.cdf, spot, volatility, strike, expiry, rate)


def prices(normal_cdf, spot, volatility, strike, expiry, rate):
    import jax.numpy as jnp

    alive = expiry > 0.0
    t = jnp.where(alive, expiry, 1.0)
    spread = volatility * jnp.sqrt(t)
    d1 = (jnp.log(spot / strike) + (rate + 0.5 * volatility**2) * t) / spread
    price = spot * normal_cdf(d1) - strike * jnp.exp(-rate * t) * normal_cdf(d1 - spread)
    return jnp.sum(jnp.where(alive, price, jnp.maximum(spot - strike, 0.0)))


PROGRAM = Program(
    title="Black-Scholes",
    fun=black_scholes,
    argnums=(0, 1),
    make_inputs=make_inputs,
    sizes={"10^4": 10_000, "10^6": 1_000_000},
    tiny=5,
    hand=hand,
    jax={"norm.cdf": with_cdf, "erf": with_erf},
    primal="numpy",
)
