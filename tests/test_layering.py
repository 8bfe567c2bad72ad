"""Imports flow one way: errors <- transform <- backends <- derivative <- api <- the package <- libraries, demo."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "zygopy"
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = {
    "errors": 0,
    "show_source": 0,
    "transform": 1,
    "backends": 2,
    "structures": 3,
    "binding": 3,
    "derivative": 3,
    "interpreted": 3,
    "native": 3,
    "explanation": 3,
    "linear_maps": 3,
    "api": 4,
    "tree": 4,
    "check": 4,
    "devices": 4,
    "cuda": 4,
}
LAYERS |= {
    "": 5,
    "nn": 6,
    "optim": 6,
    "models": 6,
    "training": 7,
    "demo": 8,
    "__main__": 9,
}  # the package, and its users

# Within transform: the grammar knows nothing of what is done with it, and passes nothing of the Python it came from.
GRAMMAR = {"types", "ir", "ops", "records"}
PASSES = {"passes", "differentiation", "gpu", "simplify", "verify", "memory", "kernels", "emit", "naming", "show"}
READERS = {"reading", "library"}


def imports(file: Path) -> list[tuple[str, int]]:
    """The modules that a file imports, anywhere in it, and the line."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            found += [(_module(node.module, alias.name), node.lineno) for alias in node.names]
    return found


def _module(package: str, name: str) -> str:
    """What `from package import name` imports: a module of the package, or the package for a name in it."""
    path = PACKAGE.parent.joinpath(*package.split("."), name)
    return f"{package}.{name}" if path.is_dir() or path.with_suffix(".py").exists() else package


def layer_of(parts: tuple[str, ...]) -> int:
    """The layer of a module of the package, given the names below `zygopy`."""
    return LAYERS[parts[0] if parts else ""]


def modules(file: Path) -> tuple[str, ...]:
    """A file's names below `zygopy`."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def names(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("file", FILES, ids=names)
def test_imports_flow_one_way(file):
    own = layer_of(modules(file))
    for module, line in imports(file):
        package, *parts = module.split(".")
        if package == "zygopy":
            assert layer_of(tuple(parts)) <= own, f"{file}:{line} imports {module}, which is above it"


USERS = {"nn", "optim", "models", "training", "demo"}  # written with what users have


@pytest.mark.parametrize("file", [f for f in FILES if modules(f)[:1] and modules(f)[0] in USERS], ids=names)
def test_libraries_and_demo_use_the_public_names_only(file):
    for module, line in imports(file):
        package, *parts = module.split(".")
        assert package != "zygopy" or not parts or parts[0] in USERS, f"{file}:{line} imports {module}"


@pytest.mark.parametrize("file", FILES, ids=names)
def test_numba_is_named_in_backends_only(file):
    if modules(file)[:1] != ("backends",):
        found = [(m, line) for m, line in imports(file) if m.split(".")[0] in ("numba", "llvmlite")]
        assert not found


@pytest.mark.parametrize("file", FILES, ids=names)
def test_python_syntax_is_read_in_one_place(file):
    if modules(file)[:1] != ("backends",) and modules(file)[:2] != ("transform", "reading"):
        assert not [(m, line) for m, line in imports(file) if m == "ast"]


@pytest.mark.parametrize("file", [f for f in FILES if modules(f)[:1] == ("transform",)], ids=names)
def test_passes_do_not_read_python(file):
    used = {module.split(".")[2]: line for module, line in imports(file) if module.startswith("zygopy.transform.")}
    place = modules(file)[1] if modules(file)[1:] else ""
    if place in GRAMMAR:
        assert not used.keys() - GRAMMAR, used
    if place in PASSES:
        assert not used.keys() & READERS, used


def test_layers_are_known():
    """Every module has a layer, so that a new one must be given its place above."""
    for file in FILES:
        layer_of(modules(file))
