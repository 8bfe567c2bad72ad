"""README, docs and examples: their programs run, and print what the pages say."""

import re
import runpy

import pytest

from tests.docs import PAGES, ROOT, outputs

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page):
    """Cannot see an example that prints less than it should: the pages are read by people too."""
    for block, found in outputs(page):
        if block.output is not None:
            assert found == block.output, f"{page.name}, the example at line {block.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    missing = [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example(example, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", [str(example), "--small"])
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out
