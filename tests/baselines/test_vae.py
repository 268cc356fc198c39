"""Autoencoders of a known model, and their discrepancy."""

from __future__ import annotations

import numpy as np
import pytest
from small_baselines import normal_tensor

from geomot import baselines

torch = pytest.importorskip("torch")


def test_inverse_multiquadratic_discrepancy():
    from geomot.baselines.vae import inverse_multiquadratic_mmd

    a, b = normal_tensor(7, 3), normal_tensor(7, 3, seed=1) + 0.5
    scale = 6.0

    def kernel(x, y):
        c = scale * np.array([0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0])
        return (c / (c + np.sum((x - y) ** 2))).sum()

    total = 0.0
    for i, (x, y) in enumerate(zip(a.numpy(), b.numpy(), strict=True)):
        for j, (p, q) in enumerate(zip(a.numpy(), b.numpy(), strict=True)):
            total -= 2.0 * kernel(x, q) / 49
            if i != j:
                total += (kernel(x, p) + kernel(y, q)) / 42
    assert inverse_multiquadratic_mmd(a, b, scale).item() == pytest.approx(total, rel=1e-9)


def test_vae_of_a_linear_gaussian():
    # With exact networks the bound is the entropy. Without codes it would be larger by 3.2.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 1)) @ np.array([[2.0, 1.0, 0.0]])
    X += 0.2 * rng.standard_normal(X.shape)
    model = baselines.VAE(
        latent_dim=1, hidden=(16,), activation="silu", max_steps=400, learning_rate=1e-2,
        schedule="cosine", random_state=0, standardize=False,
    ).fit(X)  # fmt: skip
    covariance = np.cov(X.T, bias=True)
    entropy = 0.5 * (np.linalg.slogdet(covariance)[1] + 3 * np.log(2 * np.pi) + 3)
    bound = model.history_["loss"][-50:].mean()
    assert entropy - 0.1 < bound < entropy + 1.0
    assert np.corrcoef(model.encode(X)[:, 0], X[:, 0])[0, 1] ** 2 > 0.95
    assert np.mean((model.decode(model.encode(X)) - X) ** 2) < 2 * 0.2**2
