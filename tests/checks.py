"""What holds for every diagram and every solution, checked wherever a test makes one."""

from __future__ import annotations

import contextlib
import warnings
from fractions import Fraction
from math import fsum

import numpy as np
from oracles import UNIT_SQUARE, ExactDiagram, upper_bound

import geomot

STATUSES = {"converged", "max_iter", "precision", "stopped"}
# Solutions of up to this many sites are computed again by the oracle.
EXACT_UP_TO = 400
# A mass of size 1/N is a double: relative errors below this are rounding, in both computations.
ROUNDING = 2e-15
# Cells are good to 1e-12 of themselves: a claimed error far below that is rounding too.
CELL_ROUNDING = 1e-13


@contextlib.contextmanager
def unchanged(*inputs):
    """Assert that the arrays among the inputs keep their bytes."""
    arrays = [a for a in inputs if isinstance(a, np.ndarray)]
    before = [a.tobytes() for a in arrays]
    yield
    assert [a.tobytes() for a in arrays] == before, "an input array was changed"


def build(sites, weights=None, source=None, **keywords):
    """A checked diagram.

    Parameters
    ----------
    sites, weights, source, **keywords
        As for `geomot.PowerDiagram`.

    Returns
    -------
    PowerDiagram
    """
    with unchanged(sites, weights, source):
        diagram = geomot.PowerDiagram(sites, weights, source, **keywords)
        check_diagram(diagram)
    return diagram


def check_diagram(diagram, *, underflow=False) -> None:
    """The rules that hold for any sites, weights and convex domain.

    Parameters
    ----------
    diagram : PowerDiagram
    underflow : bool
        Allow the measures of a cell that is not empty to be rounded to 0.
    """
    n = len(diagram.sites)
    masses, empty = diagram.masses, diagram.empty
    assert masses.shape == (n,) and diagram.costs.shape == (n,) and empty.shape == (n,)
    assert empty.dtype == bool
    assert diagram.centroids.shape == (n, 2)
    assert np.isfinite(masses).all() and np.isfinite(diagram.costs).all()
    assert (masses >= 0).all() and (diagram.costs >= 0).all()
    assert (masses[empty] == 0).all() and (diagram.costs[empty] == 0).all()
    if not underflow:
        assert (masses[~empty] > 0).all()
    assert np.isnan(diagram.centroids[empty]).all()
    assert np.isfinite(diagram.centroids[~empty]).all()
    assert abs(fsum(masses) - 1) <= 1e-12
    lower, upper = diagram.source.bounds
    reach = 4 * np.finfo(float).eps * np.maximum(np.abs(lower), np.abs(upper))
    inside = diagram.centroids[~empty]
    assert (inside >= lower - reach).all() and (inside <= upper + reach).all()

    pairs, measures = diagram.facets.sites, diagram.facets.measures
    assert pairs.shape == (len(measures), 2)
    assert np.isfinite(measures).all() and (measures > 0).all()
    assert (pairs[:, 0] < pairs[:, 1]).all() and (pairs >= 0).all() and (pairs < n).all()
    order = pairs[:, 0] * n + pairs[:, 1]
    assert (np.diff(order) > 0).all(), "facets are sorted and unique"
    assert not empty[pairs].any(), "an empty cell has no facet"
    check_cells(diagram)
    check_hessian(diagram)


def check_cells(diagram) -> None:
    """Polygons: counter-clockwise, with the reported areas, corners and neighbours shared."""
    n, cells = len(diagram.sites), diagram.cells
    vertices, offsets, labels = cells.vertices, cells.offsets, cells.labels
    assert len(cells) == n and offsets.shape == (n + 1,)
    assert offsets[0] == 0 and offsets[-1] == len(vertices) == len(labels)
    np.testing.assert_array_equal(diagram.vertices[cells.indices], vertices)
    assert len(np.unique(diagram.vertices, axis=0)) == len(diagram.vertices), "each corner once"
    assert len(np.unique(cells.indices)) == len(diagram.vertices), "no corner without a cell"
    count = np.diff(offsets)
    assert (count[diagram.empty] == 0).all()
    assert ((count >= 3) | (count == 0)).all()
    assert np.isfinite(vertices).all()
    if not len(vertices):
        return
    cell = np.repeat(np.arange(n), count)
    follower = np.arange(1, len(vertices) + 1)
    follower[offsets[1:][count > 0] - 1] = offsets[:-1][count > 0]
    origin = vertices[offsets[:-1][cell]]
    p, q = vertices - origin, vertices[follower] - origin
    area = 0.5 * np.bincount(cell, p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0], minlength=n)
    span = float(np.ptp(vertices, axis=0).max())
    # A vertex is a rounded point: its last place limits what its polygon can say.
    rounding = 16 * np.finfo(float).eps * float(np.abs(vertices).max()) * span
    error = np.abs(area - diagram.masses * diagram.source.area)
    assert (error <= rounding + 1e-12 * diagram.source.area).all(), "no cell without a polygon"
    assert (area >= -rounding).all()

    m = len(diagram.source.polygon)
    assert (labels < n).all() and (labels >= -m).all() and (labels != cell).all()
    length = np.hypot(*(q - p).T)
    assert not diagram.empty[labels[(labels >= 0) & (length > 1e-9 * span)]].any()
    # A neighbour too thin for doubles has no edges of its own.
    shared = (labels >= 0) & (count[np.maximum(labels, 0)] > 0)
    mine, other, length = cell[shared], labels[shared], length[shared]
    key = np.minimum(mine, other) * n + np.maximum(mine, other)
    side = np.where(mine < other, 1.0, -1.0)
    unique, index = np.unique(key, return_inverse=True)
    difference = np.bincount(index, side * length, minlength=len(unique))
    limit = 64 * np.finfo(float).eps * float(np.abs(vertices).max()) + 1e-11 * span
    assert (np.abs(difference) <= limit).all(), "neighbours see edges of different length"


def check_hessian(diagram) -> None:
    """Symmetric, rows sum to 0, nothing at empty cells, signs of a Laplacian."""
    n = len(diagram.sites)
    h = diagram.hessian().tocsr()
    assert h.shape == (n, n)
    assert np.isfinite(h.data).all()
    diagonal = h.diagonal()
    size = float(np.abs(diagonal).max(initial=0.0))
    assert (diagonal >= 0).all() and (diagonal[diagram.empty] == 0).all()
    skew = abs(h - h.T)
    assert skew.nnz == 0 or skew.max() <= 1e-13 * size
    rows = np.asarray(h.sum(axis=1)).ravel()
    assert (np.abs(rows) <= 1e-13 * np.maximum(diagonal, np.finfo(float).tiny)).all()
    off = h.copy()
    off.setdiag(0)
    off.eliminate_zeros()
    assert (off.data < 0).all()
    assert off.nnz == 2 * len(diagram.facets.measures)


def diagram_bits(diagram) -> list[bytes]:
    """The bits of what a diagram computes."""
    parts = [diagram.masses, diagram.centroids, diagram.costs, diagram.facets.sites]
    parts += [diagram.facets.measures, diagram.cells.vertices]
    return [np.ascontiguousarray(p).tobytes() for p in parts]


def compare(diagram, exact, *, tiny=1e-9) -> None:
    """Assert that a diagram agrees with the oracle.

    Parameters
    ----------
    diagram : PowerDiagram
    exact : ExactDiagram
    tiny : float
        Relative tolerance for cells between 1e-12 of the domain and 1e-6 of the mean.
    """
    problems = disagreements(diagram, exact, tiny=tiny)
    assert not problems, "\n".join(problems)


def disagreements(diagram, exact, *, tiny=1e-9) -> list[str]:
    """Where a diagram (or the bare compiled one) differs from the oracle, in words.

    Parameters
    ----------
    diagram : PowerDiagram or PlaneDiagram
    exact : ExactDiagram
    tiny : float

    Returns
    -------
    list of str
    """
    found = []
    if not np.array_equal(diagram.empty, exact.empty):
        wrong = np.flatnonzero(diagram.empty != exact.empty).tolist()
        found.append(
            f"emptiness of {wrong}: {diagram.empty[wrong]} exact areas {exact.areas[wrong]}"
        )
        return found
    n = exact.n
    polygon = exact.polygon
    diameter = float(np.hypot(*np.ptp(polygon, axis=0)))
    # Coordinates far from 0 are themselves rounded to this.
    place = float(np.spacing(np.abs(polygon).max()))
    error = np.abs(diagram.masses - exact.masses)
    big = exact.masses >= 1e-6 / n
    small = ~big & (exact.masses >= 1e-12)
    rest = ~big & ~small
    for name, which, limit in (
        ("area", big, 1e-12 * exact.masses),
        ("small area", small, tiny * exact.masses),
        ("tiny area", rest, np.full(n, 1e-15)),
    ):
        bad = which & (error > limit)
        if bad.any():
            i = int(np.argmax(np.where(bad, error / np.maximum(exact.masses, 1e-300), -1)))
            found.append(
                f"{name} of {i}: {diagram.masses[i]!r} exact {exact.masses[i]!r} "
                f"relative {error[i] / max(exact.masses[i], 1e-300):.2e}"
            )
    if abs(fsum(diagram.masses) - 1) > 1e-12:
        found.append(f"sum of masses {fsum(diagram.masses)!r}")
    if not ((diagram.masses >= 0).all() and np.isfinite(diagram.masses).all()):
        found.append("a mass is negative or not finite")
    if (diagram.masses[diagram.empty] != 0).any():
        found.append("an empty cell has a mass")

    if not ((diagram.costs >= 0).all() and np.isfinite(diagram.costs).all()):
        found.append("a cost is negative or not finite")
    alive = ~exact.empty
    if not np.isnan(diagram.centroids[~alive]).all():
        found.append("an empty cell has a centroid")
    off = np.maximum(
        polygon.min(axis=0) - diagram.centroids, diagram.centroids - polygon.max(axis=0)
    )
    if not (off[alive] <= 1e-12 * diameter + 2 * place).all():
        found.append("a centroid is not finite or outside the domain's bounds")
    error = np.abs(diagram.costs - exact.costs)
    if not abs(fsum(diagram.costs) - fsum(exact.costs)) <= 1e-12 * fsum(exact.costs):
        found.append(f"sum of costs {fsum(diagram.costs)!r} exact {fsum(exact.costs)!r}")
    bad = (big & (error > 1e-11 * exact.costs)) | (small & (error > tiny * exact.costs))
    if bad.any():
        i = int(np.argmax(np.where(bad, error / np.maximum(exact.costs, 1e-300), -1)))
        found.append(f"cost of {i}: {diagram.costs[i]!r} exact {exact.costs[i]!r}")

    shift = np.abs(diagram.centroids - exact.centroids).max(axis=1)
    bad = (big | small) & ~(shift <= 1e-12 * diameter + 2 * place)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        found.append(
            f"centroid of {i}: {diagram.centroids[i]} exact {exact.centroids[i]} mass "
            f"{exact.masses[i]:.2e}"
        )

    facets = getattr(diagram, "facets", diagram)
    pairs = getattr(facets, "facet_sites", None)
    pairs = facets.sites if pairs is None else pairs
    measures = getattr(facets, "facet_measures", None)
    measures = facets.measures if measures is None else measures
    got = dict(zip(map(tuple, pairs.tolist()), measures.tolist(), strict=True))
    if len(got) != len(measures) or list(got) != sorted(got):
        found.append("facets are not unique and sorted")
    for key, measure in got.items():
        if key not in exact.facets:
            found.append(f"facet {key} of measure {measure!r} is not there")
        elif not measure > 0:
            found.append(f"facet {key} has measure {measure!r}")
    for key, length in exact.facets.items():
        if key not in got:
            found.append(f"facet {key} of length {length!r} is missing")
            continue
        error = abs(got[key] * exact.area - length)
        if error > min(1e-9 * length, 1e-12 * length + 1e-13 * diameter + 4 * place):
            found.append(
                f"facet {key}: length {got[key] * exact.area!r} exact {length!r} error {error:.1e}"
            )
    return found


def solve(sites, target_masses=None, source=None, **keywords):
    """A checked solution; the oracle computes its claims again.

    Parameters
    ----------
    sites, target_masses, source, **keywords
        As for `geomot.solve`. A source that is not None is an array of vertices.

    Returns
    -------
    Solution
    """
    tol = keywords.get("tol")
    with unchanged(sites, target_masses, source, keywords.get("initial_weights")):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            solution = geomot.solve(sites, target_masses, source, **keywords)
        polygon = UNIT_SQUARE if source is None else source
        check_solution(solution, polygon, 1e-9 if tol is None else tol)
    said = [w for w in caught if issubclass(w.category, geomot.ConvergenceWarning)]
    assert len(said) == (0 if solution.converged else 1)
    assert len(said) == len(caught), [str(w.message) for w in caught]
    return solution


def check_heights(solution) -> None:
    """h_i = (w_i - |y_i|^2) / 2, of the pair, whatever cancels."""
    rows = zip(solution.weights_exact.tolist(), solution.sites.tolist(), strict=True)
    exact = [
        float((Fraction(hi) + Fraction(lo) - Fraction(x) ** 2 - Fraction(y) ** 2) / 2)
        for (hi, lo), (x, y) in rows
    ]
    np.testing.assert_allclose(solution.heights, exact, rtol=1e-12)


def check_solution(solution, polygon, tol) -> None:
    """The claims of a solution, computed again.

    Parameters
    ----------
    solution : Solution
    polygon : (m, 2) array
        The domain: convex, counter-clockwise.
    tol : float
        The tolerance asked for.
    """
    s = solution
    n = len(s.sites)
    assert s.status in STATUSES
    assert s.converged == (s.status == "converged")
    for name in ("weights", "weights_exact", "heights", "target_masses", "masses", "bracket"):
        assert np.isfinite(np.asarray(getattr(s, name))).all(), name
    for name in ("mass_error", "rounded_mass_error", "cost", "dual_value"):
        assert np.isfinite(getattr(s, name)), name
    for name in s.history.dtype.names:
        assert np.isfinite(s.history[name]).all(), name
    assert s.weights_exact.shape == (n, 2)
    np.testing.assert_array_equal(s.weights, s.weights_exact[:, 0])
    np.testing.assert_array_equal(s.weights_exact.sum(axis=1), s.weights)
    check_heights(s)
    assert (s.masses >= 0).all()
    assert abs(fsum(s.masses) - 1) <= 1e-12
    assert abs(fsum(s.target_masses) - 1) <= 1e-12
    lower, upper = s.bracket
    assert lower <= s.cost <= upper
    if s.converged:
        assert s.mass_error <= tol
    if n > EXACT_UP_TO:
        return

    exact = ExactDiagram(s.sites, s.weights_exact, polygon)
    error = exact.mass_error(s.target_masses)
    if s.converged:
        assert error <= 1.01 * tol + ROUNDING, (error, s.mass_error)
    assert s.mass_error <= 2 * error + CELL_ROUNDING, (error, s.mass_error)
    assert error <= 2 * s.mass_error + CELL_ROUNDING, (error, s.mass_error)
    rounded = ExactDiagram(s.sites, s.weights, polygon).mass_error(s.target_masses)
    assert s.rounded_mass_error <= 2 * rounded + CELL_ROUNDING, (rounded, s.rounded_mass_error)
    assert rounded <= 2 * s.rounded_mass_error + CELL_ROUNDING, (rounded, s.rounded_mass_error)
    mine, theirs = exact.by_location(s.masses), exact.by_location(exact.masses)
    np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-21)

    # Any weights bound W2^2 from below, any plan from above.
    dual = exact.kantorovich(s.target_masses)
    plan = upper_bound(s.sites, exact.masses, exact.costs, s.target_masses, polygon)
    scale = abs(dual) + float(np.abs(np.asarray(polygon)).max()) ** 2
    slack = 1e-14 * scale + 1e-15 * float(np.abs(s.weights).max())
    assert abs(s.dual_value - dual) <= 100 * slack
    assert lower <= plan + slack and dual <= upper + slack
    assert lower <= upper
