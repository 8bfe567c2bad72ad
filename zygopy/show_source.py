"""Text that shows itself: highlighted in a terminal and in Jupyter, a plain string everywhere else."""

import html
import sys


class Text(str):
    """A string of source code with a syntax, "python" or "text"."""

    syntax: str

    def __new__(cls, text: str, syntax: str):
        """Text with its syntax."""
        self = super().__new__(cls, text)
        self.syntax = syntax
        return self

    def __rich__(self):
        """Highlighted, for rich consoles."""
        from rich.syntax import Syntax

        return Syntax(str(self), self.syntax, background_color="default")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Highlighted, for Jupyter."""
        try:
            from pygments import highlight
            from pygments.formatters import HtmlFormatter
            from pygments.lexers import get_lexer_by_name
        except ImportError:
            return f"<pre>{html.escape(self)}</pre>"
        return highlight(str(self), get_lexer_by_name(self.syntax), HtmlFormatter(noclasses=True))

    def show(self) -> None:
        """Print, highlighted if standard output is a terminal."""
        if sys.stdout.isatty():
            from rich.console import Console

            Console().print(self.__rich__())
        else:
            print(str(self))

    def __str__(self) -> str:
        return str.__str__(self)
