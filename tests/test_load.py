"""geomot.load: every kind of file, by what it holds; and each class refuses those of others."""

from __future__ import annotations

import numpy as np
import pytest
from small_baselines import data, make
from test_import import loaded_after

import geomot
from geomot._files import archive
from geomot.baselines import SMOTE, GaussianMixture
from geomot.datasets import digits
from geomot.generator import LatentGenerator
from geomot.latent import Autoencoder, FeatureClassifier, PCACodec

IMAGES, LABELS = digits()[0][:60].reshape(-1, 8, 8), digits()[1][:60]


def solution():
    return geomot.solve([[0.25, 0.5], [0.75, 0.5]])


def codec():
    return PCACodec(2).fit(IMAGES)


def generator():
    return LatentGenerator(PCACodec(2), tv_tol=0.3, random_state=0).fit(IMAGES, LABELS)


def autoencoder():
    pytest.importorskip("torch")
    return Autoencoder(channels=(2,), hidden=(4,), epochs=1, random_state=0).fit(IMAGES)


def classifier():
    pytest.importorskip("torch")
    return FeatureClassifier(epochs=1, random_state=0).fit(IMAGES[:, :2, :2].reshape(60, 4), LABELS)


def baseline():
    pytest.importorskip("torch")
    return make("FluidFlow").fit(data((2,)))


def smote():
    return SMOTE(random_state=0).fit(data((2,)))


def mixture():
    return GaussianMixture(2, random_state=0).fit(data((2,)))


KINDS = [solution, codec, generator, autoencoder, classifier, baseline, smote, mixture]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_kind_of_file(kind, tmp_path):
    value, path = kind(), tmp_path / "saved"
    value.save(path)
    for device in (None, "cpu"):
        again = geomot.load(path, device=device)
        assert type(again) is type(value)
        again.save(tmp_path / "again")
        assert contents(tmp_path / "again") == contents(path)
    found = "directory" if path.is_dir() else archive.format_of(path)
    for other in (geomot.Solution, PCACodec, LatentGenerator, Autoencoder, FeatureClassifier):
        if type(value) is not other:
            with pytest.raises((ValueError, IsADirectoryError), match=f"(?i){found}.*"):
                other.load(path)


def contents(path):
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file.read_bytes() for file in files]


def test_other_files_of_geomot_are_named(tmp_path):
    archive.write(tmp_path / "cell", "geomot-comparison-cell", 1, {}, {"x": np.zeros(2)})
    with pytest.raises(ValueError, match="got .*cell: its header says geomot-comparison-cell"):
        geomot.load(tmp_path / "cell")
    (tmp_path / "folder").mkdir()
    with pytest.raises((ValueError, OSError), match="folder"):
        geomot.load(tmp_path / "folder")
    with pytest.raises(FileNotFoundError):
        geomot.load(tmp_path / "nothing")


def test_a_solution_loads_without_torch_and_scikit_learn(tmp_path):
    solution().save(tmp_path / "map.npz")
    modules = loaded_after("import geomot; geomot.load('map.npz')", tmp_path)
    assert not modules & {"torch", "matplotlib", "sklearn"}
