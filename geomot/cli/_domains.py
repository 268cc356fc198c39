"""The source measures that --domain names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import geomot
from geomot._validation import as_masses, as_points
from geomot.cli._files import read_table
from geomot.cli._shared import BadInput

if TYPE_CHECKING:
    from geomot.sources import Source

__all__ = ["DOMAINS", "read_source"]

DOMAINS = """\
domains (--domain), for sites with d columns:
  unit                     uniform on the unit box [0, 1]^d (default)
  bounds                   uniform on the bounding box of the sites
  box:X1,...,Z1,...        uniform on a box: lower corner, then upper corner (box:X0,Y0,X1,Y1)
  ball:CX,...,R            uniform on a ball: centre, then radius
  normal                   the standard normal distribution
  gaussian:FILE            a normal distribution: npz with mean and cov, or a table of the mean and
                           below it the covariance matrix (d + 1 rows)
  match                    the normal distribution with mean and covariance of the sites
  samples:FILE             the points of a file, equally likely
  grid:FILE                densities on a grid over the unit box: an array with d axes
  regular:N[,CX,CY,R]      a regular polygon of N sides (centre 0,0 and radius 1 if not given)
  polygon:FILE             a convex polygon, one vertex per row
  polygon:X,Y,X,Y,X,Y...   the same, spelt out

files: .npy, .npz, and text with one point per row (.csv and others; commas, semicolons, tabs or
blanks; a header row is recognised). Exit codes: 0 done, 2 bad input, 3 not converged (the map is
written), 4 a process of a distributed run was lost, 130 interrupted.

several processes: torchrun --nproc-per-node=K -m geomot fit ... --method montecarlo"""


def read_source(spec: str, sites: np.ndarray, masses: np.ndarray | None) -> Source:
    """The source of the sites' dimension that --domain asks for."""
    try:
        source = _domain(spec, sites, masses)
    except (BadInput, ValueError, TypeError) as error:
        said = str(error)
        raise BadInput(said if "--domain" in said else f"--domain {spec}: {said}") from None
    if source.dim != sites.shape[1]:
        raise BadInput(
            f"--domain {spec} has {source.dim} dimension(s), and the sites have "
            f"{sites.shape[1]} column(s)"
        )
    return source


def _domain(spec: str, sites: np.ndarray, masses: np.ndarray | None) -> Source:
    kind, _, rest = spec.partition(":")
    d = sites.shape[1]
    if not rest:
        if kind == "unit":
            return geomot.UniformBox.unit(d)
        if kind == "bounds":
            return geomot.UniformBox(sites.min(axis=0), sites.max(axis=0))
        if kind == "normal":
            return geomot.Gaussian(np.zeros(d), 1.0)
        if kind == "match":
            return _matching(sites, masses)
    elif kind == "polygon" and "," not in rest:
        return geomot.UniformPolygon(read_table(rest)[0])
    elif kind == "gaussian":
        return _gaussian(rest, d)
    elif kind == "samples":
        return geomot.Samples(read_table(rest)[0])
    elif kind == "grid":
        return geomot.GridDensity(read_table(rest)[0])
    try:
        numbers = [float(part) for part in rest.split(",")] if rest else []
    except ValueError:
        raise BadInput(f"--domain: not a list of numbers: {rest!r}") from None
    wanted = {"box": 2 * d, "ball": d + 1}.get(kind)
    if numbers and wanted is not None and len(numbers) != wanted:
        raise BadInput(
            f"--domain {kind} must have {wanted} numbers for sites with {d} column(s), "
            f"got {len(numbers)}"
        )
    if numbers and kind == "box":
        return geomot.UniformBox(numbers[:d], numbers[d:])
    if numbers and kind == "ball":
        return geomot.UniformBall(numbers[:d], numbers[d])
    if kind == "regular" and len(numbers) in (1, 4) and numbers[0].is_integer():
        n, *circle = numbers
        x, y, radius = circle or (0.0, 0.0, 1.0)
        return geomot.UniformPolygon.regular(int(n), (x, y), radius)
    if kind == "polygon" and numbers and len(numbers) % 2 == 0:
        return geomot.UniformPolygon(np.reshape(numbers, (-1, 2)))
    raise BadInput(
        "--domain must be unit, bounds, box:..., ball:..., normal, gaussian:FILE, match, "
        "samples:FILE, grid:FILE, regular:N[,CX,CY,R], polygon:FILE or polygon:X,Y,..., "
        f"got {spec!r}"
    )


def _matching(sites: np.ndarray, masses: np.ndarray | None) -> Source:
    """The normal measure with the moments of the sites."""
    weights = as_masses(masses, len(sites), "masses", normalize=True)
    points = as_points(sites, "sites")
    mean = weights @ points
    centred = points - mean
    covariance = (centred * weights[:, None]).T @ centred
    # What rounding leaves of a column of equal numbers is no variance.
    flat = np.sqrt(np.diag(covariance)) <= 1e-13 * np.abs(points).max(axis=0)
    try:
        if flat.any():
            raise ValueError
        return geomot.Gaussian(mean, covariance)
    except ValueError:
        raise BadInput(
            "the sites must vary in all directions, and these span less than "
            f"{points.shape[1]} dimension(s)"
        ) from None


def _gaussian(path: str, d: int) -> Source:
    if Path(path).suffix.lower() == ".npz":
        return geomot.Gaussian(*(read_table(path, name)[0] for name in ("mean", "cov")))
    table, _ = read_table(path)
    if table.shape != (d + 1, d):
        raise BadInput(
            f"{path}: must hold the mean and below it the covariance matrix, shape {(d + 1, d)} "
            f"for sites with {d} column(s), got {table.shape}"
        )
    return geomot.Gaussian(table[0], table[1:])
