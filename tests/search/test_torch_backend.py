"""Scores by torch against the compiled core: shapes, ties, memory, precision, errors."""

import sys

import numpy as np
import pytest

import geomot
from geomot._core.montecarlo import GROUP_SIDE, PairScores, PointScores
from geomot._search.backends import CoreBackend

torch = pytest.importorskip("torch", reason="the backend needs torch")

from geomot._search.torch_backend import RUN, TorchBackend  # noqa: E402

SHAPES = [(1, 1, 5), (2, 2, 3), (63, 3, 7), (64, 10, 100), (65, 2, 9), (300, 7, 1), (5000, 5, 300),
          (20000, 16, 70), (257, 128, 50)]  # fmt: skip

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
LEAST = 4 * RUN * GROUP_SIDE**2
NAMES = ("first", "second", "best", "runner")


@pytest.fixture(params=[(device, size) for device in DEVICES for size in (LEAST, None)])
def backend(request):
    device, size = request.param
    return TorchBackend(device, max_bytes=size)


def problem(n, d, seed=0):
    rng = np.random.default_rng([n, d, seed])
    sites = rng.standard_normal((n, d)).astype(np.float32)
    heights = (-0.5 * (sites**2).sum(axis=1)).astype(np.float32)
    return rng, sites, heights


def check(winners, expected, points, sites, heights):
    """Winner and runner-up are the core's, up to what float32 scores cannot tell."""
    x, y, h = (np.abs(np.asarray(a, dtype=np.float64)) for a in (points, sites, heights))
    bound = 2.0**-22 * (y.shape[1] + 2) * (x @ y.T + h).max()
    for name, kind in zip(NAMES, (np.int32, np.int32, np.float32, np.float32), strict=True):
        assert getattr(winners, name).dtype == kind
        assert getattr(winners, name).shape == (len(x),)
    np.testing.assert_allclose(winners.best, expected.best, rtol=0, atol=bound)
    if len(y) == 1:
        assert (winners.first == 0).all()
        assert (winners.second == -1).all()
        assert (winners.runner == -np.inf).all()
        return
    np.testing.assert_allclose(winners.runner, expected.runner, rtol=0, atol=bound)
    scores = np.asarray(points, dtype=float) @ np.asarray(sites, dtype=float).T + heights
    rows = np.arange(len(x))
    for index, value in ((winners.first, expected.best), (winners.second, expected.runner)):
        np.testing.assert_allclose(scores[rows, index], value, rtol=0, atol=bound)
    assert (winners.first != winners.second).all()
    clear = expected.best - expected.runner > 2 * bound
    assert clear.mean() > 0.9
    assert (winners.first[clear] == expected.first[clear]).all()


@pytest.mark.parametrize(("n", "d", "m"), SHAPES)
def test_points(backend, n, d, m):
    rng, sites, heights = problem(n, d)
    points = rng.standard_normal((m, d)).astype(np.float32)
    scores = backend.points(sites)
    winners = scores.winners(points, heights, runner=True)
    check(winners, CoreBackend().points(sites).winners(points, heights, runner=True),
          points, sites, heights)  # fmt: skip
    alone = scores.winners(points, heights)
    assert (alone.first == winners.first).all()
    assert (alone.best == winners.best).all()


@pytest.mark.parametrize(("n", "d", "m"), [shape for shape in SHAPES if shape[1] > 1])
def test_pairs(backend, n, d, m):
    rng, sites, heights = problem(n, d)
    split, groups = max(1, d // 3), 3
    left = rng.standard_normal((groups, 16, split)).astype(np.float32)
    right = rng.standard_normal((groups, 16, d - split)).astype(np.float32)
    points = np.concatenate(
        [np.repeat(left[:, :, None], 16, axis=2), np.repeat(right[:, None], 16, axis=1)], axis=-1
    ).reshape(-1, d)
    scores = backend.pairs(sites, split)
    winners = scores.winners(left, right, heights, runner=True)
    check(winners, CoreBackend().pairs(sites, split).winners(left, right, heights, runner=True),
          points, sites, heights)  # fmt: skip
    alone = scores.winners(left, right, heights)
    assert (alone.first == winners.first).all()
    assert (alone.best == winners.best).all()


@pytest.mark.parametrize("n", [2, 70, 600, 9000])
def test_ties_go_to_the_lowest_index(backend, n):
    # every site at one of two places: all scores are exact, and shared by half of the sites
    sites = np.zeros((n, 2), dtype=np.float32)
    sites[1::2] = [1.0, 2.0]
    heights = np.zeros(n, dtype=np.float32)
    points = np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, -1.0]], dtype=np.float32)
    left = np.broadcast_to(points[:1, None, :1], (1, 16, 1))
    right = np.broadcast_to(points[:1, None, 1:], (1, 16, 1))
    # the kernels that promise it: those that skip sites do not
    for name, own, theirs in (
        ("points", backend.points(sites), PointScores(sites)),
        ("pairs", backend.pairs(sites, 1), PairScores(sites, 1)),
    ):
        samples = (points,) if name == "points" else (left, right)
        mine, expected = (s.winners(*samples, heights, runner=True) for s in (own, theirs))
        for field in NAMES:
            assert getattr(mine, field).tolist() == getattr(expected, field).tolist()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("max_bytes", [2**19, 2**22])
def test_memory_is_bounded(device, max_bytes):
    from torch.utils._python_dispatch import TorchDispatchMode

    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, (tuple, list)) else (out,):
                if isinstance(tensor, torch.Tensor):
                    largest = max(largest, tensor.untyped_storage().nbytes())
            return out

    backend = TorchBackend(device, max_bytes=max_bytes)
    rng, sites, heights = problem(10000, 4)
    scores, pairs = backend.points(sites), backend.pairs(sites, 2)
    points = rng.standard_normal((1024, 4)).astype(np.float32)
    halves = points[:256].reshape(8, 32, 4)
    with Watch():
        scores.winners(points, heights, runner=True)
        pairs.winners(halves[:, :16, :2], halves[:, 16:, 2:], heights, runner=True)
    assert 0 < largest <= max_bytes


@pytest.mark.parametrize("setting", ["high", "medium"])
def test_settings_of_torch_do_not_matter_and_stay(setting):
    rng, sites, heights = problem(500, 40)
    points = rng.standard_normal((100, 40)).astype(np.float32)
    scores = TorchBackend("cpu").points(sites)
    expected = scores.winners(points, heights)
    before = torch.get_float32_matmul_precision(), torch.get_num_threads()
    try:
        torch.set_float32_matmul_precision(setting)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            winners = scores.winners(points, heights)
            assert torch.is_autocast_enabled("cpu")
        assert torch.get_float32_matmul_precision() == setting
    finally:
        torch.set_float32_matmul_precision(before[0])
    assert torch.get_num_threads() == before[1]
    np.testing.assert_allclose(winners.best, expected.best, rtol=1e-5)


@pytest.mark.parametrize("paired", [False, True])
def test_solve_on_a_device(paired):
    rng = np.random.default_rng(3)
    sites = rng.standard_normal((150, 4))
    source = geomot.Gaussian(np.zeros(4), 1.0) if paired else geomot.UniformBall(np.zeros(4), 2.0)
    settings = {"source": source, "tol": 0.1, "random_state": 5, "threads": 1}
    for device in DEVICES:
        solution = geomot.solve(sites, device=device, **settings)
        again = geomot.solve(sites, device=device, **settings)
        assert solution.converged
        assert solution.weights.tobytes() == again.weights.tobytes()
        core = geomot.solve(sites, **settings)
        # the same samples; those that rounding sends elsewhere are few
        assert np.median(np.abs(solution.weights - core.weights)) < 0.01
        assert abs(solution.estimate.tv - core.estimate.tv) < 0.01


def test_bad_arguments():
    with pytest.raises(ValueError, match="device must be one that torch can use here, got 'abac'"):
        TorchBackend("abac")
    with pytest.raises(TypeError, match="device must be a string"):
        TorchBackend(0)
    with pytest.raises(ValueError, match="max_bytes must be at least"):
        TorchBackend("cpu", max_bytes=1000)
    _, sites, heights = problem(10, 4)
    backend = TorchBackend("cpu")
    with pytest.raises(ValueError, match="points must have shape"):
        backend.points(sites).winners(np.zeros((3, 5)), heights)
    with pytest.raises(ValueError, match="heights must have shape"):
        backend.points(sites).winners(np.zeros((3, 4)), heights[:-1])
    with pytest.raises(ValueError, match="split must lie"):
        backend.pairs(sites, 4)
    with pytest.raises(ValueError, match="right must have shape"):
        backend.pairs(sites, 1).winners(np.zeros((2, 16, 1)), np.zeros((2, 16, 2)), heights)
    with pytest.raises(ValueError, match="device must be None for method newton"):
        geomot.solve([[0.2, 0.5], [0.7, 0.5]], device="cpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="got 'cuda'"):
            geomot.solve([[0.2], [0.7]], method="montecarlo", device="cuda")


def test_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "geomot\[torch\]"'):
        TorchBackend("cpu")
