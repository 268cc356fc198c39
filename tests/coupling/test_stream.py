"""The sequence of pairs: seeds, ranks, workers, where a training resumes, what goes to a worker."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import geomot
from geomot.coupling import SemiDiscreteCoupling
from geomot.coupling.stream import BLOCK, Steps

torch = pytest.importorskip("torch")


def joined(batches):
    """Batches one after another."""
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def assert_same(a, b):
    assert len(a) == len(b)
    for one, two in zip(a, b, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))


# ---- The sequence ----


@pytest.mark.parametrize("size", [1, 7, BLOCK, 300])
def test_batch_sizes_cut_one_sequence(labelled, size):
    whole = labelled.dataset(2100)[0]
    pieces = labelled.dataset(size)
    assert_same(
        joined(pieces[s] for s in range(2100 // size)), [a[: 2100 // size * size] for a in whole]
    )


def test_ranks_together_are_one_process_and_share_nothing(labelled):
    ranks = [labelled.dataset(40, rank=r, world_size=3) for r in range(3)]
    one = labelled.dataset(120)
    for step in range(5):
        assert_same(joined(rank[step] for rank in ranks), one[step])
    noise = np.concatenate([rank[step][0] for rank in ranks for step in range(5)])
    assert len(np.unique(noise, axis=0)) == 600


def test_seeds(coupling, clouds):
    same, other = coupling.dataset(50, random_state=1), coupling.dataset(50, random_state=2)
    assert_same(same[3], coupling.dataset(50, random_state=1)[3])
    assert (same[3][0] != other[3][0]).all()
    again = SemiDiscreteCoupling(random_state=0, threads=1).fit(clouds[0])
    assert_same(coupling.dataset(50)[3], again.dataset(50)[3])
    rng = np.random.default_rng(0)
    assert (
        coupling.dataset(9, random_state=rng)[0][0] != coupling.dataset(9, random_state=rng)[0][0]
    ).all()


def test_the_seed_of_loaders_leaves_the_fit_alone(clouds):
    """The map is the one that `solve` finds with the same generator."""
    X = np.column_stack([clouds[0][:100], clouds[0][100:200, 0]])
    fitted = SemiDiscreteCoupling(tv_tol=0.1, random_state=np.random.default_rng(3)).fit(X)
    source = geomot.Gaussian(np.zeros(4), 1.0)
    solution = geomot.solve(X, source=source, tol=0.1, random_state=np.random.default_rng(3))
    assert fitted.potentials_[0].solution == solution


def test_pairs_do_not_repeat(coupling):
    noise = np.concatenate([coupling.dataset(64)[s][0] for s in range(40)])
    assert len(np.unique(noise, axis=0)) == 40 * 64


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"rank": 0}, "rank and world_size"),
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"rank": -1, "world_size": 2}, "rank"),
        ({"rank": 0, "world_size": 0}, "world_size"),
        ({"random_state": "a"}, "random_state"),
        ({"threads": 0}, "threads"),
    ],
)
def test_refusals_of_a_dataset(coupling, arguments, name):
    with pytest.raises((ValueError, TypeError), match=f"{name} must"):
        coupling.dataset(**arguments)
    with pytest.raises((ValueError, TypeError), match="step must"):
        coupling.dataset()[-1]


# ---- Loaders ----


def test_a_loader_yields_tensors_and_goes_on_in_the_next_pass(labelled):
    loader = labelled.loader(batch_size=32, n_batches=3)
    assert isinstance(loader, torch.utils.data.DataLoader)
    assert len(loader) == 3
    first, second = list(loader), list(loader)
    pairs = labelled.dataset(32)
    for step, batch in enumerate(first + second):
        assert_same(batch, pairs[step])
    noise, data, label = first[0]
    assert noise.dtype == data.dtype == torch.float32
    assert label.dtype == torch.int64


def test_a_pass_has_about_as_many_pairs_as_rows(coupling):
    assert len(coupling.loader(batch_size=64)) == 7
    assert len(coupling.loader(batch_size=64, rank=0, world_size=2)) == 4


def test_a_training_resumes(coupling):
    whole = list(coupling.loader(batch_size=16, n_batches=6))
    rest = list(coupling.loader(batch_size=16, n_batches=2, start=4))
    for one, two in zip(whole[4:], rest, strict=True):
        assert_same(one, two)


def test_a_pass_that_is_left_does_not_shift_the_next():
    steps = Steps(0, 4)
    next(iter(steps))
    assert list(steps) == [4, 5, 6, 7]


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_change_nothing(labelled, tmp_path, clouds, context):
    X, labels = clouds
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    on_disk = SemiDiscreteCoupling(random_state=0, threads=1)
    on_disk.fit(mapped, np.where(labels, "right", "left"))
    alone = list(labelled.loader(batch_size=20, n_batches=5))
    loader = on_disk.loader(
        batch_size=20,
        n_batches=5,
        num_workers=2,
        multiprocessing_context=context,
        persistent_workers=True,
    )
    for one, two in zip(list(loader), alone, strict=True):
        assert_same(one, two)
    second = list(labelled.loader(batch_size=20, n_batches=5, start=5))
    for one, two in zip(list(loader), second, strict=True):
        assert_same(one, two)


def test_mapped_data_are_read_and_not_copied(tmp_path):
    X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    coupling = SemiDiscreteCoupling(tv_tol=0.2, random_state=0).fit(mapped)
    assert np.shares_memory(coupling._rows._parts[0], mapped)
    pairs = pickle.loads(pickle.dumps(coupling.dataset(8)))
    part = pairs.coupling._rows._parts[0]
    assert isinstance(part, np.memmap)
    assert Path(part.filename) == tmp_path / "X.npy"
    assert_same(pairs[2], coupling.dataset(8)[2])


def test_a_device_has_the_batches(coupling):
    on_device = pickle.loads(pickle.dumps(coupling)).set_params(device="cpu")
    for one, two in zip(on_device.loader(16, n_batches=2), coupling.loader(16), strict=False):
        assert_same(one, two)
    on_device.device = "meta"
    with pytest.raises(ValueError, match="num_workers must be 0 with a device"):
        on_device.loader(num_workers=1)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"n_batches": 0}, "n_batches"),
        ({"start": -1}, "start"),
        ({"num_workers": -1}, "num_workers"),
        ({"num_workers": 1.5}, "num_workers"),
    ],
)
def test_refusals_of_a_loader(coupling, arguments, name):
    with pytest.raises((ValueError, TypeError), match=f"{name} must"):
        coupling.loader(**arguments)


# ---- Ranks of torch.distributed ----

RANK = """
import sys
import numpy as np
import torch.distributed as dist
from geomot.coupling import SemiDiscreteCoupling

rank, port, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
X = np.random.default_rng(0).standard_normal((60, 4))
coupling = SemiDiscreteCoupling(tv_tol=0.2, random_state=0, threads=1).fit(X)
# ranks that ask for different seeds get that of the first
np.savez(f"{folder}/{rank}.npz", *coupling.dataset(10, random_state=rank)[4])
try:
    SemiDiscreteCoupling(tv_tol=0.2, random_state=rank, threads=1).fit(X).dataset()
except ValueError as error:
    print(error)
dist.destroy_process_group()
"""


def run_ranks(tmp_path):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    environment = {"PYTHONPATH": str(Path(geomot.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(port), str(tmp_path)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [rank.communicate(timeout=300) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0, 0], said
    return [out for out, _ in said]


@pytest.mark.skipif(
    not torch.distributed.is_available() or not torch.distributed.is_gloo_available(),
    reason="this torch has no gloo",
)
def test_ranks_of_a_group_take_their_pieces_and_one_seed(tmp_path):
    said = run_ranks(tmp_path)
    parts = [np.load(tmp_path / f"{rank}.npz") for rank in range(2)]
    X = np.random.default_rng(0).standard_normal((60, 4))
    coupling = SemiDiscreteCoupling(tv_tol=0.2, random_state=0, threads=1).fit(X)
    whole = coupling.dataset(20, random_state=0)[4]
    assert_same(joined([p["arr_0"], p["arr_1"]] for p in parts), whole)
    assert said[0] == ""
    assert "potentials must be the same on all ranks" in said[1]
