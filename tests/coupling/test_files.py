"""Couplings in files."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest

import geomot
from geomot.coupling import SemiDiscreteCoupling


def assert_same(a, b):
    for one, two in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", ["coupling", "labelled", "soft", "conditioned"])
def test_what_is_loaded_yields_the_same_pairs(name, request, tmp_path):
    fitted = request.getfixturevalue(name)
    fitted.save(tmp_path / "a")
    again = SemiDiscreteCoupling.load(tmp_path / "a")
    assert_same(again.dataset(100)[7], fitted.dataset(100)[7])
    assert_same(again.sample(50, 1), fitted.sample(50, 1))
    for one, two in zip(again.potentials_, fitted.potentials_, strict=True):
        np.testing.assert_array_equal(one.rows, two.rows)
        np.testing.assert_array_equal(one.solution.weights_exact, two.solution.weights_exact)
    assert again.converged_ == fitted.converged_
    np.testing.assert_array_equal(again.tv_, fitted.tv_)
    wanted = {**fitted.get_params(), "threads": None, "source": again.source}
    assert again.get_params() == wanted
    again.save(tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_maps_are_solutions_that_geomot_loads(labelled, tmp_path):
    labelled.save(tmp_path / "a")
    solution = geomot.load(tmp_path / "a" / "map-1.npz")
    assert solution == labelled.potentials_[1].solution


def test_images_of_bytes_and_data_from_a_mapped_file(tmp_path):
    X = np.random.default_rng(0).integers(256, size=(40, 4, 3), dtype=np.uint8)
    fitted = SemiDiscreteCoupling(tv_tol=0.2, random_state=0).fit(X)
    fitted.save(tmp_path / "a")
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for again in (
        SemiDiscreteCoupling.load(tmp_path / "a"),
        SemiDiscreteCoupling.load(tmp_path / "a", mapped),
        SemiDiscreteCoupling.load(tmp_path / "a", [X[:7], mapped[7:]]),
    ):
        assert_same(again.dataset(9)[1], fitted.dataset(9)[1])
    assert np.shares_memory(again._rows._parts[1], mapped)
    with pytest.raises(ValueError, match="X must have shape"):
        SemiDiscreteCoupling.load(tmp_path / "a", X[:-1])
    with pytest.raises(ValueError, match="X must hold the data"):
        SemiDiscreteCoupling.load(tmp_path / "a", X[::-1])


def test_labels_without_mass_and_parameters_that_were_changed(clouds, tmp_path):
    X, labels = clouds
    fitted = SemiDiscreteCoupling(epsilon=0.3, tv_tol=0.2, random_state=0, threads=1)
    fitted.fit(X, labels.astype(int), 1.0 * labels)
    expected = fitted.sample(30, 1)
    fitted.set_params(epsilon=0.0, top_k=1)
    fitted.save(tmp_path / "a")
    again = SemiDiscreteCoupling.load(tmp_path / "a")
    assert_same(again.sample(30, 1), expected)
    assert again.epsilon == 0.3


def test_a_saved_coupling_is_replaced_and_nothing_else(coupling, labelled, tmp_path):
    labelled.save(tmp_path / "a")
    coupling.save(tmp_path / "a")
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["coupling.npz", "map-0.npz"]
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("b", "file", "none/a"):
        with pytest.raises(ValueError, match="path must"):
            coupling.save(tmp_path / name)
    with pytest.raises(TypeError, match="path must"):
        coupling.save(3)


def test_sources_of_ones_own_are_not_saved(tmp_path):
    class Cube:
        def sample(self, n, rng):
            return rng.random((n, 3))

    fitted = SemiDiscreteCoupling(Cube(), tv_tol=0.2, random_state=0)
    fitted.fit(np.random.default_rng(0).random((20, 3)))
    with pytest.raises(TypeError, match="source must be one of geomot's"):
        fitted.save(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_files_that_do_not_belong_together(coupling, labelled, tmp_path):
    with pytest.raises(ValueError, match="path must name the folder"):
        SemiDiscreteCoupling.load(tmp_path / "none")
    coupling.save(tmp_path / "a")
    labelled.save(tmp_path / "b")
    shutil.copy(tmp_path / "b" / "map-0.npz", tmp_path / "a")
    with pytest.raises(ValueError, match="belongs to another coupling"):
        SemiDiscreteCoupling.load(tmp_path / "a")
    (tmp_path / "b" / "map-1.npz").unlink()
    with pytest.raises(OSError, match="map-1"):
        SemiDiscreteCoupling.load(tmp_path / "b")
    (tmp_path / "b" / "coupling.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match="path must name the main file of a saved coupling"):
        SemiDiscreteCoupling.load(tmp_path / "b")


def test_what_a_forged_main_file_says(labelled, tmp_path):
    from geomot._files import archive

    labelled.save(tmp_path / "a")
    header, arrays = archive.read(
        tmp_path / "a" / "coupling.npz",
        "geomot-coupling",
        1,
        lambda header, arrays: (header, arrays),
        kind="it",
    )
    for key in ("format", "version", "geomot"):
        header.pop(key)
    forgeries = {
        "rows": arrays["rows"] + 1,
        "lengths": arrays["lengths"] - 1,
        "soft_weights": np.zeros(3),
        "members": arrays["members"][:-1],
        "labels": np.full((1, 400), np.nan),
        "target_masses": np.ones(400),
        "sums": arrays["sums"][:, :5],
    }
    for name, forged in forgeries.items():
        content = {**arrays, name: forged}
        archive.write(tmp_path / "a" / "coupling.npz", "geomot-coupling", 1, header, content)
        with pytest.raises(ValueError, match=r"coupling\.npz"):
            SemiDiscreteCoupling.load(tmp_path / "a")
    for name, forged in {
        "sample_shape": [2, 2],
        "classes": [1],
        "epsilon": 1.0,
        "seed": -1,
    }.items():
        content = {**header, name: forged}
        archive.write(tmp_path / "a" / "coupling.npz", "geomot-coupling", 1, content, arrays)
        with pytest.raises(ValueError, match="npz"):
            SemiDiscreteCoupling.load(tmp_path / "a")


def test_a_pickle_is_the_same(conditioned):
    again = pickle.loads(pickle.dumps(conditioned))
    assert_same(again.dataset(30)[2], conditioned.dataset(30)[2])
