"""Flows of known potentials, their divergence and indicators."""

from __future__ import annotations

import numpy as np
import pytest
from small_baselines import data, make, normal_tensor

torch = pytest.importorskip("torch")


def test_flow_of_a_known_potential():
    from geomot.baselines.proximal import euler_flow

    x, weight = normal_tensor(9, 3), 0.4
    a = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    # U = a x + t |a|^2 / (2 weight) solves the Hamilton-Jacobi equation: straight lines.
    rate = a.square().sum() / (2 * weight)
    flow = euler_flow(lambda p, t: p @ a + t * rate, x, 2.0, 5, weight)
    assert flow.hamilton_jacobi.item() == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(flow.path[-1], x - 2.0 * a / weight)
    speed = a.square().sum().item() / weight**2
    assert flow.kinetic_energy.item() == pytest.approx(2.0 * 0.5 * speed)
    # without the second term what is missing is |a|^2 / (2 weight), for the whole time
    flow = euler_flow(lambda p, t: p @ a, x, 2.0, 5, weight)
    assert flow.hamilton_jacobi.item() == pytest.approx(2.0 * rate.item())
    # U = |x|^2 / 2: each step shrinks by 1 - h / weight
    flow = euler_flow(lambda p, t: 0.5 * p.square().sum(1), x, 1.0, 4, weight)
    np.testing.assert_allclose(flow.path[-1], x * (1 - 0.25 / weight) ** 4)

    # U = -|x|^2 / (2 s(t)) * weight with s = 1 + t moves along straight lines; steps are exact
    def spreading(p, t):
        return -0.5 * weight * p.square().sum(1) / (1.0 + t)

    for count in (2, 3, 10):
        flow = euler_flow(spreading, x, 1.0, count, weight)
        np.testing.assert_allclose(flow.path[-1], 2.0 * x)
        assert flow.hamilton_jacobi.item() == pytest.approx(0.0, abs=1e-12)


def test_flow_is_differentiated_through_all_steps():
    from geomot.baselines.proximal import euler_flow

    x, s = normal_tensor(4, 2), torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def value(scale):
        flow = euler_flow(
            lambda p, t: 0.5 * scale * p.square().sum(1), x, 1.0, 3, 1.0, create_graph=True
        )
        return flow.path[-1].square().sum() + flow.kinetic_energy

    assert torch.autograd.gradcheck(value, (s,))


def test_divergence_of_the_proximal_flow():
    model = make("ProximalFlow").fit(data((2,)))
    critic = torch.nn.Sequential(torch.nn.Linear(2, 1))
    with torch.no_grad():
        critic[0].weight.copy_(torch.tensor([[1.0, -1.0]]))
        critic[0].bias.fill_(0.5)
        generated, real = normal_tensor(6, 2).float(), normal_tensor(6, 2, seed=1).float()
        value = model._divergence(critic, generated, real).item()
        d = [(p.numpy() @ [1.0, -1.0]) + 0.5 for p in (generated, real)]
        assert value == pytest.approx(d[0].mean() - np.log(np.mean(np.exp(d[1]))), rel=1e-5)
        plain = make("ProximalFlow", exponential="plain")
        assert plain._divergence(critic, generated, real).item() == pytest.approx(value, rel=1e-5)
        critic[0].bias.fill_(200.0)
        assert model._divergence(critic, generated, real).item() == pytest.approx(value, rel=1e-3)
        assert not np.isfinite(plain._divergence(critic, generated, real).item())


def test_indicators_of_the_proximal_flow():
    X = data((2,), n=300)
    model = make("ProximalFlow", max_steps=5).fit(X)
    found = model.indicators(X, 0)
    assert set(found) == set(type(model).losses) - {"loss"}
    paths = model.trajectories(model.source_points(300, 0)) / model.scale_
    v = np.diff(paths, axis=1) / model.step
    assert found["kinetic_energy"] == pytest.approx(0.5 * np.square(v).sum(2).mean(), rel=1e-4)
    np.testing.assert_allclose(paths[:, -1] * model.scale_, model.sample(300, 0), atol=1e-5)
    for name, value in found.items():
        # the history has the same numbers, of small batches
        assert model.history_[name][-1] == pytest.approx(value, rel=0.5, abs=0.5)
    halved = model.trajectories(X[:4], step=model.step / 2)
    assert halved.shape == (4, 11, 2)
    assert model.sample(3, 0, step=model.step / 2).shape == (3, 2)
    assert not np.array_equal(model.sample(3, 0, step=model.step / 2), model.sample(3, 0))
    with pytest.raises(ValueError, match="step must be the horizon"):
        model.sample(3, step=0.3)


def test_switches_of_the_proximal_flow(monkeypatch):
    from geomot.baselines import proximal

    calls = []
    true = proximal.lipschitz_penalty
    monkeypatch.setattr(
        proximal, "lipschitz_penalty", lambda *args: calls.append(args[2]) or true(*args)
    )
    for w1, w2 in [(False, False), (False, True), (True, False), (True, True)]:
        calls.clear()
        model = make("ProximalFlow", w1=w1, w2=w2, weight=0.7, lipschitz=2.0).fit(data((2,)))
        assert calls == ([2.0] * 6 if w1 else [])
        charge = model.history_["loss"] - model.history_["divergence"]
        energy = model.history_["kinetic_energy"]
        np.testing.assert_allclose(charge, 0.7 * energy if w2 else 0.0, atol=1e-6)
