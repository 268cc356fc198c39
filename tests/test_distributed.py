"""Several processes: the same result as one, and a clear end when one of them is lost."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import geomot
from geomot import _distributed as distributed
from geomot._distributed import DistributedBackend, DistributedError
from geomot._search.backends import CoreBackend
from geomot.cli import main
from geomot.sources import as_source

torch = pytest.importorskip("torch", reason="several processes need torch")
pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available() or not torch.distributed.is_gloo_available(),
    reason="this torch has no gloo",
)

NAMES = ("first", "best", "second", "runner")
PATH = str(Path(geomot.__file__).parents[1])


# ---- Splitting and merging, with threads for ranks ----


class Threads:
    """What stands for the exchange of a rank that is a thread."""

    def __init__(self, size):
        self.size = size
        self.local = threading.local()
        self.barrier = threading.Barrier(size)
        self.rows = [None] * size

    @property
    def rank(self):
        return self.local.rank

    def gather(self, own):
        self.rows[self.rank] = own.copy()
        self.barrier.wait(20)
        out = np.stack(self.rows)
        self.barrier.wait(20)
        return out

    def run(self, work):
        """Results of work on all ranks; the first exception is raised."""
        results = [None] * self.size

        def rank(r):
            self.local.rank = r
            try:
                results[r] = work()
            except Exception as error:
                results[r] = error

        threads = [threading.Thread(target=rank, args=(r,)) for r in range(self.size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results


@pytest.fixture
def ranks(monkeypatch):
    def start(size):
        exchange = Threads(size)
        monkeypatch.setattr(distributed, "_Exchange", lambda group=None: exchange)
        return exchange

    return start


def problem(n, d, groups):
    rng = np.random.default_rng([n, d])
    sites = rng.standard_normal((n, d)).astype(np.float32)
    heights = -0.5 * (sites**2).sum(axis=1)
    halves = [rng.standard_normal((groups, 16, k)).astype(np.float32) for k in (d // 2, d - d // 2)]
    return sites, heights, rng.standard_normal((groups, d)).astype(np.float32), halves


@pytest.mark.parametrize(
    ("size", "shards"),
    [(1, "samples"), (3, "samples"), (3, "sites"), (4, (2, 2)), (6, (2, 3)), (5, (1, 5))],
)
@pytest.mark.parametrize(("n", "groups"), [(1, 1), (2, 2), (4, 7), (131, 5), (1000, 16), (70, 0)])
@pytest.mark.parametrize("paired", [False, True])
def test_winners_are_those_of_one_process(ranks, size, shards, n, groups, paired):
    sites, heights, points, halves = problem(n, 4, groups)
    samples = halves if paired else [points]

    def scores(backend):
        return backend.pairs(sites, 2) if paired else backend.points(sites)

    for runner in (False, True):
        whole = scores(CoreBackend()).winners(*samples, heights, runner=runner)
        exchange = ranks(size)

        def work(runner=runner):
            backend = DistributedBackend(CoreBackend(), shards=shards)
            return scores(backend).winners(*samples, heights, runner=runner)

        for winners in exchange.run(work):
            for name in NAMES if runner else NAMES[:2]:
                mine, expected = getattr(winners, name), getattr(whole, name)
                assert mine.dtype == expected.dtype
                assert mine.tobytes() == expected.tobytes()


@pytest.mark.parametrize("shards", ["sites", (2, 2)])
def test_ties_go_to_the_lowest_index(ranks, shards):
    sites = np.zeros((11, 2), dtype=np.float32)
    sites[1::2] = [1.0, 2.0]
    points = np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, -1.0]], dtype=np.float32)
    expected = CoreBackend().points(sites).winners(points, np.zeros(11), runner=True)
    for winners in ranks(4).run(
        lambda: (
            DistributedBackend(CoreBackend(), shards=shards)
            .points(sites)
            .winners(points, np.zeros(11), runner=True)
        )
    ):
        assert winners.first.tolist() == expected.first.tolist() == [1, 0, 0]
        assert winners.second.tolist() == expected.second.tolist() == [3, 2, 1]


def test_the_checksum_sees_values_and_their_order():
    rows, h = np.random.default_rng(0).random((5, 3), np.float32), np.ones(4, np.float32)
    known = distributed._checksum(rows, h)
    assert 0 <= known < 2**31
    changed = rows.copy()
    changed[3, 1] = np.nextafter(changed[3, 1], np.float32(2))
    swapped = rows.copy()
    swapped[2, [0, 1]] = rows[2, [1, 0]]
    for other in (rows[[1, 0, 2, 3, 4]], rows[::-1], rows[:, ::-1], swapped, changed, -rows):
        assert distributed._checksum(other, h) != known
    assert distributed._checksum(h, rows) != known
    assert distributed._checksum(np.asfortranarray(rows), h) == known
    assert distributed._checksum(rows[:0], h) == distributed._checksum(h)


def test_ranks_whose_samples_are_in_another_order_are_told_so(ranks):
    exchange = ranks(2)
    sites, heights, points, _ = problem(20, 4, 3)

    def work():
        scores = DistributedBackend(CoreBackend()).points(sites)
        return scores.winners(points[:: 1 - 2 * exchange.rank], heights)

    with pytest.raises(DistributedError, match="the ranks compute different numbers"):
        exchange.run(work)


def test_digests_tell_inputs_apart():
    """Sources with the same moments too; samplers that wrap a foreign object by moments alone."""
    digest = distributed._digest
    points = np.random.default_rng(0).random((6, 2))
    assert digest(points) == digest(points.copy()) != digest(points[::-1])
    assert digest(points) != digest(points.reshape(3, 4))
    twice = geomot.Samples(points), geomot.Samples(points[::-1])
    np.testing.assert_allclose(twice[0].covariance, twice[1].covariance)
    assert digest(twice[0]) == digest(geomot.Samples(points))
    assert digest(twice[0]) != digest(twice[1])
    normal = geomot.Gaussian(twice[0].mean, twice[0].covariance)
    assert digest(normal) != digest(twice[0])
    assert digest(normal) == digest(geomot.Gaussian(twice[0].mean, twice[0].covariance))

    class Sampler:
        dim = 2

        def __repr__(self):
            return f"Sampler at {id(self):x}"

        def sample(self, n, rng):
            return rng.random((n, 2))

    one, other = Sampler(), Sampler()
    assert digest(as_source(one, 2)) == digest(as_source(other, 2))


def test_ranks_that_differ_are_told_so(ranks):
    exchange = ranks(2)
    sites, heights, points, _ = problem(20, 4, 3)

    def work():
        scores = DistributedBackend(CoreBackend()).points(sites)
        return scores.winners(points, heights + 1e-3 * exchange.rank)

    with pytest.raises(DistributedError, match="the ranks compute different numbers"):
        exchange.run(work)


def test_bad_arguments(ranks):
    exchange = ranks(2)
    for shards in ("rows", (2, 2), (-1, -2), (1, 1)):
        with pytest.raises(ValueError, match="shards must be 'samples', 'sites' or"):
            exchange.run(lambda shards=shards: DistributedBackend(CoreBackend(), shards=shards))
    with pytest.raises(ValueError, match=r"heights must have shape \(3,\), got \(2,\)"):
        exchange.run(
            lambda: (
                DistributedBackend(CoreBackend())
                .points(np.zeros((3, 1)))
                .winners(np.zeros((1, 1)), np.zeros(2))
            )
        )
    sites = [[0.2, 0.5], [0.7, 0.5]]
    with pytest.raises(ValueError, match="distributed must be a bool, 'samples' or 'sites'"):
        geomot.solve(sites, distributed="rows")
    with pytest.raises(ValueError, match="distributed must be False for method newton"):
        geomot.solve(sites, distributed=True)


def test_one_process_is_none_of_several(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with distributed.initialize("cpu") as alone:
        assert alone == distributed.Ranks(0, 1, "cpu")
        assert not torch.distributed.is_initialized()
        assert not distributed.joined()
    sites = np.random.default_rng(0).random((30, 3))
    one, other = (
        geomot.solve(sites, method="montecarlo", tol=0.1, random_state=0, distributed=d)
        for d in (False, "sites")
    )
    assert one.weights.tobytes() == other.weights.tobytes()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match=r"within geomot.distributed.initialize\(\)"):
        geomot.solve(sites, method="montecarlo", tol=0.1, distributed=True)
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ValueError, match="WORLD_SIZE must be an integer, got 'two'"):
        distributed.is_launched()


# ---- Real processes ----


def launch(folder, size, *arguments, **environment):
    """Start the ranks of a run, each an interpreter with these arguments."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([PATH, os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        **environment,
    }
    return [
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def outcome(processes, seconds):
    """Exit code, output and errors of all processes, none of which may outlive the time."""
    end = time.monotonic() + seconds
    try:
        said = [p.communicate(timeout=max(end - time.monotonic(), 0.1)) for p in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [(p.returncode, *texts) for p, texts in zip(processes, said, strict=True)]


SOLVES = """
import sys
import numpy as np
import geomot
from geomot.distributed import initialize

sites = np.random.default_rng(0).standard_normal((150, 5))
settings = dict(source=geomot.Gaussian(np.zeros(5), 1.0), tol=0.1, threads=1)
with initialize(timeout=60.0) as ranks:
    def run(**more):
        return geomot.solve(sites, **settings, **more)

    def note(state):
        seen.append(state.n_iter)

    seen = []
    results = {
        "samples": run(random_state=1, distributed=True, callback=note, progress=True,
                       checkpoint=f"checkpoint{ranks.rank}.npz"),
        "sites": run(random_state=1, distributed="sites"),
        "torch": run(random_state=1, distributed=True, device="cpu"),
        "entropy": run(distributed=True),
        "ball": geomot.solve(sites[:20], source=geomot.UniformBall(np.zeros(5), 1.0), tol=0.2,
                             random_state=2, distributed=True, initial_weights=np.zeros(20)),
    }
    assert bool(seen) == (ranks.rank == 0)
    stopped = run(random_state=1, distributed=True, callback=lambda state: ranks.rank == 0)
    assert stopped.status == "stopped"
    if ranks.rank == 0:
        results["one"] = run(random_state=1)
        results["one-torch"] = run(random_state=1, device="cpu")
for name, solution in results.items():
    solution.save(f"{name}{ranks.rank}.npz")
"""


def test_three_processes_are_as_good_as_one(tmp_path):
    (tmp_path / "solves.py").write_text(SOLVES)
    outcomes = outcome(launch(tmp_path, 3, "-W", "ignore", "solves.py"), 60)
    for rank, (code, out, err) in enumerate(outcomes):
        assert (code, out) == (0, ""), err
        assert ("Monte Carlo" in err) == (rank == 0), err  # the progress bar
    assert [(tmp_path / f"checkpoint{k}.npz").exists() for k in range(3)] == [True, False, False]
    files = {p.stem: p.read_bytes() for p in tmp_path.glob("*.npz")}
    for name in ("samples", "sites", "torch", "entropy", "ball"):
        assert files[f"{name}0"] == files[f"{name}1"] == files[f"{name}2"]
    assert files["samples0"] == files["one0"]
    assert files["sites0"] == files["one0"]
    assert files["entropy0"] != files["one0"]
    # torch's products may round otherwise in a smaller batch, and few samples go elsewhere then
    one, three = (geomot.load(tmp_path / f"{name}0.npz") for name in ("one-torch", "torch"))
    assert np.median(np.abs(one.weights - three.weights)) < 1e-3
    assert abs(one.estimate.tv - three.estimate.tv) < 0.01


def test_torchrun_fits_from_the_command_line(tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "sites.npy", np.random.default_rng(1).random((200, 4)))
    fit = ["-m", "geomot", "fit", "sites.npy", "--seed", "3", "--tol", "0.05", "--threads", "1"]
    environment = {"PYTHONPATH": PATH, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    settings = {"cwd": tmp_path, "env": {**os.environ, **environment}, "text": True,
                "capture_output": True, "timeout": 60, "check": False}  # fmt: skip
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    two = subprocess.run([*run, *fit, "-o", "two.npz"], **settings)
    assert two.returncode == 0, two.stderr
    monkeypatch.chdir(tmp_path)
    assert main([*fit[2:], "-o", "one.npz"]) == 0
    one = capsys.readouterr().out
    assert two.stdout.count("\n") == 1
    assert two.stdout.rpartition(",")[0] == one.rpartition(",")[0].replace("one", "two")
    assert (tmp_path / "two.npz").read_bytes() == (tmp_path / "one.npz").read_bytes()


ENDLESS = ("-m", "geomot", "fit", "sites.npy", "-o", "map.npz", "--checkpoint", "last.npz",
           "--tol", "0.002", "--seed", "1", "--threads", "1")  # fmt: skip


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize(("size", "lost"), [(2, 0), (3, 1)])
def test_a_killed_rank_ends_the_run(tmp_path, size, lost):
    sites = np.random.default_rng(1).random((1000, 4))
    np.save(tmp_path / "sites.npy", sites)
    processes = launch(tmp_path, size, *ENDLESS)
    end = time.monotonic() + 40
    while not (tmp_path / "last.npz").exists() and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.1)
    processes[lost].kill()
    outcomes = outcome(processes, 30)
    assert outcomes[lost][0] == -signal.SIGKILL
    for rank, (code, out, err) in enumerate(outcomes):
        if rank != lost:
            assert (code, out) == (4, ""), err
            line = next(line for line in err.splitlines() if line.startswith("geomot fit:"))
            assert f"error: rank {rank} of {size} lost the process group: no answer from " in line
            assert f"rank {lost}" in line
    assert not (tmp_path / "map.npz").exists()
    last = geomot.load(tmp_path / "last.npz")
    assert last.status == "stopped"
    resumed = geomot.solve(sites, tol=0.1, initial_weights=last, random_state=0, threads=1,
                           method="montecarlo")  # fmt: skip
    assert resumed.converged


class Store:
    """What ranks tell each other, until the process that holds it ends."""

    def __init__(self):
        self.values, self.closed = {}, False

    def _open(self):
        if self.closed:
            raise RuntimeError("connection reset by peer")
        return self.values

    def set(self, key, value):
        self._open()[key] = value.encode()

    def get(self, key):
        return self._open()[key]

    def check(self, keys):
        return all(key in self._open() for key in keys)


@pytest.mark.parametrize("late", [0.1, 0.4])
def test_the_holder_of_the_store_stays_for_those_who_notice_later(monkeypatch, late):
    store, said = Store(), {}

    def post(rank, reason):
        store.set(distributed._key(rank), reason)
        return store

    def call():
        time.sleep(late)
        said[2] = distributed._roll_call(2, 3)

    monkeypatch.setattr(distributed, "ROLL_CALL", 0.3)
    monkeypatch.setattr(distributed, "_post", post)
    other = threading.Thread(target=call)
    other.start()
    said[0] = distributed._roll_call(0, 3)
    store.closed = True
    other.join()
    assert "rank 1" in said[0] or "ranks 1, 2" in said[0]
    assert said[2] == "no answer from rank 1"


FAILS = """
import os, sys
import numpy as np
import geomot
from geomot.distributed import initialize

class Source:
    dim, calls = 2, 0

    def sample(self, n, rng):
        self.calls += 1
        if self.calls > 12 and os.environ["RANK"] == "1":
            raise MemoryError("no room for samples")
        return rng.random((n, self.dim))

try:
    with initialize(timeout=60.0):
        geomot.solve(np.eye(2), source=Source(), tol=0.001, random_state=0, distributed=True)
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def test_a_rank_that_fails_says_why_to_all(tmp_path):
    (tmp_path / "fails.py").write_text(FAILS)
    (code, _, err), (other, _, said) = outcome(launch(tmp_path, 2, "fails.py"), 40)
    assert (code, other) == (1, 1)
    assert "MemoryError: no room for samples" in said
    assert "DistributedError: rank 0 of 2 lost the process group: rank 1 ended with " in err
    assert "MemoryError: no room for samples" in err


def test_ranks_that_never_meet_give_up(tmp_path):
    code = (
        "import sys; from geomot.distributed import initialize, DistributedError\n"
        "try:\n    with initialize(timeout=1.0): pass\n"
        "except DistributedError as error: sys.exit(str(error))"
    )
    alone = launch(tmp_path, 2, "-c", code)
    alone.pop().kill()
    ((code, _, err),) = outcome(alone, 30)
    assert code == 1
    assert "rank 0 could not join the process group of 2" in err
