"""Flow matching: regression on straight lines between pairs, however they are coupled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from geomot._validation import as_real
from geomot.baselines._base import Baseline, as_layers
from geomot.baselines._networks import evaluate, velocity
from geomot.baselines._training import Run
from geomot.coupling import SemiDiscreteCoupling
from geomot.coupling.minibatch import as_host, assign_batch

__all__ = ["FlowMatching"]

FloatArray = NDArray[np.float64]


@dataclass(kw_only=True, eq=False, repr=False)
class FlowMatching(Baseline):
    """Flow whose velocity is learnt from straight lines between source and data.

    The network v descends on E |v((1 - t) x_0 + t x_1, t) - (x_1 - x_0)|^2 with t uniform on
    [0, 1] and pairs (x_0, x_1) of a coupling of source and data; samples solve dx/dt = v(x, t):
    Lipman et al. 2023 (arXiv:2210.02747), section 4.1. The keywords of every method are those of
    `Baseline`.

    Parameters
    ----------
    coupling : {"independent", "minibatch", "semidiscrete"}, default "independent"
        "independent": x_0 and x_1 drawn apart. "minibatch": the optimal assignment of each batch
        (Pooladian et al. 2023, arXiv:2304.14772; Tong et al. 2024, arXiv:2302.00482).
        "semidiscrete": x_1 = T(x_0) with the optimal map T from the source onto all data, which
        `geomot.solve` finds first, to `tv_tol`; its time counts.
    tv_tol : float, default 0.05
        Tolerance of that map: total variation between the masses that the data get and 1/n. In the
        plane from a polygon, where maps are exact, `geomot.solve` has its own.
    hidden : sequence of int, default (256, 256, 256)
        Widths of the dense layers; images have a U-net with `channels` instead.
    activation : str, default "silu"
        As in `GAN`.
    ode_steps : int, default 40
        Steps of the midpoint rule by which samples are drawn. May be changed after `fit`.
    learning_rate : float, default 1e-3
        Of Adam.
    betas : pair of float, default (0.9, 0.999)
        Of Adam.

    Attributes
    ----------
    history_ : structured array
        Losses "loss" and "cost", the mean |x_1 - x_0|^2 of the pairs: W2^2 for an optimal
        coupling.
    solution_ : Solution
        The semi-discrete solution, in the units of the standardised data; not kept in files.

    Warns
    -----
    ConvergenceWarning
        If the semi-discrete map did not reach its tolerance.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.baselines import FlowMatching
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> model = FlowMatching(coupling="semidiscrete", max_steps=5)
    >>> model.fit(X).sample(5, random_state=1).shape
    (5, 2)
    >>> model.solution_.converged
    True
    """

    coupling: str = "independent"
    tv_tol: float = 0.05
    hidden: Sequence[int] = (256, 256, 256)
    activation: str = "silu"
    ode_steps: int = 40
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)

    losses: ClassVar = ("loss", "cost")
    mapping: ClassVar = ("velocity",)
    counts: ClassVar = {"ode_steps": 1}
    positive: ClassVar = ("tv_tol",)
    choices: ClassVar = {"coupling": ("independent", "minibatch", "semidiscrete")}
    free: ClassVar = (*Baseline.free, "ode_steps")

    def _check(self) -> None:
        as_layers(self.ode_steps, "ode_steps")

    def _build(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> dict[str, Any]:
        return {"velocity": velocity(shape, self.hidden, channels, self.activation)}

    def _pairs(self, run: Run) -> Callable[[], tuple[Any, Any]]:
        """What draws batches of pairs."""
        if self.coupling == "semidiscrete":
            return self._semidiscrete(run)

        def draw() -> tuple[Any, Any]:
            end = run.batch()
            start = run.noise(len(end))
            return start, self._assigned(run, start, end) if self.coupling == "minibatch" else end

        return draw

    def _assigned(self, run: Run, start: Any, end: Any) -> Any:
        return end[run.indices(assign_batch(as_host(start), as_host(end)))]

    def _semidiscrete(self, run: Run) -> Callable[[], tuple[Any, Any]]:
        coupling = SemiDiscreteCoupling(
            self._source_measure(), tv_tol=self.tv_tol, threads=self.threads, random_state=run.rng
        ).fit(run.data.flatten(1).double().numpy(force=True))
        self.solution_ = coupling.potentials_[0].solution
        batch = min(self.batch_size, len(run.data))

        def draw() -> tuple[Any, Any]:
            start = self._draw_source(batch, run.rng)
            flat = np.asarray(start, dtype=np.float64).reshape(batch, -1)
            return run.tensor(start), run.rows(coupling.assign(flat))

        return draw

    def _steps(self, run: Run) -> Iterator[tuple[Any, ...]]:
        network = run.networks["velocity"]
        optimizer = run.adam([network], self.learning_rate, self.betas)
        draw = self._pairs(run)
        while True:
            start, end = draw()
            t = run.uniform((len(start),))
            share = t.reshape(-1, *[1] * (start.ndim - 1))
            target = end - start
            found = evaluate(network, start + share * target, t)
            loss = (found - target).flatten(1).square().sum(1).mean()
            run.descend(optimizer, loss)
            yield loss, target.flatten(1).square().sum(1).mean()

    def _path(self, points: Any) -> list[Any]:
        """Positions after each step of the midpoint rule."""
        network, step = self.networks_["velocity"], 1.0 / self.ode_steps
        path = [points]
        for k in range(self.ode_steps):
            t = points.new_full((len(points),), k * step)
            middle = path[-1] + 0.5 * step * evaluate(network, path[-1], t)
            path.append(path[-1] + step * evaluate(network, middle, t + 0.5 * step))
        return path

    def _push(self, points: Any) -> Any:
        return self._path(points)[-1]

    def trajectories(self, Z: ArrayLike) -> FloatArray:
        """Paths of points of the source.

        Parameters
        ----------
        Z : array_like of shape (n, *source_shape_)
            Where they start.

        Returns
        -------
        ndarray of shape (n, ode_steps + 1, *sample_shape_), float64
            Positions in the space of the data: the first is the start under the map that undoes
            the standardisation.

        Examples
        --------
        >>> from geomot.baselines import FlowMatching
        >>> from geomot.datasets import moons
        >>> model = FlowMatching(ode_steps=4, max_steps=5, random_state=0).fit(moons(100))
        >>> model.trajectories([[0.0, 0.0]]).shape
        (1, 5, 2)
        """
        check_is_fitted(self)
        return self._paths(self._path, Z, self.ode_steps + 1)

    def velocity(self, X: ArrayLike, t: float) -> FloatArray:
        """Velocity of the flow.

        Parameters
        ----------
        X : array_like of shape (n, *source_shape_)
            Positions, in the units of the standardised data.
        t : float
            The time, from 0 to 1.

        Returns
        -------
        ndarray of shape (n, *source_shape_), float64
            In the same units.

        Examples
        --------
        >>> from geomot.baselines import FlowMatching
        >>> from geomot.datasets import moons
        >>> model = FlowMatching(ode_steps=4, max_steps=5, random_state=0).fit(moons(100))
        >>> model.velocity([[0.0, 0.0]], 0.5).shape
        (1, 2)
        """
        check_is_fitted(self)
        points = self._as_source_points(X, "X")
        if not 0 <= as_real(t, "t") <= 1:
            raise ValueError(f"t must lie in [0, 1], got {t}")

        def field(chunk: Any) -> Any:
            return evaluate(self.networks_["velocity"], chunk, chunk.new_full((len(chunk),), t))

        return self._apply(field, points, None)
