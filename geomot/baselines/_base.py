"""The interface of the baselines, and what they share: parameters, shapes, files."""

from __future__ import annotations

import copy
import math
import numbers
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, TransformerTags
from sklearn.utils.validation import check_is_fitted

from geomot._estimators import new_samples, remember_features, training_samples
from geomot._validation import (
    as_count,
    as_flag,
    as_generator,
    as_points,
    as_real,
    as_real_array,
    as_threads,
    as_tolerance,
    check_single,
)
from geomot.baselines import _files
from geomot.baselines._networks import automatic_channels, initialise
from geomot.baselines._training import Run, train
from geomot.latent._layers import ACTIVATIONS
from geomot.latent._scaling import mean_and_scale, standardise
from geomot.latent._torch import as_device, as_tensor, import_torch, rows_at_once, settings

__all__ = ["Baseline", "LatentBaseline"]

FloatArray = NDArray[np.float64]

# More parts than a network has any use for: a bound on what a file can make us build.
_MOST_LAYERS = 1000


@dataclass(kw_only=True, eq=False, repr=False)
class Baseline(BaseEstimator, ABC):
    """Generative model that pushes a source measure forward by a trained map.

    The keywords below are those of every method; each method adds its own, and some have other
    defaults.

    Changing a parameter after `fit` has no effect until the next `fit`, except for `random_state`,
    `device`, `threads`, `progress` and those that a method names.

    Parameters
    ----------
    max_steps : int, default 5000
        Steps of the training. In adversarial methods a step has one update of the map.
    max_seconds : float, optional
        Seconds after which the training ends at the next step, if `max_steps` has not ended it.
    batch_size : int, default 256
        Rows of data in a batch; all rows if there are fewer.
    architecture : {"auto", "dense", "conv"}, default "auto"
        Convolutions for images or dense layers for either; "auto" takes what the data are.
    channels : sequence of int, optional
        Channels of the convolutions, each of which halves the sides of the images that are four
        pixels at least; by default so many that no side is left much longer than that.
    source : {"normal", "uniform"}, Source or object with a method `sample`, default "normal"
        The source measure: standard normal, uniform on [-1, 1]^d, one of `geomot.sources`, or any
        object with ``sample(n, rng)``. A source of images is one of vectors of their length.
    standardize : bool, default True
        Subtract the data's mean (one number for all pixels of images), and divide by their
        standard deviation about it, one number in all. Losses and energies are then in these
        units, and maps that are optimal for the squared distance remain so.
    schedule : {"constant", "cosine"}, default "constant"
        Learning rates over the budget; "cosine" lets them fall to zero.
    averaging : float, default 0.0
        Decay of the running mean of the map's parameters that `sample` uses; 0 for none. Useful
        values are 0.99 to 0.9999.
    log_every : int, optional
        Steps between rows of `history_`; by default there are 500 at equal parts of the budget.
    random_state : None, int, Generator or RandomState, optional
        Randomness of `fit`, and of `sample` where it is given none. The same integer gives the same
        model on the same machine, and samples from a stream of their own; a generator is drawn from
        by both. The global generators of torch and numpy are left alone.
    device : str or torch.device, optional
        Where the networks are trained and evaluated, such as "cuda"; None: the CPU.
    threads : int or None, default 1
        Threads that torch may use; None: all available cores. More than one changes last bits.
    progress : bool, default False
        Whether to show a progress bar on standard error, if that is a terminal.

    Attributes
    ----------
    history_ : structured array of shape (rows,)
        Fields "step", "seconds" (without the callback's), and the method's losses: means over the
        steps since the row before. After divergence the last row holds those of the step at which
        it was seen.
    status_ : str
        Why the training ended: "max_steps", "max_seconds", "diverged", or "stopped" by the
        callback.
    diverged_at_ : int or None
        The step whose losses, parameters or images of some points were not finite.
    kept_step_ : int
        The step whose networks are kept: the last, or the last that was found finite.
    n_steps_ : int
        Steps made.
    seconds_ : float
        Duration of the training.
    networks_ : dict of str to torch.nn.Module
        The networks, on standardised data.
    sample_shape_ : tuple of int
        Shape of one datum.
    source_shape_ : tuple of int
        Shape of one point of the source.
    mean_ : ndarray of shape `sample_shape_`
        What is subtracted from the data.
    scale_ : float
        By what they are divided then.
    n_features_in_ : int
        Numbers in one datum.

    Examples
    --------
    >>> from geomot import baselines
    >>> from geomot.datasets import moons
    >>> model = baselines.VAE(max_steps=5, random_state=0).fit(moons(100))
    >>> isinstance(model, baselines.Baseline), model.status_, model.n_steps_
    (True, 'max_steps', 5)
    >>> model.sample(3).shape
    (3, 2)
    """

    max_steps: int = 5000
    max_seconds: float | None = None
    batch_size: int = 256
    architecture: str = "auto"
    channels: Sequence[int] | None = None
    source: Any = "normal"
    standardize: bool = True
    schedule: str = "constant"
    averaging: float = 0.0
    log_every: int | None = None
    random_state: Any = None
    device: Any = None
    threads: int | None = 1
    progress: bool = False

    # What a method declares: the names of its losses, the networks that make its map, and the
    # kinds of its keywords, which are checked before each training.
    losses: ClassVar[tuple[str, ...]] = ()
    mapping: ClassVar[tuple[str, ...]] = ()
    counts: ClassVar[Mapping[str, int]] = {}
    positive: ClassVar[tuple[str, ...]] = ()
    not_negative: ClassVar[tuple[str, ...]] = ()
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Keywords of a fitted model that may be changed without another training.
    free: ClassVar[tuple[str, ...]] = ("random_state", "device", "threads", "progress")

    @abstractmethod
    def _build(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> dict[str, Any]:
        """Return the networks for data of a shape, with any initial weights."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # It transforms points of the source, not data: TransformerMixin would promise that.
        tags.transformer_tags = TransformerTags(preserves_dtype=[])
        tags.input_tags.three_d_array = True
        return tags

    @abstractmethod
    def _steps(self, run: Run) -> Iterator[tuple[Any, ...]]:
        """Train for ever: after each step, yield the losses named in `losses`."""

    @abstractmethod
    def _push(self, points: Any) -> Any:
        """Map a tensor of points of the source, standardised data out."""

    def _initial(self) -> str:
        """Kind of the initial weights."""
        return "uniform"

    def _check(self) -> None:
        """Check keywords beyond what the class declares."""

    def _check_size(self, n: int) -> None:
        """Check that so many data are enough."""

    def _source_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of a point of the source, for data of a shape."""
        return shape

    def _look_at(self, data: np.ndarray) -> bool:
        """Note what depends on the data; return whether they may be standardised."""
        return True

    def _is_dense(self) -> bool:
        """Whether images are vectors to the networks."""
        return bool(self._kept("architecture") == "dense")

    @classmethod
    def from_preset(cls, name: str, **keywords: Any) -> Self:
        """Make a model with the settings of a paper's experiment.

        Parameters
        ----------
        name : str
            A name in `geomot.baselines.PRESETS`.
        **keywords
            What is to differ from the preset.

        Returns
        -------
        Baseline
            Of this class.

        Examples
        --------
        >>> from geomot.baselines import WGAN
        >>> model = WGAN.from_preset("E1", max_steps=100)
        >>> model.critic_steps, model.max_steps
        (5, 100)
        """
        from geomot.baselines.presets import preset

        return cls(**{**preset(name, method_name(cls)), **keywords})

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        callback: Callable[[Baseline, int], bool | None] | None = None,
    ) -> Self:
        """Train the networks.

        Parameters
        ----------
        X : array_like of shape (n, d), (n, h, w) or (n, c, h, w)
            The data. Those of dtype uint8 are divided by 255.
        y : ignored
            For the interface of scikit-learn.
        callback : callable, optional
            Called as ``callback(model, step)`` at each row of the history, where `model` can
            already sample; returning True ends the training. Its time is not counted.

        Returns
        -------
        Baseline
            The model itself. An interrupt (Ctrl-C) leaves it as it was before.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; the message names it. Divergence is no error: see `status_`.
        ImportError
            If torch is missing.

        Examples
        --------
        >>> from geomot.baselines import FluidFlow
        >>> from geomot.datasets import moons
        >>> model = FluidFlow(layers=2, max_steps=5, random_state=0)
        >>> model.fit(moons(100)).status_
        'max_steps'
        """
        torch = import_torch(f"baselines.{type(self).__name__}")
        before = dict(self.__dict__)
        try:
            self._fit(torch, X, callback)
        except BaseException:
            self.__dict__ = before
            raise
        return self

    def _fit(self, torch: Any, X: ArrayLike, callback: Any) -> None:
        """Train from scratch, with nothing left of an earlier training."""
        self._check_keywords()
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable, got {type(callback).__name__}")
        device = as_device(torch, self.device)
        data = training_samples(self, X)
        self._check_size(min(len(data), self.batch_size))
        rng = as_generator(self.random_state)
        started = time.perf_counter()

        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        self._keywords = self.get_params(deep=False)
        self.sample_shape_ = data.shape[1:]
        remember_features(self, X)
        self.mean_, self.scale_ = np.zeros(self.sample_shape_), 1.0
        if self._look_at(data) and self.standardize:
            self.mean_, self.scale_ = mean_and_scale(data, single=data.ndim > 2)
        shape, channels = self._layout()
        self.source_shape_ = self._source_shape(shape)
        self._draw_source(0, rng)

        with settings(torch, self.threads, training=True):
            networks = self._new_networks(shape, channels)
            for network in networks.values():
                network.to_empty(device="cpu")
                initialise(network, rng, self._initial())
                network.to(device)
            self.networks_: dict[str, Any] = {
                name: copy.deepcopy(network).requires_grad_(False)
                if self.averaging and name in self.mapping
                else network
                for name, network in networks.items()
            }
            tensor = standardise(torch, data, np.arange(len(data)), self.mean_, self.scale_)
            run = Run(
                tensor.reshape(-1, *shape).to(device), networks, self._draw_source, rng,
                self.batch_size, self.schedule,
            )  # fmt: skip
            train(
                self,
                run,
                callback,
                max_steps=self.max_steps,
                max_seconds=self.max_seconds,
                log_every=self.log_every,
                averaging=self.averaging,
                started=started,
                progress=self.progress,
            )

    def _kept(self, keyword: str) -> Any:
        """Value of a keyword in the training, whatever it has been set to since."""
        return self._keywords[keyword]

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw from the model.

        Parameters
        ----------
        n : int
            Number of points; 0 is allowed.
        random_state : None, int, Generator or RandomState
            The randomness; None takes the model's own `random_state`.

        Returns
        -------
        ndarray of shape (n, *sample_shape_), float64
            Float32 precision; not clipped to the range of the data.

        Examples
        --------
        >>> from geomot.baselines import FluidFlow
        >>> from geomot.datasets import moons
        >>> model = FluidFlow(layers=2, max_steps=5, random_state=0).fit(moons(100))
        >>> model.sample(3, random_state=1).shape
        (3, 2)
        """
        return self._apply(self._push, self.source_points(n, random_state), self.sample_shape_)

    def source_points(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw from the source: the points that `sample` maps for the same arguments.

        Parameters
        ----------
        n : int
            Number of points; 0 is allowed.
        random_state : None, int, Generator or RandomState
            As in `sample`.

        Returns
        -------
        ndarray of shape (n, *source_shape_), float64

        Examples
        --------
        >>> from geomot.baselines import FluidFlow
        >>> from geomot.datasets import moons
        >>> model = FluidFlow(layers=2, max_steps=5, random_state=0).fit(moons(100))
        >>> Z = model.source_points(3, random_state=1)
        >>> bool((model.transform(Z) == model.sample(3, random_state=1)).all())
        True
        """
        check_is_fitted(self)
        if random_state is None and isinstance(self.random_state, numbers.Integral):
            random_state = np.random.default_rng([int(self.random_state), 1])
        elif random_state is None:
            random_state = self.random_state
        rng = as_generator(random_state)
        return np.asarray(self._draw_source(as_count(n, "n"), rng), dtype=np.float64)

    def transform(self, Z: ArrayLike) -> FloatArray:
        """Map points of the source.

        Parameters
        ----------
        Z : array_like of shape (n, *source_shape_)
            The points; vectors of the same length will do.

        Returns
        -------
        ndarray of shape (n, *sample_shape_), float64
            Float32 precision.

        Examples
        --------
        >>> from geomot.baselines import FluidFlow
        >>> from geomot.datasets import moons
        >>> model = FluidFlow(layers=2, max_steps=5, random_state=0).fit(moons(100))
        >>> model.transform([[0.0, 0.0], [1.0, 0.0]]).shape
        (2, 2)
        """
        check_is_fitted(self)
        return self._apply(self._push, self._as_source_points(Z, "Z"), self.sample_shape_)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to a file: plain arrays and a JSON header, no pickle.

        A `random_state` that is not an integer is not written.

        Parameters
        ----------
        path : str or path-like
            The file, exactly as named; replaced in one step when the new one is complete.

        Raises
        ------
        TypeError
            If `source` is an object of one's own, or the model of a class of one's own, which files
            cannot hold.

        Examples
        --------
        >>> import os, tempfile
        >>> import geomot
        >>> from geomot.baselines import FluidFlow
        >>> from geomot.datasets import moons
        >>> model = FluidFlow(layers=2, max_steps=5, random_state=0).fit(moons(100))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = os.path.join(folder, "model.npz")
        ...     model.save(file)
        ...     again = geomot.load(file)
        >>> type(again).__name__, again.n_steps_
        ('FluidFlow', 5)
        """
        check_is_fitted(self)
        _files.write(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: Any = None) -> Self:
        """Read a model that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file. It is never executed or unpickled, and may be untrusted.
        device : str or torch.device, optional
            Where its networks are to be evaluated, such as "cuda"; None: the CPU.

        Returns
        -------
        Baseline
            Of this class.

        Raises
        ------
        ValueError
            If the file is not a complete, undamaged model of this class.
        OSError
            If the file cannot be opened.

        Examples
        --------
        >>> import os, tempfile
        >>> import geomot
        >>> from geomot.baselines import FluidFlow
        >>> from geomot.datasets import moons
        >>> model = FluidFlow(layers=2, max_steps=5, random_state=0).fit(moons(100))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = os.path.join(folder, "model.npz")
        ...     model.save(file)
        ...     again = FluidFlow.load(file)
        >>> again.n_steps_
        5
        """
        as_device(import_torch(f"baselines.{cls.__name__}"), device)
        return _files.read(cls, path, device)

    def _check_keywords(self) -> None:
        as_count(self.max_steps, "max_steps", 1)
        as_count(self.batch_size, "batch_size", 1)
        as_threads(self.threads)
        if self.max_seconds is not None:
            as_tolerance(self.max_seconds, "max_seconds")
        if self.log_every is not None:
            as_count(self.log_every, "log_every", 1)
        if self.channels is not None:
            as_widths(self.channels, "channels", least=1)
        if not 0 <= as_real(self.averaging, "averaging") < 1:
            raise ValueError(f"averaging must lie in [0, 1), got {self.averaging}")
        as_flag(self.standardize, "standardize")
        choices = {
            "architecture": ("auto", "dense", "conv"),
            "schedule": ("constant", "cosine"),
            **self.choices,
        }
        for name, allowed in choices.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
        for name, least in self.counts.items():
            as_count(getattr(self, name), name, least)
        for name in self.positive:
            as_tolerance(getattr(self, name), name)
        for name in self.not_negative:
            if as_real(getattr(self, name), name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name, value in self.get_params(deep=False).items():
            if name.endswith("hidden") and value is not None:
                as_widths(value, name)
            if name.endswith("learning_rate") and value is not None:
                as_tolerance(value, name)
            known = (*ACTIVATIONS, getattr(type(self), name, None))
            if name.endswith("activation") and value not in known:
                raise ValueError(f"{name} must be one of {ACTIVATIONS}, got {value!r}")
            if name == "betas" and not _are_betas(value):
                raise ValueError(f"betas must be a pair of numbers in [0, 1), got {value!r}")
        self._check()

    def _layout(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shape of a datum as the networks see it, and the channels of their convolutions."""
        flat = len(self.sample_shape_) == 1
        if flat and self._kept("architecture") == "conv":
            raise ValueError("architecture must be 'auto' or 'dense' for vectors, got 'conv'")
        if flat or self._is_dense():
            return (self.n_features_in_,), ()
        shape, channels = (1, *self.sample_shape_)[-3:], self._kept("channels")
        return shape, automatic_channels(shape) if channels is None else tuple(channels)

    def _new_networks(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> dict[str, Any]:
        """Networks without memory: files are held against them before anything is allocated."""
        import torch

        with torch.device("meta"):
            return {name: net.float() for name, net in self._build(shape, channels).items()}

    def _draw_source(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw points of the source, shape (n, *source_shape_)."""
        shape, source = (n, *self.source_shape_), self._kept("source")
        if isinstance(source, str):
            if source == "normal":
                return rng.standard_normal(shape, dtype=np.float32)
            if source == "uniform":
                return 2.0 * rng.random(shape, dtype=np.float32) - 1.0
            raise ValueError(f"source must be 'normal' or 'uniform', got {source!r}")
        return self._source_measure().sample(n, rng).reshape(shape)

    def _source_measure(self) -> Any:
        """The source as a measure of geomot."""
        from geomot.sources import Gaussian, UniformBox, as_source

        dim, source = math.prod(self.source_shape_), self._kept("source")
        if isinstance(source, str):
            if source == "normal":
                return Gaussian(np.zeros(dim), 1.0)
            return UniformBox(np.full(dim, -1.0), np.full(dim, 1.0))
        if source is None:
            raise TypeError("source must be 'normal', 'uniform' or a measure, got None")
        return as_source(source, dim)

    def _as_source_points(self, Z: ArrayLike, name: str) -> FloatArray:
        array = as_real_array(Z, name)
        dim = math.prod(self.source_shape_)
        if array.shape[1:] == self.source_shape_:
            array = array.reshape(len(array), dim)
        points = as_points(array, name, dim, allow_empty=True)
        check_single(points, name)
        return points.reshape(len(points), *self.source_shape_)

    def _standard(self, X: ArrayLike) -> FloatArray:
        """Data as `fit` takes them, standardised, with the shape that the networks see."""
        check_is_fitted(self)
        data = new_samples(self, X, self.sample_shape_)
        torch = import_torch(f"baselines.{type(self).__name__}")
        tensor = standardise(torch, data, np.arange(len(data)), self.mean_, self.scale_)
        return tensor.numpy().reshape(len(data), *self._layout()[0])

    def _apply(
        self, function: Callable[[Any], Any], inputs: FloatArray, shape: tuple[int, ...] | None
    ) -> FloatArray:
        """Map rows chunk by chunk; with a shape, from standardised data to data of that shape."""
        import torch

        device = next(next(iter(self.networks_.values())).parameters()).device
        rows, parts = rows_at_once(self.n_features_in_), []
        with settings(torch, self.threads):
            # One chunk even of no rows, for the shape.
            for start in range(0, max(len(inputs), 1), rows):
                chunk = as_tensor(torch, inputs[start : start + rows], device)
                parts.append(function(chunk).numpy(force=True).astype(np.float64))
        output = np.concatenate(parts)
        if shape is None:
            return output
        return output.reshape(len(inputs), *shape) * self.scale_ + self.mean_

    def _paths(self, positions: Callable[[Any], list[Any]], Z: ArrayLike, count: int) -> FloatArray:
        """Positions of points of the source at `count` times, in the space of the data."""
        import torch

        def stacked(points: Any) -> Any:
            return torch.stack(positions(points), 1)

        points = self._as_source_points(Z, "Z")
        return self._apply(stacked, points, (count, *self.sample_shape_))


@dataclass(kw_only=True, eq=False, repr=False)
class LatentBaseline(Baseline):
    """Method whose source is a vector, by default no longer than `most_dimensions`."""

    latent_dim: int | None = None

    most_dimensions: ClassVar[int]

    def _check(self) -> None:
        if self.latent_dim is not None:
            as_count(self.latent_dim, "latent_dim", 1)

    def _source_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.latent_dim is None:
            return (min(self.n_features_in_, self.most_dimensions),)
        return (self.latent_dim,)


def _are_betas(value: Any) -> bool:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    return all(isinstance(beta, (float, int)) and 0 <= beta < 1 for beta in value)


def as_widths(widths: Any, name: str, *, least: int = 0) -> tuple[int, ...]:
    """Return the widths of layers."""
    if isinstance(widths, (str, bytes)) or not isinstance(widths, Sequence):
        raise TypeError(f"{name} must be a sequence of integers, got {type(widths).__name__}")
    if not least <= len(widths) <= _MOST_LAYERS:
        raise ValueError(f"{name} must hold {least} to {_MOST_LAYERS} widths, got {len(widths)}")
    return tuple(as_count(width, name, 1) for width in widths)


def as_layers(value: Any, name: str) -> int:
    """Return a number of layers, which is bounded."""
    count = as_count(value, name, 1)
    if count > _MOST_LAYERS:
        raise ValueError(f"{name} must be at most {_MOST_LAYERS}, got {count}")
    return count


def method_name(kind: type[Baseline]) -> str:
    """Name of the method of geomot that a class is, or is derived from."""
    from geomot.baselines import METHODS

    return next((c.__name__ for c in kind.__mro__ if c.__name__ in METHODS), kind.__name__)
