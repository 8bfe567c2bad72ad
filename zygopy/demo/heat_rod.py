"""A heat rod swept in place, whose conductivity is recovered from measured temperatures."""

import math

import numpy as np

from zygopy.demo.optimisers import l_bfgs_b
from zygopy.demo.problem import Problem

NOISE = 0.02


def sweep(temperature, conductivity):
    for i in range(len(temperature) - 1):
        flow = conductivity[i] * (temperature[i + 1] - temperature[i])
        temperature[i] += flow
        temperature[i + 1] -= flow


def heat_rod_misfit(log_conductivity, start, measured, sweeps):
    links = len(start) - 1
    conductivity = np.empty(links)
    for i in range(links):
        segment = i * len(log_conductivity) // links
        conductivity[i] = math.exp(log_conductivity[segment])
    times, sensors = measured.shape
    distance = len(start) // sensors
    temperature = start.copy()
    misfit = 0.0
    for k in range(times):
        for _ in range(sweeps):
            sweep(temperature, conductivity)
        for j in range(sensors):
            misfit += (temperature[j * distance] - measured[k, j]) ** 2
    return misfit / measured.size


def problem(small: bool) -> Problem:
    """A rod of ten segments with hot and cold stretches, measured with noise while it evens out."""
    cells, times, sensors, sweeps = (60, 5, 30, 20) if small else (200, 40, 50, 50)
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.05, 0.4, size=10)
    start = np.where(np.arange(cells) * 6 // cells % 2 == 0, 1.0, 0.0)
    exact = _temperatures(truth, start, times, sweeps)[:, :: cells // sensors]
    measured = np.ascontiguousarray(exact + NOISE * rng.normal(size=exact.shape))
    guess = np.full(len(truth), 0.15)

    def report(log_conductivity):
        found = np.exp(log_conductivity)
        return [
            ("conductivity, true", _row(truth)),
            ("conductivity, recovered", _row(found)),
            ("largest relative error", f"{np.max(np.abs(found / truth - 1.0)):.1%} (noise of the data: {NOISE})"),
        ]

    def draw(axes, log_conductivity):
        edges = np.arange(len(truth) + 1)
        axes.stairs(truth, edges, label="true", linewidth=4, alpha=0.4)
        axes.stairs(guess, edges, label="first guess", linestyle="dotted", color="gray")
        axes.stairs(np.exp(log_conductivity), edges, label="recovered", linewidth=1.5)
        axes.set(title="Heat rod: conductivity from temperatures", xlabel="segment", ylabel="conductivity")
        axes.legend()

    return Problem(
        title="A heat rod, swept in place",
        story=f"{cells} cells, {times * sweeps} sweeps in place, {measured.size} noisy measurements.",
        programs=(sweep, heat_rod_misfit),
        loss=heat_rod_misfit,
        start=np.log(guess),
        data=(start, measured, sweeps),
        minimise=l_bfgs_b,
        step="L-BFGS-B iteration",
        report=report,
        draw=draw,
    )


def _row(numbers) -> str:
    return " ".join(f"{x:.2f}" for x in numbers)


def _temperatures(conductivity, start, times, sweeps) -> np.ndarray:
    """The rod's temperatures after each group of sweeps."""
    import zygopy as zg

    links = len(start) - 1
    of_link = conductivity[np.arange(links) * len(conductivity) // links]
    temperature, rows = start.copy(), []
    compiled = zg.jit(sweep)
    for _ in range(times):
        for _ in range(sweeps):
            compiled(temperature, of_link)
        rows.append(temperature.copy())
    return np.array(rows)
