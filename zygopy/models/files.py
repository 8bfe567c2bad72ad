"""Models in files: `.npz`, NumPy's own, and `.safetensors`, which other libraries read too."""

from pathlib import Path
from typing import Any

import numpy as np

import zygopy as zg


def save(path: str | Path, model: Any) -> None:
    """Write all arrays of a model, or of any other structure, by their names, such as "layers[0].weight".

    Parameters
    ----------
    path : str or Path
        A file that ends in `.npz`, or in `.safetensors` (needs the package of that name).
    model
        A structure of arrays; what of it is no array is not saved.

    Examples
    --------
    >>> save("model.npz", {"w": np.ones(2)})  # doctest: +SKIP
    """
    arrays = dict(zg.named_leaves(model, np.ndarray))
    if not arrays:
        raise zg.ArgumentError("there are no arrays to save", help="pass the model")
    if _is_safetensors(path):
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    else:
        np.savez(path, **arrays)


def load(path: str | Path, model: Any) -> None:
    """Read the arrays of a file that `save` wrote into a model of the same structure, in place.

    Raises
    ------
    ArgumentError
        If the file lacks an array of the model or has one that the model lacks; nothing is changed then.
    ShapeError
        If an array has another shape; the message names the layer and both shapes.
    """
    if _is_safetensors(path):
        from safetensors.numpy import load_file

        found = load_file(path)
    else:
        with np.load(path, allow_pickle=False) as file:
            found = dict(file)
    fill(model, found, Path(path).name)


def fill(model: Any, found: dict[str, np.ndarray], source: str) -> None:
    """Copy arrays into those of a model that have the same names; all of them, or none."""
    targets = dict(zg.named_leaves(model, np.ndarray))
    if missing := [name for name in targets if name not in found]:
        raise zg.ArgumentError(f"{source} lacks {_listed(missing)}", help=f"it has {_listed(list(found))}")
    if spare := [name for name in found if name not in targets]:
        raise zg.ArgumentError(
            f"{source} has {_listed(spare)}, which the model lacks", help="load it into a model of the same structure"
        )
    for name, target in targets.items():
        check_fits(name, target, found[name], source)
    for name, target in targets.items():
        target[...] = found[name]


def check_fits(name: str, target: np.ndarray, given: np.ndarray, source: str) -> None:
    """Refuse an array that does not have the shape and the kind of numbers of the one that it is to replace."""
    if given.shape != target.shape:
        raise zg.ShapeError(
            f"{name} has shape {given.shape} in {source}, the model's has {target.shape}",
            help="make the model with the sizes of the one that was saved",
        )
    if not np.can_cast(given.dtype, target.dtype, "same_kind"):
        raise zg.DtypeError(f"{name} is an array of {given.dtype} in {source}, the model's is one of {target.dtype}")


def _is_safetensors(path: str | Path) -> bool:
    suffix = Path(path).suffix
    if suffix not in (".npz", ".safetensors"):
        raise zg.ArgumentError(f"files of the kind {suffix!r} are not supported", help="use .npz or .safetensors")
    return suffix == ".safetensors"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
