"""Autoencoders of a known model, and their discrepancy."""

from __future__ import annotations

import numpy as np
import pytest
from small_baselines import normal_tensor

import geomot
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


@pytest.mark.parametrize("method", [baselines.VAE, baselines.WAE])
def test_outputs_of_images_in_the_unit_interval_are_in_it(method, tmp_path):
    X = np.random.default_rng(0).random((30, 5, 5))
    for data, output in ((X, "sigmoid"), (2 * X, "linear"), (X.reshape(30, 25), "linear")):
        model = method(max_steps=20, batch_size=8, learning_rate=0.1, random_state=0).fit(data)
        assert model.output_ == output
        # dense layers, which are faster for small images
        assert isinstance(model.networks_["encoder"][0], torch.nn.Linear)
        drawn = model.sample(50, 1)
        model.save(tmp_path / "model")
        np.testing.assert_array_equal(geomot.load(tmp_path / "model").sample(50, 1), drawn)
        if output == "sigmoid":
            assert 0.0 <= drawn.min() <= drawn.max() <= 1.0
    bytes_ = (255 * X).round().astype(np.uint8)
    assert method(max_steps=1).fit(bytes_).output_ == "sigmoid"
    for keywords in ({"architecture": "conv"}, {"channels": (2,)}):
        network = method(max_steps=1, **keywords).fit(X).networks_["encoder"]
        assert isinstance(network[0], torch.nn.Conv2d)
    large = method(max_steps=1, batch_size=2, hidden=(2,)).fit(np.zeros((2, 3, 40, 40)))
    assert isinstance(large.networks_["encoder"][0], torch.nn.Conv2d)


def test_bernoulli_vae_of_two_pictures():
    # Each pixel is 0 or 1: the bound is the entropy of the choice, log 2.
    pictures = np.random.default_rng(0).integers(0, 2, (2, 4, 4)).astype(float)
    X = pictures[np.arange(400) % 2]
    model = baselines.VAE(
        latent_dim=1, hidden=(32,), max_steps=600, learning_rate=1e-2, random_state=0
    ).fit(X)
    bound = model.history_["loss"][-50:].mean()
    assert np.log(2) - 0.01 < bound < np.log(2) + 0.5
    shares = model.sample(1000, 0).round().reshape(1000, -1)
    found = [np.mean((shares == picture.ravel()).all(axis=1)) for picture in pictures]
    assert min(found) > 0.4


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
