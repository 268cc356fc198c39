"""Adversarial networks: the original game, and the Wasserstein distance by two kinds of critic."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from geomot._validation import as_tolerance
from geomot.baselines._base import LatentBaseline
from geomot.baselines._networks import LEAST_SLOPE, squared_slopes
from geomot.baselines._training import Run
from geomot.latent._layers import decoder, encoder

__all__ = ["GAN", "WGAN", "WGANGP", "lipschitz_penalty", "slope_penalty"]

# Weights of the gradient penalty: the reference code's for clouds in the plane, and for images.
_VECTOR_PENALTY = 0.1
_IMAGE_PENALTY = 10.0


@dataclass(kw_only=True, eq=False, repr=False)
class _Adversarial(LatentBaseline):
    """A generator and a critic (or discriminator) that judges what it makes."""

    generator_hidden: Sequence[int] | None = None
    critic_hidden: Sequence[int] | None = None
    activation: str = "leaky_relu"
    learning_rate: float = 2e-4
    critic_learning_rate: float | None = None
    critic_steps: int = 1

    mapping: ClassVar[tuple[str, ...]] = ("generator",)
    counts: ClassVar[Mapping[str, int]] = {"critic_steps": 1}
    most_dimensions: ClassVar = 64

    def _build(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> dict[str, Any]:
        # Behind convolutions one dense layer is enough.
        hidden = (256, 256, 256) if len(shape) == 1 else ()
        first = hidden if self.generator_hidden is None else self.generator_hidden
        second = hidden if self.critic_hidden is None else self.critic_hidden
        (latent_dim,) = self.source_shape_
        return {
            "generator": decoder(latent_dim, shape, first, channels, self.activation),
            "critic": encoder(shape, 1, second, channels, self.activation),
        }

    def _push(self, points: Any) -> Any:
        return self.networks_["generator"](points)

    @abstractmethod
    def _optimizer(self, run: Run, network: Any, learning_rate: float) -> Any:
        """Return what updates a network."""

    def _optimizers(self, run: Run) -> tuple[Any, Any]:
        """Of the generator and of the critic."""
        rate = self.critic_learning_rate or self.learning_rate
        return (
            self._optimizer(run, run.networks["generator"], self.learning_rate),
            self._optimizer(run, run.networks["critic"], rate),
        )


@dataclass(kw_only=True, eq=False, repr=False)
class GAN(_Adversarial):
    """Generative adversarial network with the non-saturating loss.

    The discriminator D minimises E softplus(-D(x)) + E softplus(D(G(z))), the generator G
    minimises E softplus(-D(G(z))): Goodfellow et al. 2014 (arXiv:1406.2661), section 3, with
    sigmoid(D) for their D. The keywords of every method are those of `Baseline`.

    Parameters
    ----------
    latent_dim : int, optional
        Dimension of the source; by default that of the data, at most 64.
    generator_hidden, critic_hidden : sequence of int, optional
        Widths of the dense layers, by default (256, 256, 256), and none behind convolutions.
    activation : str, default "leaky_relu"
        Of both networks: "relu", "leaky_relu" (slope 0.2), "tanh", "silu" or "softplus".
    learning_rate, critic_learning_rate : float
        Of Adam; the critic's is the generator's if None.
    betas : pair of float, default (0.5, 0.999)
        Of Adam.
    critic_steps : int, default 1
        Updates of the discriminator in one step.

    Attributes
    ----------
    history_ : structured array
        Losses "generator" and "critic" (log 2 and log 4 at the equilibrium).

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.baselines import GAN
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> model = GAN(max_steps=5, random_state=0).fit(X)
    >>> model.sample(5).shape, model.status_
    ((5, 2), 'max_steps')
    """

    betas: tuple[float, float] = (0.5, 0.999)

    losses: ClassVar = ("generator", "critic")

    def _optimizer(self, run: Run, network: Any, learning_rate: float) -> Any:
        return run.adam([network], learning_rate, self.betas)

    def _steps(self, run: Run) -> Iterator[tuple[Any, ...]]:
        from torch.nn.functional import softplus

        generator, critic = run.networks["generator"], run.networks["critic"]
        generator_step, critic_step = self._optimizers(run)
        while True:
            for _ in range(self.critic_steps):
                real = run.batch()
                fake = generator(run.noise(len(real))).detach()
                critic_loss = softplus(-critic(real)).mean() + softplus(critic(fake)).mean()
                run.descend(critic_step, critic_loss)
            loss = softplus(-critic(generator(run.noise(len(real))))).mean()
            run.descend(generator_step, loss)
            yield loss, critic_loss


@dataclass(kw_only=True, eq=False, repr=False)
class _Wasserstein(_Adversarial):
    """The game in which the critic estimates the Wasserstein distance W1."""

    learning_rate: float = 1e-4
    critic_steps: int = 5

    losses: ClassVar = ("generator", "critic", "wasserstein")

    def _penalty(self, run: Run, real: Any, fake: Any) -> Any:
        """Return what is added to the critic's loss."""
        return 0.0

    def _restrict(self, critic: Any) -> None:
        """Change the critic after its update."""

    def _steps(self, run: Run) -> Iterator[tuple[Any, ...]]:
        generator, critic = run.networks["generator"], run.networks["critic"]
        generator_step, critic_step = self._optimizers(run)
        while True:
            for _ in range(self.critic_steps):
                real = run.batch()
                fake = generator(run.noise(len(real))).detach()
                distance = critic(real).mean() - critic(fake).mean()
                critic_loss = self._penalty(run, real, fake) - distance
                run.descend(critic_step, critic_loss)
                self._restrict(critic)
            loss = -critic(generator(run.noise(len(real)))).mean()
            run.descend(generator_step, loss)
            yield loss, critic_loss, distance


@dataclass(kw_only=True, eq=False, repr=False)
class WGAN(_Wasserstein):
    """Wasserstein network whose critic is kept Lipschitz by clipping its parameters.

    The critic D maximises E D(x) - E D(G(z)) with its parameters in [-clip, clip], the generator
    maximises E D(G(z)); both by RMSprop: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875),
    algorithm 1, with its settings. The keywords of every method are those of `Baseline`.

    Parameters
    ----------
    latent_dim, generator_hidden, critic_hidden, activation, learning_rate, critic_learning_rate
        As in `GAN`; the activation is "relu", the rate 5e-5.
    batch_size : int, default 64
        As in `Baseline`.
    critic_steps : int, default 5
        Updates of the critic in one step.
    clip : float, default 0.01
        Bound on the critic's parameters.

    Attributes
    ----------
    history_ : structured array
        Losses "generator", "critic" and "wasserstein" = E D(x) - E D(G(z)): W1 times the critic's
        unknown Lipschitz constant, estimated from below.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.baselines import WGAN
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> model = WGAN(max_steps=5, random_state=0).fit(X)
    >>> model.history_.dtype.names
    ('step', 'seconds', 'generator', 'critic', 'wasserstein')
    """

    batch_size: int = 64
    activation: str = "relu"
    learning_rate: float = 5e-5
    clip: float = 0.01

    positive: ClassVar = ("clip",)

    def _optimizer(self, run: Run, network: Any, learning_rate: float) -> Any:
        return run.rmsprop([network], learning_rate)

    def _restrict(self, critic: Any) -> None:
        for parameter in critic.parameters():
            parameter.data.clamp_(-self.clip, self.clip)


@dataclass(kw_only=True, eq=False, repr=False)
class WGANGP(_Wasserstein):
    """Wasserstein network whose critic is kept Lipschitz by a penalty on its gradient.

    As `WGAN`, with ``penalty * E (|grad D(x')| - 1)^2`` in place of the clipping, where x' lies
    uniformly on segments from data to samples, and Adam: Gulrajani et al. 2017
    (arXiv:1704.00028), algorithm 1. The keywords of every method are those of `Baseline`.

    Parameters
    ----------
    latent_dim, generator_hidden, critic_hidden, activation, learning_rate, critic_learning_rate
        As in `GAN`; the rate is 1e-4.
    betas : pair of float, default (0.5, 0.9)
        Of Adam.
    critic_steps : int, default 5
        Updates of the critic in one step.
    penalty : float, optional
        Weight of the penalty; by default 10 for images and 0.1 for vectors, as in the authors' code
        for either. In the plane 10 makes the game swing for thousands of steps.

    Attributes
    ----------
    history_ : structured array
        Losses as in `WGAN`; "wasserstein" estimates W1 in the units of the standardised data.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.baselines import WGANGP
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> model = WGANGP(max_steps=5, random_state=0).fit(X)
    >>> model.sample(5, random_state=1).shape
    (5, 2)
    """

    betas: tuple[float, float] = (0.5, 0.9)
    penalty: float | None = None

    def _check(self) -> None:
        super()._check()
        if self.penalty is not None:
            as_tolerance(self.penalty, "penalty")

    def _optimizer(self, run: Run, network: Any, learning_rate: float) -> Any:
        return run.adam([network], learning_rate, self.betas)

    def _penalty(self, run: Run, real: Any, fake: Any) -> Any:
        vectors = len(self.sample_shape_) == 1
        weight = self.penalty or (_VECTOR_PENALTY if vectors else _IMAGE_PENALTY)
        points = between(run, real, fake)
        return weight * slope_penalty(run.networks["critic"], points)


def between(run: Run, real: Any, fake: Any) -> Any:
    """Points that lie uniformly on the segments between two batches, row by row."""
    share = run.uniform((len(real), *[1] * (real.ndim - 1)))
    return share * real + (1.0 - share) * fake


def slope_penalty(critic: Callable[[Any], Any], points: Any) -> Any:
    """Mean of (|grad D| - 1)^2: slopes are to be 1 (arXiv:1704.00028, equation 3).

    Parameters
    ----------
    critic : callable
        Maps a tensor of shape (m, ...) to m numbers.
    points : torch.Tensor of shape (m, ...)
        Where the gradient is taken.

    Returns
    -------
    torch.Tensor
        A number, which can be differentiated in the critic's parameters.
    """
    norms = (squared_slopes(critic, points) + LEAST_SLOPE).sqrt()
    return (norms - 1.0).square().mean()


def lipschitz_penalty(critic: Callable[[Any], Any], points: Any, lipschitz: float = 1.0) -> Any:
    """Mean of relu(|grad D|^2 - L^2): slopes are to be at most L (arXiv:2407.11901).

    Parameters
    ----------
    critic : callable
        Maps a tensor of shape (m, ...) to m numbers.
    points : torch.Tensor of shape (m, ...)
        Where the gradient is taken.
    lipschitz : float, default 1.0
        The bound L.

    Returns
    -------
    torch.Tensor
        A number, which can be differentiated in the critic's parameters.
    """
    return (squared_slopes(critic, points) - lipschitz**2).relu().mean()
