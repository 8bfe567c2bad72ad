"""The progress bar of a training."""

from typing import Any


class Bar:
    """A bar with the loss, the optimiser's rate and batches per second; none if it is not shown."""

    def __init__(self, shown: bool, epochs: int, data: Any):
        self.progress: Any = None
        self.total = epochs * len(data) if hasattr(data, "__len__") else None
        if shown:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            told = TextColumn(
                "loss {task.fields[loss]:.4g}  rate {task.fields[rate]:.3g}  {task.fields[speed]:.0f} batches/s"
            )
            self.progress = Progress(
                TextColumn("epoch {task.fields[epoch]}"), BarColumn(), MofNCompleteColumn(), told, TimeRemainingColumn()
            )
            self.task = self.progress.add_task(
                "", total=self.total, epoch=1, loss=float("nan"), rate=float("nan"), speed=0.0
            )

    def __enter__(self) -> "Bar":
        if self.progress is not None:
            self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()

    def advance(self, history: Any) -> None:
        """Show that a batch is done."""
        if self.progress is None:
            return
        task = self.progress.tasks[0]
        speed = (len(history.losses) - 1) / max(task.elapsed or 0.0, 1e-9)
        told = {"epoch": len(history.epochs) + 1, "loss": history.losses[-1], "rate": history.rate, "speed": speed}
        self.progress.update(self.task, advance=1, **told)
