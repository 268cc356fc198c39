"""The start by insertion for sites anywhere: in a frame in which they lie inside the domain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomot import _double_double
from geomot._double_double import Pair
from geomot._duplicates import representatives
from geomot._newton.insertion import insertion_start, make_valid
from geomot._newton.newton import Iterate, Problem
from geomot.potentials import heights_from_weights, weights_from_heights

__all__ = ["framed_start"]

FloatArray = NDArray[np.float64]


def framed_start(problem: Problem) -> Iterate:
    """Return weights for the problem under which no cell is empty, with their diagram.

    Parameters
    ----------
    problem : Problem
        Its source is uniform.

    Returns
    -------
    Iterate
    """
    # around a torus no frame but one is possible, and all places are in it
    around = problem.source.periodic_domain is not None
    frame = None if around else _Frame.near(problem.sites, problem.domain.bounds)
    if frame is None:
        return insertion_start(problem)
    similar = frame.sites(problem.sites)
    model = Problem(similar, problem.masses, problem.source, problem.threads, problem.least)
    weights = frame.weights(problem.sites, similar, insertion_start(model).weights)
    return make_valid(problem.evaluate(weights))


@dataclass(frozen=True)
class _Frame:
    """Similar sites y' = scale (y - centre) + origin, for which the solution has the same cells."""

    centre: FloatArray
    scale: float
    origin: FloatArray

    @classmethod
    def near(cls, sites: FloatArray, bounds: FloatArray) -> _Frame | None:
        """The frame in which sites fill the bounding box of the domain.

        None if they lie in it, or if rounding would make some coincide.
        """
        low, high = bounds
        bottom, top = sites.min(axis=0), sites.max(axis=0)
        if (bottom >= low).all() and (top <= high).all():
            return None
        extent = float((top - bottom).max())
        room = float((high - low).min())
        # A power of two, so that scaling is exact. Tight groups of sites are scaled up: they would
        # lose their shape to rounding if they were only moved.
        scale = 2.0 ** np.floor(np.log2(room / extent)) if extent > 0.0 else 1.0
        # about zero more sites are told apart, and the domain need not be there
        for origin in (0.5 * (low + high), np.zeros_like(low)):
            frame = cls(0.5 * (bottom + top), float(scale), origin)
            if (representatives(frame.sites(sites)) == np.arange(len(sites))).all():
                return frame
        return None

    def sites(self, sites: FloatArray) -> FloatArray:
        """The similar sites."""
        return self.scale * (sites - self.centre) + self.origin

    def weights(self, sites: FloatArray, similar: FloatArray, weights: Pair) -> Pair:
        """Weights of the sites that make the cells of the similar ones."""
        # u' = scale u + <x, origin - scale centre>
        hi, lo = heights_from_weights(similar, *weights)
        hi, lo = weights_from_heights(sites, hi / self.scale, lo / self.scale)
        # Small numbers have fine digits: those of most sites, whatever one far away has.
        return _double_double.add((hi, lo), np.full_like(hi, -np.median(hi)))
