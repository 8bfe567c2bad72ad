"""The command line: `python -m zygopy demo`, `python -m zygopy cache info`."""

import argparse
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the result is the exit status."""
    options = _parser().parse_args(arguments)
    return options.run(options)


def _cache(options: argparse.Namespace) -> int:
    from zygopy.backends import cache

    if options.action == "clear":
        print(f"{cache.clear()} files removed")
    else:
        count, size = cache.size()
        print(f"{count} files, {size / 2**20:.1f} MiB in {cache.folder() or 'no folder: the cache is off'}")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from zygopy import demo

    if missing := demo.missing_packages():
        print(f'The demo needs {" and ".join(missing)}: pip install "zygopy[demo]"', file=sys.stderr)
        return 1
    demo.run(small=options.small, plot=options.plot)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m zygopy", description="Gradients of ordinary numerical Python.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="fit three models by their gradients and show how")
    demo.set_defaults(run=_demo)
    demo.add_argument("--small", action="store_true", help="a part of the data, in a few seconds")
    demo.add_argument("--plot", type=Path, default=Path("zygopy-demo.png"), metavar="PATH", help="where the plot goes")
    cache = commands.add_parser("cache", help="the compiled code on disk: how much it is, or remove it")
    cache.add_argument("action", choices=("info", "clear"))
    cache.set_defaults(run=_cache)
    return parser


def _version() -> str:
    try:
        return f"zygopy {version('zygopy')}"
    except PackageNotFoundError:  # run from a checkout
        return "zygopy, not installed"


if __name__ == "__main__":
    sys.exit(main())
