"""The table, the plot and the summary of measured rows."""

import statistics

from benchmarks.harness import shown_ratio, shown_time, table
from benchmarks.measure import CHECKS, Row

TIMES = ("primal", "hand", "zygopy", "jax numpy", "jax device")
RATIOS = ("zygopy/hand", "jax/zygopy", "zygopy/primal", "hand/primal", "jax/hand")


def times_table(rows: list[Row]) -> str:
    def cells(row: Row) -> list[str]:
        times = ["raised" if name in row.failures else shown_time(row.times.get(name)) for name in TIMES]
        return [f"{row.title}, {row.label}", *times, *(shown_ratio(row.ratios.get(name)) for name in RATIOS)]

    return table(["program", *TIMES, *RATIOS], [cells(row) for row in rows])


def errors_table(rows: list[Row]) -> str:
    def cell(row: Row, name: str) -> str:
        if name not in row.errors:
            return "-"
        return f"{row.errors[name]:.0e}" + (f" WRONG (> {row.limit(name):.0e})" if name in row.wrong else "")

    lines = [[f"{row.title}, {row.label}", *(cell(row, name) for name in CHECKS)] for row in rows]
    return table(["relative error", *CHECKS], lines)


def remarks(rows: list[Row]) -> str:
    """What raised, JAX's idioms, the further contenders by hand."""
    lines = []
    for row in rows:
        about = [f"{name} raised {message}" for name, message in row.failures.items()]
        if len(row.idioms) > 1:
            about.append("JAX: " + ", ".join(f"{idiom} {shown_time(s)}" for idiom, s in row.idioms.items()))
        extra = [f"{name} {shown_time(s)}" for name, s in row.times.items() if name.startswith("hand, ")]
        about += [", ".join(extra)] if extra else []
        about += [row.note] if row.note and row.idioms else []
        lines += [f"{row.title}, {row.label}: {text}" for text in about]
    return "\n".join(lines)


def summary(rows: list[Row]) -> str:
    """The median, the smallest and the largest of each ratio."""
    lines = []
    for name in RATIOS:
        values = [row.ratios[name] for row in rows if name in row.ratios]
        if values:
            shown = [shown_ratio(f(values)) for f in (statistics.median, min, max)]
            lines.append("{}: median {}, from {} to {}".format(name, *shown))
    return "\n".join(lines)


def plot(rows: list[Row], machine: str, path: str) -> None:
    """Every contender's time over the hand-derived adjoint's, on a logarithmic axis."""
    from matplotlib.figure import Figure

    styles = {"primal": ("|", "0.5"), "zygopy": ("o", "C0"), "jax numpy": ("s", "C1"), "jax device": ("D", "C3")}
    rows = [row for row in rows if "hand" in row.times][::-1]
    figure = Figure(figsize=(9, 1.6 + 0.38 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(1.0, color="black", linewidth=1.0, label="adjoint by hand")
    for name, (marker, colour) in styles.items():
        points = [(row.times[name] / row.times["hand"], y) for y, row in enumerate(rows) if name in row.times]
        if points:
            axes.plot(*zip(*points, strict=True), marker, color=colour, markersize=8, label=name, zorder=3)
    labels = [f"{row.title}, {row.label}  ({shown_time(row.times['hand'])})" for row in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("time over the adjoint by hand (its own time in brackets); left is faster")
    axes.grid(axis="both", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=5, frameon=False)
    figure.supxlabel(machine, fontsize=6, color="0.4")
    figure.savefig(path, dpi=150)
