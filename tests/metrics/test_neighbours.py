"""Precision, recall, density, coverage, and nearest distances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from geomot.metrics import (
    nearest_distances,
    precision_recall_density_coverage,
)


def clouds(n, m, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), 0.5 * rng.standard_normal((m, d)) + 1.0


def slow_prdc(real, generated, k):
    def radius(cloud, i):
        return sorted(np.linalg.norm(cloud - cloud[i], axis=1))[k]

    near_real = np.array(
        [[np.linalg.norm(g - x) < radius(real, i) for g in generated] for i, x in enumerate(real)]
    )
    near_generated = np.array(
        [
            [np.linalg.norm(g - x) < radius(generated, j) for j, g in enumerate(generated)]
            for x in real
        ]
    )
    return (
        near_real.any(axis=0).mean(),
        near_generated.any(axis=1).mean(),
        near_real.sum(axis=0).mean() / k,
        near_real.any(axis=1).mean(),
    )


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(("n", "m"), [(30, 30), (20, 35)])
def test_prdc_against_its_definition(n, m, k):
    real, generated = clouds(n, m, 2)
    found = precision_recall_density_coverage(real, generated, k)
    assert found == pytest.approx(slow_prdc(real, generated, k), rel=1e-14)
    assert found.coverage == found[3]


def test_prdc_against_the_reference(capsys):
    prdc = pytest.importorskip("prdc")
    real, generated = clouds(300, 250, 5)
    reference = prdc.compute_prdc(real, generated, 5)
    capsys.readouterr()
    found = precision_recall_density_coverage(real, generated)
    assert found._asdict() == pytest.approx({name: float(v) for name, v in reference.items()})


def test_prdc_of_one_law():
    """Expectations for equal laws and sizes: the documented coverage, and density 1."""
    n, k = 60, 3
    rng = np.random.default_rng(0)
    found = [
        precision_recall_density_coverage(*rng.standard_normal((2, n, 2)), k) for _ in range(60)
    ]
    expected = 1.0 - np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    for values, true in (
        (np.array([f.coverage for f in found]), expected),
        (np.array([f.density for f in found]), 1.0),
    ):
        assert abs(values.mean() - true) < 4 * values.std() / np.sqrt(len(values))
        assert values.std() / np.sqrt(len(values)) < 0.05


def test_prdc_of_collapse_and_noise():
    real = np.random.default_rng(0).standard_normal((200, 2))
    half = real[real[:, 0] > 0]
    collapsed = half[np.random.default_rng(1).integers(len(half), size=200)]
    scores = precision_recall_density_coverage(real, collapsed + 0.01)
    assert scores.precision > 0.9
    assert scores.recall < 0.75
    assert scores.coverage < 0.75
    far = precision_recall_density_coverage(real, real + 100.0)
    assert far == (0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="generated must hold at least 6 points, got 5"):
        precision_recall_density_coverage(real, real[:5])
    with pytest.raises(ValueError, match="k must be at least 1"):
        precision_recall_density_coverage(real, real, 0)


@pytest.mark.parametrize("d", [2, 15])
def test_nearest_distances(d):
    a, b = clouds(25, 40, d)
    slow = cdist(a, b)
    distances, indices = nearest_distances(a, b, return_indices=True)
    assert np.allclose(distances, slow.min(axis=1), rtol=1e-14)
    assert np.array_equal(indices, slow.argmin(axis=1))
    assert np.array_equal(nearest_distances(a, b), distances)
    assert nearest_distances(b, b).max() == 0.0
