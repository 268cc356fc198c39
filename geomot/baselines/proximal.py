"""Proximal generative flows: Wasserstein-1 and Wasserstein-2 regularised divergence.

Sign convention of the potential U, used throughout and stated here once: the velocity is
v(x, t) = - grad U(x, t) / weight, so that particles run down U. Optimal flows then satisfy

    dU/dt - |grad U|^2 / (2 weight) = 0  (Hamilton-Jacobi)   and   grad U(x, T) = grad D(x),

where D is the critic of the divergence: large where there are too many particles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from geomot._validation import as_flag, as_tolerance
from geomot.baselines._base import Baseline
from geomot.baselines._networks import Field, evaluate, gradient, scalar
from geomot.baselines._training import Run
from geomot.baselines.gan import between, lipschitz_penalty

__all__ = ["FlowRecord", "ProximalFlow", "euler_flow"]

FloatArray = NDArray[np.float64]

# More steps than a flow has any use for: a step a thousand times too small is a mistake.
_MOST_STEPS = 10_000

# A number of steps times their size may miss the horizon by this share of it.
_HORIZON_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class FlowRecord:
    """What happens along a flow.

    Attributes
    ----------
    path : list of torch.Tensor of shape (m, ...)
        Positions after each step, the start included.
    kinetic_energy : torch.Tensor
        h sum_k E 1/2 |v_k|^2, without the weight.
    hamilton_jacobi : torch.Tensor
        h sum_k E |dU/dt - |grad U|^2 / (2 weight)|.
    """

    path: list[Any]
    kinetic_energy: Any
    hamilton_jacobi: Any


@dataclass(kw_only=True, eq=False, repr=False)
class ProximalFlow(Baseline):
    """Flow by a potential that composes Wasserstein-1 and Wasserstein-2 proximals.

    Minimises over potentials U, and maximises over critics D,

        E D(x_T) - log E exp D(data) + weight * int_0^T E 1/2 |v|^2 dt,    v = - grad U / weight,

    by forward Euler steps of length `step`. The first two terms are the Donsker-Varadhan form of
    the divergence KL(generated | data); it is the W1 proximal that keeps D Lipschitz, by a
    penalty ``gamma * mean relu(|grad D|^2 - lipschitz^2)`` on points between data and samples, and
    the W2 proximal that adds the kinetic energy: Gu et al. 2024 (arXiv:2407.11901), sections 3
    and 4, with the settings of the authors' code. Signs: see the module. The keywords of every
    method are those of `Baseline`.

    Parameters
    ----------
    w1, w2 : bool, default True
        Whether each proximal is used. Without the first, the problem is ill posed where data lie
        on a set of fewer dimensions, and may diverge; without the second, U still gives the
        velocity, but nothing charges for it.
    horizon : float, default 1.0
        Final time T.
    step : float, default 0.2
        Length h of a step; T / h must be an integer. May be changed after `fit`.
    weight : float, default 0.5
        Weight of the kinetic energy (lambda in the paper).
    gamma : float, default 0.1
        Weight of the penalty.
    lipschitz : float, default 1.0
        Bound L on the critic's slope.
    exponential : {"stable", "plain"}, default "stable"
        How log E exp D is computed: with the largest value taken out, or as written, which
        overflows in float32 where D exceeds 88, as it does in the authors' code.
    critic_steps : int, default 5
        Updates of the critic in one step.
    potential_hidden : sequence of int, default (48, 48, 48, 48, 48)
        Widths of U's dense layers.
    critic_hidden : sequence of int, default (48, 48, 48)
        Widths of D's dense layers.
    potential_activation, critic_activation : str, default "tanh" and "relu"
        As in `GAN`.
    learning_rate, critic_learning_rate : float, default 1e-3 and 1e-3
        Of Adam.
    betas : pair of float, default (0.5, 0.9)
        Of Adam.

    Attributes
    ----------
    history_ : structured array
        Losses "loss", "divergence", "kinetic_energy" (without the weight), "hamilton_jacobi" and
        "terminal": see `indicators`.

    Notes
    -----
    The authors' terminal error is the root of the sum over 5000 samples, divided by 5000: ours
    over 70.7. Their kinetic energy is evaluated at the end of each step and not differentiated in
    the positions; here it is that of the flow, and differentiated as such.

    Without W2 nothing damps the game of potential and critic: with the authors' rates, in which the
    critic learns five times slower, samples often swing to the end. On the data of E5 (one seed) a
    critic that learns five times faster than the potential (5e-4 and 1e-4), with
    ``schedule="cosine"``, steadied it.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.baselines import ProximalFlow
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> model = ProximalFlow(max_steps=5, random_state=0).fit(X)
    >>> sorted(model.indicators(X, random_state=1))
    ['divergence', 'hamilton_jacobi', 'kinetic_energy', 'terminal']
    >>> model.sample(3, step=0.1).shape
    (3, 2)
    """

    batch_size: int = 200
    w1: bool = True
    w2: bool = True
    horizon: float = 1.0
    step: float = 0.2
    weight: float = 0.5
    gamma: float = 0.1
    lipschitz: float = 1.0
    exponential: str = "stable"
    critic_steps: int = 5
    potential_hidden: Sequence[int] = (48, 48, 48, 48, 48)
    critic_hidden: Sequence[int] = (48, 48, 48)
    potential_activation: str = "tanh"
    critic_activation: str = "relu"
    learning_rate: float = 1e-3
    critic_learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.9)

    losses: ClassVar = ("loss", "divergence", "kinetic_energy", "hamilton_jacobi", "terminal")
    mapping: ClassVar = ("potential",)
    counts: ClassVar = {"critic_steps": 1}
    positive: ClassVar = ("weight", "lipschitz")
    not_negative: ClassVar = ("gamma",)
    choices: ClassVar = {"exponential": ("stable", "plain")}
    free: ClassVar = (*Baseline.free, "step")

    def _check(self) -> None:
        for name in ("w1", "w2"):
            as_flag(getattr(self, name), name)
        _count(as_tolerance(self.horizon, "horizon"), self.step)

    def _initial(self) -> str:
        return "glorot"

    def _build(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> dict[str, Any]:
        return {
            "potential": scalar(
                shape, self.potential_hidden, channels, self.potential_activation, timed=True
            ),
            "critic": scalar(
                shape, self.critic_hidden, channels, self.critic_activation, timed=False
            ),
        }

    def _flow(self, potential: Any, x: Any, step: float, *, train: bool = False) -> FlowRecord:
        horizon, weight = self._kept("horizon"), self._kept("weight")
        count = _count(horizon, step)
        return euler_flow(Field(potential), x, horizon, count, weight, create_graph=train)

    def _divergence(self, critic: Any, generated: Any, data: Any) -> Any:
        """E D(generated) - log E exp D(data)."""
        import torch

        # One pass for both: small networks spend their time on the bookkeeping of operations.
        judged = evaluate(critic, torch.cat([generated, data]))[:, 0]
        at_generated, at_data = judged.split([len(generated), len(data)])
        if self.exponential == "stable":
            log_mean = at_data.logsumexp(0) - math.log(len(at_data))
        else:
            log_mean = at_data.exp().mean().log()
        return at_generated.mean() - log_mean

    def _steps(self, run: Run) -> Iterator[tuple[Any, ...]]:
        potential, critic = run.networks["potential"], run.networks["critic"]
        potential_step = run.adam([potential], self.learning_rate, self.betas)
        critic_step = run.adam([critic], self.critic_learning_rate, self.betas)
        while True:
            batches = [run.batch() for _ in range(self.critic_steps)]
            # The potential rests meanwhile: one flow serves all updates of the critic.
            starts = run.noise(sum(map(len, batches)))
            ends = self._flow(potential, starts, self.step).path[-1].detach()
            for data, fake in zip(batches, ends.split([len(b) for b in batches]), strict=True):
                critic_loss = -self._divergence(critic, fake, data)
                if self.w1:
                    points = between(run, data, fake)
                    penalty = lipschitz_penalty(Field(critic), points, self.lipschitz)
                    critic_loss = critic_loss + self.gamma * penalty
                run.descend(critic_step, critic_loss)
            flow = self._flow(potential, run.noise(len(data)), self.step, train=True)
            divergence = self._divergence(critic, flow.path[-1], data)
            loss = divergence + self.weight * flow.kinetic_energy if self.w2 else divergence
            terminal = self._terminal(potential, critic, flow.path[-1])
            run.descend(potential_step, loss)
            yield loss, divergence, flow.kinetic_energy, flow.hamilton_jacobi, terminal

    def _terminal(self, potential: Any, critic: Any, x: Any) -> Any:
        """Root mean square of |grad U(., T) - grad D| at final positions."""
        x = x.detach()
        t = x.new_full((len(x),), self._kept("horizon"))
        slope, _ = gradient(Field(potential), x, t)
        (wanted,) = gradient(Field(critic), x)
        return (slope - wanted).flatten(1).square().sum(1).mean().sqrt()

    def _push(self, points: Any) -> Any:
        return self._flow(self.networks_["potential"], points, self.step).path[-1]

    def transform(self, Z: ArrayLike, *, step: float | None = None) -> FloatArray:
        """Map points of the source.

        Parameters
        ----------
        Z : array_like of shape (n, *source_shape_)
            The points.
        step : float, optional
            Length of a step, by default that of the training. Where the flow is optimal, its paths
            are straight, and any length gives the same.

        Returns
        -------
        ndarray of shape (n, *sample_shape_), float64
            Float32 precision.

        Examples
        --------
        >>> from geomot.baselines import ProximalFlow
        >>> from geomot.datasets import moons
        >>> model = ProximalFlow(max_steps=2, random_state=0).fit(moons(100))
        >>> model.transform([[0.0, 0.0]]).shape
        (1, 2)
        """
        check_is_fitted(self)
        length = self.step if step is None else step
        _count(self._kept("horizon"), length)

        def end(points: Any) -> Any:
            return self._flow(self.networks_["potential"], points, length).path[-1]

        return self._apply(end, self._as_source_points(Z, "Z"), self.sample_shape_)

    def sample(self, n: int, random_state: Any = None, *, step: float | None = None) -> FloatArray:
        """Draw from the model.

        Parameters
        ----------
        n : int
            Number of points; 0 is allowed.
        random_state : None, int, Generator or RandomState
            As in `Baseline.sample`.
        step : float, optional
            As in `transform`.

        Returns
        -------
        ndarray of shape (n, *sample_shape_), float64

        Examples
        --------
        >>> from geomot.baselines import ProximalFlow
        >>> from geomot.datasets import moons
        >>> model = ProximalFlow(max_steps=2, random_state=0).fit(moons(100))
        >>> model.sample(3, random_state=1, step=0.1).shape
        (3, 2)
        """
        return self.transform(self.source_points(n, random_state), step=step)

    def trajectories(self, Z: ArrayLike, *, step: float | None = None) -> FloatArray:
        """Paths of points of the source.

        Parameters
        ----------
        Z : array_like of shape (n, *source_shape_)
            Where they start.
        step : float, optional
            As in `transform`.

        Returns
        -------
        ndarray of shape (n, horizon / step + 1, *sample_shape_), float64
            Positions in the space of the data: the first is the start under the map that undoes
            the standardisation.

        Examples
        --------
        >>> from geomot.baselines import ProximalFlow
        >>> from geomot.datasets import moons
        >>> model = ProximalFlow(max_steps=2, random_state=0).fit(moons(100))
        >>> model.trajectories([[0.0, 0.0]], step=0.25).shape
        (1, 5, 2)
        """
        check_is_fitted(self)
        length = self.step if step is None else step
        count = _count(self._kept("horizon"), length) + 1
        potential = self.networks_["potential"]
        return self._paths(lambda points: self._flow(potential, points, length).path, Z, count)

    def indicators(
        self, X: ArrayLike, random_state: Any = None, *, step: float | None = None
    ) -> dict[str, float]:
        """Measure how far the flow is from an optimal one; nothing of this is trained on.

        Parameters
        ----------
        X : array_like of shape (n, *sample_shape_)
            Data; as many points of the source are drawn.
        random_state : None, int, Generator or RandomState
            As in `sample`.
        step : float, optional
            As in `transform`.

        Returns
        -------
        dict of str to float
            In the units of the standardised data: "divergence", E D(x_T) - log E exp D(data);
            "kinetic_energy", int E 1/2 |v|^2 dt; "hamilton_jacobi", int E |dU/dt -
            |grad U|^2 / (2 weight)| dt along the paths; "terminal", the root mean square of
            |grad U(x_T, T) - grad D(x_T)|.

        Examples
        --------
        >>> from geomot.baselines import ProximalFlow
        >>> from geomot.datasets import moons
        >>> model = ProximalFlow(max_steps=2, random_state=0).fit(moons(100))
        >>> sorted(model.indicators(moons(50), random_state=1))
        ['divergence', 'hamilton_jacobi', 'kinetic_energy', 'terminal']
        """
        import torch

        data = self._standard(X)
        start = self.source_points(len(data), random_state)
        length = self.step if step is None else step
        potential, critic = self.networks_["potential"], self.networks_["critic"]

        def along(points: Any) -> Any:
            flow = self._flow(potential, points, length)
            end = flow.path[-1]
            t = end.new_full((len(end),), self._kept("horizon"))
            slope, _ = gradient(Field(potential), end, t)
            (wanted,) = gradient(Field(critic), end)
            values = (
                evaluate(critic, end)[:, 0],
                flow.kinetic_energy.expand(len(end)),
                flow.hamilton_jacobi.expand(len(end)),
                (slope - wanted).flatten(1).square().sum(1),
            )
            return torch.stack(values, 1)

        rows = self._apply(along, start, None)
        at_data = self._apply(lambda points: evaluate(critic, points), data, None)[:, 0]
        judged, kinetic, residual, squares = rows.mean(axis=0)
        highest = at_data.max()
        log_mean = highest + math.log(np.mean(np.exp(at_data - highest)))
        return {
            "divergence": float(judged - log_mean),
            "kinetic_energy": float(kinetic),
            "hamilton_jacobi": float(residual),
            "terminal": math.sqrt(squares),
        }


def _count(horizon: float, step: float) -> int:
    """Number of steps of a length."""
    count = round(horizon / as_tolerance(step, "step"))
    if abs(count * step - horizon) > _HORIZON_ROUNDING * horizon or not 1 <= count <= _MOST_STEPS:
        raise ValueError(
            f"step must be the horizon {horizon} divided by an integer from 1 to "
            f"{_MOST_STEPS}, got {step}"
        )
    return count


def euler_flow(
    potential: Callable[[Any, Any], Any],
    x: Any,
    horizon: float,
    count: int,
    weight: float,
    *,
    create_graph: bool = False,
) -> FlowRecord:
    """Run particles down a potential by forward Euler steps.

    Parameters
    ----------
    potential : callable
        ``potential(x, t)`` for positions (m, ...) and times (m,), row by row.
    x : torch.Tensor of shape (m, ...)
        Where the particles start.
    horizon : float
        Final time T.
    count : int
        Number of steps.
    weight : float
        The velocity is - grad U / weight.
    create_graph : bool, default False
        Whether the record is to be differentiated in the potential's parameters.

    Returns
    -------
    FlowRecord
    """
    import torch

    step = horizon / count
    path, slopes, rates = [x], [], []
    for k in range(count):
        t = x.new_full((len(x),), k * step)
        # Without the graph each step starts afresh.
        slope, rate = gradient(potential, path[-1], t, create_graph=create_graph)
        path.append(torch.add(path[-1], slope, alpha=-step / weight))
        slopes.append(slope)
        rates.append(rate)
    # |grad U|^2 / (2 weight) = weight / 2 |v|^2
    charges = torch.stack(slopes).flatten(2).square().sum(2) / (2.0 * weight)
    kinetic = horizon / weight * charges.mean()
    residual = horizon * (torch.stack(rates) - charges).detach().abs().mean()
    return FlowRecord(path, kinetic, residual)
