"""Flow matching: its field, its times and its couplings."""

from __future__ import annotations

import numpy as np
import pytest
from small_baselines import data, make

import geomot
from geomot import baselines
from geomot.baselines import METHODS

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def fitted():
    """One fitted model of each method, for tests that do not change it."""
    return {name: make(name).fit(data((2,))) for name in METHODS}


def test_flow_matching_of_images_in_any_default_precision():
    X = data((1, 9, 6))
    drawn = make("FlowMatching").fit(X).sample(3, 0)
    torch.set_default_dtype(torch.float64)
    try:
        np.testing.assert_array_equal(make("FlowMatching").fit(X).sample(3, 0), drawn)
    finally:
        torch.set_default_dtype(torch.float32)


def gaussian_velocity(x, t, mean, covariance):
    """E[x_1 - x_0 | x_t = x] for independent x_0 ~ N(0, I) and x_1 ~ N(mean, covariance)."""
    eye = np.eye(len(mean))
    spread = (1 - t) ** 2 * eye + t**2 * covariance
    return mean + (x - t * mean) @ np.linalg.inv(spread) @ (t * covariance - (1 - t) * eye)


def test_flow_matching_with_independent_gaussians():
    rng = np.random.default_rng(0)
    mean, root = np.array([2.0, -1.0]), np.array([[1.0, 0.0], [0.6, 0.5]])
    covariance = root @ root.T
    X = rng.standard_normal((4000, 2)) @ root.T + mean
    model = baselines.FlowMatching(
        hidden=(32, 32), max_steps=300, batch_size=128, learning_rate=1e-2, standardize=False,
        ode_steps=10, random_state=0, schedule="cosine",
    ).fit(X)  # fmt: skip
    for t in (0.1, 0.5, 0.9):
        spread = np.linalg.cholesky((1 - t) ** 2 * np.eye(2) + t**2 * covariance)
        x = rng.standard_normal((500, 2)) @ spread.T + t * mean
        wanted = gaussian_velocity(x, t, mean, covariance)
        error = np.square(model.velocity(x, t) - wanted).sum(1).mean()
        assert error < 0.1 * np.square(wanted).sum(1).mean()
    drawn = model.sample(2000, 1)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.2)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.25)
    # independent pairs: E |x_1 - x_0|^2 = |mean|^2 + tr(covariance + I)
    cost = np.square(mean).sum() + np.trace(covariance) + 2.0
    assert model.history_["cost"].mean() == pytest.approx(cost, rel=0.05)


def test_times_of_the_velocity(fitted):
    for t, error in ((np.nan, ValueError), (5.0, ValueError), (-0.1, ValueError), ("a", TypeError)):
        with pytest.raises(error, match="t must"):
            fitted["FlowMatching"].velocity([[0.0, 0.0]], t)


def test_flow_matching_integrates_its_field():
    model = make("FlowMatching", ode_steps=20).fit(data((2,)))
    # v = (t, 1 - x_1) put into a linear network: x_0 + 1/2 and 1 - (1 - x_1) exp(-1)
    layer = torch.nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]))
        layer.bias.copy_(torch.tensor([0.0, 1.0]))
    model.networks_["velocity"] = torch.nn.Sequential(layer)
    Z = model.source_points(10, 0)
    paths = (model.trajectories(Z) - model.mean_) / model.scale_
    assert paths.shape == (10, 21, 2)
    np.testing.assert_allclose(paths[:, -1, 0], Z[:, 0] + 0.5, atol=1e-5)
    np.testing.assert_allclose(paths[:, -1, 1], 1 - (1 - Z[:, 1]) * np.exp(-1), atol=5e-4)
    np.testing.assert_allclose(paths[:, 0], Z, atol=1e-5)
    np.testing.assert_allclose(model.transform(Z), model.trajectories(Z)[:, -1], atol=1e-6)


def test_couplings_of_flow_matching():
    X = np.random.default_rng(0).standard_normal((60, 2)) + 1.0
    costs = {}
    for coupling in ("independent", "minibatch", "semidiscrete"):
        model = make(
            "FlowMatching", coupling=coupling, batch_size=60, max_steps=20, tv_tol=0.1, log_every=20
        ).fit(X)  # fmt: skip
        costs[coupling] = model.history_["cost"][-1]
    assert costs["semidiscrete"] < costs["minibatch"] < 0.5 * costs["independent"]
    solution = model.solution_
    assert solution.converged
    assert costs["semidiscrete"] == pytest.approx(solution.cost, rel=0.15)
    standard = (X - model.mean_) / model.scale_
    np.testing.assert_allclose(solution.sites, standard, atol=1e-6)


def test_semidiscrete_pairs_are_exact_in_the_plane():
    X = np.random.default_rng(0).random((50, 2))
    model = make(
        "FlowMatching", coupling="semidiscrete", max_steps=1, standardize=False,
        source=geomot.UniformBox([0.0, 0.0], [1.0, 1.0]),
    ).fit(X)  # fmt: skip
    assert model.solution_.method == "newton"
    assert model.solution_.mass_error < 1e-9
