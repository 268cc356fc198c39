"""solve from the user's side: what it warns of, what it resumes, and what changes no bit."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from checks import exact_error, solve
from problems import normalised

import geomot

rng = np.random.default_rng
pytestmark = pytest.mark.usefixtures("silent")


def _digest(solution):
    return hashlib.sha256(solution.weights_exact.tobytes()).hexdigest()


def _determinism(n, repeats):
    sites = rng(0).random((n, 2))
    digests = {_digest(geomot.solve(sites)) for _ in range(repeats)}
    digests |= {_digest(geomot.solve(sites, threads=t)) for t in (1, 2, 8)}
    digests |= {_digest(geomot.solve(sites, random_state=s)) for s in (0, 1, 12345)}
    script = (
        "import {imports}\n"
        "import hashlib, numpy as np, geomot\n"
        f"s = geomot.solve(np.random.default_rng(0).random(({n}, 2)))\n"
        "print(hashlib.sha256(s.weights_exact.tobytes()).hexdigest())\n"
    )
    for seed, imports in (("0", "geomot"), ("1", "scipy.sparse, sklearn.base, matplotlib")):
        environment = dict(os.environ, PYTHONHASHSEED=seed)
        done = subprocess.run(
            [sys.executable, "-c", script.format(imports=imports)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(geomot.__file__).parents[1],
        )
        assert done.stderr == ""
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_neither_threads_nor_seeds_nor_imports_change_a_bit():
    _determinism(2000, 3)


@pytest.mark.slow
def test_neither_threads_nor_seeds_change_a_bit_of_twenty_thousand():
    _determinism(20000, 20)


def test_not_converged_is_said():
    sites = rng(0).random((500, 2))
    with pytest.warns(geomot.ConvergenceWarning):
        s = geomot.solve(sites, max_iter=2)
    assert not s.converged and s.status == "max_iter"
    assert s.mass_error > 1e-9
    exact = exact_error(s)
    assert exact / 2 <= s.mass_error <= 2 * exact
    with pytest.raises(geomot.ConvergenceError) as caught:
        geomot.solve(sites, max_iter=2, strict=True)
    assert not caught.value.solution.converged
    assert caught.value.solution.mass_error == s.mass_error


def _resume_data():
    return rng(2024).random((100, 2)), normalised(np.geomspace(1e-6, 1, 100))


class _Stop(Exception):
    pass


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("way", ["max_iter", "file", "callback raises", "callback returns"])
def test_resume_from_a_saved_state(way, k, tmp_path):
    sites, nu = _resume_data()
    states = []

    def callback(state):
        states.append(state)
        if len(states) > k and way == "callback raises":
            raise _Stop
        return len(states) > k

    whole = solve(sites, nu)
    if way in ("max_iter", "file"):
        saved = solve(sites, nu, max_iter=k)
        if way == "file":
            saved.save(tmp_path / "part.npz")
            saved = geomot.load(tmp_path / "part.npz")
    elif way == "callback raises":
        with pytest.raises(_Stop):
            geomot.solve(sites, nu, callback=callback)
        saved = states[-1]
    else:
        saved = solve(sites, nu, callback=callback)
        assert saved.status == "stopped" or saved.converged
    rest = solve(sites, nu, initial_weights=saved)
    assert rest.converged
    assert rest.weights_exact.tobytes() == whole.weights_exact.tobytes()
    assert rest.masses.tobytes() == whole.masses.tobytes()
