"""Sites that fitting has lost get a cell of about their mass."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot import Gaussian, PowerDiagram, UniformBox
from geomot._constants import RARE_RANKS, RARE_SAMPLES
from geomot.backend import CoreBackend
from geomot.design import PairDesign, PointDesign
from geomot.rare import lost_sites, place_sites


@pytest.mark.parametrize("cls", [PointDesign, PairDesign])
def test_placed_sites_have_about_their_masses(cls):
    r = np.random.default_rng(0)
    n = 60
    sites = r.random((n, 2))
    masses = np.ones(n)
    lost = np.array([3, 17, 40])
    masses[lost] = [2e-4, 1e-3, 3e-3]  # times 1 / 57
    masses /= masses.sum()
    exact = geomot.solve(sites, masses)
    design = cls(sites, UniformBox.unit(2), r, 1, CoreBackend())
    heights = design.heights(exact.weights)
    buried = heights.copy()
    buried[lost] -= 1.0
    true = PowerDiagram(sites, design.weights(buried)).masses
    assert (true[lost] == 0).all()
    placed = place_sites(design, design.stream(r), buried, masses, lost)
    np.testing.assert_array_equal(np.delete(placed, lost), np.delete(buried, lost))
    found = PowerDiagram(sites, design.weights(placed)).masses
    # ranks of a sample of RARE_SAMPLES vary by their roots; product groups by a few times that
    due = np.minimum(masses[lost], (RARE_RANKS - 1) / RARE_SAMPLES)
    error = np.abs(found[lost] - due) / np.sqrt(due / RARE_SAMPLES)
    assert error.max() < (5 if cls is PointDesign else 12)


def test_which_sites_are_lost():
    one = 1.0 / RARE_SAMPLES
    masses = np.array([0.1 * one, one, one, RARE_RANKS * one, 0.9])
    assert lost_sites(masses, np.array([0, 0, 1, 0, 0])).tolist() == [1]


@pytest.mark.parametrize("seed", [0, 1])
def test_no_mass_above_1e_minus_6_is_lost(seed):
    r = np.random.default_rng(seed)
    n, d = 200, 6
    masses = r.permutation(np.geomspace(1e-6, 1.0, n))
    masses /= masses.sum()
    sites, source = r.standard_normal((n, d)), Gaussian(np.zeros(d), 1.0)
    s = geomot.solve(sites, masses, source, tol=0.02, random_state=seed, threads=1)
    assert s.converged
    counts = np.zeros(n)
    for k in range(1000, 1020):
        counts += np.bincount(s.assign(source.sample(50_000, k), threads=1), minlength=n)
    due = masses * 1e6
    assert ((counts == 0) & (due >= 3)).sum() <= 1  # by chance, or in the shadow of another one
    assert ((counts == 0) & (due >= 20)).sum() == 0
