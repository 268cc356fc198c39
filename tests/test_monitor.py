"""What a running solve shows: callbacks, checkpoints, progress, and that none of them harms it."""

from __future__ import annotations

import io
import os
import sys
import warnings

import numpy as np
import pytest

import geomot
from geomot import CheckpointWarning, UniformBox, solve
from geomot._stderr import is_terminal, progress_bar, say, warn

SITES = np.random.default_rng(0).random((40, 2))
LINE = np.random.default_rng(1).random((30, 1))
# For each method a problem that takes a moment, and what solves it.
PROBLEMS = {
    "newton": (SITES, {}),
    "montecarlo": (SITES, {"method": "montecarlo", "tol": 0.1, "random_state": 0}),
    "quantile": (LINE, {}),
}
every_method = pytest.mark.parametrize("method", list(PROBLEMS))


def start(method, **changes):
    sites, options = PROBLEMS[method]
    return solve(sites, **{**options, **changes})


def states_of(method):
    seen = []
    return start(method, callback=seen.append), seen


# ---- the callback ----


@every_method
def test_the_callback_sees_every_record_of_the_history(method):
    solution, seen = states_of(method)
    assert solution.method == method
    assert [s.dual for s in seen] == solution.history.dual.tolist()
    assert [s.residual for s in seen] == solution.history.residual.tolist()
    assert [s.step for s in seen] == solution.history.step.tolist()
    assert [s.min_mass for s in seen] == solution.history.min_mass.tolist()
    np.testing.assert_array_equal(seen[-1].weights_exact, solution.weights_exact)
    assert seen[-1].mass_error == solution.mass_error
    assert seen[-1].n_iter == solution.n_iter


@every_method
def test_a_stop_where_the_tolerance_is_reached_is_converged(method):
    solution, seen = states_of(method)
    assert solution.converged
    calls = []

    def stop_at_the_end(state):
        calls.append(state)
        return len(calls) == len(seen)

    stopped = start(method, callback=stop_at_the_end)
    assert stopped.status == "converged"
    assert stopped == solution
    assert len(calls) == len(seen)


@pytest.mark.parametrize("method", ["newton", "montecarlo"])
def test_a_stop_before_that_is_stopped(method):
    calls = []
    with pytest.warns(geomot.ConvergenceWarning, match="the callback asked for it"):
        solution = start(method, tol=1e-3, callback=lambda state: calls.append(state) or True)
    assert solution.status == "stopped"
    assert len(calls) == len(solution.history) == 1


def test_the_callback_is_not_called_after_it_has_asked_to_stop():
    """Two pairs of sites that float32 cannot tell apart: the status says so."""
    close = np.array([[0.25, 0.5], [0.25 + 1e-9, 0.5], [0.75, 0.5], [0.75, 0.5 + 1e-9]])
    calls = []
    with pytest.warns(geomot.ConvergenceWarning, match="what is left of the errors is rounding"):
        solution = solve(
            close,
            method="montecarlo",
            tol=0.05,
            random_state=0,
            callback=lambda state: calls.append(state) or True,
        )
    assert solution.status == "precision"
    assert len(solution.history) == len(calls) == 1


@pytest.mark.parametrize(
    ("answer", "stops"),
    [(True, True), (np.True_, True), (np.float64(2) > 1, True), (False, False), (np.False_, False),
     (None, False), (1, False), ("stop", False), (np.array([True, False]), False)],
)  # fmt: skip
def test_only_true_stops(answer, stops):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", geomot.ConvergenceWarning)
        solution = solve(SITES, callback=lambda state: answer)
    assert solution.status == ("stopped" if stops else "converged")


# ---- the line ----


def test_quantiles_show_one_state_and_save_it(tmp_path):
    path = tmp_path / "line.npz"
    masses = np.arange(1.0, 31.0) / 465.0
    seen = []

    def read(state):
        seen.append((state, geomot.load(path)))

    solution = solve(LINE, masses, callback=read, checkpoint=path)
    ((state, saved),) = seen
    assert state.n_iter == solution.n_iter == 0
    assert saved.status == "stopped"
    np.testing.assert_array_equal(saved.weights_exact, solution.weights_exact)
    np.testing.assert_array_equal(state.weights_exact, solution.weights_exact)


def test_quantiles_do_not_depend_on_a_start():
    solution = solve(LINE)
    for initial in (np.linspace(0.0, 1.0, 30), solution, solution.weights_exact):
        assert solve(LINE, initial_weights=initial) == solution
        assert solve(LINE, initial_weights=initial, max_iter=7) == solution
    assert solve(LINE, max_iter=0) == solution
    with pytest.raises(ValueError, match=r"initial_weights must have shape \(30,\)"):
        solve(LINE, initial_weights=np.zeros(29))


def test_given_weights_on_the_line_are_measured_where_no_step_is_allowed():
    """Sites 1/4, 3/4 with weights 0, -1/4: the border is at 3/4, and W2^2 is at least the dual."""
    sites, masses = [[0.25], [0.75]], [0.5, 0.5]
    with pytest.warns(geomot.ConvergenceWarning, match="max_iter was reached"):
        given = solve(sites, masses, initial_weights=[0.0, -0.25], max_iter=0)
    assert given.status == "max_iter"
    assert given.weights.tolist() == [0.0, -0.25]
    assert given.masses.tolist() == [0.75, 0.25]
    assert given.mass_error == 0.5
    # int of (x - 1/4)^2 to 3/4, of (x - 3/4)^2 from there, and weights times what is missing
    assert given.dual_value == pytest.approx(9 / 192 + 1 / 192 - 0.25 * 0.25, abs=1e-15)
    low, high = given.bracket
    assert low <= 1 / 48 <= high
    optimal = solve(sites, masses, initial_weights=[0.5, 0.5], max_iter=0)
    assert optimal.converged
    assert optimal.weights.tolist() == [0.5, 0.5]
    with pytest.warns(geomot.ConvergenceWarning):
        stopped = solve(
            sites, masses, initial_weights=[0.0, -0.25], max_iter=0, callback=lambda state: True
        )
    assert stopped.status == "stopped"


def test_given_weights_on_the_line_with_an_idle_site_and_twins():
    sites = [[0.25], [0.75], [0.25], [0.5]]
    solution = solve(
        sites, [0.25, 0.5, 0.25, 0.0], UniformBox([0.0], [1.0]),
        initial_weights=[1.0, 1.0, 5.0, 9.0], max_iter=0,
    )  # fmt: skip
    assert solution.converged
    assert solution.masses.tolist() == [0.25, 0.5, 0.25, 0.0]


# ---- checkpoints ----


@pytest.mark.parametrize("method", ["newton", "montecarlo"])
@pytest.mark.parametrize("fault", ["folder removed", "disk full", "folder in its place"])
def test_a_checkpoint_that_fails_does_not_harm_the_solve(tmp_path, monkeypatch, method, fault):
    place = tmp_path / "place"
    place.mkdir()
    path = place / "run.npz"
    plain = start(method)

    # After the first state has been saved.
    def spoil(state):
        if fault == "folder removed" and path.exists():
            path.unlink()
            place.rmdir()
        if fault == "folder in its place" and not path.is_dir():
            path.unlink()
            path.mkdir()
        if fault == "disk full":
            monkeypatch.setattr(os, "fsync", full)

    def full(handle):
        raise OSError(28, "No space left on device")

    with pytest.warns(CheckpointWarning, match="the checkpoint was not saved"):
        solution = start(method, callback=spoil, checkpoint=path)
    assert solution == plain


@every_method
def test_a_place_without_room_for_a_checkpoint_is_refused_at_once(tmp_path, method):
    calls = []
    for bad, error, message in [
        (tmp_path / "missing" / "run.npz", FileNotFoundError, "missing.run.npz"),
        (tmp_path, ValueError, "checkpoint must name a regular file"),
        (3, TypeError, "checkpoint must be a string or path, got int"),
    ]:
        with pytest.raises(error, match=message):
            start(method, callback=calls.append, checkpoint=bad)
    assert calls == []
    assert os.listdir(tmp_path) == []


def test_a_checkpoint_warning_can_be_made_an_error(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CheckpointWarning)
        with pytest.raises(CheckpointWarning, match="No space left"):
            start("newton", checkpoint=tmp_path / "run.npz")


# ---- standard error ----


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
