"""Tallies of samples whose true masses are known."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import PowerDiagram, UniformBox
from geomot._mass_estimate import sampling_scales
from geomot._sampling.designs import PointDesign
from geomot._sampling.tally import Tally
from geomot._search.backends import CoreBackend

SQUARE = UniformBox.unit(2)


def design_of(cls, sites, source=SQUARE, seed=2):
    return cls(sites, source, np.random.default_rng(seed), 1, CoreBackend())


class Known:
    """Cells in the unit square whose masses are known exactly.

    The weights are those of a Voronoi diagram, moved a little at random, and all cells have mass.
    """

    def __init__(self, n, spread=0.3, seed=0, lattice=False):
        r = np.random.default_rng([n, seed])
        self.sites, self.weights = r.random((n, 2)), spread / n * r.standard_normal(n)
        if lattice:
            side = int(np.sqrt(n))
            self.sites = (np.indices((side, side)).reshape(2, -1).T + 0.5) / side
            self.sites += 0.1 / side * r.standard_normal((n, 2))
        diagram = PowerDiagram(self.sites, self.weights, SQUARE)
        while diagram.masses.min() < 1e-2 / n:
            # sites that are all but hidden go elsewhere, and gain on the others
            hidden = diagram.masses < 1e-2 / n
            self.sites[hidden] = r.random((hidden.sum(), 2))
            self.weights *= 0.9
            diagram = PowerDiagram(self.sites, self.weights, SQUARE)
        self.masses = diagram.masses / diagram.masses.sum()
        self.diagram = diagram

    def tallies(self, cls, targets, count, groups, seed=0):
        """Independent tests of the same heights."""
        design = design_of(cls, self.sites)
        for rng in np.random.default_rng(seed).spawn(count):
            tally = Tally(design, targets, rng)
            tally.extend(design.heights(self.weights), groups)
            yield tally

    def targets(self, distance, seed=1):
        """Targets at this squared distance from the masses, as sampling errors would make them."""
        errors = np.random.default_rng(seed).standard_normal(len(self.masses))
        errors = errors * np.sqrt(self.masses)
        errors -= self.masses * errors.sum()
        low, high = 0.0, 1e4
        for _ in range(70):
            middle = 0.5 * (low + high)
            nu = np.maximum(self.masses + middle * errors, 0.05 * self.masses)
            nu /= nu.sum()
            low, high = (low, middle) if self.distance(nu) > distance else (middle, high)
        assert self.distance(nu) == pytest.approx(distance, rel=1e-6)
        return nu

    def distance(self, nu, scales=None):
        scales = sampling_scales(nu) if scales is None else scales
        return float(np.sum((self.masses - nu) ** 2 / scales))

    def total_variation(self, nu):
        return 0.5 * float(np.abs(self.masses - nu).sum())


def made_of(counts, sizes, masses, sites=None):
    """A tally with these counts."""
    n = len(masses)
    sites = np.random.default_rng(0).random((n, 2)) if sites is None else sites
    tally = Tally(design_of(PointDesign, sites), masses, np.random.default_rng(0))
    tally.counts[:] = counts
    tally.sizes[:] = sizes
    return tally
