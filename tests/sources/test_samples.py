"""Weighted samples as a source."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import Samples
from geomot.sources import Source

pytestmark = pytest.mark.usefixtures("silent")


def test_samples_of_the_plane():
    cloud = Samples([[0, 0], [1, 0]], masses=[3, 1])
    assert cloud.masses.tolist() == [0.75, 0.25]
    assert not cloud.exact
    share = (cloud.sample(100_000, random_state=0)[:, 0] == 0).mean()
    assert share == pytest.approx(0.75, abs=0.01)
    for bad in ([1.0], [-1, 2], [0, 0], [np.nan, 1]):
        with pytest.raises(ValueError, match="masses"):
            Samples([[0, 0], [1, 0]], masses=bad)
    with pytest.raises(ValueError, match="points"):
        Samples(np.zeros((0, 2)))


rng = np.random.default_rng


@pytest.mark.parametrize("weighted", [False, True])
def test_samples_are_drawn_as_numpy_draws_them(weighted):
    """The sums of a million masses are made once, not for each block of samples."""
    r = rng(5)
    cloud = Samples(r.random((500, 2)), r.random(500) * (r.random(500) < 0.5) if weighted else None)
    chosen = rng(6).choice(500, size=3000, p=cloud.masses)
    np.testing.assert_array_equal(cloud.sample(3000, 6), cloud.points[chosen])
    # no point without mass, up to the last number below 1
    u = np.array([[0.0], [0.5], [1.0 - 2.0**-53]])
    drawn = cloud._from_uniforms(u)
    assert np.isin(drawn[:, 0], cloud.points[cloud.masses > 0.0, 0]).all()


def test_files_of_earlier_versions_call_masses_weights():
    cloud = Samples([[0.0, 0.0], [1.0, 0.0]], masses=[3, 1])
    said = cloud.to_dict()
    said["weights"] = said.pop("masses")
    assert Source.from_dict(said) == cloud
