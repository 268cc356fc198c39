"""C sources for compilers without vector types: the same results as with them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

SOURCES = Path(__file__).resolve().parents[2] / "geomot" / "_core" / "src"
# Sites are padded to whole blocks.
BLOCK = 256


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not SOURCES.is_dir():
        pytest.skip("needs gcc or clang, and the sources")
    folder = tmp_path_factory.mktemp("argmax")
    found = []
    for name, flags in (("gnu", ()), ("plain", ("-DGEOMOT_PLAIN_C",))):
        path = folder / f"{name}.so"
        flags = ("-O1", "-std=gnu11", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", *flags)
        subprocess.run(
            [compiler, "-shared", "-fPIC", *flags, "-o", path, SOURCES / "argmax.c", "-lm"],
            check=True,
        )
        found.append(ctypes.CDLL(str(path)))
    return found


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def winners(library, instructions, points, sites):
    """Indices and scores of winners and runners-up."""
    if not library.argmax_use(instructions.encode()):
        pytest.skip(f"this processor lacks {instructions}")
    (m, d), n = points.shape, len(sites)
    size = ctypes.c_ssize_t
    padded = -(-n // BLOCK) * BLOCK
    tiles = np.empty(padded * d, np.float32)
    library.argmax_pack(pointer(sites), size(n), size(d), size(0), size(d), pointer(tiles))
    heights = np.full(padded, -np.inf, np.float32)
    heights[:n] = np.linspace(-0.5, 0.0, n)
    indices, scores = np.empty((2, m), np.int32), np.empty((2, m), np.float32)
    failed = library.argmax_points(
        pointer(points), size(m), size(d), pointer(tiles), pointer(heights), size(n), None,
        pointer(indices[0]), pointer(scores[0]), pointer(indices[1]), pointer(scores[1]),
    )  # fmt: skip
    assert failed == 0
    return indices, scores


@pytest.mark.parametrize("instructions", ["plain", "avx2", "avx512"])
@pytest.mark.parametrize("d", [3, 70])
def test_winners_are_the_same(libraries, instructions, d):
    rng = np.random.default_rng(d)
    points = rng.standard_normal((50, d)).astype(np.float32)
    sites = rng.standard_normal((300, d)).astype(np.float32)
    gnu, plain = (winners(library, instructions, points, sites) for library in libraries)
    assert gnu[0].tobytes() == plain[0].tobytes()
    assert gnu[1].tobytes() == plain[1].tobytes()
    scores = points.astype(float) @ sites.T.astype(float) + np.linspace(-0.5, 0.0, 300)
    assert (np.sort(scores, axis=1)[:, -1] - gnu[1][0]).max() < 1e-4
