"""Batches tell errors that persist from the noise of samples."""

from __future__ import annotations

import numpy as np
import pytest

from geomot._sampling.progress import Progress

MASSES = np.full(50, 0.02)


def batches(shares, size, count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.multinomial(size, shares, count) / size


def reported(shares, seed=0, size=2000, count=400):
    progress = Progress(MASSES, MASSES, 1.0)
    for batch in batches(shares, size, count, seed):
        progress.sound(batch, size, known=True)
    return progress.report()


def test_products_of_batches_estimate_what_persists():
    shares = MASSES * (1.0 + 0.2 * np.tile([1.0, -1.0], 25))
    truth = float(np.sum((shares - MASSES) ** 2 / MASSES))
    off = []
    for seed in range(20):
        report = reported(shares, seed)
        off.append((report.persistent - truth) / report.standard_error)
        # the mean square of the noise of 2000 samples
        assert report.noise == pytest.approx(49 / 2000, rel=0.1)
    # neighbouring products have a batch in common: the spread is a little more than 1
    assert np.abs(np.mean(off)) < 1.0
    assert np.std(off) < 2.0


def test_nothing_persists_where_masses_are_right():
    off = [(r := reported(MASSES, seed)).persistent / r.standard_error for seed in range(20)]
    assert np.abs(np.mean(off)) < 0.7
    assert max(off) < 3.5


def test_a_report_begins_anew():
    progress = Progress(MASSES, MASSES, 1.0)
    assert progress.report() is None
    for batch in batches(MASSES, 100, 3):
        progress.sound(batch, 100)
    assert progress.report() is not None
    assert progress.report() is None


def test_masses_that_are_suddenly_far_worse_are_refused():
    progress = Progress(MASSES, MASSES, 1.0)
    for batch in batches(MASSES, 1000, 50):
        assert progress.sound(batch, 1000)
    bad = np.zeros(50)
    bad[0] = 1.0
    assert not progress.sound(bad, 1000)
    # of heights that were found sound before it is noise
    assert progress.sound(bad, 1000, known=True)
