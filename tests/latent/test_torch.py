"""torch: imported late, its settings and its global state left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import geomot
from geomot import datasets
from geomot.latent import Autoencoder


@pytest.fixture(scope="module")
def images():
    return datasets.digits()[0]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def test_settings_of_torch_by_the_user_do_not_matter(torch, images):
    options = {"hidden": (8,), "epochs": 2, "random_state": 0}
    X = images[:200].reshape(-1, 8, 8)
    expected = Autoencoder(channels=(4,), **options).fit(X).encode(X)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), torch.autocast("cpu"), torch.inference_mode():
            codes = Autoencoder(channels=(4,), **options).fit(X).encode(X)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(codes, expected)


def test_global_state_of_torch_is_left_alone(torch, images):
    torch.manual_seed(0)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    codec = Autoencoder(hidden=(8,), epochs=1, random_state=0).fit(images[:100])
    codec.decode(codec.encode(images[:10]))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_missing_torch_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "geomot\[torch\]"'):
        Autoencoder().fit(np.ones((10, 3)))


def test_importing_loads_neither_torch_nor_matplotlib():
    code = (
        "import sys, geomot.latent, geomot.datasets, geomot.cli._demo, geomot.cli;"
        "sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(geomot.__file__).parents[1])}
    process = subprocess.run([sys.executable, "-c", code], check=False, env=environment)
    assert process.returncode == 0
