"""Point clouds shared by the tests, the examples and the benchmarks.

Every planar generator draws from ``numpy.random.default_rng(random_state)`` in a documented order,
so that a size and a seed name one input for good. The seed is 0 by default, and not None as in the
rest of geomot: data sets are the same each time. Together they cover inputs that make semi-discrete
transport hard: clusters, sites on the border, scales that differ by orders of magnitude, curves,
masses that follow a power law, and sites far outside the domain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

__all__ = [
    "PLANAR_PROBLEMS",
    "annulus",
    "cauchy",
    "clust2d",
    "digits",
    "embedded_moons",
    "far",
    "gaussian_modes",
    "lattice",
    "moons",
    "pinwheel",
    "planar_problem",
    "power_law",
    "ring",
    "two_scales",
    "u2d",
]

Seed: TypeAlias = int | np.random.Generator | None


def u2d(n: int, random_state: Seed = 0) -> np.ndarray:
    """Uniform sites in the unit square.

    Parameters
    ----------
    n : int
        Number of sites.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator.

    Returns
    -------
    sites : ndarray of shape (n, 2)

    Examples
    --------
    >>> from geomot.datasets import u2d
    >>> u2d(1000).shape
    (1000, 2)
    """
    return np.random.default_rng(random_state).random((n, 2))


def clust2d(n: int, random_state: Seed = 0) -> np.ndarray:
    """Ten narrow Gaussian clusters in the unit square, clipped to it.

    The clipping puts many sites exactly on the border, some of them very close to each other, which
    is what makes this input hard.

    Parameters
    ----------
    n : int
        Number of sites.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator: ten centres, then the cluster of each site, then the noise.

    Returns
    -------
    sites : ndarray of shape (n, 2)

    Examples
    --------
    >>> from geomot.datasets import clust2d
    >>> sites = clust2d(1000)
    >>> sites.shape, float(sites.min()), float(sites.max()) <= 1.0
    ((1000, 2), 0.0, True)
    """
    rng = np.random.default_rng(random_state)
    centres = rng.random((10, 2))
    return np.clip(centres[rng.integers(10, size=n)] + 0.01 * rng.standard_normal((n, 2)), 0, 1)


def two_scales(n: int, random_state: Seed = 0) -> np.ndarray:
    """Nine tenths of the sites in a disk of radius 1e-4, the rest uniform in the unit square.

    Parameters
    ----------
    n : int
        Number of sites.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator: angles, radii, then the uniform sites.

    Returns
    -------
    sites : ndarray of shape (n, 2)
        The sites of the disk first.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.datasets import two_scales
    >>> sites = two_scales(1000)
    >>> int(np.sum(np.hypot(*(sites - (0.2, 0.7)).T) <= 1.001e-4))
    900
    """
    rng = np.random.default_rng(random_state)
    inside = int(0.9 * n)
    angle = 2 * np.pi * rng.random(inside)
    radius = 1e-4 * np.sqrt(rng.random(inside))
    disk = np.column_stack([0.2 + radius * np.cos(angle), 0.7 + radius * np.sin(angle)])
    return np.concatenate([disk, rng.random((n - inside, 2))])


def moons(n: int, random_state: Seed = 0) -> np.ndarray:
    """Two interleaved half circles with noise 0.02, scaled to fill [0.05, 0.95]^2.

    Parameters
    ----------
    n : int
        Number of sites; the first half lies on the upper moon.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator of the noise.

    Returns
    -------
    sites : ndarray of shape (n, 2)

    Examples
    --------
    >>> from geomot.datasets import moons
    >>> sites = moons(200)
    >>> sites.min(axis=0).round(2).tolist(), sites.max(axis=0).round(2).tolist()
    ([0.05, 0.05], [0.95, 0.95])
    """
    rng = np.random.default_rng(random_state)
    upper = np.linspace(0, np.pi, n // 2)
    lower = np.linspace(0, np.pi, n - n // 2)
    sites = np.concatenate(
        [
            np.column_stack([np.cos(upper), np.sin(upper)]),
            np.column_stack([1 - np.cos(lower), 0.5 - np.sin(lower)]),
        ]
    )
    sites += 0.02 * rng.standard_normal((n, 2))
    low = sites.min(axis=0)
    extent = sites.max(axis=0) - low
    return 0.05 + 0.9 * (sites - low) / np.where(extent > 0, extent, 1)


def annulus(n: int, random_state: Seed = 0) -> np.ndarray:
    """Sites near a circle: radius 0.45 with deviation 0.005, about (0.5, 0.5).

    Parameters
    ----------
    n : int
        Number of sites.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator: angles, then radii.

    Returns
    -------
    sites : ndarray of shape (n, 2)

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.datasets import annulus
    >>> radii = np.hypot(*(annulus(1000) - 0.5).T)
    >>> round(float(radii.mean()), 2), round(float(radii.std()), 3)
    (0.45, 0.005)
    """
    rng = np.random.default_rng(random_state)
    angle = 2 * np.pi * rng.random(n)
    radius = 0.45 + 0.005 * rng.standard_normal(n)
    return np.column_stack([0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle)])


def power_law(
    n: int, *, decades: float = 6, random_state: Seed = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Uniform sites with masses spread over several decades.

    Parameters
    ----------
    n : int
        Number of sites.
    decades : float, default 6
        The masses are proportional to ``10**(-decades * u)`` with u uniform in [0, 1).
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator: sites, then masses.

    Returns
    -------
    sites : ndarray of shape (n, 2)
    target_masses : ndarray of shape (n,)
        Sums to 1.

    Examples
    --------
    >>> from geomot.datasets import power_law
    >>> sites, masses = power_law(1000, decades=3)
    >>> sites.shape, round(float(masses.sum()), 12), int(masses.max() / masses.min())
    ((1000, 2), 1.0, 994)
    """
    rng = np.random.default_rng(random_state)
    sites = rng.random((n, 2))
    masses = 10.0 ** (-decades * rng.random(n))
    return sites, masses / masses.sum()


def far(n: int, random_state: Seed = 0) -> np.ndarray:
    """Skewed sites far outside the unit square: ``1000 + 50 u**3``.

    Parameters
    ----------
    n : int
        Number of sites.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator.

    Returns
    -------
    sites : ndarray of shape (n, 2)

    Examples
    --------
    >>> from geomot.datasets import far
    >>> sites = far(1000)
    >>> bool(((sites >= 1000.0) & (sites <= 1050.0)).all())
    True
    """
    return 1000 + 50 * np.random.default_rng(random_state).random((n, 2)) ** 3


def cauchy(n: int, random_state: Seed = 0) -> np.ndarray:
    """Sites with independent standard Cauchy coordinates: no mean, no variance, huge outliers.

    Parameters
    ----------
    n : int
        Number of sites.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator.

    Returns
    -------
    sites : ndarray of shape (n, 2)

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.datasets import cauchy
    >>> sites = cauchy(1000)
    >>> float(np.median(np.abs(sites)).round(1)), float(np.abs(sites).max()) > 100.0
    (1.1, True)
    """
    return np.random.default_rng(random_state).standard_cauchy((n, 2))


_EQUAL_MASSES: dict[str, Callable[..., np.ndarray]] = {
    "u2d": u2d,
    "clust2d": clust2d,
    "two-scales": two_scales,
    "moons": moons,
    "annulus": annulus,
    "far": far,
    "cauchy": cauchy,
}
_DECADES = {"masses-1e-6": 6, "masses-1e-9": 9}

PLANAR_PROBLEMS: tuple[str, ...] = (*_EQUAL_MASSES, *_DECADES)
"""Names that `planar_problem` knows."""


def ring(modes: int = 8, radius: float = 1.0) -> np.ndarray:
    """Centres of modes on a circle, the first at angle 0.

    Parameters
    ----------
    modes : int, default 8
        Number of centres.
    radius : float, default 1.0
        Radius of the circle.

    Returns
    -------
    centers : ndarray of shape (modes, 2)

    Examples
    --------
    >>> from geomot.datasets import ring
    >>> ring(4, radius=2.0).round(9).tolist()
    [[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [-0.0, -2.0]]
    """
    angle = 2.0 * np.pi * np.arange(modes) / modes
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def lattice(side: int = 5, spacing: float = 1.0) -> np.ndarray:
    """Centres of modes on a square lattice about the origin.

    Parameters
    ----------
    side : int, default 5
        Centres in a row.
    spacing : float, default 1.0
        Distance of neighbours.

    Returns
    -------
    centers : ndarray of shape (side**2, 2)

    Examples
    --------
    >>> from geomot.datasets import lattice
    >>> lattice(2, spacing=4.0).tolist()
    [[-2.0, -2.0], [2.0, -2.0], [-2.0, 2.0], [2.0, 2.0]]
    """
    places = spacing * (np.arange(side) - 0.5 * (side - 1))
    return np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)


def gaussian_modes(
    n: int, centers: np.ndarray, deviation: float, *, random_state: Seed = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Points of a mixture of equally likely round Gaussians.

    The data that mode collapse and mode mixture are studied on: eight Gaussians on a `ring`, 25 on
    a `lattice`.

    Parameters
    ----------
    n : int
        Number of points.
    centers : ndarray of shape (k, d)
        Means of the Gaussians.
    deviation : float
        Standard deviation of each coordinate.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator: which Gaussian each point is from, then its deviation.

    Returns
    -------
    points : ndarray of shape (n, d)
    labels : ndarray of shape (n,), int64
        Which Gaussian each point is from.

    Examples
    --------
    >>> from geomot.datasets import gaussian_modes, ring
    >>> points, labels = gaussian_modes(256, ring(8, radius=10.0), 1.0)
    >>> points.shape, int(labels.max())
    ((256, 2), 7)
    """
    means = np.asarray(centers, dtype=np.float64)
    rng = np.random.default_rng(random_state)
    labels = rng.integers(len(means), size=n)
    return means[labels] + deviation * rng.standard_normal((n, means.shape[1])), labels


def embedded_moons(n: int, dim: int = 2, *, random_state: Seed = 0) -> np.ndarray:
    """Two wide half circles in a plane of a space of more dimensions.

    Parameters
    ----------
    n : int
        Number of points; the first half lies on the upper moon.
    dim : int, default 2
        Dimension of the space; coordinates from the third on are zero.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator of the noise.

    Returns
    -------
    points : ndarray of shape (n, dim)
        scikit-learn's ``make_moons(noise=0.05)``, less (0.5, 0.2), times 4.2: the data of Gu et al.
        2024 (arXiv:2407.11901).

    Examples
    --------
    >>> from geomot.datasets import embedded_moons
    >>> points = embedded_moons(100, dim=7)
    >>> points.shape, bool((points[:, 2:] == 0).all())
    ((100, 7), True)
    """
    rng = np.random.default_rng(random_state)
    upper = np.linspace(0, np.pi, n // 2)
    lower = np.linspace(0, np.pi, n - n // 2)
    x = np.concatenate([np.cos(upper), 1.0 - np.cos(lower)])
    y = np.concatenate([np.sin(upper), 0.5 - np.sin(lower)])
    plane = np.column_stack([x, y]) + 0.05 * rng.standard_normal((n, 2))
    return _padded((plane - (0.5, 0.2)) * 4.2, dim)


def pinwheel(n: int, dim: int = 2, *, random_state: Seed = 0) -> np.ndarray:
    """Five bent arms about the origin, in a plane of a space of more dimensions.

    Parameters
    ----------
    n : int
        Number of points.
    dim : int, default 2
        Dimension of the space; coordinates from the third on are zero.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator: deviations along and across the arms, then the arm of each point.

    Returns
    -------
    points : ndarray of shape (n, dim)
        Deviations 0.3 along an arm and 0.1 across it about distance 1, turned by the angle of the
        arm plus 0.25 exp(distance), and scaled by 1.4: the data of Gu et al. 2024
        (arXiv:2407.11901), who have them from Johnson et al. 2016 (arXiv:1603.06277).

    Examples
    --------
    >>> from geomot.datasets import pinwheel
    >>> pinwheel(100, dim=12).shape
    (100, 12)
    """
    arms, along, across, rate, scale = 5, 0.3, 0.1, 0.25, 1.4
    rng = np.random.default_rng(random_state)
    points = rng.standard_normal((n, 2)) * (along, across) + (1.0, 0.0)
    arm = rng.integers(arms, size=n)
    angle = 2.0 * np.pi * arm / arms + rate * np.exp(points[:, 0])
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.column_stack(
        [cos * points[:, 0] + sin * points[:, 1], cos * points[:, 1] - sin * points[:, 0]]
    )
    return _padded(scale * turned, dim)


def _padded(plane: np.ndarray, dim: int) -> np.ndarray:
    """Points of the plane in a space of more dimensions."""
    if dim < 2:
        raise ValueError(f"dim must be at least 2, got {dim}")
    return np.concatenate([plane, np.zeros((len(plane), dim - 2))], axis=1)


def planar_problem(
    name: str, n: int, random_state: Seed = 0
) -> tuple[np.ndarray, np.ndarray | None]:
    """One of the named planar inputs.

    Parameters
    ----------
    name : str
        One of `PLANAR_PROBLEMS`.
    n : int
        Number of sites.
    random_state : int, numpy.random.Generator or None, default 0
        Seed or generator.

    Returns
    -------
    sites : ndarray of shape (n, 2)
    target_masses : ndarray of shape (n,) or None
        None for equal masses.

    Examples
    --------
    >>> from geomot.datasets import planar_problem
    >>> sites, masses = planar_problem("masses-1e-6", 100)
    >>> bool(masses.min() / masses.max() < 1e-4)
    True
    """
    if name in _DECADES:
        return power_law(n, decades=_DECADES[name], random_state=random_state)
    if name not in _EQUAL_MASSES:
        raise ValueError(f"name must be one of {', '.join(PLANAR_PROBLEMS)}; got {name!r}")
    return _EQUAL_MASSES[name](n, random_state), None


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1797 handwritten digits that scikit-learn ships.

    Returns
    -------
    images : ndarray of shape (1797, 64)
        Images of 8 x 8 pixels, row by row, scaled to [0, 1] (1 is ink).
    labels : ndarray of shape (1797,), int64
        The digit each image shows.

    Examples
    --------
    >>> from geomot.datasets import digits
    >>> images, labels = digits()
    >>> images.shape, labels[:5].tolist()
    ((1797, 64), [0, 1, 2, 3, 4])
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.data / 16.0, bunch.target.astype(np.int64)
