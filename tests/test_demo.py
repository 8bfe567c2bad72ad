"""The command line: the demo runs, says what it found, and saves its plot."""

import re

import pytest

from zygopy import demo
from zygopy.__main__ import main
from zygopy.demo.screen import shown_time


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """What the small demo prints, with its plot."""
    from contextlib import redirect_stdout
    from io import StringIO

    plot = tmp_path_factory.mktemp("demo") / "plot.png"
    with redirect_stdout(StringIO()) as printed:
        assert main(["demo", "--small", "--plot", str(plot)]) == 0
    return printed.getvalue(), plot


def figures(text, pattern):
    return [float(x) for x in re.findall(pattern, text)]


def test_gradients_agree_with_finite_differences(output):
    errors = figures(output[0], r"agree to (\S+) of")
    assert len(errors) == 3
    assert max(errors) < 1e-6


def test_gradient_agrees_with_the_one_by_hand(output):
    (apart,) = figures(output[0], r"zygopy's, the same to (\S+)")
    assert apart < 1e-10


def test_fits_find_what_is_known(output):
    """scikit-learn's own weights, the rod's true conductivity, digits that were not trained on."""
    (apart,) = figures(output[0], r"the same weights to (\S+)")
    (relative,) = figures(output[0], r"largest relative error\s+(\S+)%")
    assert apart < 1e-3
    assert relative < 50
    (right,) = figures(output[0], r"test digits read right\s+(\S+)% of 450")
    assert right >= 96


def test_plot_is_saved(output):
    assert output[1].read_bytes().startswith(b"\x89PNG")


def test_missing_packages_are_named(monkeypatch, capsys):
    monkeypatch.setattr(demo, "missing_packages", lambda: ["scikit-learn"])
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == 'The demo needs scikit-learn: pip install "zygopy[demo]"\n'


def test_a_command_is_required(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "COMMAND" in capsys.readouterr().err


def test_times_are_short():
    assert [shown_time(s) for s in (0.00123, 2.5, 4.2e-7)] == ["1.23 ms", "2.5 s", "0.42 us"]
