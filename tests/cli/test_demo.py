"""The demonstration: files, measurements, and the words that go with them."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import geomot
from geomot import datasets
from geomot.cli import _demo as demo
from geomot.cli import main
from geomot.latent import Autoencoder, PCACodec

FILES = {
    "brenier_potential.png",
    "digits.png",
    "interpolation.png",
    "map.npz",
    "power_diagram.png",
    "summary.txt",
}


def check(result, folder):
    assert {path.name for path in folder.iterdir()} == FILES == set(result.files)
    for name in FILES:
        assert (folder / name).stat().st_size > 1000
    solution = geomot.load(folder / "map.npz")
    assert solution == result.solution
    assert solution.converged
    assert solution.mass_error <= 1e-9
    assert len(solution.source.polygon) == 256
    per_digit = np.bincount(result.labels, solution.target_masses)
    np.testing.assert_allclose(per_digit, 0.1, rtol=1e-12)
    text = (folder / "summary.txt").read_text(encoding="utf-8")
    assert text == result.summary
    for words in (
        "converged",
        "bracket",
        "W2^2",
        "training code",
        "Seconds",
        "New digits",
        "% of its samples are training codes",
    ):
        assert words in text


def test_with_principal_components(tmp_path):
    folder = tmp_path / "new" / "folder"
    result = demo.run(folder, use_torch=False)
    assert isinstance(result.codec, PCACodec)
    check(result, folder)
    again = demo.run(tmp_path / "again", use_torch=False)
    np.testing.assert_array_equal(again.solution.weights_exact, result.solution.weights_exact)
    for name in ("digits.png", "interpolation.png"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_with_the_autoencoder(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    quick = functools.partial(Autoencoder, epochs=5)
    monkeypatch.setattr(demo, "Autoencoder", quick)
    result = demo.run(tmp_path, random_state=1)
    assert isinstance(result.codec, Autoencoder)
    assert "autoencoder" in result.summary
    check(result, tmp_path)


def test_without_torch_principal_components_are_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    result = demo.run(tmp_path)
    assert isinstance(result.codec, PCACodec)
    assert 'pip install "geomot[torch]"' in result.summary


def test_balanced_masses():
    masses = demo.balanced_masses(np.array([3, 3, 3, 8]))
    np.testing.assert_allclose(masses, [1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_matching_disk_has_mean_and_variance_of_the_codes():
    codes = datasets.u2d(500) * (3, 1) + (5, -2)
    masses = np.random.default_rng(1).dirichlet(np.ones(500))
    disk = demo.matching_disk(codes, masses)
    diagram = geomot.PowerDiagram([masses @ codes], source=disk)
    np.testing.assert_allclose(diagram.centroids[0], masses @ codes, rtol=1e-12)
    variance = masses @ ((codes - masses @ codes) ** 2).sum(axis=1)
    # The polygon of 256 sides is that much smaller than the disk.
    assert diagram.costs[0] == pytest.approx(variance, rel=1e-3)


def test_demo(folder, capsys):
    assert main(["demo", "-o", "out", "--no-torch"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (folder / "out" / "summary.txt").read_text(encoding="utf-8")
