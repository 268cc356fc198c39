"""Autoencoders with a prior on their codes: variational, and Wasserstein with two penalties."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._validation import as_real, as_tolerance
from geomot.baselines._base import LatentBaseline
from geomot.baselines._networks import squared_distances
from geomot.baselines._training import Run
from geomot.latent._layers import decoder, dense, encoder

__all__ = ["VAE", "WAE", "inverse_multiquadratic_mmd"]

FloatArray = NDArray[np.float64]

# Scales of the kernel, relative to the expected squared distance of two points of the prior.
_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

# The log of a decoder's variance starts at the first number, so that codes are worth their cost at
# once (if it starts at the data's, nothing is gained where they have no main direction), follows
# the error of reconstruction at the second, and stays above the third.
_FIRST_LOG_VARIANCE = -5.0
_VARIANCE_RATE = 0.01
_LEAST_LOG_VARIANCE = -12.0

# Numbers in an image up to which dense layers are the better choice for autoencoders.
_MOST_DENSE = 4096

# Weights of the divergences of `WAE`. The paper's 10 goes with the sum of squares over pixels, and
# in its code with a twentieth of it: on MNIST that is 2.5 with the mean over standardised numbers.
# The second was measured on digits, where ten times as much lets all codes be alike.
_PENALTIES = {"mmd": 2.5, "gan": 0.1}


@dataclass(kw_only=True, eq=False, repr=False)
class _Coded(LatentBaseline):
    """An encoder and a decoder, the map from the source (the prior) to data."""

    hidden: Sequence[int] | None = None
    activation: str | None = None
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)

    mapping: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    most_dimensions: ClassVar = 10

    @abstractmethod
    def _wanted_output(self) -> tuple[str, str]:
        """The keyword for messages, and the output: "auto", "linear" or "sigmoid"."""

    def _look_at(self, data: np.ndarray) -> bool:
        name, wanted = self._wanted_output()
        grey = data.dtype == np.uint8 or bool(data.min() >= 0 and data.max() <= 1)
        if wanted == "sigmoid" and not grey:
            raise ValueError(
                f"{name} needs X in [0, 1], got numbers from {data.min():.4g} to {data.max():.4g}"
            )
        if wanted == "auto":
            wanted = "sigmoid" if grey and data.ndim > 2 else "linear"
        self.output_ = wanted
        return wanted == "linear"

    def _is_dense(self) -> bool:
        # Convolutions take about ten times as long for a step: short trainings are far worse.
        small = self.n_features_in_ <= _MOST_DENSE and self._kept("channels") is None
        return super()._is_dense() or (small and self._kept("architecture") == "auto")

    def _autoencoder(
        self, shape: tuple[int, ...], channels: tuple[int, ...], codes: int
    ) -> dict[str, Any]:
        default = (256, 256) if len(shape) == 1 else (256,)
        hidden = default if self.hidden is None else tuple(self.hidden)
        usual = "relu" if len(shape) == 1 else "silu"
        activation = usual if self.activation is None else self.activation
        (latent_dim,) = self.source_shape_
        return {
            "encoder": encoder(shape, codes, hidden, channels, activation),
            "decoder": decoder(latent_dim, shape, hidden[::-1], channels, activation),
        }

    def _push(self, points: Any) -> Any:
        output = self.networks_["decoder"](points)
        return output.sigmoid() if self.output_ == "sigmoid" else output

    def _encode(self, data: Any) -> Any:
        return self.networks_["encoder"](data)[:, : self.source_shape_[0]]

    def encode(self, X: ArrayLike) -> FloatArray:
        """Map data to codes; for `VAE` to the mean of their distribution.

        Parameters
        ----------
        X : array_like of shape (n, *sample_shape_)
            The data.

        Returns
        -------
        ndarray of shape (n, latent_dim), float64

        Examples
        --------
        >>> from geomot.baselines import VAE
        >>> from geomot.datasets import moons
        >>> model = VAE(latent_dim=1, max_steps=5, random_state=0).fit(moons(100))
        >>> model.encode(moons(10)).shape
        (10, 1)
        """
        return self._apply(self._encode, self._standard(X), None)

    def decode(self, codes: ArrayLike) -> FloatArray:
        """Map codes to data: the same as `transform`.

        Parameters
        ----------
        codes : array_like of shape (n, latent_dim)
            The codes.

        Returns
        -------
        ndarray of shape (n, *sample_shape_), float64

        Examples
        --------
        >>> from geomot.baselines import VAE
        >>> from geomot.datasets import moons
        >>> model = VAE(latent_dim=1, max_steps=5, random_state=0).fit(moons(100))
        >>> model.decode([[-1.0], [1.0]]).shape
        (2, 2)
        """
        return self.transform(codes)


@dataclass(kw_only=True, eq=False, repr=False)
class VAE(_Coded):
    """Variational autoencoder.

    Minimises the mean of

        |x - dec(z)|^2 / (2 s^2) + D/2 log(2 pi s^2) + beta KL(N(m(x), diag v(x)) | N(0, I))

    with z drawn from N(m(x), diag v(x)): Kingma, Welling 2014 (arXiv:1312.6114), section 3. One
    variance s^2 for all D numbers of a datum follows its optimum, the error of reconstruction,
    which balances the two terms (Rybkin, Daniilidis, Levine 2021, arXiv:2006.13202). Images in [0,
    1] have a Bernoulli likelihood instead, as in appendix C.1 of the first paper: the first two
    terms become - sum x log p + (1 - x) log(1 - p), with p a sigmoid of the decoder's output. It is
    a distribution on 0 and 1; for grey values in between "loss" is not a bound on a log likelihood
    (Loaiza-Ganem, Cunningham 2019, arXiv:1907.06845), but samples are good. Samples are means
    dec(z), without the decoder's noise. The keywords of every method are those of `Baseline`.

    Parameters
    ----------
    latent_dim : int, optional
        Dimension of the codes; by default that of the data, at most 10.
    architecture : {"auto", "dense", "conv"}, default "auto"
        "auto" takes dense layers for images too, if they have at most 4096 numbers and no
        `channels` are given: a step then takes a tenth of the time.
    hidden : sequence of int, optional
        Widths of the encoder's dense layers, by default (256, 256), and (256,) behind
        convolutions; the decoder has them in reverse.
    activation : str, optional
        As in `GAN`; by default "silu" between convolutions, which are those of
        `geomot.latent.Autoencoder`, and "relu" for dense layers.
    learning_rate : float, default 1e-3
        Of Adam.
    betas : pair of float, default (0.9, 0.999)
        Of Adam.
    likelihood : {"auto", "bernoulli", "gaussian"}, default "auto"
        What the decoder gives the parameters of; "auto": "bernoulli" for images whose values lie
        in [0, 1] (uint8 among them), else "gaussian". With "bernoulli" the data are not
        standardised, and samples lie in [0, 1].
    beta : float, default 1.0
        Weight of the divergence from the prior.
    variance : float, optional
        The variance s^2 of a Gaussian likelihood, in the units of the standardised data; learnt if
        None.

    Attributes
    ----------
    output_ : {"linear", "sigmoid"}
        What the decoder ends with: "sigmoid" for a Bernoulli likelihood.
    history_ : structured array
        Losses "loss" (the negative bound on the log likelihood if beta is 1), "reconstruction"
        (mean squared error of one number) and "divergence" (from the prior).

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.baselines import VAE
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> model = VAE(latent_dim=1, max_steps=5, random_state=0).fit(X)
    >>> model.encode(X).shape, model.decode([[0.0]]).shape
    ((500, 1), (1, 2))
    """

    likelihood: str = "auto"
    beta: float = 1.0
    variance: float | None = None

    losses: ClassVar = ("loss", "reconstruction", "divergence")
    not_negative: ClassVar = ("beta",)
    choices: ClassVar = {
        "source": ("normal",),
        "likelihood": ("auto", "bernoulli", "gaussian"),
    }

    def _check(self) -> None:
        super()._check()
        if self.variance is not None:
            as_tolerance(self.variance, "variance")

    def _wanted_output(self) -> tuple[str, str]:
        outputs = {"bernoulli": "sigmoid", "gaussian": "linear"}
        return f"likelihood={self.likelihood!r}", outputs.get(self.likelihood, "auto")

    def _build(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> dict[str, Any]:
        return self._autoencoder(shape, channels, 2 * self.source_shape_[0])

    def _steps(self, run: Run) -> Iterator[tuple[Any, ...]]:
        networks = run.networks
        optimizer = run.adam(list(networks.values()), self.learning_rate, self.betas)
        likelihood = _Bernoulli() if self.output_ == "sigmoid" else _Gaussian(run, self.variance)
        while True:
            x = run.batch()
            mean, log_v = networks["encoder"](x).chunk(2, 1)
            z = mean + (0.5 * log_v).exp() * run.normal(mean.shape)
            surprise, error = likelihood(networks["decoder"](z), x)
            divergence = 0.5 * (mean.square() + log_v.exp() - 1.0 - log_v).sum(1).mean()
            loss = surprise + self.beta * divergence
            run.descend(optimizer, loss)
            yield loss, error, divergence


class _Bernoulli:
    """Negative log likelihood of numbers in [0, 1] whose logits the decoder gives."""

    def __call__(self, output: Any, x: Any) -> tuple[Any, Any]:
        """Mean over a batch, and the mean squared error of one number."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        surprise = binary_cross_entropy_with_logits(output, x, reduction="sum") / len(x)
        return surprise, (output.detach().sigmoid() - x).square().mean()


class _Gaussian:
    """Negative log likelihood of numbers whose mean the decoder gives; one variance for all."""

    def __init__(self, run: Run, variance: float | None) -> None:
        self._learnt = variance is None
        self._log_s = run.tensor(np.log(variance or np.exp(_FIRST_LOG_VARIANCE)))

    def __call__(self, output: Any, x: Any) -> tuple[Any, Any]:
        """Mean over a batch, and the mean squared error of one number."""
        size, log_s = x[0].numel(), self._log_s
        squares = (output - x).flatten(1).square().sum(1).mean()
        surprise = 0.5 * (squares * (-log_s).exp() + size * (log_s + math.log(2 * math.pi)))
        error = squares / size
        if self._learnt:
            # The best variance for given networks is the mean squared error.
            wanted = error.detach().log().clamp(min=_LEAST_LOG_VARIANCE)
            self._log_s = log_s + _VARIANCE_RATE * (wanted - log_s)
        return surprise, error


@dataclass(kw_only=True, eq=False, repr=False)
class WAE(_Coded):
    """Wasserstein autoencoder: codes all together are held to the prior, not one by one.

    Minimises the mean squared error of reconstruction plus ``penalty`` times a divergence of the
    codes from the source: Tolstikhin, Bousquet, Gelly, Schoelkopf 2018 (arXiv:1711.01558),
    algorithm 1 (a discriminator of codes, which is given the density of a normal source) or 2
    (maximum mean discrepancy with the inverse multiquadratic kernel). The squared error is the mean
    over the numbers of a datum in the units of the standardised data. The keywords of every method
    are those of `Baseline`.

    Parameters
    ----------
    latent_dim, architecture, hidden, activation, learning_rate
        As in `VAE`.
    betas : pair of float, default (0.5, 0.999)
        Of Adam.
    output : {"auto", "linear", "sigmoid"}, default "auto"
        What the decoder ends with; "auto": "sigmoid" for images whose values lie in [0, 1], else
        "linear". With "sigmoid" the data are not standardised, and samples lie in [0, 1].
    divergence : {"mmd", "gan"}, default "mmd"
        How codes are compared with the source.
    penalty : float, optional
        Weight of the divergence; by default 2.5 for the kernel, which on MNIST is as much as in the
        authors' code, and 0.1 for the discriminator, whose loss is about log 2 where the kernel's
        is next to nothing.
    critic_hidden : sequence of int, default (256, 256)
        Widths of the discriminator of codes.
    critic_learning_rate : float, default 1e-3
        Its learning rate.

    Attributes
    ----------
    output_ : {"linear", "sigmoid"}
        What the decoder ends with.
    history_ : structured array
        Losses "loss", "reconstruction" (mean squared error of one number of the standardised data)
        and "divergence".

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.baselines import WAE
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> model = WAE(divergence="gan", max_steps=5, random_state=0).fit(X)
    >>> model.encode(X).shape, model.sample(5).shape
    ((500, 2), (5, 2))
    """

    batch_size: int = 100
    betas: tuple[float, float] = (0.5, 0.999)
    output: str = "auto"
    divergence: str = "mmd"
    penalty: float | None = None
    critic_hidden: Sequence[int] = (256, 256)
    critic_learning_rate: float = 1e-3

    losses: ClassVar = ("loss", "reconstruction", "divergence")
    choices: ClassVar = {
        "divergence": ("mmd", "gan"),
        "output": ("auto", "linear", "sigmoid"),
    }

    def _check(self) -> None:
        super()._check()
        if self.penalty is not None and as_real(self.penalty, "penalty") < 0:
            raise ValueError(f"penalty must not be negative, got {self.penalty}")

    def _wanted_output(self) -> tuple[str, str]:
        return f"output={self.output!r}", self.output

    def _check_size(self, n: int) -> None:
        if self.divergence == "mmd" and n < 2:
            raise ValueError(
                "X and batch_size must give batches of at least 2 rows for the kernel, got 1 sample"
            )

    def _build(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> dict[str, Any]:
        networks = self._autoencoder(shape, channels, self.source_shape_[0])
        if self.divergence == "gan":
            networks["critic"] = dense(
                self.source_shape_[0], self.critic_hidden, 1, self.activation or "relu"
            )
        return networks

    def _steps(self, run: Run) -> Iterator[tuple[Any, ...]]:
        from torch.nn.functional import softplus

        networks = run.networks
        pair = [networks["encoder"], networks["decoder"]]
        optimizer = run.adam(pair, self.learning_rate, self.betas)
        adversarial = self.divergence == "gan"
        if adversarial:
            critic_step = run.adam([networks["critic"]], self.critic_learning_rate, self.betas)
        penalty = _PENALTIES[self.divergence] if self.penalty is None else self.penalty
        known = isinstance(self.source, str) and self.source == "normal"

        def judge(codes: Any) -> Any:
            # Where the prior's log density is known, only that of the codes is to be learnt.
            score = networks["critic"](codes)[:, 0]
            return score - 0.5 * codes.square().sum(1) if known else score

        # Squared distance that two points of the source have on average: the kernel's scale.
        covariance = self._source_measure().covariance
        scale = 2.0 * float(np.trace(covariance))
        # Standardised data have a variance of one.
        unit = float(run.data.var(correction=0)) or 1.0 if self.output_ == "sigmoid" else 1.0
        while True:
            x = run.batch()
            codes, prior = networks["encoder"](x), run.noise(len(x))
            output = networks["decoder"](codes)
            output = output.sigmoid() if self.output_ == "sigmoid" else output
            error = (output - x).square().mean() / unit
            if adversarial:
                divergence = softplus(-judge(codes)).mean()
            else:
                divergence = inverse_multiquadratic_mmd(codes, prior, scale)
            loss = error + penalty * divergence
            run.descend(optimizer, loss)
            if adversarial:
                fake = codes.detach()
                judged = softplus(-judge(prior)).mean() + softplus(judge(fake)).mean()
                run.descend(critic_step, judged)
            yield loss, error, divergence


def inverse_multiquadratic_mmd(a: Any, b: Any, scale: float) -> Any:
    """Unbiased squared maximum mean discrepancy of two batches of equal size.

    The kernel is the sum over s in (0.1, 0.2, 0.5, 1, 2, 5, 10) of C / (C + |a - b|^2) with
    C = s * scale (arXiv:1711.01558, section 4 and its code).

    Parameters
    ----------
    a, b : torch.Tensor of shape (m, d)
        The points, m at least 2.
    scale : float
        Squared distance of typical points: 2 d for the standard normal distribution.

    Returns
    -------
    torch.Tensor
        A number, negative at times.
    """
    m = len(a)

    def total(x: Any, y: Any) -> Any:
        squares = squared_distances(x, y)
        return sum((s * scale) / (s * scale + squares) for s in _SCALES)

    within = sum(k.sum() - k.diagonal().sum() for k in (total(a, a), total(b, b)))
    return within / (m * (m - 1)) - 2.0 * total(a, b).mean()
