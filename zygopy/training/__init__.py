"""Training: the loop from data to a fitted model, in the open, around one compiled step."""

from zygopy.training.callbacks import Checkpoint, EarlyStopping, Measure, ReduceRate
from zygopy.training.data import DataLoader, one_cold, one_hot, split
from zygopy.training.loop import History, train
from zygopy.training.step import training_step

__all__ = [
    "Checkpoint",
    "DataLoader",
    "EarlyStopping",
    "History",
    "Measure",
    "ReduceRate",
    "one_cold",
    "one_hot",
    "split",
    "train",
    "training_step",
]
