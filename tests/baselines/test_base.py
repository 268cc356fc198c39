"""Baselines: one contract for all methods."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from small_baselines import SHAPES, VARIANTS, data, every_method, make

import geomot
from geomot import baselines
from geomot.baselines import METHODS, _training

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def fitted():
    """One fitted model of each method, for tests that do not change it."""
    return {name: make(name).fit(data((2,))) for name in METHODS}


# The contract


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("name", VARIANTS)
def test_fit_and_sample(name, kind, silent):
    shape = SHAPES[kind]
    X = data(shape)
    before = X.copy()
    model = make(name)
    assert model.fit(X) is model
    np.testing.assert_array_equal(X, before)
    assert (model.status_, model.diverged_at_, model.n_steps_) == ("max_steps", None, 3)
    assert model.kept_step_ == 3
    assert model.sample_shape_ == shape
    assert model.n_features_in_ == np.prod(shape)

    history = model.history_
    assert history.dtype.names == ("step", "seconds", *type(model).losses)
    assert history["step"].tolist() == [1, 2, 3]
    assert (np.diff(history["seconds"]) > 0).all()
    assert history["seconds"][-1] <= model.seconds_
    assert all(np.isfinite(history[field]).all() for field in history.dtype.names)

    drawn = model.sample(7, random_state=3)
    assert drawn.shape == (7, *shape)
    assert drawn.dtype == np.float64
    assert np.isfinite(drawn).all()
    np.testing.assert_array_equal(drawn, model.sample(7, random_state=3))
    assert not np.array_equal(drawn, model.sample(7, random_state=4))
    np.testing.assert_array_equal(model.sample(2), model.sample(2))
    assert model.sample(0).shape == (0, *shape)
    points = model.source_points(7, random_state=3)
    assert points.shape == (7, *model.source_shape_)
    np.testing.assert_array_equal(drawn, model.transform(points))
    np.testing.assert_array_equal(drawn, model.transform(points.reshape(7, -1)))


@pytest.mark.parametrize("name", VARIANTS)
def test_same_seed_same_model(name):
    X = data((2,))
    first, second, other = (make(name, random_state=seed).fit(X) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.sample(9, 0), second.sample(9, 0))
    for field in type(first).losses:
        np.testing.assert_array_equal(first.history_[field], second.history_[field])
    assert not np.array_equal(first.sample(9, 0), other.sample(9, 0))


@every_method
def test_global_state_is_left_alone(name):
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    make(name, random_state=None).fit(data((2,))).sample(3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


@every_method
def test_divergence_is_a_result(name, tmp_path):
    # so large that losses overflow, and no larger where parameters of this size would be kept
    rates = {"learning_rate": 3e18 if name == "FluidFlow" else 1e37}
    if name == "ProximalFlow":
        rates["critic_learning_rate"] = 1e37
    model = make(name, max_steps=50, **rates).fit(data((2,)))
    assert model.status_ == "diverged"
    assert 1 <= model.diverged_at_ == model.n_steps_ < 50
    assert model.kept_step_ < model.diverged_at_
    assert model.history_["step"][-1] == model.diverged_at_
    assert np.isfinite(model.sample(5)).all()
    model.save(tmp_path / "model.npz")
    again = geomot.load(tmp_path / "model.npz")
    assert (again.status_, again.diverged_at_) == ("diverged", model.diverged_at_)
    assert again.history_.tobytes() == model.history_.tobytes()


@every_method
def test_bad_data_are_refused(name, fitted):
    model = make(name)
    with pytest.raises(ValueError, match="X must be finite, got nan"):
        model.fit([[0.0, np.nan], [1.0, 2.0]])
    with pytest.raises(ValueError, match=r"X must have shape .*, got \(3,\)"):
        model.fit(np.zeros(3))
    with pytest.raises(ValueError, match="X must hold at least one"):
        model.fit(np.zeros((0, 2)))
    with pytest.raises(TypeError, match="X must"):
        model.fit([["a", "b"]])
    for call, argument in ((model.sample, 1), (model.source_points, 1), (model.transform, [[0.0]])):
        with pytest.raises(NotFittedError):
            call(argument)
    with pytest.raises(NotFittedError):
        model.save("nowhere")
    with pytest.raises(ValueError, match=r"Z must have shape \(n, "):
        fitted[name].transform(np.zeros((1, 7)))
    with pytest.raises(ValueError, match="Z must be finite"):
        fitted[name].transform(np.full((1, *fitted[name].source_shape_), np.inf))
    with pytest.raises(ValueError, match="n must be at least 0"):
        fitted[name].sample(-1)


@every_method
def test_keywords_of_all_methods(name):
    X = data((2,))
    model = make(name)
    assert clone(model).get_params() == model.get_params()
    assert name in repr(model)
    for keywords, error, message in [
        ({"max_steps": 0}, ValueError, "max_steps must be at least 1"),
        ({"max_steps": 2.5}, TypeError, "max_steps must be an integer"),
        ({"max_seconds": -1.0}, ValueError, "max_seconds must be positive"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"architecture": "conv"}, ValueError, "architecture must be 'auto' or 'dense'"),
        ({"architecture": "unet"}, ValueError, "architecture must be one of"),
        ({"channels": 3}, TypeError, "channels must be a sequence"),
        ({"source": "cauchy"}, ValueError, "source must be"),
        ({"schedule": "linear"}, ValueError, "schedule must be one of"),
        ({"averaging": 1.0}, ValueError, r"averaging must lie in \[0, 1\)"),
        ({"log_every": 0}, ValueError, "log_every must be at least 1"),
        ({"random_state": -1}, ValueError, "random_state must be at least 0"),
        ({"random_state": "x"}, TypeError, "random_state must be None"),
        ({"device": "abacus"}, ValueError, "device must be"),
        ({"device": 0}, TypeError, "device must be"),
        ({"threads": 0}, ValueError, "threads must be at least 1"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be positive"),
    ]:
        with pytest.raises(error, match=message):
            make(name, **keywords).fit(X)
    with pytest.raises(TypeError, match="callback must be callable"):
        make(name).fit(X, callback=3)


@pytest.mark.parametrize(
    ("name", "keywords", "error", "message"),
    [
        ("GAN", {"latent_dim": 0}, ValueError, "latent_dim must be at least 1"),
        ("GAN", {"critic_hidden": 8}, TypeError, "critic_hidden must be a sequence"),
        ("GAN", {"critic_hidden": (0,)}, ValueError, "critic_hidden must be at least 1"),
        ("GAN", {"critic_learning_rate": 0.0}, ValueError, "critic_learning_rate must be positive"),
        ("GAN", {"betas": (0.5, 1.0)}, ValueError, "betas must be a pair"),
        ("GAN", {"betas": 0.5}, ValueError, "betas must be a pair"),
        ("GAN", {"betas": ("a", "b")}, ValueError, "betas must be a pair"),
        ("WGANGP", {"betas": np.array([0.5, 0.9])}, ValueError, "betas must be a pair"),
        ("GAN", {"standardize": "no"}, TypeError, "standardize must be True or False"),
        ("GAN", {"standardize": None}, TypeError, "standardize must be True or False"),
        ("GAN", {"activation": "sign"}, ValueError, "activation must be one of"),
        ("WGAN", {"clip": 0.0}, ValueError, "clip must be positive"),
        ("WGANGP", {"penalty": -1.0}, ValueError, "penalty must be positive"),
        ("VAE", {"beta": -1.0}, ValueError, "beta must not be negative"),
        ("VAE", {"variance": 0.0}, ValueError, "variance must be positive"),
        ("VAE", {"likelihood": "poisson"}, ValueError, "likelihood must be one of"),
        ("VAE", {"likelihood": "bernoulli"}, ValueError, "likelihood='bernoulli' needs X in .0, 1"),
        ("WAE", {"output": "tanh"}, ValueError, "output must be one of"),
        ("WAE", {"output": "sigmoid"}, ValueError, "output='sigmoid' needs X in .0, 1., got"),
        ("VAE", {"source": "uniform"}, ValueError, "source must be one of"),
        ("WAE", {"divergence": "kl"}, ValueError, "divergence must be one of"),
        ("WAE", {"penalty": -1.0}, ValueError, "penalty must not be negative"),
        ("WAE", {"penalty": "big"}, TypeError, "penalty must be a"),
        ("WAE", {"batch_size": 1}, ValueError, "batches of at least 2 rows"),
        ("PotentialRegression", {"fixed_source": 0}, ValueError, "fixed_source must be"),
        ("PotentialRegression", {"regularization": np.nan}, ValueError, "regularization must be"),
        ("FluidFlow", {"width_end": 9.0}, ValueError, "width_end must not exceed width_start"),
        ("FluidFlow", {"width_factor": 1.0}, ValueError, "width_factor must be larger than 1"),
        ("FluidFlow", {"layers": 10**7}, ValueError, "layers must be at most"),
        ("ProximalFlow", {"step": 0.3}, ValueError, "step must be the horizon"),
        ("ProximalFlow", {"w1": 1}, TypeError, "w1 must be True or False"),
        ("FlowMatching", {"coupling": "monge"}, ValueError, "coupling must be one of"),
        ("FlowMatching", {"source": None}, TypeError, "source must be"),
        ("FlowMatching", {"source": geomot.Gaussian(np.zeros(3), 1.0)}, ValueError, "dimension 2"),
    ],
)
def test_keywords_of_single_methods(name, keywords, error, message):
    with pytest.raises(error, match=message):
        make(name, **keywords).fit(data((2,)))


def clock(monkeypatch, step):
    """Let each step of a training take this many seconds, and everything else none."""
    now, average = [0.0], _training._average

    def ticking(*args):
        now[0] += step
        average(*args)

    monkeypatch.setattr(_training, "_average", ticking)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])


@every_method
def test_budget_in_seconds(name, monkeypatch):
    clock(monkeypatch, 0.5)
    model = make(name, max_steps=10**6, max_seconds=1.6, log_every=10**6).fit(data((2,)))
    assert (model.status_, model.n_steps_, model.seconds_) == ("max_seconds", 4, 2.0)
    assert model.history_["step"].tolist() == [4]


def test_budget_in_seconds_has_as_many_rows(monkeypatch):
    clock(monkeypatch, 2.0**-10)
    model = make("FluidFlow", max_steps=10**8, max_seconds=1.0).fit(data((2,)))
    assert (len(model.history_), model.n_steps_) == (500, 1024)
    # at equal parts of the budget, whatever the number of steps
    steps = np.ceil(np.arange(1, 501) * 1024 / 500)
    np.testing.assert_array_equal(model.history_["step"], steps)
    assert len(make("FluidFlow", max_steps=999).fit(data((2,))).history_) == 500


def stop(model, step):
    raise KeyboardInterrupt


@every_method
def test_failed_fit_leaves_the_model_as_it_was(name):
    X = data((2,))
    model = make(name)
    for spoil in (
        lambda: model.fit(X, callback=stop),
        lambda: model.fit(X, callback=3),
        lambda: model.set_params(source="cauchy").fit(X),
    ):
        with pytest.raises((KeyboardInterrupt, TypeError, ValueError)):
            spoil()
        with pytest.raises(NotFittedError):
            model.sample(1)
        model.set_params(source="normal")
    model.fit(X)
    drawn, history = model.sample(5, 0), model.history_.copy()
    with pytest.raises(KeyboardInterrupt):
        model.fit(np.zeros((4, 3)), callback=stop)
    np.testing.assert_array_equal(model.sample(5, 0), drawn)
    np.testing.assert_array_equal(model.history_, history)
    assert model.sample_shape_ == (2,)


def test_data_too_few_for_the_kernel_are_refused_before_the_training():
    model = make("WAE").fit(data((2,)))
    drawn = model.sample(5, 0)
    with pytest.raises(ValueError, match="batches of at least 2 rows"):
        model.fit(data((2,), n=1))
    np.testing.assert_array_equal(model.sample(5, 0), drawn)


@every_method
def test_fitted_models_keep_their_keywords(name, tmp_path):
    model = make(name, batch_size=9).fit(data((2,)))
    drawn = model.sample(5, 0)
    other = {
        "architecture": "dense", "source": "uniform", "layers": 3, "width": 5, "weight": 3.0,
        "horizon": 2.0, "hidden": (3,), "generator_hidden": (3,), "potential_hidden": (3,),
        "latent_dim": 1, "channels": (2,), "batch_size": 7,
    }  # fmt: skip
    model.set_params(**{k: v for k, v in other.items() if k in model.get_params()})
    np.testing.assert_array_equal(model.sample(5, 0), drawn)
    model.save(tmp_path / "model")
    again = geomot.load(tmp_path / "model")
    np.testing.assert_array_equal(again.sample(5, 0), drawn)
    assert again.batch_size == 9
    for word in set(type(model).free) & {"ode_steps", "step"}:
        model.set_params(**{word: 0.1 if word == "step" else 7})
        assert not np.array_equal(model.sample(5, 0), drawn)
        model.save(tmp_path / "model")
        np.testing.assert_array_equal(
            geomot.load(tmp_path / "model").sample(5, 0), model.sample(5, 0)
        )


def test_callback_may_save(tmp_path):
    def keep(model, step):
        model.save(tmp_path / f"{step}")

    model = make("GAN").fit(data((2,)), callback=keep)
    assert [geomot.load(tmp_path / k).n_steps_ for k in "123"] == [1, 2, 3]
    assert [geomot.load(tmp_path / k).status_ for k in "13"] == ["stopped", "max_steps"]
    np.testing.assert_array_equal(geomot.load(tmp_path / "3").sample(4), model.sample(4))
    assert geomot.load(tmp_path / "2").seconds_ <= model.seconds_


def test_nothing_of_an_earlier_training_is_left():
    model = make("FlowMatching-semidiscrete").fit(data((2,)))
    assert model.solution_.converged
    model.set_params(coupling="independent").fit(data((2,)))
    assert not hasattr(model, "solution_")


def test_classes_of_ones_own(tmp_path):
    class Own(baselines.WGAN):
        pass

    model = Own.from_preset("E1", generator_hidden=(8,), critic_hidden=(8,), max_steps=1)
    assert model.clip == 0.01
    with pytest.raises(TypeError, match="only geomot.s own methods can be saved, got Own"):
        model.fit(data((2,))).save(tmp_path / "own")


@every_method
def test_numbers_beyond_single_precision_are_refused(name, fitted):
    with pytest.raises(ValueError, match="Z must not exceed 3.4e[+]38 in magnitude"):
        fitted[name].transform(np.full((1, *fitted[name].source_shape_), 1e39))
    with pytest.raises(ValueError, match=r"X \(standardised\) must not exceed 3.4e[+]38"):
        make(name, standardize=False).fit([[0.0, 1e39], [1.0, 2.0]])
    if hasattr(fitted[name], "encode"):
        with pytest.raises(ValueError, match="must not exceed"):
            fitted[name].encode([[0.0, 1e99]])


@every_method
def test_any_kind_of_array(name, fitted):
    torch.set_warn_always(True)
    try:
        model = fitted[name]
        Z = model.source_points(4, 0)
        drawn = model.transform(Z)
        Z.setflags(write=False)
        for same in (Z, np.asfortranarray(Z), Z.tolist(), torch.as_tensor(Z.copy()), Z[::-1][::-1]):
            np.testing.assert_array_equal(model.transform(same), drawn)
        X = data((2,))
        X.setflags(write=False)
        for same in (X, np.asfortranarray(X), X.tolist()):
            np.testing.assert_array_equal(make(name).fit(same).transform(Z), drawn)
    finally:
        torch.set_warn_always(False)


def test_callback_sees_a_model_that_samples_and_may_stop_it():
    seen = []

    def callback(model, step):
        seen.append((step, len(model.history_), model.sample(3, 0)))
        return step == 4

    model = make("GAN", max_steps=10, log_every=2, averaging=0.5).fit(data((2,)), callback=callback)
    assert model.status_ == "stopped"
    assert [(step, rows) for step, rows, _ in seen] == [(2, 1), (4, 2)]
    assert model.n_steps_ == 4
    assert not np.array_equal(seen[0][2], seen[1][2])
    np.testing.assert_array_equal(seen[1][2], model.sample(3, 0))


def test_history_holds_means_between_its_rows():
    fine, coarse = (make("VAE", max_steps=7, log_every=k).fit(data((2,))) for k in (1, 3))
    assert coarse.history_["step"].tolist() == [3, 6, 7]
    losses = fine.history_["loss"]
    expected = [losses[:3].mean(), losses[3:6].mean(), losses[6]]
    np.testing.assert_allclose(coarse.history_["loss"], expected, rtol=1e-12)


def test_averaging_follows_the_trained_networks():
    X = data((2,))
    plain, mean = (make("FluidFlow", max_steps=30, averaging=a).fit(X) for a in (0.0, 0.9))
    # the training itself is the same
    np.testing.assert_array_equal(plain.history_["loss"], mean.history_["loss"])
    assert not np.array_equal(plain.sample(5, 0), mean.sample(5, 0))
    np.testing.assert_allclose(plain.sample(5, 0), mean.sample(5, 0), atol=1.0)


def test_standardising_is_undone():
    X = data((2,))
    model = make("GAN").fit(X)
    assert np.allclose(model.mean_, X.mean(axis=0))
    assert model.scale_ == pytest.approx(np.sqrt(np.mean((X - X.mean(axis=0)) ** 2)))
    moved = make("GAN").fit(10.0 * X - 50.0)
    np.testing.assert_allclose(moved.sample(5, 0), 10.0 * model.sample(5, 0) - 50.0, atol=1e-3)
    raw = make("GAN", standardize=False).fit(X)
    assert raw.scale_ == 1.0
    assert not raw.mean_.any()
    images = make("GAN").fit(data((1, 9, 6)))
    assert np.ptp(images.mean_) == 0.0
    # of the last, the mean is rounded
    for value, n in ((1.0, 4), (0.1, 1000)):
        assert make("VAE").fit(np.full((n, 2), value)).scale_ == 1.0
        assert make("VAE").fit(np.full((n, 3, 3), value)).scale_ == 1.0
    # squares of these are zero
    tiny = make("GAN").fit(1e-170 * X)
    assert tiny.scale_ == pytest.approx(1e-170 * model.scale_)
    np.testing.assert_allclose(tiny.sample(5, 0), 1e-170 * model.sample(5, 0), rtol=1e-4)


class Held(np.ndarray):
    """A subclass, as memory maps are."""


def test_images_of_bytes_and_without_channels():
    X = np.random.default_rng(0).integers(0, 256, (20, 9, 6), dtype=np.uint8)
    model = make("GAN", max_steps=1).fit(X)
    assert model.sample(4).shape == (4, 9, 6)
    assert model.mean_.flat[0] == pytest.approx(X.mean() / 255.0)
    same = make("GAN", max_steps=1).fit(X / 255.0)
    np.testing.assert_array_equal(model.sample(4), same.sample(4))
    # whatever holds the bytes
    for held in (torch.as_tensor(X), X.view(Held), np.asfortranarray(X), X.tolist()):
        bytes_kept = not isinstance(held, list)
        other = make("GAN", max_steps=1).fit(held)
        assert other.mean_.flat[0] == pytest.approx(X.mean() / (255.0 if bytes_kept else 1.0))
    dense = make("GAN", architecture="dense").fit(X)
    assert isinstance(dense.networks_["critic"][0], torch.nn.Linear)
    assert dense.sample(4).shape == (4, 9, 6)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 17, 20), (1, 9, 50), (1, 1, 5)])
@pytest.mark.parametrize("name", ["GAN", "FlowMatching", "ProximalFlow"])
def test_images_of_any_size(name, shape):
    model = make(name, max_steps=1, channels=None, batch_size=2).fit(data(shape, n=2))
    assert model.sample(2).shape == (2, *shape)


def test_sources():
    X = data((2,))
    box = geomot.UniformBox([0.0, 0.0], [1.0, 1.0])
    for source, low, high in [("uniform", -1.0, 1.0), (box, 0.0, 1.0)]:
        points = make("FluidFlow", source=source).fit(X).source_points(1000)
        assert low <= points.min() < low + 0.1
        assert high - 0.1 < points.max() <= high
    normal = make("FluidFlow").fit(X).source_points(4000)
    assert normal.std() == pytest.approx(1.0, abs=0.05)
    box = geomot.UniformBox(np.zeros(54), np.ones(54))
    assert make("FluidFlow", source=box).fit(data((1, 9, 6))).source_points(2).shape == (2, 1, 9, 6)


def test_missing_torch_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "geomot\[torch\]"'):
        make("GAN").fit(data((2,)))


def test_importing_loads_no_torch():
    code = (
        "import sys, geomot.baselines as b; [getattr(b, name) for name in b.__all__];"
        "b.GAN(); sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(geomot.__file__).parents[1])}
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0
    )


# What they learn


def spread_to(model, held_out):
    """W2^2 between samples and held-out data, by assignment."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    cost = cdist(model.sample(len(held_out), 0), held_out, "sqeuclidean")
    return cost[linear_sum_assignment(cost)].mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_method_learns_eight_gaussians(name):
    rng = np.random.default_rng(0)
    angles = rng.integers(8, size=4400) * np.pi / 4
    X = 10 * np.stack([np.cos(angles), np.sin(angles)], 1) + rng.standard_normal((4400, 2))
    X, held_out = X[:4000], X[4000:]
    keywords = {"max_steps": 1000, "random_state": 0}
    if "GAN" in name and name != "GAN":
        # the papers' rates are for a hundred thousand steps
        keywords.update(generator_hidden=(128, 128), critic_hidden=(128, 128), learning_rate=5e-4)
        keywords.update({"clip": 0.1} if name == "WGAN" else {})
    if name == "WAE-gan":
        pytest.skip("its game needs many more steps")
    if name == "ProximalFlow-none":
        pytest.skip("it has nothing that keeps it from diverging")
    method, variant = VARIANTS[name]
    variant = {k: v for k, v in variant.items() if k not in ("fixed_source", "tv_tol")}
    model = getattr(baselines, method)(**keywords, **variant).fit(X)
    assert model.status_ == "max_steps"
    # one Gaussian with the data's moments is at 17
    assert spread_to(model, held_out) < 8.0
