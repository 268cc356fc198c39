"""The calls of torchcfm's sampler."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import discrete
from geomot.coupling import OTPlanSampler, SemiDiscreteCoupling
from geomot.coupling.minibatch import assign_batch

torch = pytest.importorskip("torch")

rng = np.random.default_rng(0)
NOISE, DATA = rng.standard_normal((2, 30, 3))


class Matcher:
    """What torchcfm's flow matcher does with its sampler."""

    def __init__(self, sampler):
        self.ot_sampler = sampler

    def sample(self, x0, x1, y1=None):
        if y1 is None:
            x0, x1 = self.ot_sampler.sample_plan(x0, x1)
        else:
            x0, x1, _, y1 = self.ot_sampler.sample_plan_with_labels(x0, x1, None, y1)
        t = torch.rand(len(x0), 1)
        return (1 - t) * x0 + t * x1, x1 - x0, y1


# ---- Exact plans of batches ----


@pytest.mark.parametrize("m", [1, 30, 600])
def test_batches_are_assigned_exactly(m):
    a, b = np.random.default_rng(m).standard_normal((2, m, 3))
    found = assign_batch(a, b)
    assert sorted(found) == list(range(m))
    cost = np.square(a - b[found]).sum(1).mean()
    assert cost == pytest.approx(discrete.assignment(a, b).cost, rel=1e-12)


def test_an_exact_plan():
    sampler = OTPlanSampler("exact", random_state=0)
    plan = sampler.get_map(torch.tensor(NOISE).reshape(30, 3, 1), torch.tensor(DATA))
    np.testing.assert_allclose(plan, discrete.assignment(NOISE, DATA).matrix.toarray())
    uneven = sampler.get_map(NOISE, DATA[:20])
    np.testing.assert_allclose(uneven.sum(axis=1), 1 / 30)
    np.testing.assert_allclose(uneven.sum(axis=0), 1 / 20)


def test_pairs_of_a_plan():
    sampler = OTPlanSampler(random_state=0)
    x0, x1 = torch.tensor(NOISE), torch.tensor(DATA)
    permutation = assign_batch(NOISE, DATA)
    start, end, y0, y1 = sampler.sample_plan_with_labels(x0, x1, torch.arange(30), torch.arange(30))
    assert isinstance(start, torch.Tensor)
    np.testing.assert_array_equal(permutation[y0], y1)
    np.testing.assert_array_equal(start, x0[y0])
    np.testing.assert_array_equal(end, x1[y1])
    assert len(set(y0.tolist())) < 30
    _, _, y0, _ = sampler.sample_plan_with_labels(x0, x1, torch.arange(30), replace=False)
    assert len(set(y0.tolist())) == 30
    # the same seed, the same pairs
    again = [OTPlanSampler(random_state=3).sample_plan(NOISE, DATA)[0] for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_pairs_are_drawn_in_proportion_to_the_plan():
    plan = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 4.0]])
    i, j = OTPlanSampler(random_state=0).sample_map(plan, 50_000)
    shares = np.bincount(3 * i + j, minlength=6) / 50_000
    np.testing.assert_allclose(shares, plan.ravel() / 10, atol=0.01)


def test_trajectories_follow_the_plans():
    X = np.random.default_rng(0).standard_normal((20, 4, 2))
    for given in (X, torch.tensor(X)):
        path = OTPlanSampler(random_state=0).sample_trajectory(given)
        assert path.shape == X.shape
        expected = np.arange(20)
        for t in range(3):
            expected = assign_batch(X[:, t], X[:, t + 1])[expected]
            np.testing.assert_array_equal(path[:, t + 1], X[expected, t + 1])


# ---- A coupling ----


def test_a_flow_matcher_gets_the_pairs_of_the_coupling(coupling, clouds):
    sampler = OTPlanSampler(coupling)
    x0 = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    x1 = torch.zeros(50, 3)
    start, end = sampler.sample_plan(x0, x1)
    assert start is x0
    assert end.dtype == torch.float32
    rows = coupling.assign(x0.numpy())
    np.testing.assert_array_equal(end, clouds[0][rows].astype(np.float32))
    place, velocity, _ = Matcher(sampler).sample(x0, x1)
    np.testing.assert_array_equal(velocity, end - x0)
    assert place.shape == (50, 3)
    assert sampler.sample_plan(x0.double(), x1.double())[1].dtype == torch.float64


def test_labels_that_are_wanted_and_labels_that_go_along(clouds):
    X, labels = clouds
    numbers = np.where(labels, 5, 3)
    each = SemiDiscreteCoupling(random_state=0, threads=1).fit(X, numbers)
    x0 = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    wanted = torch.tensor([3, 5] * 20)
    _, end, y0, y1 = OTPlanSampler(each).sample_plan_with_labels(x0, x0, y1=wanted)
    assert y0 is None
    np.testing.assert_array_equal(y1, wanted)
    np.testing.assert_array_equal(end.numpy(), X[each.assign(x0, wanted.numpy())].astype("f4"))
    with pytest.raises(ValueError, match="y1 must be given"):
        OTPlanSampler(each).sample_plan(x0, x0)
    joint = SemiDiscreteCoupling(conditional=False, random_state=0, threads=1).fit(X, numbers)
    _, end, _, y1 = OTPlanSampler(joint).sample_plan_with_labels(x0, x0, wanted, wanted)
    np.testing.assert_array_equal(y1, numbers[joint.assign(x0)])
    assert OTPlanSampler(joint).sample_plan_with_labels(x0, x0)[3] is None


def test_conditions_that_are_wanted(conditioned):
    x0, c = np.random.default_rng(0).standard_normal((20, 3)), np.linspace(-1, 2, 20)[:, None]
    _, _, _, y1 = OTPlanSampler(conditioned).sample_plan_with_labels(x0, x0, y1=c)
    np.testing.assert_array_equal(y1, conditioned.labels_[conditioned.assign(x0, condition=c)])


def test_soft_pairs_are_drawn(soft):
    x0 = np.zeros((200, 3))
    sampler = OTPlanSampler(soft, random_state=0)
    end = sampler.sample_plan(x0, x0)[1]
    assert 2 < len(np.unique(end, axis=0)) <= 64
    assert (end != sampler.sample_plan(x0, x0)[1]).any()


# ---- Refusals ----


def test_refusals(coupling):
    for method, error in (("sinkhorn", ValueError), (None, TypeError), (3, TypeError)):
        with pytest.raises(error, match="method must"):
            OTPlanSampler(method)
    with pytest.raises(TypeError, match="random_state must"):
        OTPlanSampler(random_state="a")
    exact, sampler = OTPlanSampler(), OTPlanSampler(coupling)
    with pytest.raises(ValueError, match="get_map needs method='exact'"):
        sampler.get_map(NOISE, DATA)
    with pytest.raises(ValueError, match="get_map needs method='exact'"):
        sampler.sample_trajectory(np.zeros((3, 2, 3)))
    with pytest.raises(ValueError, match="y1 must be None"):
        sampler.sample_plan_with_labels(NOISE, DATA, y1=np.zeros(30))
    with pytest.raises(ValueError, match="x1 must have shape"):
        sampler.sample_plan(NOISE, DATA[:, :2])
    with pytest.raises(ValueError, match="x0 must"):
        exact.get_map(np.full((3, 2), np.nan), np.zeros((3, 2)))
    for plan in (np.zeros((2, 2)), -np.eye(2), np.ones(3), np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match="pi must"):
            exact.sample_map(plan, 2)
    with pytest.raises(ValueError, match="batch_size must be at most"):
        exact.sample_map(np.eye(2), 3, replace=False)
    with pytest.raises(TypeError, match="replace must"):
        exact.sample_map(np.eye(2), 3, replace=1)
