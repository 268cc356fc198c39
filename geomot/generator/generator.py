"""Generation through a latent space: codec, transport map and what lies between the codes.

A codec (an autoencoder, or any pair of `encode` and `decode`) turns data into codes; the optimal
map from a simple source onto the codes is fitted to them once; samples of the source, mapped and
decoded, are new data. The discrete map returns codes of training data; the extended map, continuous
but for its singular set, makes new ones between codes that belong together (Lei, Guo, An, Qi, Luo,
Yau, Gu, "A geometric understanding of deep learning", Engineering 6, 2020; An, Guo, Lei, Luo, Yau,
Gu, "AE-OT", ICLR 2020).
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from geomot._constants import LATENT_DIM, SEED_RANGE
from geomot._data import as_labels, class_masses, nearest
from geomot._estimators import remember_features, training_samples
from geomot._stderr import warn
from geomot._validation import (
    as_count,
    as_generator,
    as_masses,
    as_points,
    as_real_array,
    as_samples,
)
from geomot.brenier import BrenierMap
from geomot.coupling.rows import mapped_root
from geomot.errors import ConvergenceWarning
from geomot.extended.map import SINGULAR
from geomot.generator import calls, files, streams
from geomot.generator.moment_matching import matching_source
from geomot.generator.restart import start_of
from geomot.generator.whitening import Whitening
from geomot.latent.torch_codec import as_codec
from geomot.metrics import nearest_distances
from geomot.solution import Solution
from geomot.solver import solve
from geomot.sources import Source, refuse_periodic

if TYPE_CHECKING:
    from geomot.extended import ExtendedMap

__all__ = ["LatentGenerator"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# What messages call the sites.
_CODES = "the codes of X"

# Dimensions in which maps onto codes are exact, and need no whitening to converge.
_EXACT_DIMENSIONS = 3

# Up to so many codes a fit to the least tolerance takes a minute; beyond, tolerances grow with the
# number up to the most, with which samples are as good (docs/experiments.md).
_PRECISE_CODES = 6000
_LEAST_TV_TOL = 0.01
_MOST_TV_TOL = 0.1

_MODES = ("extended", "discrete")
_SPACES = ("latent", "source")


class LatentGenerator(BaseEstimator):
    """Generator of new data: an autoencoder's codes, and the optimal map onto them.

    Parameters
    ----------
    autoencoder : object with `encode` and `decode`, optional
        What maps data to codes and back. A scikit-learn estimator that is not fitted (such as
        `geomot.latent.Autoencoder` and `PCACodec`) is cloned and fitted to the data; all else is
        used as it is: ``encode`` takes float arrays of shape (k, ...) as the data have it (uint8
        data come as floats from 0 to 1) and returns codes of shape (k, latent_dim), ``decode``
        does the reverse. A module of torch is put in a `geomot.latent.TorchCodec` and called
        in its mode for evaluation. None stands for
        an `Autoencoder` with 10 latent dimensions.
    transport : BrenierMap, optional
        The map. A map already fitted to these codes is used unchanged; one that is not fitted is
        cloned and fitted. None stands for a map with the `tv_tol` and `threads` below.
    source : Source, array_like or object with a method `sample`, optional
        The source measure, as for `BrenierMap`. None takes for two latent dimensions the uniform
        measure on a disk (a regular polygon of 256 sides), whose map is exact, else the normal
        measure, both with the mean of the codes, and with their variance or covariance.
    tv_tol : float, optional
        Largest total variation between the masses that the codes get and those they should. None
        is 0.01 for up to 6000 codes, and more in proportion for more, at most 0.1: the work of a
        fit, which grows as the square of number over tolerance, does not grow beyond. Masses of
        single images are as uncertain as the choice of the images; see the page on experiments.
    singular : {"side", "discrete", "reject"}, default "side"
        What `sample` does with source points whose image would lie between codes that do not
        belong together: stay with those on the side of their cell, take the code of their cell,
        or draw other points. The first two keep the masses of the codes; see
        `ExtendedMap.sample`.
    smoothing : float, default 1.0
        How far the extended map spreads a code over its cell, above the plane. The more, the fewer
        samples are copies of training data, and the more are mixtures of unlike ones; see
        `ExtendedMap`, and `copy_rate` for what it comes to.
    threshold : float, optional
        How far apart two codes may lie to be combined, in units of the spacing around them; see
        `ExtendedMap`. None finds what stands out.
    whiten : bool, optional
        Whether the map is fitted to codes that an affine map has given mean 0 and covariance 1.
        None does it, with a warning, where the map onto the codes as they are does not converge,
        as for tight clusters that lie nearly on a line.
    random_state : None, int, Generator or RandomState, optional
        All randomness: of the training, of the map, and of `sample` where it is given none.
    threads : int, optional
        Number of threads; None leaves the autoencoder its own number, and else uses the cores at
        hand.
    device : str, optional
        Where torch trains the autoencoder and fits maps by Monte Carlo, such as "cuda". None or
        "cpu": the CPU, where geomot's own kernels fit maps.
    progress : bool, default False
        Whether to show progress bars on stderr.

    Attributes
    ----------
    autoencoder_ : object
        The codec that is used.
    transport_ : BrenierMap
        The fitted map; its sites are the codes of the rows in `support_`, whitened if `whitened_`.
    extended_ : ExtendedMap
        The extended map, made when first used.
    codes_ : ndarray of shape (n, latent_dim)
        The codes of the data.
    support_ : ndarray of shape (m,), int64
        The rows of the data that have mass, in increasing order.
    n_features_in_ : int
        Numbers in a datum.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where the data are a table with names.
    sample_shape_ : tuple of int
        Shape of one datum.
    whitened_ : bool
        Whether the sites of the map are whitened codes.
    classes_ : ndarray of shape (k,), or None
        The labels that occur, if `fit` was given some.

    Examples
    --------
    >>> from geomot.datasets import digits
    >>> from geomot.generator import LatentGenerator
    >>> from geomot.latent import PCACodec
    >>> images, labels = digits()
    >>> generator = LatentGenerator(PCACodec(2), random_state=0).fit(images, labels)
    >>> generator.sample(5).shape
    (5, 64)
    >>> sixes = generator.conditional({6: 1.0})
    >>> distance, index = sixes.nearest_training(sixes.sample(5, mode="discrete"))
    >>> distance.shape
    (5,)
    """

    def __init__(
        self,
        autoencoder: Any = None,
        transport: BrenierMap | None = None,
        *,
        source: Any = None,
        tv_tol: float | None = None,
        singular: str = "side",
        smoothing: float = 1.0,
        threshold: float | None = None,
        whiten: bool | None = None,
        random_state: Any = None,
        threads: int | None = None,
        device: str | None = None,
        progress: bool = False,
    ) -> None:
        self.autoencoder = autoencoder
        self.transport = transport
        self.source = source
        self.tv_tol = tv_tol
        self.singular = singular
        self.smoothing = smoothing
        self.threshold = threshold
        self.whiten = whiten
        self.random_state = random_state
        self.threads = threads
        self.device = device
        self.progress = progress

    # -----------------------------------------------------------------------------------------
    # Fitting
    # -----------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
    ) -> LatentGenerator:
        """Train the autoencoder if it is not trained yet, then fit the map to the codes.

        Parameters
        ----------
        X : array_like of shape (n, features), (n, height, width) or (n, channels, height, width)
            The data. uint8 stands for k / 255; whatever is decoded is on that scale too. A copy is
            kept, for `nearest_training`; of an array that is mapped from a file, a reference.
            Or an iterable of batches of such data, or of pairs of data and labels, as a DataLoader
            of torch yields them: they are read once, encoded and forgotten. The autoencoder must
            then be trained, and `nearest_training` does not work.
        y : array_like of shape (n,), optional
            Labels of the data, of any kind: needed for `class_weight` and `conditional`.
        sample_weight : array_like of shape (n,), optional
            Masses of the data, divided by their sum; equal if None. Data without mass are encoded,
            and are no target of the map.
        class_weight : mapping of label to float, or "balanced", optional
            The mass of each class, divided by their sum; classes that are not mentioned get none.
            "balanced" gives the same to all. Within a class, masses are in proportion to
            `sample_weight`.

        Returns
        -------
        LatentGenerator
            This object.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid, such as data with NaN or a `transport` that is fitted to
            other points than the codes; the message names it.

        Warns
        -----
        ConvergenceWarning
            If the map did not reach its tolerance.

        Notes
        -----
        With batches, and with arrays of uint8, float32 or float64 that are mapped from a file,
        memory holds one batch, up to 256 MiB of data in float64, and while the map is fitted some
        95 bytes for each number of the codes in 128 dimensions, 130 in 16 (measured). An
        autoencoder that is yet to be trained makes a copy of mapped data in float32.

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.generator import LatentGenerator
        >>> from geomot.latent import PCACodec
        >>> images, labels = digits()
        >>> generator = LatentGenerator(PCACodec(2), random_state=0)
        >>> generator = generator.fit(images[:200], labels[:200], class_weight="balanced")
        >>> generator.transport_.solution_.converged
        True
        """
        data = self._read(X) if streams.is_stream(X) else training_samples(self, X)
        if isinstance(data, streams.Encoded) and y is None:
            y = data.labels
        n = len(data)
        if self.singular not in SINGULAR:
            raise ValueError(f"singular must be one of {SINGULAR}, got {self.singular!r}")
        classes, members = (None, None) if y is None else as_labels(y, n)
        masses = class_masses(
            as_masses(sample_weight, n, "sample_weight", normalize=True),
            class_weight,
            classes,
            members,
        )
        rng = as_generator(self.random_state)
        codec_seed, map_seed = (int(seed) for seed in rng.integers(SEED_RANGE, size=2))

        # A fit that fails leaves nothing that looks fitted.
        self.__dict__.pop("transport_", None)
        self.sample_shape_ = data.shape[1:]
        remember_features(self, X)
        self.autoencoder_ = self._fitted_codec(data, codec_seed)
        codes = data.codes if isinstance(data, streams.Encoded) else self._encode(data)
        support = np.flatnonzero(masses > 0.0)
        self.codes_, self.support_ = codes, support
        self.classes_, self._members = classes, members
        self._masses = masses
        self._data: np.ndarray | None = _kept(data)
        self._extended: tuple[dict[str, Any], ExtendedMap] | None = None
        self._whitening, self.transport_ = self._mapped(codes[support], masses[support], map_seed)
        return self

    def _read(self, batches: Any) -> streams.Encoded:
        """Encode data that come in batches."""
        codec = as_codec(self.autoencoder)
        if codec is None or (isinstance(codec, BaseEstimator) and not _is_fitted(codec)):
            raise ValueError(
                "autoencoder must be trained where X comes in batches: fit it to some of the data"
            )
        self.__dict__.pop("transport_", None)
        self.autoencoder_ = codec
        return streams.read(batches, self._encode)

    def _mapped(
        self, codes: FloatArray, masses: FloatArray, seed: int
    ) -> tuple[Whitening | None, BrenierMap]:
        """The map onto codes, and what they are whitened by."""
        if self.whiten:
            return self._whitened(codes, masses, seed)
        given = self.transport is not None or self.source is not None
        if self.whiten is not None or given or codes.shape[1] <= _EXACT_DIMENSIONS:
            return None, self._fitted_map(codes, masses, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            plain = self._fitted_map(codes, masses, seed)
        if plain.solution_.converged:
            return None, plain
        warn(
            f"the map onto the codes as they are did not converge ({plain.solution_.status}), and "
            "is fitted to whitened ones: whiten=True saves the first attempt",
            UserWarning,
            stacklevel=3,
        )
        whitening, white = self._whitened(codes, masses, seed)
        errors = [_total_variation(found.solution_) for found in (white, plain)]
        return (whitening, white) if errors[0] <= errors[1] else (None, plain)

    def _whitened(
        self, codes: FloatArray, masses: FloatArray, seed: int
    ) -> tuple[Whitening, BrenierMap]:
        whitening = Whitening.of(codes, masses, _CODES)
        return whitening, self._fitted_map(whitening.to_sites(codes), masses, seed)

    def _fitted_codec(self, data: np.ndarray | streams.Encoded, seed: int) -> Any:
        if isinstance(data, streams.Encoded):
            return self.autoencoder_
        codec = as_codec(self.autoencoder)
        if codec is None:
            from geomot.latent import Autoencoder

            own: dict[str, Any] = {} if self.threads is None else {"threads": self.threads}
            codec = Autoencoder(
                min(LATENT_DIM, int(np.prod(data.shape[1:]))),
                device=self.device,
                progress=self.progress,
                **own,
            )
        for name in ("encode", "decode"):
            if not callable(getattr(codec, name, None)):
                raise TypeError(
                    "autoencoder must have the methods encode and decode, "
                    f"got {type(codec).__name__}"
                )
        if not isinstance(codec, BaseEstimator) or _is_fitted(codec):
            return codec
        from geomot.latent._codec import Codec

        if data.dtype == np.uint8 and not isinstance(codec, Codec):
            data = data / 255.0
        return _seeded(codec, seed).fit(data)

    def _fitted_map(self, sites: FloatArray, masses: FloatArray, seed: int) -> BrenierMap:
        if self.transport is None:
            source = matching_source(sites, masses, _CODES) if self.source is None else self.source
            if isinstance(source, Source):
                refuse_periodic(source, "generators")
            sampled = not (isinstance(source, Source) and source.exact)
            brenier = BrenierMap(
                source,
                tv_tol=default_tv_tol(len(sites)) if self.tv_tol is None else self.tv_tol,
                threads=self.threads,
                random_state=seed,
                device=self.device if sampled and self.device not in (None, "cpu") else None,
                progress=self.progress,
            )
            return brenier.fit(sites, sample_weight=masses)
        if not isinstance(self.transport, BrenierMap):
            raise TypeError(f"transport must be a BrenierMap, got {type(self.transport).__name__}")
        if not _is_fitted(self.transport):
            brenier = _seeded(self.transport, seed)
            if brenier.source is not None and self.source is not None:
                raise ValueError("source must be None where transport has one")
            if brenier.source is None:
                source = (
                    matching_source(sites, masses, _CODES) if self.source is None else self.source
                )
                brenier.set_params(source=source)
            return brenier.fit(sites, sample_weight=masses)
        if self.source is not None:
            raise ValueError("source must be None where transport is fitted")
        known = self.transport.sites_
        extent = float(np.abs(sites - sites.mean(axis=0)).max())
        if known.shape != sites.shape or np.abs(known - sites).max() > calls.SAME_CODES * extent:
            raise ValueError(
                "transport must be fitted to the codes of X that have mass, of shape "
                f"{sites.shape}, got one fitted to other points of shape {known.shape}"
            )
        return self.transport

    def conditional(self, class_weight: Mapping[Any, float] | str) -> LatentGenerator:
        """Return a generator in which classes have other masses.

        The map is fitted again, from the weights of this one if their cells are nearer to the new
        masses than what a solver begins with.

        Parameters
        ----------
        class_weight : mapping of label to float, or "balanced"
            The mass of each class, as in `fit`: classes that are not mentioned get none.

        Returns
        -------
        LatentGenerator
            A new one, which shares the autoencoder and the data with this one.

        Raises
        ------
        ValueError
            If there are no labels, or no such classes.

        Warns
        -----
        ConvergenceWarning
            If the map did not reach its tolerance.

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.generator import LatentGenerator
        >>> from geomot.latent import PCACodec
        >>> images, labels = digits()
        >>> generator = LatentGenerator(PCACodec(2), random_state=0)
        >>> generator = generator.fit(images[:200], labels[:200])
        >>> sixes = generator.conditional({6: 1.0})
        >>> set(labels[sixes.support_].tolist())
        {6}
        """
        check_is_fitted(self, "transport_")
        if class_weight is None:
            raise TypeError("class_weight must be a mapping of labels to masses, got None")
        masses = class_masses(self._masses, class_weight, self.classes_, self._members)
        support = np.flatnonzero(masses > 0.0)
        known = self.transport_.solution_
        # Masses were those of `fit`, so that all of the new support has weights.
        place = np.searchsorted(self.support_, support)
        solution = solve(
            known.sites[place],
            masses[support],
            known.source,
            method=known.method,
            tol=known.tol,
            initial_weights=start_of(known, place, masses[support]),
            max_iter=self.transport_.max_iter,
            threads=self.transport_.threads,
            random_state=self.transport_.random_state,
            device=self.transport_.device,
            progress=self.transport_.progress,
        )
        other = copy.copy(self)
        other.transport_ = clone(self.transport_)._take(solution)
        other.support_, other._masses, other._extended = support, masses, None
        return other

    @property
    def whitened_(self) -> bool:
        """Whether the sites of the map are whitened codes."""
        check_is_fitted(self, "transport_")
        return self._whitening is not None

    @property
    def extended_(self) -> ExtendedMap:
        """The extended map, made when first used, and again for other parameters."""
        check_is_fitted(self, "transport_")
        options = {"smoothing": self.smoothing, "threshold": self.threshold}
        if self._extended is None or self._extended[0] != options:
            self._extended = options, self.transport_.extended(**options)
        return self._extended[1]

    # -----------------------------------------------------------------------------------------
    # Generation
    # -----------------------------------------------------------------------------------------

    def sample(
        self,
        n: int,
        random_state: Any = None,
        *,
        mode: str = "extended",
        return_codes: bool = False,
    ) -> Any:
        """Generate data.

        Parameters
        ----------
        n : int
            How many.
        random_state : None, int, Generator or RandomState, optional
            The randomness; None uses the generator's `random_state`.
        mode : {"extended", "discrete"}, default "extended"
            "extended" makes new codes with the extended map; "discrete" takes codes of the data,
            with the probabilities of their cells.
        return_codes : bool, default False
            Whether to return the codes as well.

        Returns
        -------
        samples : ndarray of shape (n, *sample_shape_)
            On the scale of the data (from 0 to 1 for uint8), not clipped.
        codes : ndarray of shape (n, latent_dim)
            If `return_codes`.

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.generator import LatentGenerator
        >>> from geomot.latent import PCACodec
        >>> images, labels = digits()
        >>> generator = LatentGenerator(PCACodec(2), random_state=0)
        >>> generator = generator.fit(images[:200], labels[:200])
        >>> samples, codes = generator.sample(3, 0, return_codes=True)
        >>> samples.shape, codes.shape
        ((3, 64), (3, 2))
        """
        check_is_fitted(self, "transport_")
        n = as_count(n, "n")
        if mode not in _MODES:
            raise ValueError(f"mode must be one of {_MODES}, got {mode!r}")
        rng = as_generator(self.random_state if random_state is None else random_state)
        if mode == "discrete":
            sites = self.transport_.sample(n, rng)
        else:
            sites = self.extended_.sample(n, rng, singular=self.singular)
        codes = self._to_codes(sites)
        samples = self._decode(codes)
        return (samples, codes) if return_codes else samples

    def interpolate(self, a: Any, b: Any, steps: int = 8, *, space: str = "latent") -> np.ndarray:
        """Generate data along straight paths from one place to another.

        Parameters
        ----------
        a, b : array_like
            The ends: data, of shape `sample_shape_` or (k, *sample_shape_); or whole numbers, one
            or (k,), for rows of the data of `fit`; or codes, of shape (latent_dim,) or (k,
            latent_dim). If an argument fits two of these, the first applies. One end may be a
            single item while the other has k.
        steps : int, default 8
            Points of a path, both ends among them.
        space : {"latent", "source"}, default "latent"
            Where the path is straight: between the codes, or in the source between the centroids of
            the cells of the codes nearest to the ends, from where the extended map takes it to the
            latent space; points of its singular set take the code of their cell.

        Returns
        -------
        ndarray of shape (steps, *sample_shape_), or (k, steps, *sample_shape_)
            The latter if one of the ends has k rows.

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.generator import LatentGenerator
        >>> from geomot.latent import PCACodec
        >>> images, labels = digits()
        >>> generator = LatentGenerator(PCACodec(2), random_state=0)
        >>> generator = generator.fit(images[:200], labels[:200])
        >>> generator.interpolate(3, 8, steps=5, space="source").shape
        (5, 64)
        """
        check_is_fitted(self, "transport_")
        steps = as_count(steps, "steps", 2)
        if space not in _SPACES:
            raise ValueError(f"space must be one of {_SPACES}, got {space!r}")
        start, end = self._as_codes(a, "a"), self._as_codes(b, "b")
        single = start.ndim == 1 and end.ndim == 1
        start, end = np.atleast_2d(start), np.atleast_2d(end)
        if len(start) != len(end) and 1 not in (len(start), len(end)):
            raise ValueError(f"b must have {len(start)} rows as a has, got {len(end)}")
        if space == "source":
            start, end = self._places(start), self._places(end)
        t = np.linspace(0.0, 1.0, steps)[:, None]
        paths = (1.0 - t) * start[:, None] + t * end[:, None]
        points = paths.reshape(-1, paths.shape[2])
        if space == "source":
            points = self._to_codes(self.extended_.transform(points))
        images = self._decode(points).reshape(-1, steps, *self.sample_shape_)
        return images[0] if single else images

    def reconstruct(self, X: Any) -> np.ndarray:
        """Encode and decode data.

        Parameters
        ----------
        X : array_like of shape (k, *sample_shape_)
            The data.

        Returns
        -------
        ndarray of shape (k, *sample_shape_)

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.generator import LatentGenerator
        >>> from geomot.latent import PCACodec
        >>> images, labels = digits()
        >>> generator = LatentGenerator(PCACodec(2), random_state=0)
        >>> generator = generator.fit(images[:200], labels[:200])
        >>> generator.reconstruct(images[:4]).shape
        (4, 64)
        """
        check_is_fitted(self, "transport_")
        return self._decode(self._encode(as_samples(X, "X", self.sample_shape_)))

    def nearest_training(self, images: Any) -> tuple[FloatArray, IntArray]:
        """Find the training datum nearest to each of some data, to see whether they are copies.

        Parameters
        ----------
        images : array_like of shape (k, *sample_shape_)
            The data, such as `sample` returns them.

        Returns
        -------
        distances : ndarray of shape (k,)
            Euclidean distances.
        indices : ndarray of shape (k,), int64
            Rows of the data of `fit`.

        Raises
        ------
        ValueError
            If the generator was saved without its training data, or fitted to batches.

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.generator import LatentGenerator
        >>> from geomot.latent import PCACodec
        >>> images, labels = digits()
        >>> generator = LatentGenerator(PCACodec(2), random_state=0)
        >>> generator = generator.fit(images[:200], labels[:200])
        >>> distances, rows = generator.nearest_training(images[:3])
        >>> rows
        array([0, 1, 2])
        """
        check_is_fitted(self, "transport_")
        if self._data is None:
            raise ValueError(
                "nearest_training needs the training data, which were not saved, or came in batches"
            )
        queries = as_samples(images, "images", self.sample_shape_)
        indices, distances = nearest(queries, self._data)
        return distances, indices

    def nearest_codes(self, codes: ArrayLike) -> tuple[FloatArray, IntArray]:
        """Find the training code nearest to each of some codes, to see whether they are copies.

        Distances between images hardly tell: a decoded training code is as far from its image as
        a new one is.

        Parameters
        ----------
        codes : array_like of shape (k, latent_dim)
            Codes, such as `sample` returns them.

        Returns
        -------
        distances : ndarray of shape (k,)
            Euclidean distances between codes: 0 for copies.
        indices : ndarray of shape (k,), int64
            Rows of the data of `fit`.

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.generator import LatentGenerator
        >>> from geomot.latent import PCACodec
        >>> images, _ = digits()
        >>> generator = LatentGenerator(PCACodec(2), random_state=0).fit(images[:200])
        >>> _, codes = generator.sample(5, mode="discrete", return_codes=True)
        >>> generator.nearest_codes(codes)[0]
        array([0., 0., 0., 0., 0.])
        """
        check_is_fitted(self, "transport_")
        queries = as_points(codes, "codes", self.codes_.shape[1], allow_empty=True)
        distances, indices = cKDTree(self.codes_).query(queries)
        return distances, indices.astype(np.int64)

    def copy_rate(self, n: int = 20_000, random_state: Any = 0) -> tuple[float, float]:
        """Share of the samples that decode a training code, and are no new data.

        Parameters
        ----------
        n : int, default 20000
            Number of source points that it is measured on.
        random_state : None, int, Generator or RandomState, default 0
            The randomness.

        Returns
        -------
        rate, standard_error : float

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.generator import LatentGenerator
        >>> from geomot.latent import PCACodec
        >>> images, _ = digits()
        >>> generator = LatentGenerator(PCACodec(2), random_state=0).fit(images[:200])
        >>> generator.copy_rate()[0] < 0.1  # in the plane the map is flat on borders only
        True
        """
        check_is_fitted(self, "transport_")
        return self.extended_.copy_rate(n, random_state, self.singular)

    # -----------------------------------------------------------------------------------------
    # Data, codes, sites
    # -----------------------------------------------------------------------------------------

    def _encode(self, data: np.ndarray) -> FloatArray:
        return calls.encode(self.autoencoder_, data)

    def _decode(self, codes: FloatArray) -> FloatArray:
        return calls.decode(self.autoencoder_, codes, self.sample_shape_)

    def _to_sites(self, codes: FloatArray) -> FloatArray:
        return codes if self._whitening is None else self._whitening.to_sites(codes)

    def _to_codes(self, sites: FloatArray) -> FloatArray:
        return sites if self._whitening is None else self._whitening.to_codes(sites)

    def _as_codes(self, value: Any, name: str) -> FloatArray:
        """One code or several, from data, rows or codes."""
        array, raw = as_real_array(value, name), np.asarray(value)
        if self.sample_shape_ in (raw.shape, raw.shape[1:]):
            single = raw.shape == self.sample_shape_
            codes = self._encode(as_samples(raw[None] if single else raw, name))
            return codes[0] if single else codes
        n, d = self.codes_.shape
        if raw.ndim <= 1 and raw.dtype.kind in "iu":
            if array.size == 0 or array.min() < 0 or array.max() >= n:
                raise ValueError(f"{name} must name rows from 0 to {n - 1}, got {value}")
            return self.codes_[array.astype(np.int64)]
        if array.ndim in (1, 2) and array.shape[-1] == d and array.size:
            return as_points(np.atleast_2d(array), name).reshape(array.shape)
        raise ValueError(
            f"{name} must be data of shape {self.sample_shape_}, whole numbers or codes of shape "
            f"({d},), or several of one of these, got shape {raw.shape}"
        )

    def _places(self, codes: FloatArray) -> FloatArray:
        """Where in the source codes come from: the centroids of the cells nearest to them."""
        centroids = self.transport_.solution_.centroids
        known = np.flatnonzero(np.isfinite(centroids).all(axis=1))
        sites = self.transport_.sites_[known]
        _, nearest_site = nearest_distances(self._to_sites(codes), sites, return_indices=True)
        return centroids[known[nearest_site]]

    # -----------------------------------------------------------------------------------------
    # Files
    # -----------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, training_data: bool = True) -> None:
        """Write the generator into a folder; `load` reads it.

        Nothing in it is pickled. It holds ``map.npz``, which `geomot.load` and ``geomot plot``
        read as well; ``autoencoder.npz``, unless the autoencoder is not one of geomot's; and
        ``generator.npz``: codes, labels and the training data.

        Parameters
        ----------
        path : str or path-like
            The folder. It is made, or replaced if it is empty or holds a saved generator and
            nothing else.
        training_data : bool, default True
            Whether to save the training data, without which `nearest_training` does not work.

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.generator import LatentGenerator
        >>> from geomot.latent import PCACodec
        >>> images, labels = digits()
        >>> generator = LatentGenerator(PCACodec(2), random_state=0)
        >>> generator = generator.fit(images[:200], labels[:200])
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     generator.save(os.path.join(folder, "model"))
        ...     sorted(os.listdir(os.path.join(folder, "model")))
        ['autoencoder.npz', 'generator.npz', 'map.npz']
        """
        check_is_fitted(self, "transport_")
        files.save(self, path, training_data)

    @staticmethod
    def load(
        path: str | os.PathLike[str], *, autoencoder: Any = None, device: str | None = None
    ) -> LatentGenerator:
        """Read a generator that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The folder. Nothing in it is executed or unpickled.
        autoencoder : object with `encode` and `decode`, optional
            The autoencoder, where it is not one of geomot's. If the training data were saved, it
            must give the same codes.
        device : str, optional
            Where torch shall have the autoencoder's networks, such as "cuda"; None: the CPU.

        Returns
        -------
        LatentGenerator
            Fitted. Fitting it again keeps the autoencoder.

        Raises
        ------
        ValueError
            If a file is damaged, foreign or does not belong to the others, or the autoencoder is
            not the one that the generator was fitted with. The message names it.
        OSError
            If a file cannot be opened.

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.generator import LatentGenerator
        >>> from geomot.latent import PCACodec
        >>> images, labels = digits()
        >>> generator = LatentGenerator(PCACodec(2), random_state=0)
        >>> generator = generator.fit(images[:200], labels[:200])
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     generator.save(os.path.join(folder, "model"))
        ...     again = LatentGenerator.load(os.path.join(folder, "model"))
        >>> bool((again.sample(3, 0) == generator.sample(3, 0)).all())
        True
        """
        return files.load(LatentGenerator, path, autoencoder, device)


def default_tv_tol(n: int) -> float:
    """The total variation that the masses of so many codes may be off by."""
    return min(max(n / _PRECISE_CODES, 1.0) * _LEAST_TV_TOL, _MOST_TV_TOL)


def _total_variation(solution: Solution) -> float:
    estimate = solution.estimate
    return np.inf if estimate is None else estimate.tv


def _is_fitted(estimator: Any) -> bool:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _kept(data: np.ndarray | streams.Encoded) -> np.ndarray | None:
    """Training data as they are kept: mapped ones by reference, those of batches not at all."""
    if isinstance(data, streams.Encoded):
        return None
    return data.copy() if mapped_root(data) is None else data


def _seeded(estimator: Any, seed: int) -> Any:
    """A copy of an estimator that is not fitted; with a seed where it has none."""
    own = clone(estimator)
    if own.get_params().get("random_state", seed) is None:
        own.set_params(random_state=seed)
    return own
