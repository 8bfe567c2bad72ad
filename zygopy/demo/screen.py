"""What the demo shows in the terminal: headings, highlighted code, progress bars, tables."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.box import HORIZONTALS
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

WIDTH = 120


class Screen:
    """The demo's output."""

    def __init__(self) -> None:
        is_terminal = sys.stdout.isatty()
        self.console = Console(highlight=False, width=min(WIDTH, Console().width) if is_terminal else WIDTH)

    def title(self) -> None:
        """What this is."""
        text = "[bold]zygopy[/bold]  gradients of ordinary Python, as native code"
        self.console.print(Panel(text, border_style="cyan", padding=(0, 2)))

    def section(self, number: int, title: str, story: str) -> None:
        """Begin a model."""
        self.console.print()
        self.console.rule(f"[bold cyan]{number}. {title}", align="left", style="cyan")
        self.console.print(f"{story}\n")

    def code(self, title: str, text: str) -> None:
        """A program, highlighted."""
        syntax = Syntax(text.rstrip(), "python", theme="ansi_dark", background_color="default", word_wrap=True)
        self.console.print(Panel(syntax, title=title, title_align="left", box=HORIZONTALS, border_style="dim"))
        self.console.print()

    @contextmanager
    def progress(self) -> Iterator["Steps"]:
        """Progress bars, one for each step of the work inside."""
        columns = (
            TextColumn("{task.description:<24}"),
            BarColumn(),
            TaskProgressColumn(),
            _Elapsed(),
        )
        with Progress(*columns, console=self.console) as bars:
            yield Steps(bars)

    def results(self, rows: list[tuple[str, str]]) -> None:
        """Names beside what was found."""
        self.console.print()
        table = Table(show_header=False, box=None, padding=(0, 2))
        table.add_column(style="cyan")
        table.add_column(overflow="fold")
        for name, finding in rows:
            table.add_row(name, finding)
        self.console.print(table)

    def end(self, plot: Path) -> None:
        """Where the plot is."""
        self.console.print()
        self.console.rule(style="cyan")
        self.console.print(f"Plot saved: [bold]{plot}[/bold]", soft_wrap=True)


class _Elapsed(ProgressColumn):
    """Seconds since the step began."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.elapsed or 0.0:5.1f} s", style="dim")


class Steps:
    """Adds a bar for each step."""

    def __init__(self, bars: Progress) -> None:
        self.bars = bars

    @contextmanager
    def step(self, description: str, total: int | None) -> Iterator[Callable[[], None]]:
        """A bar that is full at the end; the value advances it by one."""
        task = self.bars.add_task(description, total=total)
        yield lambda: self.bars.advance(task)
        done = total if total is not None else max(1, int(self.bars.tasks[task].completed))
        self.bars.update(task, total=done, completed=done)


def shown_time(seconds: float) -> str:
    """Three digits and a unit.

    >>> shown_time(0.00123), shown_time(2.5), shown_time(4.2e-7)
    ('1.23 ms', '2.5 s', '0.42 us')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
