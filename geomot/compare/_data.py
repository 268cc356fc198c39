"""Problems of one's own data: a part is held out, images get a codec and a classifier."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geomot._constants import LATENT_DIM
from geomot._data import as_labels
from geomot._validation import as_count, as_path, as_samples
from geomot.compare._cells import plain_name
from geomot.compare._methods import method_of
from geomot.compare._study import Entry, Problem, Study

__all__ = ["image_problem", "image_study", "split", "study_of"]

# Share of the data that is held out, and how many at most.
_HELD_OUT = 0.2
_MOST_HELD_OUT = 2000

# Fewer classes or data than this make no classifier.
_LEAST_CLASSES = 2
_LEAST_DATA = 10

# Dimension of the codes of images.

# Keywords of methods that the comparison sets.
_SET = ("random_state", "device", "threads")

_VECTOR_MEASURES = ("distances", "coverage")
_IMAGE_MEASURES = ("images",)


def study_of(
    data: Any,
    labels: Any = None,
    *,
    methods: Sequence[str] | None = None,
    name: str = "data",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    latent_dim: int | None = None,
    epochs: int | None = None,
    samples: int = 1000,
    folder: str | os.PathLike[str] | None = None,
    device: str | None = None,
    threads: int | None = 1,
) -> Study:
    """Make a study of one's own data.

    A fifth of the data, at most 2000, are held out, the same for all seeds. Vectors are compared as
    they are. Images get an autoencoder, which all methods share that work on codes, and, if there
    are labels, a classifier in whose features images are compared; both see the training data only.

    Parameters
    ----------
    data : array_like of shape (n, d), (n, h, w) or (n, c, h, w)
        Vectors or images; uint8 is divided by 255.
    labels : array_like of shape (n,), optional
        Classes of images.
    methods : sequence of str, optional
        Names in `geomot.compare.methods`; by default the training data and the two maps.
    name : str, default "data"
        Of the study.
    options : mapping of str to mapping, optional
        Keywords of methods, by name; `random_state`, `device` and `threads` are the comparison's.
    latent_dim : int, optional
        Dimension of the codes of images, by default 10.
    epochs : int, optional
        Most epochs of the autoencoder and of the classifier of images.
    samples : int, default 1000
        Points that each model draws; at most as many as are held out are judged.
    folder : str or path-like, optional
        Where the codec and the classifier are kept, for the next run; nowhere if None.
    device, threads
        As in `run`, for the codec and the classifier.

    Returns
    -------
    Study

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from geomot import compare
    >>> X = np.random.default_rng(0).standard_normal((200, 2))
    >>> study = compare.study_of(X, methods=["TrainingData", "BrenierMap"], samples=100)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = compare.run([study], folder, seeds=(0, 1))
    >>> report.outcome("data", "BrenierMap"), report.summary("data", "BrenierMap", "w2").count
    ('done', 2)
    """
    X = as_samples(data, "data")
    if X.dtype == np.uint8:
        X = X / 255.0
    X = np.asarray(X, dtype=np.float64)
    if len(X) < _LEAST_DATA:
        raise ValueError(f"data must hold at least {_LEAST_DATA} rows, got {len(X)}")
    classes = None
    if labels is not None:
        known, members = as_labels(labels, len(X), "labels")
        classes = known[members]
    given = _as_options(options)
    if isinstance(methods, str):
        raise TypeError(f"methods must be a sequence of names, got {methods!r}")
    names = ["TrainingData", "BrenierMap", "ExtendedMap"] if methods is None else list(methods)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"methods must be different names, at least one, got {names}")
    unknown = [key for key in given if key not in names]
    if unknown:
        raise ValueError(f"options must be those of methods that are compared, got {unknown}")
    entries = tuple(Entry(key, method_of(key), given.get(key, {})) for key in names)
    count = as_count(samples, "samples", 2)
    digest = hashlib.sha256(np.ascontiguousarray(X).tobytes() + repr(X.shape).encode())
    # Held-out data were in the order of the data once.
    digest.update(b"shuffled")
    if X.ndim == 2:
        for argument, value in (("labels", labels), ("latent_dim", latent_dim), ("epochs", epochs)):
            if value is not None:
                raise ValueError(f"{argument} must be None for vectors: it is for images")
        train, test, _, _ = split(X, None)
        facts = {"training data": len(train), "held out": len(test)}
        facts["samples that are judged"] = min(count, len(test))

        def make(seed: int) -> Problem:
            return Problem(train, test, facts=facts)

        return Study(
            name,
            f"{name}: {len(X)} points in {X.shape[1]} dimensions",
            make,
            entries,
            _VECTOR_MEASURES,
            count,
            {"sha256": digest.hexdigest()[:16]},
            ("points", "bars") if X.shape[1] == 2 else ("bars",),
        )
    if classes is not None:
        digest.update(repr(classes.tolist()).encode())
    return image_study(
        name,
        f"{name}: {len(X)} images of {' x '.join(map(str, X.shape[1:]))}",
        lambda: (X, classes),
        entries,
        samples=count,
        latent_dim=LATENT_DIM if latent_dim is None else as_count(latent_dim, "latent_dim", 1),
        epochs=None if epochs is None else as_count(epochs, "epochs", 1),
        folder=folder,
        device=device,
        threads=threads,
        identity=digest.hexdigest()[:16],
    )


def _as_options(options: Any) -> dict[str, Mapping[str, Any]]:
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise TypeError(f"options must be a mapping, got {type(options).__name__}")
    for name, keywords in options.items():
        if not isinstance(keywords, Mapping):
            raise TypeError(f"options of {name} must be a mapping, got {keywords!r}")
        for keyword in keywords:
            if keyword in _SET:
                raise ValueError(f"options of {name} must not set {keyword}: see `run`")
        if keywords and name == "TrainingData":
            raise ValueError(f"options of {name} must be none, got {sorted(keywords)}")
    return dict(options)


def image_study(
    name: str,
    title: str,
    load: Any,
    entries: tuple[Entry, ...],
    *,
    samples: int,
    latent_dim: int,
    epochs: int | None,
    folder: str | os.PathLike[str] | None,
    device: str | None,
    threads: int | None,
    identity: str,
) -> Study:
    """Make a study of images through one codec."""
    from geomot import __version__

    settings = {"identity": identity, "latent_dim": latent_dim, "epochs": epochs}
    made: list[Problem] = []

    def make(seed: int) -> Problem:
        # One codec and one classifier for all seeds: it is the methods that are compared.
        if not made:
            images, labels = load()
            place = None if folder is None else Path(as_path(folder, "folder")) / "shared"
            # Another version may train them otherwise.
            digest = hashlib.sha256(repr((settings, __version__)).encode()).hexdigest()
            prefix = f"{plain_name(name)}-{digest[:12]}"
            made.append(
                image_problem(images, labels, latent_dim, epochs, place, prefix, device, threads)
            )
        return made[0]

    return Study(
        name, title, make, entries, _IMAGE_MEASURES, samples, settings, ("images", "strips", "bars")
    )


def image_problem(
    images: np.ndarray,
    labels: np.ndarray | None,
    latent_dim: int,
    epochs: int | None,
    place: Path | None,
    prefix: str,
    device: str | None,
    threads: int | None,
) -> Problem:
    """Hold out, train what is shared, or read it from files."""
    from geomot.latent import Autoencoder, FeatureClassifier

    train, test, train_labels, test_labels = split(images, labels)
    common: dict[str, Any] = {
        "epochs": epochs,
        "random_state": 0,
        "device": device,
        "threads": threads,
    }
    facts: dict[str, Any] = {"training data": len(train), "held out": len(test)}

    def shared(kind: Any, part: str, fit: Any) -> Any:
        path = None if place is None else place / f"{prefix}-{part}.npz"
        if path is not None and path.exists():
            try:
                return kind.load(path)
            except ValueError:
                # A damaged file: it is trained again, as a cell would be.
                pass
        started = time.perf_counter()
        model = fit()
        facts[f"seconds of the {part}"] = time.perf_counter() - started
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            model.save(path)
        return model

    codec = shared(Autoencoder, "autoencoder", lambda: Autoencoder(latent_dim, **common).fit(train))
    classifier = None
    if train_labels is not None and len(np.unique(train_labels)) >= _LEAST_CLASSES:
        classifier = shared(
            FeatureClassifier,
            "classifier",
            lambda: FeatureClassifier(**common).fit(train, train_labels),
        )
        right = np.mean(np.asarray(classifier.predict(test)) == test_labels)
        facts["accuracy of the classifier, held out"] = float(right)
    restored = np.asarray(codec.decode(codec.encode(test))).reshape(test.shape)
    facts["rms error of reconstruction, held out"] = float(np.sqrt(np.mean((restored - test) ** 2)))
    facts["dimension of the codes"] = latent_dim
    return Problem(
        train,
        test,
        codec=codec,
        codes=np.asarray(codec.encode(train)),
        classifier=classifier,
        facts=facts,
    )


def split(
    data: np.ndarray, labels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Training data and held-out ones, the same with each call, and their labels.

    Held-out rows are in random order, whatever the order of the data: metrics take the first ones.
    """
    order = np.random.default_rng(0).permutation(len(data))
    held = min(_MOST_HELD_OUT, max(2, round(_HELD_OUT * len(data))))
    test, train = order[:held], np.sort(order[held:])
    if labels is None:
        return data[train], data[test], None, None
    return data[train], data[test], labels[train], labels[test]
