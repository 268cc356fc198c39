"""Files that an earlier version wrote load, and say the same; see tests/data/README.md."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from checks import validate

import geomot
from geomot.generator import LatentGenerator
from geomot.latent import PCACodec

DATA = Path(__file__).resolve().parents[1] / "data"
VALUES = json.loads((DATA / "values.json").read_text())
SOLUTIONS = ["plane", "idle", "line", "montecarlo", "brenier"]


@pytest.mark.parametrize("name", SOLUTIONS)
def test_solutions_have_every_bit(name):
    solution, values = geomot.load(DATA / f"{name}.npz"), VALUES[name]
    validate(solution)
    for array in ("sites", "weights_exact", "target_masses", "masses"):
        np.testing.assert_array_equal(getattr(solution, array), values[array], array)
    for number in ("cost", "mass_error", "status", "method", "n_iter"):
        assert getattr(solution, number) == values[number], number
    assert solution.bracket == tuple(values["bracket"])
    assert len(solution.history) > 0


@pytest.mark.parametrize("name", SOLUTIONS)
def test_solutions_assign_points_as_they_did(name):
    solution, values = geomot.load(DATA / f"{name}.npz"), VALUES[name]
    np.testing.assert_array_equal(solution.assign(values["points"]), values["assigned"])


@pytest.mark.parametrize("name", ["plane", "idle", "line", "brenier"])
def test_diagrams_of_exact_solutions_have_the_masses(name):
    solution = geomot.load(DATA / f"{name}.npz")
    found, wanted = solution.diagram().masses, solution.masses
    if name == "idle":
        # coincident sites share a cell: that of these two is empty
        assert not found[-2:].any() and not wanted[-2:].any()
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_the_estimate_of_samples():
    estimate = geomot.load(DATA / "montecarlo.npz").estimate
    assert estimate.tv == VALUES["montecarlo"]["tv"]
    assert estimate.cost_standard_error == VALUES["montecarlo"]["cost_standard_error"]


def test_old_solutions_are_starts():
    solution = geomot.load(DATA / "plane.npz")
    again = geomot.solve(
        solution.sites, solution.target_masses, solution.source, initial_weights=solution
    )
    assert again.converged and again.n_iter <= 1
    assert again.cost == pytest.approx(solution.cost, rel=1e-12)


def test_a_solution_is_the_map():
    solution, values = geomot.load(DATA / "brenier.npz"), VALUES["brenier"]
    images = solution.sites[solution.assign(values["points"])]
    np.testing.assert_array_equal(images, values["transformed"])


def test_codec():
    codec, values = PCACodec.load(DATA / "pca.npz"), VALUES["pca"]
    codes = codec.encode(np.array(values["images"]))
    np.testing.assert_allclose(codes, values["codes"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(codec.decode(codes), values["decoded"], rtol=0, atol=1e-12)


def test_generator():
    generator, values = LatentGenerator.load(DATA / "generator"), VALUES["generator"]
    validate(generator.transport_.solution_)
    np.testing.assert_array_equal(generator.codes_, values["codes"])
    np.testing.assert_array_equal(generator.transport_.solution_.masses, values["masses"])
    images = generator.transport_.transform(np.array(values["points"]))
    np.testing.assert_array_equal(images, values["transformed"])
    # as they were drawn before images kept the masses
    drawn = generator.extended_.sample(3, 1, keep_masses=False)
    samples = generator.autoencoder_.decode(generator._to_codes(drawn))
    np.testing.assert_allclose(samples, values["sample"], rtol=0, atol=1e-12)
    assert generator.sample(3, 1).shape == samples.shape
    assert (generator.smoothing, generator.threshold) == (0.5, None)
    assert np.isfinite(generator.interpolate(3, 8)).all()
