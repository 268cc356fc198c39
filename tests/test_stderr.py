"""Progress and warnings where standard error is missing, closed or breaks."""

from __future__ import annotations

import io
import sys
import warnings
from types import ModuleType

import pytest
from small_solves import SITES, every_method, start

import geomot
from geomot import solve
from geomot._stderr import is_terminal, progress_bar, say, warn


class Broken(io.TextIOBase):
    """A pipe whose reader has gone."""

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self):
        raise BrokenPipeError(32, "Broken pipe")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def detached():
    stream = io.TextIOWrapper(io.BytesIO())
    stream.detach()
    return stream


STREAMS = {
    "missing": lambda: None,
    "closed": closed,
    "detached": detached,
    "broken": Broken,
    "not a stream": object,
}
every_stream = pytest.mark.parametrize("stream", list(STREAMS))


@every_stream
@every_method
def test_progress_without_standard_error(monkeypatch, method, stream):
    plain = start(method)
    monkeypatch.setattr("sys.stderr", STREAMS[stream]())
    assert start(method, progress=True) == plain


@every_stream
def test_a_warning_without_standard_error(monkeypatch, stream):
    """Python would raise what the closed stream raises, and the solution be lost."""
    shown = []

    def show(*arguments, **keywords):
        shown.append(arguments)
        sys.stderr.write("warning\n")

    monkeypatch.setattr("sys.stderr", STREAMS[stream]())
    # pytest would keep it to itself
    monkeypatch.setattr(warnings, "showwarning", show)
    assert solve(SITES, max_iter=1).status == "max_iter"
    assert len(shown) == 1


@every_stream
def test_what_is_said_without_standard_error(monkeypatch, stream):
    monkeypatch.setattr("sys.stderr", STREAMS[stream]())
    say("nobody hears it\n")
    assert not is_terminal()
    with progress_bar(range(3), disable=None) as bar:
        assert list(bar) == [0, 1, 2]


def test_a_stream_that_breaks_on_the_way(monkeypatch):
    class Breaks(Broken):
        written = ""

        def write(self, text):
            if len(self.written) > 20:
                raise BrokenPipeError(32, "Broken pipe")
            self.written += text
            return len(text)

        def flush(self):
            pass

    stream = Breaks()
    monkeypatch.setattr("sys.stderr", stream)
    assert start("newton", progress=True) == start("newton")
    assert "Newton to" in stream.written


def test_warnings_name_the_callers_line():
    with pytest.warns(UserWarning, match="hello") as found:
        warn("hello", UserWarning)
    assert found[0].filename == __file__
    with pytest.warns(geomot.ConvergenceWarning) as found:
        solve(SITES, max_iter=1)
    assert found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="hello"):
            warn("hello", UserWarning)


def test_notebooks_have_a_widget_if_they_can(monkeypatch):
    calls = []

    class Widget:
        def __init__(self, *arguments, **options):
            calls.append((arguments, options))

    monkeypatch.setattr("tqdm.auto.tqdm", Widget)
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", ModuleType("ipykernel.zmqshell"))
    monkeypatch.setattr("geomot._stderr.find_spec", lambda name: name == "ipywidgets")
    assert isinstance(progress_bar(range(3), desc="steps"), Widget)
    # on standard error, tqdm would fall back to text
    assert calls == [((range(3),), {"desc": "steps", "dynamic_ncols": True})]
    monkeypatch.setattr("geomot._stderr.find_spec", lambda name: None)
    with progress_bar(range(3), disable=True) as bar:
        assert list(bar) == [0, 1, 2] and not isinstance(bar, Widget)
