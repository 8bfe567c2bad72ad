"""Tools for models: what a structure of arrays is printed as, flattened to, saved in and converted to."""

from zygopy.models.files import load, save
from zygopy.models.flat import Rebuild, destructure
from zygopy.models.pytorch import load_pytorch
from zygopy.models.sizes import outputsize
from zygopy.models.summary import convert, count, summary

__all__ = ["Rebuild", "convert", "count", "destructure", "load", "load_pytorch", "outputsize", "save", "summary"]
