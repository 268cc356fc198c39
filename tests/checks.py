"""What holds for every diagram and every solution, checked wherever a test or a fuzz makes one."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from fractions import Fraction
from math import fsum

import numpy as np
from oracles import UNIT_SQUARE, ExactDiagram, upper_bound

import geomot

STATUSES = {"converged", "max_iter", "precision", "stopped"}
# Solutions of up to this many sites are computed again by the oracle.
EXACT_UP_TO = 400
# Diagrams of up to this many sites are made again with a constant added to all weights.
SHIFT_UP_TO = 1000
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
        validate(diagram)
    return diagram


def validate(result, **options) -> None:
    """Assert that a diagram or a solution obeys every rule of its kind.

    Parameters
    ----------
    result : PowerDiagram or Solution
        A diagram of the plane, or a solution of any kind.
    **options
        As for `diagram_faults`.
    """
    rules = solution_faults if isinstance(result, geomot.Solution) else diagram_faults
    faults = list(rules(result, **options))
    assert not faults, "\n".join(faults)


def diagram_faults(diagram, *, underflow=False) -> Iterator[str]:
    """Rules that a diagram breaks, whatever its sites, weights and convex domain are, in words.

    Parameters
    ----------
    diagram : PowerDiagram
    underflow : bool
        Allow the measures of a cell that is not empty to be rounded to 0.

    Yields
    ------
    str
    """
    n = len(diagram.sites)
    masses, costs, empty = diagram.masses, diagram.costs, diagram.empty
    if not masses.shape == costs.shape == empty.shape == (n,) or empty.dtype != bool:
        yield f"masses {masses.shape}, costs {costs.shape}, empty {empty.dtype} {empty.shape}"
        return
    if not (np.isfinite(masses).all() and (masses >= 0).all()):
        yield "a mass is negative or not finite"
    if not (np.isfinite(costs).all() and (costs >= 0).all()):
        yield "a cost is negative or not finite"
    if masses[empty].any() or costs[empty].any():
        yield "an empty cell has a mass or a cost"
    if not underflow and not masses[~empty].all():
        yield "a cell that is not empty has no mass"
    if not abs(fsum(masses) - 1) <= 1e-12:
        yield f"masses sum to 1 + {fsum(masses) - 1:.3g}"
    if diagram.centroids.shape != (n, 2) or not np.isnan(diagram.centroids[empty]).all():
        yield "an empty cell has a centroid"
    lower, upper = diagram.source.bounds
    reach = 4 * np.finfo(float).eps * np.maximum(np.abs(lower), np.abs(upper))
    inside = diagram.centroids[~empty]
    if not ((inside >= lower - reach).all() and (inside <= upper + reach).all()):
        yield "a centroid is not finite or outside the domain's bounds"

    pairs, measures = diagram.facets.sites, diagram.facets.measures
    if pairs.shape != (len(measures), 2):
        yield f"{len(pairs)} facets with {len(measures)} measures"
        return
    if not (np.isfinite(measures).all() and (measures > 0).all()):
        yield "the measure of a facet is not positive and finite"
    if not ((pairs[:, 0] < pairs[:, 1]).all() and (pairs >= 0).all() and (pairs < n).all()):
        yield "a facet does not name two sites, the lower one first"
        return
    if not (np.diff(pairs[:, 0] * n + pairs[:, 1]) > 0).all():
        yield "facets are not sorted and unique"
    if empty[pairs].any():
        yield "an empty cell has a facet"
    yield from _cell_faults(diagram)
    yield from _hessian_faults(diagram)
    yield from _shift_faults(diagram)


def _cell_faults(diagram) -> Iterator[str]:
    """Polygons: counter-clockwise, with the reported areas, corners and neighbours shared."""
    n, cells = len(diagram.sites), diagram.cells
    vertices, offsets, labels = cells.vertices, cells.offsets, cells.labels
    if len(cells) != n or offsets.shape != (n + 1,) or offsets[0] != 0:
        yield "cells: offsets do not fit the sites"
        return
    if not offsets[-1] == len(vertices) == len(labels):
        yield "cells: offsets do not fit the corners"
        return
    if not np.array_equal(diagram.vertices[cells.indices], vertices):
        yield "cells: indices do not give the corners"
    corners = len(diagram.vertices)
    if len(np.unique(diagram.vertices, axis=0)) != corners:
        yield "a corner is there twice"
    if len(np.unique(cells.indices)) != corners:
        yield "a corner has no cell"
    count = np.diff(offsets)
    if count[diagram.empty].any():
        yield "an empty cell has corners"
    if not ((count >= 3) | (count == 0)).all():
        yield "a cell has one or two corners"
        return
    if not np.isfinite(vertices).all():
        yield "a corner is not finite"
        return
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
    if not (error <= rounding + 1e-12 * diagram.source.area).all():
        k = int(np.argmax(error))
        yield f"the polygon of cell {k} has area {area[k]!r}, off by {error[k]:.3g}"
    if not (area >= -rounding).all():
        yield "a polygon is clockwise"

    m = len(diagram.source.polygon)
    if not ((labels < n).all() and (labels >= -m).all() and (labels != cell).all()):
        yield "a label names neither another site nor an edge of the domain"
        return
    length = np.hypot(*(q - p).T)
    if diagram.empty[labels[(labels >= 0) & (length > 1e-9 * span)]].any():
        yield "across an edge lies an empty cell"
    # A neighbour too thin for doubles has no edges of its own.
    shared = (labels >= 0) & (count[np.maximum(labels, 0)] > 0)
    mine, other, length = cell[shared], labels[shared], length[shared]
    key = np.minimum(mine, other) * n + np.maximum(mine, other)
    side = np.where(mine < other, 1.0, -1.0)
    unique, index = np.unique(key, return_inverse=True)
    difference = np.bincount(index, side * length, minlength=len(unique))
    limit = 64 * np.finfo(float).eps * float(np.abs(vertices).max()) + 1e-11 * span
    if not (np.abs(difference) <= limit).all():
        yield "neighbours see edges of different length"


def _hessian_faults(diagram) -> Iterator[str]:
    """Symmetric, rows sum to 0, nothing at empty cells, signs of a Laplacian."""
    n = len(diagram.sites)
    h = diagram.hessian().tocsr()
    if h.shape != (n, n) or not np.isfinite(h.data).all():
        yield f"the Hessian has shape {h.shape}, or is not finite"
        return
    diagonal = h.diagonal()
    size = float(np.abs(diagonal).max(initial=0.0))
    if not (diagonal >= 0).all() or diagonal[diagram.empty].any():
        yield "the Hessian's diagonal is negative, or not 0 at an empty cell"
    skew = abs(h - h.T)
    if skew.nnz and not skew.max() <= 1e-13 * size:
        yield f"the Hessian is not symmetric: {skew.max():.3g} of {size:.3g}"
    rows = np.asarray(h.sum(axis=1)).ravel()
    if not (np.abs(rows) <= 1e-13 * np.maximum(diagonal, np.finfo(float).tiny)).all():
        yield "the Hessian's rows do not sum to 0"
    off = h.copy()
    off.setdiag(0)
    off.eliminate_zeros()
    if not (off.data < 0).all() or off.nnz != 2 * len(diagram.facets.measures):
        yield "the Hessian has a positive entry, or not two entries for each facet"


def mass_differences(sites, weights, source=None, *, partial=False):
    """The derivative of the masses in the weights, (n, n), by central differences."""
    h = 1e-6
    columns = []
    for e in h * np.eye(len(weights)):
        up, down = (
            geomot.PowerDiagram(sites, weights + sign * e, source, partial=partial).masses
            for sign in (1.0, -1.0)
        )
        columns.append((up - down) / (2 * h))
    return np.array(columns).T


def _shift_faults(diagram) -> Iterator[str]:
    """The same diagram with a constant added to all weights, where that is exact."""
    if len(diagram.sites) > SHIFT_UP_TO:
        return
    high, low = diagram.weights_exact.T
    lower, upper = diagram.source.bounds
    # As large as what weights do in this domain: a power of two.
    constant = 2.0 ** np.round(2 * np.log2(float((upper - lower).max())))
    total, error = _two_sum(high, constant)
    rest, lost = _two_sum(error, low)
    total, rest = _two_sum(total, rest)
    if lost.any():
        return
    moved = geomot.PowerDiagram(diagram.sites, np.column_stack([total, rest]), diagram.source)
    if not np.array_equal(moved.empty, diagram.empty):
        yield "a constant added to all weights empties or fills a cell"
    if not np.allclose(moved.masses, diagram.masses, rtol=1e-9, atol=1e-15):
        yield "a constant added to all weights changes masses"
    if not np.array_equal(moved.facets.sites, diagram.facets.sites):
        yield "a constant added to all weights changes neighbours"


def _two_sum(a, b):
    """Sum and rounding error."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


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

    pairs, measures = diagram.facets.sites, diagram.facets.measures
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
            # said, so that sites outside are meant
            domain = geomot.UniformBox.unit(2) if source is None else source
            solution = geomot.solve(sites, target_masses, domain, **keywords)
        polygon = UNIT_SQUARE if source is None else source
        check_solution(solution, polygon, 1e-9 if tol is None else tol)
    said = [w for w in caught if issubclass(w.category, geomot.ConvergenceWarning)]
    assert len(said) == (0 if solution.converged else 1)
    assert len(said) == len(caught), [str(w.message) for w in caught]
    return solution


def solution_faults(solution) -> Iterator[str]:
    """Rules that a solution of any method breaks, in words; nothing is computed again.

    Parameters
    ----------
    solution : Solution

    Yields
    ------
    str
    """
    s = solution
    if s.status not in STATUSES or s.converged != (s.status == "converged"):
        yield f"status {s.status!r}, converged {s.converged}"
    numbers = (s.cost, s.dual_value, s.mass_error, *s.bracket)
    if not np.isfinite(numbers).all():
        yield f"not finite: cost, dual value, mass_error or bracket {numbers}"
    for name in ("weights", "weights_exact", "heights", "target_masses", "masses"):
        if not np.isfinite(getattr(s, name)).all():
            yield f"not finite: {name}"
    for name in s.history.dtype.names:
        if not np.isfinite(s.history[name]).all():
            yield f"not finite: {name} of the history"
    if s.weights_exact.shape != (len(s.sites), 2):
        yield f"weights_exact of shape {s.weights_exact.shape}"
    if not (s.weights_exact[:, 0] == s.weights).all():
        yield "weights are not the high parts of weights_exact"
    if not (s.weights_exact.sum(axis=1) == s.weights).all():
        yield "low parts of weights_exact are not roundings"
    for name in ("masses", "target_masses"):
        masses = getattr(s, name)
        if not (masses >= 0).all():
            yield f"one of the {name} is negative"
        if not abs(fsum(masses) - 1) <= 1e-12:
            yield f"{name} sum to 1 + {fsum(masses) - 1:.3g}"
    lower, upper = s.bracket
    if not lower <= s.cost <= upper:
        yield f"cost {s.cost!r} is outside the bracket {s.bracket}"
    error = s.mass_error if s.estimate is None else s.estimate.tv_interval[1]
    if s.converged and not error <= s.tol * (1 + 1e-12):
        yield f"converged at mass_error {error:.3g}, tol {s.tol:.3g}"


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
    validate(s)
    assert s.tol == tol
    check_heights(s)
    assert np.isfinite(s.rounded_mass_error)
    lower, upper = s.bracket
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


def exact_error(solution, polygon=UNIT_SQUARE, weights=None) -> float:
    """The largest relative error of the masses, from exact cells."""
    weights = solution.weights_exact if weights is None else weights
    return ExactDiagram(solution.sites, weights, polygon).mass_error(solution.target_masses)
