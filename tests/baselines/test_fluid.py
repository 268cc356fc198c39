"""The fluid flow: misfit, widths, paths and energy."""

from __future__ import annotations

import numpy as np
import pytest
from small_baselines import data, make, normal_tensor

torch = pytest.importorskip("torch")


def test_mixture_misfit_against_the_formula():
    from geomot.baselines.fluid import mixture_misfit

    a, b, width = normal_tensor(5, 2), normal_tensor(4, 2, seed=1), 0.7
    expected = 0.0
    for x in a.numpy():
        near = [np.exp(-np.sum((x - y) ** 2) / (2 * width**2)) for y in b.numpy()]
        expected -= np.log(np.mean(near)) / len(a)
    for y in b.numpy():
        near = [np.exp(-np.sum((x - y) ** 2) / (2 * width**2)) for x in a.numpy()]
        expected -= np.log(np.mean(near)) / len(b)
    assert mixture_misfit(a, b, width).item() == pytest.approx(expected, rel=1e-10)
    # far from the origin and from each other: neither cancellation nor underflow
    far = mixture_misfit(a.float() + 1000.0, b.float() + 1030.0, width)
    assert far.item() == pytest.approx(2 * 1800 / (2 * width**2), rel=0.2)


def test_widths():
    from geomot.baselines.fluid import widths

    assert widths(2.0, 2.0, 1.5) == [2.0]
    found = widths(50.0, 1.0, 1.5)
    assert (found[0], found[-1]) == (50.0, 1.0)
    ratios = np.divide(found[:-1], found[1:])
    assert np.allclose(ratios[:-1], 1.5)
    assert ratios[-1] <= 1.5


def test_gradient_of_the_misfit_of_clusters_far_apart():
    from geomot.baselines.fluid import mixture_misfit

    for distance in (57.0, 1e3, 1e4):
        a, b = normal_tensor(40, 2), normal_tensor(30, 2, seed=1)
        a[20:], b[15:] = a[20:] + distance, b[15:] + distance
        gradients = []
        for kind in (torch.float32, torch.float64):
            # the same numbers in both
            x, y = (v.float().to(kind).requires_grad_() for v in (a, b))
            gradients.append(torch.autograd.grad(mixture_misfit(x, y, 0.1), y)[0].double())
        np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-3, atol=1e-3)


def test_fluid_flow_paths_and_energy():
    X = data((2,), n=200)
    model = make("FluidFlow", layers=4, max_steps=12, batch_size=64, schedule="constant").fit(X)
    widths = model.history_["width"]
    assert widths[0] == 2.0
    assert widths[-1] == pytest.approx(0.1)
    assert (np.diff(widths) <= 0).all()
    Z = model.source_points(50, 0)
    paths = model.trajectories(Z)
    assert paths.shape == (50, 5, 2)
    np.testing.assert_allclose(paths[:, 0], Z * model.scale_ + model.mean_, atol=1e-5)
    np.testing.assert_allclose(paths[:, -1], model.transform(Z), atol=1e-5)
    # the first step by hand: x + v(x) / layers
    with torch.no_grad():
        v = model.networks_["fields"][0](torch.as_tensor(Z, dtype=torch.float32)).numpy()
    first = (Z + v / 4) * model.scale_ + model.mean_
    np.testing.assert_allclose(paths[:, 1], first, atol=1e-5)
    energy = 4 * np.square(np.diff(paths, axis=1)).sum(2).sum(1).mean()
    assert model.energy(Z) == pytest.approx(energy)
    with pytest.raises(ValueError, match="Z must hold at least one point"):
        model.energy(np.zeros((0, 2)))
    assert energy >= np.square(paths[:, -1] - paths[:, 0]).sum(1).mean()
    # in the history the same, in the units of the standardised data
    assert model.history_["energy"][-1] == pytest.approx(energy / model.scale_**2, rel=0.5)
