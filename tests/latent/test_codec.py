"""Codecs and classifiers in files: exact round trips, and files that are not what they claim."""

from __future__ import annotations

import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import geomot
from geomot import datasets
from geomot._files import archive as _archive
from geomot.latent import Autoencoder, FeatureClassifier, PCACodec

DENSE = {"hidden": (8,), "epochs": 2, "random_state": 0}
KINDS = ("pca", "dense", "conv", "classifier")


@pytest.fixture(scope="module")
def images():
    return datasets.digits()[0].reshape(-1, 8, 8)[:300]


@pytest.fixture(scope="module")
def models(images):
    """Fitted models by kind; without torch there is one."""
    labels = datasets.digits()[1][:300]
    found = {"pca": PCACodec(3).fit(images)}
    try:
        import torch  # noqa: F401
    except ImportError:
        return found
    found["dense"] = Autoencoder(**DENSE).fit(images.reshape(300, -1))
    found["conv"] = Autoencoder(3, channels=(4, 6), **DENSE).fit(images)
    found["classifier"] = FeatureClassifier(epochs=1, random_state=0).fit(images, labels)
    return found


@pytest.fixture(params=KINDS)
def model(request, models):
    if request.param not in models:
        pytest.skip("needs torch")
    return models[request.param]


@pytest.fixture
def stored(tmp_path, model):
    path = tmp_path / "model.npz"
    model.save(path)
    return path


def outputs(model, images):
    X = images.reshape(len(images), *model.sample_shape_)
    if isinstance(model, FeatureClassifier):
        return model.features(X), model.predict_proba(X), model.predict(X)
    codes = model.encode(X)
    return codes, model.decode(codes), np.array(model.reconstruction_error(X))


def test_round_trip(model, stored, images):
    again = type(model).load(stored)
    for a, b in zip(outputs(model, images), outputs(again, images), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert again.get_params() == model.get_params()
    fitted = {key for key in vars(model) if key.endswith("_")}
    assert {key for key in vars(again) if key.endswith("_")} == fitted
    again.save(stored.with_name("again.npz"))
    assert stored.with_name("again.npz").read_bytes() == stored.read_bytes()
    assert sorted(os.listdir(stored.parent)) == ["again.npz", "model.npz"]


def test_numpy_reads_the_arrays(model, stored):
    with np.load(stored, allow_pickle=False) as file:
        assert json.loads(file["header.json"])["format"].startswith("geomot-")
        assert all(file[name].dtype.kind in "fi" for name in file.files if name != "header.json")


def test_history_is_kept(models, tmp_path):
    if "conv" not in models:
        pytest.skip("needs torch")
    models["conv"].save(tmp_path / "model")
    again = Autoencoder.load(tmp_path / "model")
    np.testing.assert_array_equal(again.history_, models["conv"].history_)
    assert again.best_epoch_ == models["conv"].best_epoch_
    # What was loaded can be fitted anew.
    X = np.random.default_rng(0).random((20, 8, 8))
    assert len(again.set_params(epochs=1).fit(X).history_) == 1


def test_what_belongs_to_a_run_is_not_kept(images, tmp_path):
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    codec = Autoencoder(np.int64(1), channels=[2], hidden=np.array([3]), epochs=1, threads=2)
    codec.set_params(random_state=rng, learning_rate=np.float64(1e-3)).fit(images)
    codec.save(tmp_path / "model")
    again = Autoencoder.load(tmp_path / "model")
    assert (again.threads, again.random_state, again.device) == (1, None, None)
    assert (again.latent_dim, again.channels, again.hidden) == (1, (2,), (3,))
    assert again.learning_rate == 1e-3
    np.testing.assert_array_equal(again.encode(images), codec.encode(images))


def test_unfitted_models_are_not_saved(tmp_path):
    for model in (PCACodec(), Autoencoder(), FeatureClassifier()):
        with pytest.raises(NotFittedError):
            model.save(tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_files_of_other_kinds_are_refused(models, tmp_path):
    files = {kind: tmp_path / kind for kind in models}
    for kind, path in files.items():
        models[kind].save(path)
    geomot.solve([[0.25, 0.5], [0.75, 0.5]]).save(tmp_path / "map")
    for kind, path in [*files.items(), ("map", tmp_path / "map")]:
        for cls in {type(model) for model in models.values()}:
            if kind in models and type(models[kind]) is cls:
                continue
            message = rf"path must name a file of {cls.__name__}\.save, got .*{kind}: its header"
            with pytest.raises(ValueError, match=message):
                cls.load(path)
    with pytest.raises(ValueError, match="a solution file, got .* says geomot-pca, not geomot-sol"):
        geomot.Solution.load(files["pca"])


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("code from the file was executed",)


def test_foreign_files_are_refused(model, stored):
    contents = {
        "empty": b"",
        "text": b"0.1,0.2\n" * 100,
        "pickle": pickle.dumps(Bomb()),
        "truncated": stored.read_bytes()[:-100],
        "half": stored.read_bytes()[: stored.stat().st_size // 2],
    }
    for content in contents.values():
        stored.write_bytes(content)
        with pytest.raises(ValueError, match=r"path must name a file of .*model\.npz: "):
            type(model).load(stored)
    np.savez(stored, X=np.zeros(3))
    with pytest.raises(ValueError, match=r"model\.npz: it has no header\.json"):
        type(model).load(stored)
    np.savez(stored, X=np.array([Bomb()], dtype=object))
    with pytest.raises(ValueError, match="path must name"):
        type(model).load(stored)
    with pytest.raises(OSError, match="missing"):
        type(model).load(stored.with_name("missing"))
    with pytest.raises(TypeError, match="path must be a string or path"):
        type(model).load(None)


def test_pickles_of_torch_are_refused(stored, model):
    torch = pytest.importorskip("torch")
    torch.save({"weight": Bomb()}, stored)
    with pytest.raises(ValueError, match="path must name"):
        type(model).load(stored)


def parts(path):
    """Header and arrays of a file, and what writes them back."""

    def build(header, arrays):
        return header, arrays

    with zipfile.ZipFile(path) as archive:
        kind = json.loads(archive.read("header.json"))["format"]
    header, arrays = _archive.read(path, kind, 1, build, kind="a file")
    for key in ("format", "version", "geomot"):
        del header[key]

    def write(changed_header, changed_arrays):
        _archive.write(path, kind, 1, changed_header, changed_arrays)

    return header, arrays, write


def tampered(header, arrays):
    for key in header:
        yield f"without {key}", {k: v for k, v in header.items() if k != key}, arrays
        for value in (None, [], {}, "x", -1, 0, [0], [10**9, 10**9, 10**9], 10**400):
            if value != header[key]:
                yield f"{key} = {value!r:.20}", {**header, key: value}, arrays
    for key in header.get("layout", {}):
        for value in (None, "x", [0], [1], -1, 2**62, [2**40, 2**40], [1.5], True, []):
            if value != header["layout"][key]:
                layout = {**header["layout"], key: value}
                yield f"{key} = {value!r:.20}", {**header, "layout": layout}, arrays
    wrong = {**header["parameters"], "nonsense": 1}
    yield "a strange parameter", {**header, "parameters": wrong}, arrays
    for key, array in arrays.items():
        yield f"without {key}", header, {k: v for k, v in arrays.items() if k != key}
        yield f"{key} flat", header, {**arrays, key: array.reshape(-1, 1, 1)}
        if key != "history":
            yield f"{key} longer", header, {**arrays, key: np.concatenate([array, array])}
            yield f"{key} of nan", header, {**arrays, key: np.full_like(array, np.nan)}
            yield f"{key} whole", header, {**arrays, key: array.astype(np.int64)}
    yield "another array", header, {**arrays, "other": np.zeros(1)}


# What a changed file may still mean.
HARMLESS = {"n_samples", "best_epoch", "noise_variance"}


def test_tampered_files_are_refused(model, stored):
    header, arrays, write = parts(stored)
    write(header, arrays)
    type(model).load(stored)
    for name, changed_header, changed_arrays in tampered(header, arrays):
        write(changed_header, changed_arrays)
        try:
            type(model).load(stored)
        except ValueError as error:
            assert str(error).startswith("path must name a file of"), name
        else:
            assert name.split(" ")[0] in HARMLESS, name


def test_the_device_of_loading(models, tmp_path):
    if "conv" not in models:
        pytest.skip("needs torch")
    models["conv"].save(tmp_path / "model")
    assert Autoencoder.load(tmp_path / "model", device="cpu").device == "cpu"
    with pytest.raises(ValueError, match="device must be one that torch can use"):
        Autoencoder.load(tmp_path / "model", device="nowhere")


def test_saving_replaces_a_file_in_one_step(model, stored, monkeypatch):
    before = stored.read_bytes()

    def fail(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("geomot._files.archive._write_members", fail)
    with pytest.raises(KeyboardInterrupt):
        model.save(stored)
    assert stored.read_bytes() == before
    assert os.listdir(stored.parent) == ["model.npz"]


@pytest.mark.parametrize("codec", [PCACodec(), Autoencoder()])
def test_codecs_follow_scikit_learn(codec):
    assert clone(codec).get_params() == codec.get_params()
    with pytest.raises(NotFittedError):
        codec.encode(np.zeros((1, 64)))
    with pytest.raises(NotFittedError):
        codec.decode(np.zeros((1, 2)))
