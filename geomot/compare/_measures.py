"""How models are judged: groups of metrics, each a function of the problem, the model, samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from geomot._constants import LEAST_POSITIVE
from geomot.compare._study import Problem

__all__ = ["MEASURES", "METRICS", "Metric"]

# Points that exact distances between clouds are computed on, and all other metrics.
_EXACT = 1000
_MANY = 5000

# Real images have a larger entropy with this probability: 5 % of them count as mixtures.
_QUANTILE = 0.95

# Neighbours that make the neighbourhood of a point.
_SCORE_NEIGHBOURS = 5

# Fresh points on which maps are compared.
_FRESH = 2000


class Metric(NamedTuple):
    """A column of the tables."""

    title: str
    better: str
    """"lower", "higher" or "" where neither is."""
    meaning: str


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "w2": Metric("W2", "lower", "exact W2 to held-out data, with equal numbers of points"),
        "energy": Metric("energy distance", "lower", "to held-out data, unbiased"),
        "precision": Metric("precision", "higher", "share of samples near data"),
        "recall": Metric(
            "recall", "higher", "share of held-out data near samples; none if most are copies"
        ),
        "density": Metric("density", "higher", "like precision, but counts neighbourhoods"),
        "coverage": Metric("coverage", "higher", "share of held-out data with a sample nearby"),
        "novelty": Metric(
            "novelty",
            "",
            "median distance of samples to the training data, over that of held-out data: 0 for "
            "copies, 1 for new data; of images, between codes, from decoded copies on",
        ),
        "outside": Metric("outside modes", "lower", "share of samples outside all modes"),
        "modes": Metric("modes", "higher", "modes with a sample"),
        "map_error": Metric("map error", "lower", "mean squared distance to the true map"),
        "cost": Metric("cost", "", "mean squared displacement of the map"),
        "divergence": Metric("divergence", "lower", "E D(samples) - log E exp D(data)"),
        "kinetic": Metric(
            "kinetic energy", "lower", "int E 1/2 |v|^2 dt; W2^2 / 2T for optimal maps"
        ),
        "hamilton_jacobi": Metric("HJ residual", "lower", "along the paths"),
        "terminal": Metric("terminal error", "lower", "rms of |grad U(x, T) - grad D(x)|"),
        "half_step": Metric(
            "half step", "lower", "rms change of samples when steps are halved, over the data's "
            "deviation"
        ),
        "off_plane": Metric("off plane", "lower", "rms of the coordinates that are zero in data"),
        "frechet": Metric(
            "Frechet", "lower", "squared distance in the classifier's features, held-out"
        ),
        "inception": Metric("inception score", "higher", "by the classifier"),
        "mixtures": Metric(
            "mixtures", "lower", "share of samples with an entropy that 5 % of held-out data exceed"
        ),
        "codes_w2": Metric("codes W2", "lower", "exact W2 of codes to those of held-out data"),
        "gap": Metric("gap", "lower", "width of the certified bracket on W2^2"),
        "ratio": Metric("cost / optimal", "lower", "mean cost over the optimal one"),
        "seconds": Metric("seconds", "lower", "of training or solving"),
        "steps": Metric("steps", "", "of training, or iterations"),
    }
)  # fmt: skip
"""The columns of the tables: title, which way is better, and what it means."""


def _flat(array: np.ndarray, most: int) -> np.ndarray:
    return np.asarray(array[:most], dtype=np.float64).reshape(min(len(array), most), -1)


def _pair(problem: Problem, samples: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """As many held-out data as samples."""
    size = min(len(samples), len(problem.test), most)
    return _flat(samples, size), _flat(problem.test, size)


def _distances(problem: Problem, model: Any, samples: np.ndarray, seed: int) -> dict[str, float]:
    from geomot import metrics

    few = _pair(problem, samples, _EXACT)
    many = _pair(problem, samples, _MANY)
    return {
        "w2": math.sqrt(metrics.wasserstein2(*few)),
        "energy": metrics.mmd(*many, kernel="energy"),
    }


def _coverage(problem: Problem, model: Any, samples: np.ndarray, seed: int) -> dict[str, float]:
    from geomot import metrics

    x, y = _pair(problem, samples, _MANY)
    train = _flat(problem.train, len(problem.train))
    return {**_prdc(y, x), "novelty": _novelty(metrics, x, y, train)}


def _prdc(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    from geomot import metrics

    k = min(_SCORE_NEIGHBOURS, len(real) - 1)
    scores = dict(metrics.precision_recall_density_coverage(real, generated, k)._asdict())
    # Copies leave no neighbourhood to each other, and so few would be too wide.
    distinct = np.unique(generated, axis=0)
    del scores["recall"]
    if 2 * len(distinct) >= len(generated) and len(distinct) > 1:
        k = min(_SCORE_NEIGHBOURS, len(distinct) - 1)
        turned = metrics.precision_recall_density_coverage(distinct, real, k)
        scores["recall"] = turned.precision
    return scores


def _novelty(metrics: Any, samples: np.ndarray, test: np.ndarray, train: np.ndarray) -> float:
    usual = float(np.median(metrics.nearest_distances(test, train)))
    found = float(np.median(metrics.nearest_distances(samples, train)))
    return found / usual if usual > 0.0 else math.nan


def _modes(problem: Problem, model: Any, samples: np.ndarray, seed: int) -> dict[str, float]:
    from geomot import metrics

    if problem.modes is None:
        return {}
    found = metrics.mode_statistics(_flat(samples, _MANY), problem.modes, problem.mode_radius)
    return {"outside": found.mixture_rate, "modes": float(found.found)}


def _map(problem: Problem, model: Any, samples: np.ndarray, seed: int) -> dict[str, float]:
    if problem.true_map is None or not hasattr(model, "transform"):
        return {}
    rng = np.random.default_rng([seed, 2])
    if problem.source is None:
        fresh = rng.standard_normal((_FRESH, problem.train.shape[1]))
    else:
        fresh = problem.source.sample(_FRESH, rng)
    images = model.transform(fresh)
    squares = np.sum((images - problem.true_map(fresh)) ** 2, axis=1)
    return {
        "map_error": float(squares.mean()),
        "cost": float(np.sum((images - fresh) ** 2, axis=1).mean()),
    }


def _flow(problem: Problem, model: Any, samples: np.ndarray, seed: int) -> dict[str, float]:
    values: dict[str, float] = {}
    if hasattr(model, "indicators"):
        found = model.indicators(problem.test, seed)
        values = {
            "divergence": found["divergence"],
            "kinetic": found["kinetic_energy"],
            "hamilton_jacobi": found["hamilton_jacobi"],
            "terminal": found["terminal"],
        }
        whole, halves = (model.sample(_FRESH, seed, step=model.step / k) for k in (1, 2))
        values["half_step"] = _relative_change(whole, halves, problem.train)
    elif hasattr(model, "solution_"):
        values = {"kinetic": 0.5 * model.solution_.cost}
    if problem.train.ndim == 2 and not problem.train[:, 2:].any() and problem.train.shape[1] > 2:
        off = np.asarray(samples)[:, 2:]
        values["off_plane"] = float(np.sqrt(np.mean(np.sum(off**2, axis=1))))
    return values


def _relative_change(a: np.ndarray, b: np.ndarray, data: np.ndarray) -> float:
    moved = np.mean(np.sum((a - b).reshape(len(a), -1) ** 2, axis=1))
    spread = np.sum(np.var(data.reshape(len(data), -1), axis=0))
    return float(np.sqrt(moved / spread))


def _images(problem: Problem, model: Any, samples: np.ndarray, seed: int) -> dict[str, float]:
    from geomot import metrics

    size = min(len(samples), len(problem.test), _MANY)
    x, y = samples[:size], problem.test[:size]
    values: dict[str, float] = {}
    judge = problem.classifier
    if judge is not None:
        features = [np.asarray(judge.features(part)) for part in (x, y)]
        chances = [np.asarray(judge.predict_proba(part)) for part in (x, y)]
        values["frechet"] = metrics.frechet_distance(*features)
        values["inception"] = metrics.inception_score(chances[0])
        limit = np.quantile(_entropy(chances[1]), _QUANTILE)
        values["mixtures"] = float(np.mean(_entropy(chances[0]) > limit))
        values.update(_prdc(features[1], features[0]))
    if problem.codec is not None and problem.codes is not None:
        few = min(size, _EXACT)
        codes = [np.asarray(problem.codec.encode(part)) for part in (x, y)]
        values["codes_w2"] = math.sqrt(metrics.wasserstein2(*(part[:few] for part in codes)))
        values["novelty"] = _novelty_of_codes(problem.codec, problem.codes, *codes)
    return values


def _novelty_of_codes(
    codec: Any, train: np.ndarray, samples: np.ndarray, test: np.ndarray
) -> float:
    """Where the samples' median distance to training codes is, from copies to held-out data."""
    from geomot import metrics

    copies = np.asarray(codec.encode(codec.decode(train[: len(samples)])))
    zero, one, found = (
        float(np.median(metrics.nearest_distances(part, train))) for part in (copies, test, samples)
    )
    # training images themselves are nearer than decoded ones
    return max(found - zero, 0.0) / (one - zero) if one > zero else math.nan


def _entropy(chances: np.ndarray) -> np.ndarray:
    return -np.sum(chances * np.log(np.maximum(chances, LEAST_POSITIVE)), axis=1)


def _plan(problem: Problem, model: Any, samples: np.ndarray, seed: int) -> dict[str, float]:
    return {name: float(value) for name, value in model.metrics.items()}


MEASURES: Mapping[
    str, Callable[[Problem, Any, np.ndarray, int], dict[str, float]]
] = MappingProxyType(
    {
        "distances": _distances,
        "coverage": _coverage,
        "modes": _modes,
        "map": _map,
        "flow": _flow,
        "images": _images,
        "plan": _plan,
    }
)  # fmt: skip
"""Groups of metrics, as studies name them."""
