"""Mass transport by a fluid: a residual flow that fits a mixture at ever finer widths."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from geomot._validation import as_tolerance
from geomot.baselines._base import Baseline, as_layers
from geomot.baselines._networks import residual_fields, squared_distances
from geomot.baselines._training import Run

__all__ = ["FluidFlow", "mixture_misfit", "widths"]

FloatArray = NDArray[np.float64]

# Part of a step that is rounding: it adds no last step, which would change nothing.
_STEP_ROUNDING = 1e-9


@dataclass(kw_only=True, eq=False, repr=False)
class FluidFlow(Baseline):
    """Mass transport generative network (MTGN): a residual network read as a fluid.

    Particles move by x_(k+1) = x_k + h v_k(x_k), where each of the `layers` steps has a field v_k
    with one hidden layer, and h = 1 / layers. The networks descend on

        misfit(data, x_K; width) + energy_weight * h sum_k E |v_k(x_k)|^2,

    where the misfit compares two clouds as Gaussian mixtures of one width (see `mixture_misfit`),
    which starts wide and is divided by `width_factor` in equal parts of the budget: Lin, Lensink,
    Haber 2019 (arXiv:1910.01694), sections 2 and 3. The keywords of every method are those of
    `Baseline`.

    Parameters
    ----------
    layers : int, default 8
        Steps of the flow.
    width : int, default 64
        Width of each step's hidden layer; for images the first of `channels` takes its place.
    activation : str, default "tanh"
        As in `GAN`.
    energy_weight : float, default 1.0
        Weight of the transport energy. Far below 1, paths are long and masses unbalanced: the
        misfit knows where points are and hardly how many.
    width_start, width_end : float, default 2.0 and 0.1
        First and last width of the mixtures, in the units of the standardised data.
    width_factor : float, default 1.5
        By what it is divided each time.
    learning_rate : float, default 2e-3
        Of Adam.
    betas : pair of float, default (0.9, 0.999)
        Of Adam.

    Attributes
    ----------
    history_ : structured array
        Losses "loss", "misfit", "energy" (h sum_k E |v_k|^2, without its weight) and "width".

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.baselines import FluidFlow
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> model = FluidFlow(layers=4, max_steps=5, random_state=0).fit(X)
    >>> Z = model.source_points(3, random_state=1)
    >>> model.trajectories(Z).shape
    (3, 5, 2)
    """

    layers: int = 8
    width: int = 64
    activation: str = "tanh"
    energy_weight: float = 1.0
    width_start: float = 2.0
    width_end: float = 0.1
    width_factor: float = 1.5
    learning_rate: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)

    losses: ClassVar = ("loss", "misfit", "energy", "width")
    mapping: ClassVar = ("fields",)
    counts: ClassVar = {"layers": 1, "width": 1}
    positive: ClassVar = ("width_start", "width_end")
    not_negative: ClassVar = ("energy_weight",)

    def _check(self) -> None:
        as_layers(self.layers, "layers")
        if self.width_end > self.width_start:
            raise ValueError(
                f"width_end must not exceed width_start, got {self.width_end} > {self.width_start}"
            )
        if not as_tolerance(self.width_factor, "width_factor") > 1:
            raise ValueError(f"width_factor must be larger than 1, got {self.width_factor}")

    def _build(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> dict[str, Any]:
        return {
            "fields": residual_fields(shape, self.layers, self.width, channels, self.activation)
        }

    def _flow(self, fields: Any, x: Any) -> tuple[list[Any], Any]:
        """Positions after each step, and the transport energy."""
        path, energy = [x], 0.0
        for field in fields:
            v = field(path[-1])
            energy = energy + v.flatten(1).square().sum(1).mean() / len(fields)
            path.append(path[-1] + v / len(fields))
        return path, energy

    def _push(self, points: Any) -> Any:
        return self._flow(self.networks_["fields"], points)[0][-1]

    def trajectories(self, Z: ArrayLike) -> FloatArray:
        """Paths of points of the source.

        Parameters
        ----------
        Z : array_like of shape (n, *source_shape_)
            Where they start.

        Returns
        -------
        ndarray of shape (n, layers + 1, *sample_shape_), float64
            Positions at the times k / layers, in the space of the data: the first is the start
            under the map that undoes the standardisation.

        Examples
        --------
        >>> from geomot.baselines import FluidFlow
        >>> from geomot.datasets import moons
        >>> model = FluidFlow(layers=2, max_steps=5, random_state=0).fit(moons(100))
        >>> model.trajectories([[0.0, 0.0]]).shape
        (1, 3, 2)
        """
        check_is_fitted(self)
        fields = self.networks_["fields"]
        return self._paths(lambda points: self._flow(fields, points)[0], Z, len(fields) + 1)

    def energy(self, Z: ArrayLike) -> float:
        """Transport energy of points of the source.

        Parameters
        ----------
        Z : array_like of shape (n, *source_shape_)
            Where they start.

        Returns
        -------
        float
            Mean of h sum_k |v_k|^2, at least the mean squared distance from start to end, in the
            squared units of the data.

        Examples
        --------
        >>> from geomot.baselines import FluidFlow
        >>> from geomot.datasets import moons
        >>> model = FluidFlow(layers=2, max_steps=5, random_state=0).fit(moons(100))
        >>> Z = model.source_points(50, random_state=1)
        >>> paths = model.trajectories(Z)
        >>> moved = ((paths[:, -1] - paths[:, 0]) ** 2).sum(axis=1).mean()
        >>> bool(model.energy(Z) >= moved)
        True
        """
        steps = np.diff(self.trajectories(Z), axis=1)
        if len(steps) == 0:
            raise ValueError("Z must hold at least one point, got none")
        return float(steps.shape[1] * np.square(steps).sum() / len(steps))

    def _steps(self, run: Run) -> Iterator[tuple[Any, ...]]:
        fields = run.networks["fields"]
        optimizer = run.adam([fields], self.learning_rate, self.betas)
        schedule = widths(self.width_start, self.width_end, self.width_factor)
        while True:
            stage = min(int(run.fraction * len(schedule)), len(schedule) - 1)
            data = run.batch()
            path, energy = self._flow(fields, run.noise(len(data)))
            misfit = mixture_misfit(data, path[-1], schedule[stage])
            loss = misfit + self.energy_weight * energy
            run.descend(optimizer, loss)
            yield loss, misfit, energy, schedule[stage]


def widths(start: float, end: float, factor: float) -> list[float]:
    """Widths of the mixtures: start / factor^k down to the end, which is the last.

    Parameters
    ----------
    start, end : float
        First and last width.
    factor : float
        By what it is divided each time.

    Returns
    -------
    list of float

    Examples
    --------
    >>> from geomot.baselines.fluid import widths
    >>> widths(8.0, 1.0, 2.0)
    [8.0, 4.0, 2.0, 1.0]
    """
    count = math.ceil(math.log(start / end) / math.log(factor) - _STEP_ROUNDING)
    return [start / factor**k for k in range(count)] + [end]


def mixture_misfit(a: Any, b: Any, width: float) -> Any:
    """Misfit of two clouds, each as Gaussian mixture about the points of the other.

    Both terms of ``- mean_j log mean_i exp(-|a_j - b_i|^2 / (2 width^2))
    - mean_i log mean_j exp(-|a_j - b_i|^2 / (2 width^2))`` are negative log likelihoods up to the
    constant of the Gaussian density, as in coherent point drift (Myronenko, Song 2010); the first
    asks that there be a point near all data, the second data near all points.

    Parameters
    ----------
    a : torch.Tensor of shape (m, ...)
    b : torch.Tensor of shape (n, ...)
        The clouds.
    width : float
        Standard deviation of the components.

    Returns
    -------
    torch.Tensor
        A number.
    """
    exponents = squared_distances(a, b) / (-2.0 * width**2)
    first = exponents.logsumexp(1).mean() - math.log(len(b))
    second = exponents.logsumexp(0).mean() - math.log(len(a))
    return -first - second
