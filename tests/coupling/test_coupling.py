"""Couplings: whose masses pairs have, which rows they take, labels, conditions, changed data."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.stats import binom, chi2, kstest, norm
from sklearn.base import clone

import geomot
from geomot.coupling import SemiDiscreteCoupling
from geomot.errors import ConvergenceWarning


def rows_of(data, X):
    """Numbers of rows, from the rows themselves."""
    known = {row.tobytes(): k for k, row in enumerate(np.asarray(X, dtype=np.float32))}
    return np.array([known[row.tobytes()] for row in data])


# ---- Masses ----


def test_pairs_have_the_masses_by_coverage():
    """95 % intervals of the shares of pairs cover the masses of 19 rows in 20."""
    rng = np.random.default_rng(0)
    X, masses = rng.random((200, 2)), rng.gamma(2.0, size=200)
    source = geomot.UniformBox([0.0, 0.0], [1.0, 1.0])
    coupling = SemiDiscreteCoupling(source, random_state=0).fit(X, sample_weight=masses)
    assert coupling.potentials_[0].solution.method == "newton"
    assert coupling.tv_[0] < 1e-8
    masses /= masses.sum()
    np.testing.assert_allclose(coupling.target_masses_, masses)
    covered, distances, n = 0, [], 20_000
    for seed in range(10):
        counts = np.bincount(rows_of(coupling.sample(n, seed)[1], X), minlength=200)
        low, high = binom.interval(0.95, n, masses)
        covered += np.sum((low <= counts) & (counts <= high))
        distances.append(np.sum((counts - n * masses) ** 2 / (n * masses)))
    # The intervals are those of integers, a little wider; counts of a seed sum to n.
    assert 0.94 < covered / 2000 < 0.98
    # chi^2 of ten independent seeds: their p-values are uniform.
    assert kstest(chi2.sf(distances, 199), "uniform").pvalue > 0.01


def test_sampled_potentials_keep_the_masses_to_the_tolerance(coupling, clouds):
    n = 400_000
    counts = np.bincount(rows_of(coupling.sample(n, 1)[1], clouds[0]), minlength=400)
    noise = 0.4 * np.sqrt(400 / n)
    assert 0.5 * np.abs(counts / n - 1 / 400).sum() < coupling.tv_tol + noise
    assert coupling.converged_
    assert coupling.tv_[0] < coupling.tv_tol


def test_rows_without_mass_are_never_drawn(clouds):
    X, labels = clouds
    coupling = SemiDiscreteCoupling(tv_tol=0.1, random_state=0).fit(X, labels, 1.0 * ~labels)
    assert len(coupling.potentials_) == 1
    assert not coupling.sample(500)[2].any()
    with pytest.raises(ValueError, match="y must have labels of the data with mass"):
        coupling.assign(X[:1], [True])


# ---- Rows ----


def test_rows_are_those_of_the_solution_bit_for_bit(coupling, clouds):
    noise, data = coupling.sample(20_000, 3)
    expected = coupling.potentials_[0].solution.assign(noise)
    np.testing.assert_array_equal(coupling.assign(noise), expected)
    np.testing.assert_array_equal(data, clouds[0][expected].astype(np.float32))
    # also from the exact diagrams of the plane, of which noise in float32 may lie just outside
    X = np.random.default_rng(0).random((300, 2))
    plane = SemiDiscreteCoupling(geomot.UniformBox([0, 0], [1, 1]), random_state=0).fit(X)
    noise, data = plane.sample(20_000, 3)
    expected = plane.potentials_[0].solution.assign(noise)
    np.testing.assert_array_equal(data, X[expected].astype(np.float32))


def test_optimal_pairs_cost_less_than_others(coupling, clouds):
    noise, data = coupling.sample(4000, 0)
    cost = np.square(noise - data).sum(1).mean()
    assert cost == pytest.approx(coupling.potentials_[0].solution.cost, rel=0.05)
    others = clouds[0][np.random.default_rng(0).integers(400, size=4000)]
    assert cost < 0.8 * np.square(noise - others).sum(1).mean()


def test_noise_is_the_source(coupling):
    noise = coupling.sample(5000, 4)[0]
    assert noise.dtype == np.float32
    assert all(kstest(column, norm.cdf).pvalue > 1e-3 for column in noise.T)


@pytest.mark.parametrize("shape", [(12,), (3, 4), (3, 2, 2), (1, 2, 2, 3)])
def test_data_of_any_shape(shape):
    X = np.random.default_rng(0).standard_normal((30, *shape))
    coupling = SemiDiscreteCoupling(tv_tol=0.2, random_state=0).fit(X)
    noise, data = coupling.sample(7, 0)
    assert noise.shape == data.shape == (7, *shape)
    index = coupling.assign(noise)
    np.testing.assert_array_equal(index, coupling.assign(noise.reshape(7, 12)))
    np.testing.assert_array_equal(data, X[index].astype(np.float32))


def test_on_the_line_and_with_one_row():
    coupling = SemiDiscreteCoupling().fit([[3.0], [1.0], [2.0]])
    assert coupling.potentials_[0].solution.method == "quantile"
    assert coupling.assign([[-5.0], [0.0], [5.0]]).tolist() == [1, 2, 0]
    alone = SemiDiscreteCoupling(random_state=0).fit([[3.0, 1.0, 2.0]])
    assert alone.sample(3)[1].tolist() == 3 * [[3.0, 1.0, 2.0]]


def test_equal_rows_share_their_mass():
    X = np.repeat(np.random.default_rng(0).standard_normal((40, 3)), 2, axis=0)
    coupling = SemiDiscreteCoupling(random_state=0).fit(X)
    distinct = SemiDiscreteCoupling(random_state=0).fit(X[::2])
    noise = coupling.sample(5000, 0)[0]
    same = X[coupling.assign(noise)] == X[::2][distinct.assign(noise)]
    assert same.all(axis=1).mean() > 0.95


def test_a_fit_uses_the_generator_and_an_integer_gives_the_same_pairs(clouds):
    X = clouds[0][:60]

    def noise(seed):
        coupling = SemiDiscreteCoupling(tv_tol=0.2, random_state=seed).fit(X)
        return coupling.dataset(4)[0][0]

    np.testing.assert_array_equal(noise(5), noise(5))
    assert (noise(5) != noise(6)).all()
    rng = np.random.default_rng(5)
    assert (noise(rng) != noise(rng)).all()
    legacy = np.random.RandomState(5)
    assert (noise(legacy) != noise(legacy)).all()


# ---- Labels ----


def test_labels_go_along_with_their_data(labelled, clouds):
    X, labels = clouds
    noise, data, label = labelled.sample(4000, 0)
    assert labelled.classes_.tolist() == ["left", "right"]
    assert label.dtype == np.int64
    np.testing.assert_array_equal(labels[rows_of(data, X)], label == 1)
    assert label.mean() == pytest.approx(0.25, abs=0.025)
    names = labelled.classes_[label]
    np.testing.assert_array_equal(labelled.assign(noise, names), rows_of(data, X))
    for k, potential in enumerate(labelled.potentials_):
        here = label == k
        expected = potential.rows[potential.solution.assign(noise[here])]
        np.testing.assert_array_equal(rows_of(data[here], X), expected)


def test_noise_does_not_depend_on_the_label(labelled, clouds):
    noise, _, label = labelled.sample(8000, 0)
    assert kstest(noise[label == 1, 0], norm.cdf).pvalue > 1e-3
    X, labels = clouds
    joint = SemiDiscreteCoupling(conditional=False, random_state=0).fit(X, labels)
    assert len(joint.potentials_) == 1
    noise, data, label = joint.sample(8000, 0)
    np.testing.assert_array_equal(labels[rows_of(data, X)], label)
    # one map for both: the noise of the cluster on the right comes from the right
    assert noise[label == 1, 0].mean() > 0.5
    np.testing.assert_array_equal(joint.assign(noise), rows_of(data, X))


@pytest.mark.parametrize(
    ("y", "expected", "dtype"),
    [
        ([7, 3, 3], [7, 3, 3], np.int64),
        ([0.5, 2.0, 2.0], [0.5, 2.0, 2.0], np.float32),
        ([True, False, False], [1, 0, 0], np.int64),
        (["b", "a", "a"], [1, 0, 0], np.int64),
    ],
)
def test_labels_that_are_numbers_keep_their_values(y, expected, dtype):
    X = [[0.0], [1.0], [2.0]]
    coupling = SemiDiscreteCoupling(random_state=0).fit(X, y)
    _, data, label = coupling.sample(50)
    assert label.dtype == dtype
    np.testing.assert_array_equal(label, np.array(expected)[data[:, 0].astype(int)])


# ---- Conditions ----


def correlations(coupling, weight, clouds, condition):
    X, _ = clouds
    fitted = clone(coupling).set_params(condition_weight=weight).fit(X, condition=condition)
    noise, data, found = fitted.sample(4000, 0)
    np.testing.assert_allclose(found, fitted.labels_[rows_of(data, X)], rtol=1e-6)
    cost = np.square(noise - data).sum(1).mean()
    return abs(np.corrcoef(noise.mean(axis=1), found[:, 0])[0, 1]), cost


def test_the_weight_of_conditions_trades_independence_for_cost(conditioned, clouds):
    condition = conditioned.labels_
    none, free = correlations(conditioned, 0.0, clouds, condition)
    some, cost = correlations(conditioned, 10.0, clouds, condition)
    much, most = correlations(conditioned, 1000.0, clouds, condition)
    assert none > 0.5 > 3 * some
    assert much < 0.1
    assert free < cost < 1.1 * most


def test_conditions_are_assigned_by_the_augmented_cost(conditioned, clouds):
    X, _ = clouds
    rng = np.random.default_rng(2)
    noise, wanted = rng.standard_normal((50, 3)), conditioned.labels_[rng.integers(400, size=50)]
    scale = conditioned.condition_scale_
    spread = X.var(axis=0).sum() / conditioned.labels_.var()
    assert scale**2 == pytest.approx(10.0 * spread)
    apart = noise[:, None] - X
    other = scale * (wanted[:, None] - conditioned.labels_)
    weights = conditioned.potentials_[0].solution.weights
    power = (apart**2).sum(2) + (other**2).sum(2) - weights
    index = conditioned.assign(noise, condition=wanted[:, 0])
    np.testing.assert_array_equal(index, power.argmin(axis=1))


def test_conditions_without_a_part_in_the_cost_go_along(conditioned, clouds):
    X, _ = clouds
    joint = SemiDiscreteCoupling(conditional=False, tv_tol=0.1, random_state=0)
    joint.fit(X, condition=conditioned.labels_)
    _, data, found = joint.sample(100)
    assert joint.condition_scale_ is None
    np.testing.assert_allclose(found, conditioned.labels_[rows_of(data, X)], rtol=1e-6)


# ---- Softened pairs ----


def test_probabilities_are_entropic(soft, clouds):
    X, _ = clouds
    noise = np.random.default_rng(0).standard_normal((30, 3))
    rows, probabilities = soft.plan(noise)
    assert rows.shape == (30, 64)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    weights = soft.potentials_[0].softened.weights
    exponents = (weights - np.square(noise[:, None] - X).sum(2)) / 0.2
    order = np.argsort(-exponents, axis=1)[:, :64]
    np.testing.assert_array_equal(rows[:, :10], order[:, :10])
    nearest = np.take_along_axis(exponents, rows, axis=1)
    wanted = np.exp(nearest - nearest.max(axis=1, keepdims=True))
    np.testing.assert_allclose(probabilities, wanted / wanted.sum(axis=1, keepdims=True), rtol=1e-9)


def test_soft_pairs_follow_the_probabilities_and_keep_the_masses(soft, clouds):
    assert soft.converged_
    point = np.zeros((1, 3))
    rows, probabilities = soft.plan(point)
    drawn = soft.assign(np.repeat(point, 20_000, axis=0), random_state=0)
    shares = np.bincount(drawn, minlength=400)[rows[0]] / 20_000
    np.testing.assert_allclose(shares, probabilities[0], atol=0.015)
    n = 40_000
    counts = np.bincount(rows_of(soft.sample(n, 1)[1], clouds[0]), minlength=400)
    assert 0.5 * np.abs(counts / n - 1 / 400).sum() < soft.tv_tol + 0.4 * np.sqrt(400 / n)


def test_softening_moves_the_potentials_where_the_blur_moves_the_masses(soft, clouds):
    """With the weights of the optimal map, blurred cells miss their masses."""
    X = clouds[0][:120]
    strong = SemiDiscreteCoupling(epsilon=2.0, top_k=120, tv_tol=0.03, random_state=0, threads=1)
    strong.fit(X)
    assert strong.converged_
    potential = strong.potentials_[0]
    noise = np.random.default_rng(1).standard_normal((20_000, 3))

    def variation(weights):
        rule = strong._rule(0).under(weights)
        index, shares = rule.plan(noise, 1)
        masses = np.bincount(index.ravel(), shares.ravel(), minlength=120) / len(noise)
        return 0.5 * np.abs(masses - 1 / 120).sum()

    assert variation(potential.softened.weights) < 0.03
    assert variation(potential.solution.weights) > 0.07


def test_too_few_terms_warn(clouds):
    coupling = SemiDiscreteCoupling(epsilon=20.0, top_k=2, tv_tol=0.05, random_state=0, threads=1)
    with pytest.warns(ConvergenceWarning, match="raise top_k, or lower epsilon"):
        coupling.fit(clouds[0][:100])
    assert not coupling.converged_


def test_more_terms_than_data_and_labels_of_different_sizes():
    X = np.random.default_rng(0).standard_normal((12, 2))
    coupling = SemiDiscreteCoupling(epsilon=0.5, tv_tol=0.2, random_state=0).fit(
        X, 9 * [0] + 3 * [1]
    )
    rows, probabilities = coupling.plan(X[:4], [0, 1, 0, 1])
    assert rows.shape == (4, 9)
    assert (rows[1::2] >= 9).all()
    assert not probabilities[1::2, 3:].any()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


# ---- Changed data ----


def samples(coupling):
    return sum(p.solution.estimate.n_fit_samples for p in coupling.potentials_)


def sampled(clouds):
    """The points in four dimensions, where maps are fitted to samples."""
    return np.column_stack([clouds[0], 0.4 * np.random.default_rng(4).standard_normal(400)])


def test_a_refit_takes_less_than_a_fit(clouds):
    X = sampled(clouds)
    rng = np.random.default_rng(0)
    moved = np.concatenate([X[4:], X[:8] + 0.05 * rng.standard_normal((8, 4))])
    moved = moved[rng.permutation(404)]
    cold = SemiDiscreteCoupling(random_state=1, threads=1).fit(moved)
    warm = SemiDiscreteCoupling(random_state=0, threads=1).fit(X).refit(moved)
    assert warm.converged_
    assert len(warm.target_masses_) == 404
    assert samples(warm) < 0.7 * samples(cold)


def test_a_refit_to_other_data_is_a_fit(clouds):
    X = sampled(clouds)
    far = SemiDiscreteCoupling(random_state=0, threads=1).fit(5.0 * X[::-1] + 20.0)
    again = far.refit(X)
    assert again is far
    cold = SemiDiscreteCoupling(random_state=0, threads=1).fit(X)
    assert samples(again) < 1.3 * samples(cold)
    assert again.converged_


def test_a_refit_keeps_labels_apart(labelled, clouds):
    X, labels = clouds
    names = np.where(labels, "right", "left")
    names[-2:] = "new"
    again = pickle.loads(pickle.dumps(labelled)).refit(X, names)
    assert again.classes_.tolist() == ["left", "new", "right"]
    assert again.converged_
    with pytest.raises(ValueError, match="X must have rows of 3 numbers"):
        again.refit(X[:, :2], names)


# ---- Devices, copies ----


@pytest.mark.parametrize("d", [1, 2, 3, 40])
def test_a_device_of_torch_finds_the_same_rows(d):
    pytest.importorskip("torch")
    X = np.random.default_rng(d).standard_normal((700, d)).astype(np.float32)
    X[100:110] = X[:10]  # twins, whose scores are equal
    X = X + np.float32(1000.0)
    source = geomot.Gaussian(np.full(d, 1000.0), 1.0)
    coupling = SemiDiscreteCoupling(source, tv_tol=0.2, random_state=0, threads=1)
    coupling.fit(X)
    noise = coupling.sample(5000, 0)[0]
    hard = coupling.assign(noise)
    coupling.device = "cpu"
    np.testing.assert_array_equal(coupling.assign(noise), hard)
    rule = coupling._rule(0)
    found = rule.scores.winners((noise - rule.frame.centre) * rule.frame.factor, rule.heights)
    # few points need the CPU, and without them some would differ
    assert np.mean(rule.members[found.first] == hard) > 0.9


def test_soft_rows_on_a_device_of_torch(soft):
    pytest.importorskip("torch")
    noise = np.random.default_rng(0).standard_normal((200, 3))
    rows, probabilities = soft.plan(noise)
    other = pickle.loads(pickle.dumps(soft)).set_params(device="cpu")
    again = other.plan(noise)
    np.testing.assert_array_equal(again[0][:, :20], rows[:, :20])
    np.testing.assert_allclose(again[1], probabilities, atol=1e-9)


def test_rules_are_made_anew_from_a_pickle(labelled):
    noise, data, label = labelled.sample(50, 0)
    again = pickle.loads(pickle.dumps(labelled))
    assert not again._rules
    for one, two in zip(again.sample(50, 0), (noise, data, label), strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_result_does_not_depend_on_threads(clouds):
    X = clouds[0][:100]
    one, two = (
        SemiDiscreteCoupling(epsilon=e, tv_tol=0.2, random_state=0, threads=threads)
        .fit(X)
        .sample(300)
        for threads in (1, 2)
        for e in (0.3,)
    )
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


# ---- Refusals ----

X3 = np.random.default_rng(0).standard_normal((20, 3))


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("source", geomot.Gaussian([0.0], 1.0), ValueError),
        ("source", "normal", TypeError),
        ("conditional", 1, TypeError),
        ("condition_weight", -1.0, ValueError),
        ("condition_weight", None, TypeError),
        ("epsilon", -0.1, ValueError),
        ("epsilon", np.nan, ValueError),
        ("epsilon", "0", TypeError),
        ("top_k", 0, ValueError),
        ("top_k", 2.0, TypeError),
        ("tv_tol", 0.0, ValueError),
        ("random_state", "seed", TypeError),
        ("threads", 0, ValueError),
    ],
)
def test_refused_parameters(name, value, error):
    with pytest.raises(error, match=f"{name} must"):
        SemiDiscreteCoupling(**{name: value}).fit(X3)


def test_refused_devices():
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="device must"):
        SemiDiscreteCoupling(device="nowhere").fit(np.eye(4))
    with pytest.raises(TypeError, match="device must"):
        SemiDiscreteCoupling(device=3).fit(np.eye(4))


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ({"X": X3[:, 0]}, ValueError, "X"),
        ({"X": np.where(X3 > 2.0, np.nan, 1e50)}, ValueError, "X"),
        ({"X": X3, "y": np.zeros(19)}, ValueError, "y"),
        ({"X": X3, "y": [None] * 20}, ValueError, "y"),
        ({"X": X3, "sample_weight": -np.ones(20)}, ValueError, "sample_weight"),
        ({"X": X3, "sample_weight": np.ones(19)}, ValueError, "sample_weight"),
        ({"X": X3, "condition": np.zeros((19, 1))}, ValueError, "condition"),
        ({"X": X3, "condition": np.zeros((20, 1))}, ValueError, "condition"),
        ({"X": X3, "condition": np.full((20, 1), np.nan)}, ValueError, "condition"),
        ({"X": X3, "condition": X3, "y": np.zeros(20)}, ValueError, "condition"),
    ],
)
def test_refused_data(arguments, error, name):
    with pytest.raises(error, match=f"{name} must"):
        SemiDiscreteCoupling(random_state=0).fit(**arguments)


@pytest.mark.parametrize("value", [np.zeros((5, 2)), np.zeros(3), np.full((2, 3), np.nan), [["a"]]])
def test_refused_noise(coupling, value):
    with pytest.raises((ValueError, TypeError), match="noise must"):
        coupling.assign(value)
    with pytest.raises((ValueError, TypeError), match="noise must"):
        coupling.plan(value)


def test_refused_labels_of_noise(coupling, labelled, conditioned):
    noise = np.zeros((2, 3))
    for fitted, arguments, name in (
        (coupling, {"y": [0, 1]}, "y"),
        (coupling, {"condition": [0.0, 1.0]}, "condition"),
        (labelled, {}, "y"),
        (labelled, {"y": ["left"]}, "y"),
        (labelled, {"y": ["left", "up"]}, "y"),
        (conditioned, {}, "condition"),
        (conditioned, {"condition": [0.0]}, "condition"),
        (conditioned, {"condition": np.zeros((2, 2))}, "condition"),
    ):
        with pytest.raises(ValueError, match=f"{name} must"):
            fitted.assign(noise, **arguments)


def test_no_noise_no_rows(coupling):
    assert coupling.assign(np.empty((0, 3))).shape == (0,)
    assert [array.shape for array in coupling.sample(0)] == [(0, 3), (0, 3)]
    assert coupling.plan(np.empty((0, 3)))[0].shape == (0, 1)
