"""A small classifier: the features and probabilities on which generated data are judged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from geomot._constants import SEED_RANGE
from geomot._data import as_labels
from geomot._estimators import new_samples, remember_features, training_samples
from geomot._files.parts import Array, Entry, Record, as_list, as_mapping, as_word
from geomot._validation import as_count, as_generator, as_tolerance
from geomot.latent._codec import Stored
from geomot.latent._networks import (
    CLASSIFIER_LAYOUT,
    CONV_SIDE,
    ClassifierLayout,
    Network,
    build_classifier,
    initialise,
)
from geomot.latent._scaling import (
    as_float,
    chunks,
    mean_and_scale,
    refuse_channels_last,
    standardise,
)
from geomot.latent._torch import apply, as_device, import_torch, settings
from geomot.latent._training import Hyperparameters, train

__all__ = ["FeatureClassifier"]

# Channels after each of two to five convolutions, which halve the sides until the shorter has
# about _CLASSIFIER_COARSEST pixels.
_CLASSIFIER_CHANNELS = (32, 64, 128, 128, 128)
_CLASSIFIER_COARSEST = 3
_HIDDEN = (256,)
_FEATURES = 128

_BATCH_SIZE = 64
_LEARNING_RATE = 4e-3
_WEIGHT_DECAY = 0.05

# The default number of steps, and of epochs at least.
_CLASSIFIER_STEPS = 1500
_CLASSIFIER_EPOCHS = 3

# Images are moved by up to about this share of their sides, vectors get noise of this size in
# units of the data's: neither shall be learnt by heart.
_SHIFT = 1 / 28
_NOISE = 0.3


class FeatureClassifier(ClassifierMixin, BaseEstimator, Stored):
    """Small classifier of images or vectors, whose last hidden layer gives features.

    Frechet distances and inception scores need a classifier trained on the data set in question:
    this one is trained from scratch in about a minute on one core for 5000 images of 28 x 28
    pixels. Images with sides of 8 pixels or more go through convolutions with batch normalisation
    that halve the sides, everything else through dense layers. The cross entropy is minimised by
    AdamW, with a step size that falls along a cosine and with small random shifts of the images,
    or noise on vectors.

    Parameters
    ----------
    epochs : int, optional
        Passes over the training data; by default as many as make 1500 steps of 64 samples, and at
        least 3.
    random_state : int, numpy.random.Generator or None, default None
        Seed of the initial weights, the batches, the shifts and the noise. The same seed, threads
        and machine give the same classifier; torch's global generator is left alone.
    device : str or torch.device, optional
        Where the network is trained and evaluated, such as "cuda"; None: the CPU.
    threads : int or None, default 1
        Threads that torch may use here; None for all cores that the process may use.
    progress : bool, default False
        Show a progress bar on stderr, if that is a terminal.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    sample_shape_ : tuple of int
        Shape of one sample: (features,), (h, w) or (c, h, w).
    history_ : ndarray of shape (n_epochs,)
        Mean cross entropy of each epoch, on shifted or noisy samples.
    n_features_in_ : int
        Numbers in one sample.

    Examples
    --------
    >>> from geomot.datasets import digits
    >>> from geomot.latent import FeatureClassifier
    >>> images, labels = digits()
    >>> classifier = FeatureClassifier(random_state=0).fit(images, labels)  # doctest: +SKIP
    >>> classifier.features(images).shape  # doctest: +SKIP
    (1797, 128)
    """

    _record = Record(
        "geomot-classifier",
        {
            "parameters": Entry(as_mapping),
            "_layout_": CLASSIFIER_LAYOUT,
            "scale_": Entry(as_tolerance),
            "classes_": Entry(as_list),
            "kind": Entry(as_word),
            "mean_": Array(("sample",)),
            "history_": Array(("epochs",), check=None),
            "body_": Network("body.", build_classifier, 0),
            "head_": Network("head.", build_classifier, 1),
        },
    )

    def __init__(
        self,
        *,
        epochs: int | None = None,
        random_state: int | np.random.Generator | None = None,
        device: Any = None,
        threads: int | None = 1,
        progress: bool = False,
    ) -> None:
        self.epochs = epochs
        self.random_state = random_state
        self.device = device
        self.threads = threads
        self.progress = progress

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any) -> FeatureClassifier:
        """Train the classifier.

        Parameters
        ----------
        X : array_like of shape (n, features), (n, h, w) or (n, c, h, w)
            The data; uint8 is divided by 255.
        y : array_like of shape (n,)
            The label of each sample: numbers or text, of two kinds at least.

        Returns
        -------
        FeatureClassifier
            The classifier itself. An interrupt (Ctrl-C) leaves it as it was before.

        Raises
        ------
        ValueError, TypeError
            If `X` is not finite or of another shape, or `y` does not fit it.
        ImportError
            If PyTorch is not installed.
        ConvergenceError
            If the training diverges at once.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import FeatureClassifier
        >>> X, y = np.random.default_rng(0).random((20, 5)), np.arange(20) % 2
        >>> classifier = FeatureClassifier(epochs=1, random_state=0).fit(X, y)  # doctest: +SKIP
        >>> classifier.classes_  # doctest: +SKIP
        array([0, 1])
        """
        torch = import_torch("latent.FeatureClassifier")
        given, X = X, training_samples(self, X)
        refuse_channels_last(X.shape[1:], "X")
        classes, index = _as_labels(y, len(X))
        layout = _layout(X.shape[1:], len(classes))
        steps = math.ceil(len(X) / _BATCH_SIZE)
        epochs = max(_CLASSIFIER_EPOCHS, math.ceil(_CLASSIFIER_STEPS / steps))
        if self.epochs is not None:
            epochs = as_count(self.epochs, "epochs", 1)
        hyper = Hyperparameters(
            epochs=epochs,
            batch_size=_BATCH_SIZE,
            learning_rate=_LEARNING_RATE,
            patience=epochs,
            schedule="cosine",
            weight_decay=_WEIGHT_DECAY,
        )
        device = as_device(torch, self.device)
        rng = as_generator(self.random_state)
        stream = torch.Generator().manual_seed(int(rng.integers(SEED_RANGE)))
        mean, scale = mean_and_scale(X)
        disturb = _shift if layout.channels else _add_noise

        with settings(torch, self.threads, training=True):
            data = standardise(torch, X, np.arange(len(X)), mean, scale)
            data = data.reshape(-1, *layout.input_shape).to(device)
            labels = torch.from_numpy(index).to(device)
            body, head = (
                initialise(torch, network, stream).to(device)
                for network in build_classifier(torch, layout)
            )

            def batch_loss(batch: Any) -> Any:
                batch = batch.to(device)
                inputs = disturb(torch, data[batch], stream)
                return torch.nn.functional.cross_entropy(head(body(inputs)), labels[batch])

            history, _ = train(
                torch,
                (body, head),
                hyper,
                len(X),
                batch_loss,
                None,
                stream,
                name="classifier",
                show=lambda error: f"loss={error:.4g}",
                progress=self.progress,
            )

        self.body_, self.head_ = body, head
        self.classes_, self.history_ = classes, history[:, 0]
        self.mean_, self.scale_, self._layout_ = mean, scale, layout
        self.sample_shape_ = layout.shape
        remember_features(self, given)
        return self

    def features(self, X: Any) -> np.ndarray:
        """Values of the last hidden layer.

        Parameters
        ----------
        X : array_like of shape (n, *sample_shape_)
            The data; uint8 is divided by 255.

        Returns
        -------
        features : ndarray of shape (n, 128), float64

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import FeatureClassifier
        >>> X, y = np.random.default_rng(0).random((20, 5)), np.arange(20) % 2
        >>> classifier = FeatureClassifier(epochs=1, random_state=0).fit(X, y)  # doctest: +SKIP
        >>> len(classifier.features(X))  # doctest: +SKIP
        20
        """
        return self._evaluate(X, logits=False)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array_like of shape (n, *sample_shape_)
            The data; uint8 is divided by 255.

        Returns
        -------
        probabilities : ndarray of shape (n, n_classes), float64
            Rows sum to 1; columns in the order of `classes_`.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import FeatureClassifier
        >>> X, y = np.random.default_rng(0).random((20, 5)), np.arange(20) % 2
        >>> classifier = FeatureClassifier(epochs=1, random_state=0).fit(X, y)  # doctest: +SKIP
        >>> classifier.predict_proba(X).shape  # doctest: +SKIP
        (20, 2)
        """
        logits = self._evaluate(X, logits=True)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """Most probable labels.

        Parameters
        ----------
        X : array_like of shape (n, *sample_shape_)
            The data; uint8 is divided by 255.

        Returns
        -------
        labels : ndarray of shape (n,)

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import FeatureClassifier
        >>> X, y = np.random.default_rng(0).random((20, 5)), np.arange(20) % 2
        >>> classifier = FeatureClassifier(epochs=1, random_state=0).fit(X, y)  # doctest: +SKIP
        >>> classifier.predict(X).shape  # doctest: +SKIP
        (20,)
        """
        best = self._evaluate(X, logits=True).argmax(axis=1)
        return self.classes_[best]

    def _evaluate(self, X: Any, *, logits: bool) -> np.ndarray:
        check_is_fitted(self)
        torch = import_torch("latent.FeatureClassifier")
        X = new_samples(self, X, self.sample_shape_)
        parts = []
        for part in chunks(X):
            rows = (as_float(X[part]) - self.mean_) / self.scale_
            inputs = rows.reshape(-1, *self._layout_.input_shape)
            features = apply(torch, self.body_, inputs, self.threads, "X")
            parts.append(
                apply(torch, self.head_, features, self.threads, "X") if logits else features
            )
        return np.concatenate(parts)

    def _to_parts(self) -> dict[str, Any]:
        return {**vars(self), "kind": self.classes_.dtype.str}

    def _set_parts(self, parts: dict[str, Any], device: Any) -> None:
        kind, layout = parts.pop("kind"), parts["_layout_"]
        parts["classes_"] = _read_classes(parts["classes_"], kind, layout.classes)
        super()._set_parts(parts, device)
        self.body_, self.head_ = self.body_.to(device), self.head_.to(device)
        self.sample_shape_, self.n_features_in_ = layout.shape, math.prod(layout.shape)


def _as_labels(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The classes, sorted, and the index of each label among them."""
    if y is None:
        raise ValueError(
            "y must be an array of labels: FeatureClassifier requires y to be passed, but the "
            "target y is None"
        )
    y = np.asarray(y) if hasattr(y, "__array_function__") else y
    if getattr(y, "shape", None) == (n, 1):
        y = column_or_1d(y, warn=True)
    classes, index = as_labels(y, n)
    check_classification_targets(np.asarray(y))
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes, got one class, {classes[0]!r}")
    return classes, index


def _read_classes(values: Any, kind: str, n: int) -> np.ndarray:
    """The classes from a header."""
    dtype = np.dtype(kind)
    plain: dict[str, tuple[type, ...]] = {
        "b": (bool,),
        "i": (int,),
        "u": (int,),
        "f": (int, float),
        "U": (str,),
    }
    if not all(isinstance(value, plain[dtype.kind]) for value in values):
        raise ValueError(f"classes must be of dtype {kind}, got {values!r:.80}")
    if dtype.kind == "U":
        dtype = np.dtype(str)
    with np.errstate(invalid="raise"):
        classes = np.array(values).astype(dtype)
    # Numbers that the dtype does not hold come back as others.
    ordered = classes.shape == (n,) and (classes[:-1] < classes[1:]).all()
    if not ordered or classes.tolist() != values:
        raise ValueError(f"classes must be {n} different ones in order, got {values!r:.80}")
    return classes


def _layout(shape: tuple[int, ...], classes: int) -> ClassifierLayout:
    side = min(shape[-2:])
    if len(shape) == 1 or side < CONV_SIDE:
        return ClassifierLayout(shape, (), _HIDDEN, _FEATURES, classes)
    halvings = max(2, int(math.log2(side / _CLASSIFIER_COARSEST)))
    return ClassifierLayout(shape, _CLASSIFIER_CHANNELS[:halvings], (), _FEATURES, classes)


def _shift(torch: Any, images: Any, stream: Any) -> Any:
    """Move each image by whole pixels; what comes in at an edge repeats the edge."""
    n, _, *sides = images.shape
    moved = []
    for side in sides:
        most = round(side * _SHIFT)
        by = torch.randint(-most, most + 1, (n, 1), generator=stream, device="cpu")
        index = (torch.arange(side, device="cpu") + by).clamp(0, side - 1)
        moved.append(index.to(images.device))
    rows, columns = moved
    each = torch.arange(n, device=images.device)[:, None, None]
    # Indices on both sides of a slice put the channels last.
    return images[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _add_noise(torch: Any, samples: Any, stream: Any) -> Any:
    added = torch.randn(samples.shape, generator=stream, dtype=samples.dtype, device="cpu")
    return samples + _NOISE * added.to(samples.device)
