"""What a comparison is made of: problems, methods, and the studies that pair them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["FIGURES", "Entry", "Method", "Problem", "Study", "Task"]

SPACES = ("codes", "data")

# Surfaces of potentials are drawn over [-reach, reach]^2.
SURFACE_REACH = 3.5

FIGURES = (
    "points", "ridge", "surface", "paths", "saddle", "bars", "curves", "images", "strips", "moves",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Problem:
    """The data of a study, and what is known about them.

    Attributes
    ----------
    train : ndarray of shape (n, ...)
        What the methods are given: each a copy of its own.
    test : ndarray of shape (m, ...)
        What they are judged on, in an order that has no meaning: some metrics take the first rows.
        Like all arrays here, it is made read-only by `run`.
    source : Source, optional
        The source measure of maps where the study fixes one.
    modes : ndarray of shape (k, d), optional
        Centres of the data's modes.
    mode_radius : float
        How far from its centre a mode reaches.
    true_map : callable, optional
        The map that made the data from the source, on arrays of shape (n, d).
    masses : pair of ndarray, optional
        Masses of the points of `train` and `test` in discrete transport.
    codec : object with `encode` and `decode`, optional
        The autoencoder that methods share.
    codes : ndarray of shape (n, latent_dim), optional
        Codes of `train`.
    classifier : object with `features` and `predict_proba`, optional
        What images are judged by.
    facts : mapping of str to object
        What tables say about the data: sizes, errors of reconstruction, seconds of the codec.

    Examples
    --------
    >>> from geomot import compare, datasets
    >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
    >>> problem = study.make(0)
    >>> problem.train.shape, problem.test.shape
    ((48, 2), (12, 2))
    """

    train: np.ndarray
    test: np.ndarray
    source: Any = None
    modes: np.ndarray | None = None
    mode_radius: float = 1.0
    true_map: Callable[[np.ndarray], np.ndarray] | None = None
    masses: tuple[np.ndarray, np.ndarray] | None = None
    codec: Any = None
    codes: np.ndarray | None = None
    classifier: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def _untold(share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True, eq=False)
class Task:
    """What a method is asked to do.

    Attributes
    ----------
    data : ndarray of shape (n, ...)
        The training data: codes where the method works on codes and the problem has a codec.
    seed : int
        For all randomness of the method.
    options : mapping of str to object
        Settings from the study.
    max_steps : int, optional
        The budget in steps, if the comparison sets one.
    max_seconds : float, optional
        The budget in seconds, if the comparison sets one.
    device : str
        Where torch computes.
    threads : int
        Threads that may be used.
    problem : Problem
        The whole of it, to which the data belong.
    tell : callable
        To be called now and then with the share of the work that is done, from 0 to 1, for the bar
        that shows the time left; a method that takes seconds need not.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.compare import Problem, Task
    >>> X = np.random.default_rng(0).random((10, 2))
    >>> task = Task(
    ...     data=X, seed=0, options={}, max_steps=None, max_seconds=None, device="cpu", threads=1,
    ...     problem=Problem(train=X, test=X),
    ... )
    >>> task.data.shape, task.seed
    ((10, 2), 0)
    """

    data: np.ndarray
    seed: int
    options: Mapping[str, Any]
    max_steps: int | None
    max_seconds: float | None
    device: str
    threads: int
    problem: Problem
    tell: Callable[[float], None] = _untold


@dataclass(frozen=True, eq=False)
class Method:
    """A method that can be compared.

    Attributes
    ----------
    name : str
        What it is called.
    fit : callable
        ``fit(task)`` returns a model with ``sample(n, random_state)``.
    space : {"codes", "data"}
        Whether it works on codes, where the problem has a codec, or on the data themselves.
    version : str
        Changes when the method does: finished cells of another version are not used.
    resolve : callable, optional
        ``resolve(options)`` returns all settings that options stand for, those of presets and
        defaults included: finished cells with other settings are not used.

    Examples
    --------
    >>> from geomot import compare, datasets
    >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
    >>> method = study.entries[0].method
    >>> method.name, method.space
    ('TrainingData', 'data')
    """

    name: str
    fit: Callable[[Task], Any]
    space: str = "codes"
    version: str = ""
    resolve: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None


@dataclass(frozen=True, eq=False)
class Entry:
    """A row of a study: a method with settings.

    Attributes
    ----------
    label : str
        What the tables call it.
    method : Method
        The method.
    options : mapping of str to object
        Settings that JSON can hold.

    Examples
    --------
    >>> from geomot import compare, datasets
    >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
    >>> entry = study.entries[0]
    >>> entry.label, entry.method.name, dict(entry.options)
    ('TrainingData', 'TrainingData', {})
    """

    label: str
    method: Method
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Study:
    """One problem, the methods that are compared on it, and how they are judged.

    Attributes
    ----------
    name : str
        In tables, and in names of files with "_" for what they cannot have.
    title : str
        What the tables call it.
    make : callable
        ``make(seed)`` returns the `Problem`: seeds may give other data.
    entries : tuple of Entry
        The rows.
    measures : tuple of str
        Which groups of metrics are computed, see `geomot.compare.METRICS`.
    samples : int
        How many points each model draws; 0 where models are no generators.
    settings : mapping of str to object
        What the problem depends on: cells of other settings are not used.
    figures : tuple of str
        Which figures are drawn: "points", "ridge", "surface", "paths", "saddle", "bars", "curves",
        "images", "strips", "moves".

    Examples
    --------
    >>> from geomot import compare, datasets
    >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
    >>> study.name, study.title, study.samples
    ('data', 'data: 60 points in 2 dimensions', 20)
    """

    name: str
    title: str
    make: Callable[[int], Problem]
    entries: tuple[Entry, ...]
    measures: tuple[str, ...]
    samples: int = 1000
    settings: Mapping[str, Any] = field(default_factory=dict)
    figures: tuple[str, ...] = ()
