"""Heights found on levels of clusters, from which fits start."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot import Gaussian, UniformBox
from geomot._sampling.clusters import hierarchy
from geomot._sampling.designs import PairDesign, PointDesign
from geomot._sampling.levels import gaussian_heights, look_samples, start_from_levels
from geomot._search.backends import CoreBackend


def start_of(sites, source, masses=None, design=PointDesign, seed=0):
    n = len(sites)
    masses = np.full(n, 1.0 / n) if masses is None else masses
    rng = np.random.default_rng(seed)
    made = design(sites, source, rng, 1, CoreBackend())
    owners = hierarchy(made.metric_sites, rng)
    return made, start_from_levels(made, made.stream(rng), masses, owners)


def variation(design, heights, masses, seed=7):
    """Total variation on samples of its own, less what 2^18 of them make of noise."""
    draw = design.plain_stream(np.random.default_rng(seed))
    found = design.winners(draw((1 << 18) // design.group), heights).first
    shares = np.bincount(found, minlength=len(masses)) / len(found)
    return 0.5 * float(np.abs(shares - masses).sum())


def tight_classes(rng, n, d):
    centres = 3.0 * rng.standard_normal((8, d))
    return centres[rng.integers(8, size=n)] + 0.02 * rng.standard_normal((n, d))


@pytest.mark.parametrize("design", [PointDesign, PairDesign])
@pytest.mark.parametrize("kind", ["plain", "table", "classes"])
@pytest.mark.parametrize("d", [2, 6])
def test_a_start_has_most_of_the_mass_in_place(design, kind, d):
    rng = np.random.default_rng(d)
    n = 400
    source = Gaussian(np.zeros(d), 1.0)
    if kind == "classes":
        sites = tight_classes(rng, n, d)
    else:
        sites = rng.standard_normal((n, d))
    if kind == "table":
        sites = sites * np.geomspace(1.0, 1000.0, d)
        source = Gaussian(sites.mean(axis=0), np.cov(sites.T))
    made, start = start_of(sites, source, design=design)
    masses = np.full(n, 1.0 / n)
    assert start.samples == len(start.winners.first)
    assert variation(made, start.heights, masses) < 0.3


def test_power_law_masses_start_with_cells():
    rng = np.random.default_rng(1)
    n = 300
    masses = rng.permutation(1.0 / np.arange(1, n + 1) ** 1.2)
    masses /= masses.sum()
    made, start = start_of(rng.standard_normal((n, 3)), Gaussian(np.zeros(3), 1.0), masses)
    assert variation(made, start.heights, masses) < 0.3


def test_sources_in_separate_pieces():
    """Where no cell would get any sample, and no flow between the pieces is seen."""
    rng = np.random.default_rng(2)
    points = rng.standard_normal((20_000, 3)) * 0.05 + 10.0 * rng.integers(0, 2, (20_000, 1))
    sites = rng.standard_normal((200, 3)) * 0.05 + 10.0 * rng.integers(0, 2, (200, 1))
    made, start = start_of(sites, geomot.Samples(points))
    assert variation(made, start.heights, np.full(200, 1 / 200)) < 0.3


def test_the_gaussian_guess_is_exact_for_gaussians():
    """W2 between Gaussians is that of their moments: with many sites the guess is near it."""
    rng = np.random.default_rng(3)
    n = 1000
    sites = rng.standard_normal((n, 2)) @ np.array([[2.0, 0.3], [0.0, 0.5]]) + 3.0
    points = rng.standard_normal((1 << 15, 2)).astype(np.float32)
    masses = np.full(n, 1.0 / n)
    made = PointDesign(sites, Gaussian(np.zeros(2), 1.0), rng, 1, CoreBackend())
    heights = gaussian_heights(made.frame_sites, masses, points)
    assert variation(made, heights, masses) < 0.5  # of which the sites' own scatter is most
    assert gaussian_heights(sites[:1], np.ones(1), points).tolist() == [0.0]


@pytest.mark.parametrize("n", [1, 2, 3, 12])
def test_few_sites(n):
    rng = np.random.default_rng(n)
    sites = rng.random((n, 2))
    made, start = start_of(sites, UniformBox.unit(2))
    assert variation(made, start.heights, np.full(n, 1.0 / n)) < 0.21


def test_samples_of_a_level_grow_with_its_sites():
    looks = [look_samples(n) for n in (1, 100, 1000, 2048, 10_000, 100_000)]
    assert looks == [4096, 4096, 16_000, 32_768, 40_000, 400_000]
