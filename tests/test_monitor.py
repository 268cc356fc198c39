"""What a running solve shows: callbacks, checkpoints, and that none of them harms it."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest
from small_solves import SITES, every_method, start

import geomot
from geomot import CheckpointWarning, solve


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
    with pytest.warns(geomot.ConvergenceWarning, match="the remaining errors are rounding errors"):
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
