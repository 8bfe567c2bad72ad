"""Where a loss that is not finite arose: the loss is run once more, in plain Python, and layers are watched."""

import sys
import warnings
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

import zygopy as zg


def non_finite_error(loss: Callable, model: Any, batch: tuple, value: float, step: int) -> zg.NonFiniteError:
    """The error for a loss that is infinite or not a number, which says where it arose."""
    what, why, help = _found(loss, model, batch)
    error = zg.NonFiniteError(f"the loss is {float(value)} at update {step}: {what}", why=why, help=help)
    error.step, error.batch = step, batch
    return error


def _found(loss: Callable, model: Any, batch: tuple) -> tuple[str, str, str]:
    smaller = "lower the rate, or clip the gradient: optim.Chain(optim.ClipNorm(1.0), ...)"
    for name, array in zg.named_leaves(model, name="model"):
        if (told := _told(array)) is not None:
            return f"{name} {told}", "the gradient of an earlier update was not finite", smaller
    for name, array in zg.named_leaves(batch, name="batch"):
        if (told := _told(array)) is not None:
            return f"{name} {told}", "", "look at the data: error.batch"
    watch = _Watch(model)
    watch.run(getattr(loss, "function", loss), model, batch)
    if watch.found is None:
        return "all layers give finite values, so it arose in the loss itself", "", f"look at error.batch, or {smaller}"
    name, layer, told, given = watch.found
    return f"it arose in {name}, a {type(layer).__name__}", f"its output {told}; its input {given}", smaller


def _told(value: Any) -> str | None:
    """What is not finite in an array; None if all is."""
    array = np.asarray(value)
    bad = int(np.sum(~np.isfinite(array)))
    if not bad:
        return None
    return f"has {bad} of {array.size} elements that are not finite" if array.ndim else f"is {array}"


class _Watch:
    """Runs a function, and notes the first part of the model of which a method gives what is not finite."""

    def __init__(self, model: Any):
        self.names = {id(part): (name, part) for name, part in _parts(model, "model")}
        self.found: tuple[str, Any, str, str] | None = None

    def run(self, function: Callable, model: Any, batch: tuple) -> None:
        before = sys.getprofile()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            sys.setprofile(self.see)
            try:
                function(model, *batch)
            except Exception:  # the compiled step ran it; what plain Python makes of it is no news
                return
            finally:
                sys.setprofile(before)

    def see(self, frame: Any, event: str, result: Any) -> None:
        code: Any = frame.f_code
        if event != "return" or self.found is not None or not code.co_argcount:
            return
        owner = frame.f_locals.get(code.co_varnames[0])
        method = getattr(type(owner), code.co_name, None)
        if id(owner) not in self.names or getattr(method, "__code__", None) != code:
            return
        for array in zg.leaves((result,)):
            if (told := _told(array)) is not None:
                self.found = (
                    *self.names[id(owner)],
                    told,
                    _range(frame.f_locals, code.co_varnames[1 : code.co_argcount]),
                )
                return


def _range(local: dict, names: tuple[str, ...]) -> str:
    arrays = [a for name in names for a in zg.leaves((local.get(name),)) if a.size and np.isfinite(a).all()]
    if not arrays:
        return "is not finite either"
    return f"is between {min(a.min() for a in arrays):.4g} and {max(a.max() for a in arrays):.4g}"


def _parts(tree: Any, name: str) -> list[tuple[str, Any]]:
    """All objects within a structure, with their names."""
    if isinstance(tree, dict):
        pairs = [(f"{name}[{key!r}]", item) for key, item in tree.items()]
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        pairs = [(f"{name}.{key}", item) for key, item in zip(tree._fields, tree, strict=True)]
    elif isinstance(tree, tuple | list):
        pairs = [(f"{name}[{k}]", item) for k, item in enumerate(tree)]
    elif is_dataclass(tree) and not isinstance(tree, type):
        pairs = [(f"{name}.{f.name}", getattr(tree, f.name)) for f in fields(tree)]
    else:
        return []
    return [(name, tree), *(found for key, item in pairs for found in _parts(item, key))]
