"""The source measures that --domain names."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import geomot
from geomot._moments import weighted_moments
from geomot._validation import as_masses, as_points
from geomot.cli._files import kind_of
from geomot.cli._meshes import read_mesh
from geomot.cli._shared import BadInput
from geomot.cli._tables import read_table

if TYPE_CHECKING:
    from geomot.sources import Source

__all__ = ["DOMAINS", "domain_file", "read_source", "warn_if_outside"]

DOMAINS = """\
domains (--domain), for sites with d columns:
  unit                     uniform on the unit box [0, 1]^d (default)
  bounds                   uniform on the bounding box of the sites
  hull                     uniform on the convex hull of the sites (up to 3 columns)
  box:X1,...,Z1,...        uniform on a box: lower corner, then upper corner (box:X0,Y0,X1,Y1)
  torus:X0,Y0,X1,Y1        uniform on a box whose opposite sides are joined, also in space;
                           torus alone: [0, 1]^d
  torus:FILE               the same with a density on a grid, as grid:FILE
  ball:CX,...,R            uniform on a ball: centre, then radius
  ellipse:CX,CY,A,B[,DEG]  uniform within an ellipse: centre, half axes, turned by so many degrees
  normal                   the standard normal distribution
  gaussian:FILE            a normal distribution: npz with mean and cov, or a table of the mean and
                           below it the covariance matrix (d + 1 rows)
  match                    the normal distribution with mean and covariance of the sites
  samples:FILE             the points in a file, equally likely
  grid:FILE                a density on a grid over the unit box (pixels, voxels): an array with d
                           axes
  mesh:FILE                a density that is linear on triangles or tetrahedra: npz with the arrays
                           points, simplices and values, or any format of meshio
  regular:N[,CX,CY,R]      uniform on a regular polygon of N sides (default: centre 0,0, radius 1)
  polygon:FILE             uniform on a polygon of any shape, one vertex per row; a .geojson or
                           .json file may hold several polygons, with holes
  polygon:X,Y,X,Y,X,Y...   a polygon, its vertices given directly

files: .npy, .npz, and text with one point per row (columns separated by commas, semicolons, tabs
or blanks; UTF-8 or UTF-16; also gzipped). Column names in the first row are recognized. Text and an
index (row numbers) are refused: choose columns with --columns, or leave some out with --drop.

examples:
  geomot fit points.csv -o map.npz
  geomot fit airports.csv --columns lon,lat --masses passengers --normalize --domain hull -o map.npz
  geomot fit staedte.csv --decimal , --drop name --domain bounds -o map.npz
  geomot fit data.npz --array coords --masses population --normalize --domain match -o map.npz

exit codes: 0 done, 2 bad input, 3 not converged (the map is written), 4 a process of a distributed
run was lost, 130 interrupted

several processes: torchrun --nproc-per-node=K -m geomot fit ... --method montecarlo"""

# Kinds that a file may follow.
_FROM_FILE = ("gaussian", "samples", "grid", "torus", "mesh", "polygon", "polyhedron")

# The sites are probably not meant for their domain if fewer than this share lie in it.
_FEW_INSIDE = 0.1

# Deviation of a column of equal numbers, as a share of their size: what rounding leaves.
_NO_SPREAD = 1e-13


def domain_file(spec: str) -> str | None:
    """The file that --domain names, if it names one."""
    kind, _, rest = spec.partition(":")
    return rest if kind in _FROM_FILE and Path(rest).is_file() else None


def warn_if_outside(spec: str, source: Source, sites: np.ndarray) -> None:
    """Warn where hardly a site lies in the bounding box of the domain."""
    if not np.isfinite(sites).all() or source.periodic_domain is not None:
        return  # refused by the solver; on a torus all places are inside
    low, high = source.bounds
    outside = int(((sites < low) | (sites > high)).any(axis=1).sum())
    if len(sites) - outside >= _FEW_INSIDE * len(sites):
        return
    which = f"all {outside}" if outside == len(sites) else f"{outside} of {len(sites)}"
    warnings.warn(
        f"{which} sites lie outside the domain ({spec}): --domain bounds takes their bounding box",
        stacklevel=2,
    )


def read_source(
    spec: str, sites: np.ndarray, masses: np.ndarray | None, decimal: str = "."
) -> Source:
    """The source of the sites' dimension that --domain asks for."""
    try:
        source = _domain(spec, sites, masses, decimal)
    except (BadInput, ValueError, TypeError) as error:
        said = str(error)
        raise BadInput(said if "--domain" in said else f"--domain {spec}: {said}") from None
    if source.dim != sites.shape[1]:
        raise BadInput(
            f"--domain {spec} has {source.dim} dimension(s), and the sites have "
            f"{sites.shape[1]} column(s)"
        )
    return source


def _domain(spec: str, sites: np.ndarray, masses: np.ndarray | None, decimal: str) -> Source:
    kind, _, rest = spec.partition(":")
    d = sites.shape[1]
    if not rest:
        if kind == "unit":
            return geomot.UniformBox.unit(d)
        if kind == "torus":
            return geomot.UniformBox(np.zeros(d), np.ones(d), periodic=True)
        if kind == "bounds":
            return geomot.UniformBox(sites.min(axis=0), sites.max(axis=0))
        if kind == "hull":
            return _hull(sites)
        if kind == "normal":
            return geomot.Gaussian(np.zeros(d), 1.0)
        if kind == "match":
            return _matching(sites, masses)
    elif kind == "polygon" and "," not in rest:
        return geomot.UniformPolygon(_polygon(rest, decimal))
    elif kind == "gaussian":
        return _gaussian(rest, d, decimal)
    elif kind == "samples":
        return geomot.Samples(read_table(rest, decimal=decimal))
    elif kind == "polyhedron":
        return geomot.UniformPolyhedron(read_table(rest, decimal=decimal))
    elif kind == "grid" or (kind == "torus" and "," not in rest):
        values = read_table(rest, decimal=decimal)
        return geomot.GridDensity(values, periodic=kind == "torus")
    elif kind == "mesh":
        return read_mesh(rest)
    try:
        numbers = [float(part) for part in rest.split(",")] if rest else []
    except ValueError:
        raise BadInput(f"--domain: not a list of numbers: {rest!r}") from None
    wanted = {"box": 2 * d, "torus": 2 * d, "ball": d + 1}.get(kind)
    if numbers and wanted is not None and len(numbers) != wanted:
        raise BadInput(
            f"--domain {kind} must have {wanted} numbers for sites with {d} column(s), "
            f"got {len(numbers)}"
        )
    if numbers and kind == "box":
        return geomot.UniformBox(numbers[:d], numbers[d:])
    if numbers and kind == "torus":
        return geomot.UniformBox(numbers[:d], numbers[d:], periodic=True)
    if numbers and kind == "ball":
        return geomot.UniformBall(numbers[:d], numbers[d])
    if kind == "ellipse" and len(numbers) in (4, 5):
        return _ellipse(*numbers)
    if kind == "regular" and len(numbers) in (1, 4) and numbers[0].is_integer():
        n, *circle = numbers
        x, y, radius = circle or (0.0, 0.0, 1.0)
        return geomot.UniformPolygon.regular(int(n), (x, y), radius)
    if kind == "polygon" and numbers and len(numbers) % 2 == 0:
        return geomot.UniformPolygon(np.reshape(numbers, (-1, 2)))
    raise BadInput(
        "--domain must be unit, bounds, hull, box:..., torus:..., torus:FILE, ball:..., "
        "ellipse:..., normal, gaussian:FILE, match, samples:FILE, grid:FILE, mesh:FILE, "
        "regular:N[,CX,CY,R], polygon:FILE, polygon:X,Y,... or "
        f"polyhedron:FILE, got {spec!r}"
    )


def _polygon(path: str, decimal: str) -> Any:
    """The vertices of a polygon, or a geometry of GeoJSON."""
    if Path(path).suffix.lower() not in (".json", ".geojson"):
        return read_table(path, decimal=decimal)
    try:
        with open(path, encoding="utf-8") as file:
            geometry = json.load(file)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise BadInput(f"{path} is not a GeoJSON file") from None
    if not isinstance(geometry, dict):
        raise BadInput(f"{path} is not a GeoJSON file")
    return geometry


def _ellipse(x: float, y: float, a: float, b: float, degrees: float = 0.0) -> Source:
    """The uniform measure within an ellipse of given half axes."""
    if not (a > 0.0 and b > 0.0):
        raise BadInput(f"--domain ellipse must have positive half axes, got {a:g} and {b:g}")
    if degrees == 0.0:
        return geomot.UniformEllipsoid([x, y], [a * a, b * b])
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    axes = np.array([[c, -s], [s, c]])
    return geomot.UniformEllipsoid([x, y], axes @ np.diag([a * a, b * b]) @ axes.T)


def _hull(sites: np.ndarray) -> Source:
    """The uniform measure on the convex hull of the sites."""
    points = as_points(sites, "sites")
    if points.shape[1] == 1:
        return geomot.UniformBox(points.min(axis=0), points.max(axis=0))
    if points.shape[1] > 3:
        raise BadInput(
            f"--domain hull needs sites with up to 3 columns, got {points.shape[1]}: --domain "
            "bounds works with any number"
        )
    solid = points.shape[1] == 3
    try:
        return geomot.UniformPolyhedron(points) if solid else geomot.UniformPolygon.hull(points)
    except ValueError:
        raise BadInput(
            "--domain hull needs sites that do not all lie "
            + ("in one plane" if solid else "on one line")
        ) from None


def _matching(sites: np.ndarray, masses: np.ndarray | None) -> Source:
    """The normal measure with the moments of the sites."""
    weights = as_masses(masses, len(sites), "masses", normalize=True)
    points = as_points(sites, "sites")
    mean, covariance = weighted_moments(points, weights)
    flat = np.sqrt(np.diag(covariance)) <= _NO_SPREAD * np.abs(points).max(axis=0)
    try:
        if flat.any():
            raise ValueError
        return geomot.Gaussian(mean, covariance)
    except ValueError:
        raise BadInput(
            "the sites must vary in all directions, and these span less than "
            f"{points.shape[1]} dimension(s)"
        ) from None


def _gaussian(path: str, d: int, decimal: str) -> Source:
    if kind_of(path) == "npz":
        return geomot.Gaussian(*(read_table(path, name) for name in ("mean", "cov")))
    table = read_table(path, decimal=decimal)
    if table.shape != (d + 1, d):
        raise BadInput(
            f"{path}: must hold the mean and below it the covariance matrix, shape {(d + 1, d)} "
            f"for sites with {d} column(s), got {table.shape}"
        )
    return geomot.Gaussian(table[0], table[1:])
