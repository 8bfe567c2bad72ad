"""The pages' examples: every python block runs, and prints or raises what the text block below it says.

The blocks of a page share their names, each has a file name of its own. `python -m tests.docs` writes what the examples
print now into the text blocks; read the difference before you commit it.
"""

import linecache
import os
import re
import traceback
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:\n{1,2}^```text\n(?P<output>.*?)^```$)?", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A python block, what it should print (None: nothing is said), and where that stands in the page."""

    line: int
    code: str
    output: str | None
    span: tuple[int, int]


def blocks(page: Path) -> list[Block]:
    """A page's python blocks."""
    text = page.read_text()
    return [
        Block(text.count("\n", 0, m.start()) + 2, m["code"], m["output"], m.span("output"))
        for m in _BLOCK.finditer(text)
    ]


def outputs(page: Path) -> list[tuple[Block, str]]:
    """Run a page's blocks; what each prints, with the last line of a traceback where it raises."""
    names: dict = {"__name__": f"docs_{page.stem}"}
    return [(block, _run(block, f"{page.stem}{n}.py", names)) for n, block in enumerate(blocks(page), start=1)]


def _run(block: Block, file: str, names: dict) -> str:
    linecache.cache[file] = (len(block.code), None, block.code.splitlines(keepends=True), file)
    printed = StringIO()
    try:
        with redirect_stdout(printed):
            exec(compile(block.code, file, "exec"), names)
    except Exception as error:
        if block.output is None:
            error.add_note(f"in the example at line {block.line}")
            raise
        printed.write("".join(traceback.format_exception_only(error)))
    return printed.getvalue().replace(file, "example.py")


def rewrite(page: Path) -> None:
    """Put what the examples print into the page's text blocks."""
    text = page.read_text()
    for block, found in reversed(outputs(page)):
        if block.output is not None:
            start, end = block.span
            text = text[:start] + found + text[end:]
    page.write_text(text)


if __name__ == "__main__":
    os.environ["MPLBACKEND"] = "Agg"
    for path in PAGES:
        rewrite(path)
