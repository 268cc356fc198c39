"""The methods that can be compared by name, and how one adds another."""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import os
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from geomot.compare._study import SPACES, Method, Task
from geomot.errors import ConvergenceWarning

__all__ = ["method_of", "methods", "register"]

# Steps that no budget of seconds leaves time for.
_UNBOUNDED = 10_000_000

_REGISTRY: dict[str, Method] = {}


def register(
    name: str, *, space: str = "codes", version: str | None = None
) -> Callable[[Callable[[Task], Any]], Callable[[Task], Any]]:
    """Add a method to those that can be compared, as a decorator.

    Parameters
    ----------
    name : str
        What it is called, on the command line too. A method of one's own may be replaced, one of
        geomot may not.
    space : {"codes", "data"}, default "codes"
        Whether it works on codes, where the problem has a codec, or on the data themselves.
    version : str, optional
        What tells this method from earlier ones of the name, whose cells are not used; by default
        the text of the file that the function is in, with the values that it has enclosed. Where
        these are objects whose text differs each time, cells are made each time.

    Returns
    -------
    callable
        A decorator for ``fit(task)``, which takes a `Task` and returns a fitted model. Needed is
        ``model.sample(n, random_state)``, an array of shape (n, *task.data.shape[1:]) with a
        generator of numpy as `random_state`. Attributes `status_`, `diverged_at_`, `n_steps_`,
        `seconds_` and `history_` (a structured array) are reported if there are.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import compare
    >>> class Gaussian:
    ...     def __init__(self, X):
    ...         self.mean, self.cov = X.mean(axis=0), np.cov(X.T)
    ...     def sample(self, n, random_state=None):
    ...         rng = np.random.default_rng(random_state)
    ...         return rng.multivariate_normal(self.mean, self.cov, n)
    >>> @compare.register("OneGaussian")
    ... def one_gaussian(task):
    ...     return Gaussian(task.data)
    >>> "OneGaussian" in compare.methods()
    True
    """
    if not isinstance(name, str) or not name or not name.isprintable() or "," in name:
        raise ValueError(f"name must be text without commas, got {name!r}")
    if space not in SPACES:
        raise ValueError(f"space must be one of {SPACES}, got {space!r}")
    if name in _REGISTRY and not _REGISTRY[name].version:
        raise ValueError(f"name must not be that of a method of geomot, got {name!r}")

    def add(fit: Callable[[Task], Any]) -> Callable[[Task], Any]:
        if not callable(fit):
            raise TypeError(f"fit must be callable, got {type(fit).__name__}")
        text = _text(fit) if version is None else version
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        _REGISTRY[name] = Method(name, fit, space, digest)
        return fit

    return add


def methods() -> tuple[str, ...]:
    """Names of the methods, in the order in which they were added.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from geomot import compare
    >>> compare.methods()[:3]
    ('TrainingData', 'BrenierMap', 'ExtendedMap')
    """
    return tuple(_REGISTRY)


def method_of(name: str) -> Method:
    """Return the method of a name."""
    if name not in _REGISTRY:
        raise ValueError(f"methods must be among {', '.join(_REGISTRY)}; got {name!r}")
    return _REGISTRY[name]


def warm_up(device: str) -> None:
    """Load what is loaded with the first fit, so that no method is charged for it."""
    from geomot import discrete
    from geomot.brenier import BrenierMap

    points = np.random.default_rng(0).random((8, 2))
    BrenierMap(threads=1).fit(points).extended()
    for method in ("auto", "linear-program"):
        discrete.assignment(points, points, method=method)
        discrete.plan(points, points[:3], method=method)
    if find_spec("torch") is not None:
        from geomot import baselines

        for name in baselines.METHODS:
            kind = getattr(baselines, name)
            narrow = {key: (2,) for key in kind().get_params() if key.endswith("hidden")}
            kind(max_steps=1, random_state=0, device=device, **narrow).fit(points)


def _text(fit: Callable[[Task], Any]) -> str:
    """Text that changes when a function, or what it calls in its file, does."""
    if isinstance(fit, functools.partial):
        return f"{_text(fit.func)}{fit.args}{fit.keywords}"
    if not inspect.isroutine(fit):
        return f"{_text(type(fit).__call__)}{vars(fit)}"
    enclosed = [cell.cell_contents for cell in getattr(fit, "__closure__", None) or ()]
    try:
        text = inspect.getsource(fit)
        file = inspect.getsourcefile(fit)
    except (OSError, TypeError):
        raise ValueError(
            "version must be given if the source code of the function cannot be read"
        ) from None
    if file is not None and os.path.isfile(file):
        text += Path(file).read_text("utf-8")
    return f"{text}{enclosed}"


class _Resampled:
    """The training data, drawn again."""

    # There is no training.
    seconds_ = math.nan

    def __init__(self, data: np.ndarray) -> None:
        self._data = data

    def sample(self, n: int, random_state: Any = None) -> np.ndarray:
        # Independently, as generators draw: data that hold as many points of each mode would
        # otherwise be nearer to others of the kind than anything random can be.
        rng = np.random.default_rng(random_state)
        return self._data[rng.integers(len(self._data), size=n)]


class MapModel:
    """A map with the interface of the baselines."""

    def __init__(self, fitted: Any, extended: Any) -> None:
        self.solution_ = fitted.solution_
        self._map = fitted if extended is None else extended
        self.status_ = "converged" if self.solution_.converged else self.solution_.status
        self.n_steps_ = self.solution_.n_iter

    def sample(self, n: int, random_state: Any = None) -> np.ndarray:
        return self._map.sample(n, random_state)

    def transform(self, Z: np.ndarray) -> np.ndarray:
        return self._map.transform(Z)

    def source_points(self, n: int, random_state: Any = None) -> np.ndarray:
        return self.solution_.source.sample(n, np.random.default_rng(random_state))


def _transport(extended: bool) -> Callable[[Task], Any]:
    def fit(task: Task) -> MapModel:
        from geomot.brenier import BrenierMap
        from geomot.generator import matching_source

        options = dict(task.options)
        limits = {name: options.pop(name) for name in ("threshold",) if name in options}
        known = task.problem.source if task.problem.codec is None else None
        data = task.data.reshape(len(task.data), -1)
        masses = np.full(len(data), 1.0 / len(data))
        source = matching_source(data, masses, "data") if known is None else known
        with warnings.catch_warnings():
            # The table says so.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = BrenierMap(
                source,
                random_state=task.seed,
                threads=task.threads,
                # Maps with exact diagrams, as in the plane, do not use torch.
                device=None if task.device == "cpu" or source.exact else task.device,
                **{"tv_tol": 0.02, **options},
            ).fit(data)
        return MapModel(fitted, fitted.extended(**limits) if extended else None)

    return fit


def _baseline(name: str, **fixed: Any) -> Callable[[Task], Any]:
    def fit(task: Task) -> Any:
        from geomot import baselines

        keywords = _keywords(name, {**fixed, **task.options})
        exact = keywords.pop("exact_steps", None)
        if task.max_seconds is not None:
            keywords["max_seconds"] = task.max_seconds
            if task.max_steps is None:
                keywords["max_steps"] = _UNBOUNDED
        if task.max_steps is not None:
            keywords["max_steps"] = task.max_steps
        if exact is not None:
            # What a row shows after so many steps, whatever the budget.
            keywords["max_steps"] = exact
        keywords.update(random_state=task.seed, device=task.device, threads=task.threads)

        def tell(model: Any, step: int) -> None:
            share = step / model.max_steps
            if task.max_seconds is not None:
                share = max(share, model.history_["seconds"][-1] / task.max_seconds)
            task.tell(min(share, 1.0))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return getattr(baselines, name)(**keywords).fit(task.data, callback=tell)

    return fit


def _reference(name: str) -> Callable[[Task], Any]:
    def fit(task: Task) -> Any:
        from geomot import baselines

        return getattr(baselines, name)(**task.options, random_state=task.seed).fit(task.data)

    return fit


def _keywords(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a baseline with those of a preset."""
    from geomot import baselines

    keywords = dict(options)
    preset = keywords.pop("preset", None)
    return keywords if preset is None else {**baselines.preset(preset, name), **keywords}


def _resolved(name: str, **fixed: Any) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    def resolve(options: Mapping[str, Any]) -> Mapping[str, Any]:
        from geomot import baselines

        try:
            given = _keywords(name, {**fixed, **options})
            exact = given.pop("exact_steps", None)
            model = getattr(baselines, name)(**given)
        except (TypeError, ValueError):
            # The row will say what is wrong when it is tried.
            return options
        known = {"exact_steps": exact, **model.get_params(deep=False)}
        plain = (str, int, float, bool, list, tuple, type(None))
        # Of a preset's source its kind, which it does not change without. An object among the
        # options stays: no file name can tell two of them apart, and it is refused.
        return {
            k: v if k in options or isinstance(v, plain) else type(v).__name__
            for k, v in known.items()
        }

    return resolve


def _add(name: str, fit: Callable[[Task], Any], space: str = "codes") -> None:
    _REGISTRY[name] = Method(name, fit, space)


def _add_baseline(key: str, name: str, space: str = "codes", **fixed: Any) -> None:
    fit, resolve = _baseline(name, **fixed), _resolved(name, **fixed)
    _REGISTRY[key] = Method(key, fit, space, resolve=resolve)


_add("TrainingData", lambda task: _Resampled(task.data), "data")
_add("BrenierMap", _transport(extended=False))
_add("ExtendedMap", _transport(extended=True))
for _name in ("SMOTE", "GaussianMixture"):
    _REGISTRY[_name] = Method(_name, _reference(_name), resolve=_resolved(_name))
for _name in ("GAN", "WGAN", "WGANGP"):
    _add_baseline(_name, _name)
# Autoencoders with a prior make codes of their own.
_add_baseline("VAE", "VAE", "data")
_add_baseline("WAE", "WAE", "data")
_add_baseline("WAE-GAN", "WAE", "data", divergence="gan")
for _name in ("PotentialRegression", "FluidFlow", "ProximalFlow", "FlowMatching"):
    _add_baseline(_name, _name)
for _name in ("minibatch", "semidiscrete"):
    _add_baseline(f"FlowMatching-{_name}", "FlowMatching", coupling=_name)
