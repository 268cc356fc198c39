"""Scores by torch, on any device: a backend for sites and samples that a GPU should work on.

The samples x sites matrix exists one block at a time, never larger than `max_bytes`. A block holds
the scores of some sites (rows) and samples (columns): of points by one matrix product, of product
groups as sums of the two halves' scores. Its rows are reduced in runs of `RUN` sites, so that all
scores are read once; winner and runner-up are then found among the maxima of the runs and within
the runs that attain them. Blocks of sites follow one another by index, and a later score replaces
an earlier one only if it is larger: ties go to the lowest index, as in the compiled core.

Arithmetic is float32 throughout: TF32, bfloat16 products and autocasting are switched off for the
time of a call. Scores differ from the core's by rounding alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._core.montecarlo import GROUP_SIDE

if TYPE_CHECKING:
    import torch

__all__ = ["TorchBackend"]

# Sites whose scores are reduced to their maximum first.
RUN = 64

# Bytes of a score, a float32.
_FLOAT_BYTES = 4

# Bytes of a block of scores: on a CPU it should stay in the cache, elsewhere it should be large
# enough that the time to start a kernel does not matter.
HOST_BYTES = 2**22
DEVICE_BYTES = 2**28

# Columns of a block: more make better products, fewer leave room for more sites.
HOST_SAMPLES = 256
DEVICE_SAMPLES = 8192


@dataclass(frozen=True, eq=False)
class TorchWinners:
    """Best and second-best site of each sample, and their scores; see `WinnersLike`."""

    first: NDArray[np.int32]
    best: NDArray[np.float32]
    second: NDArray[np.int32]
    runner: NDArray[np.float32]


class TorchBackend:
    """Scores on a device of torch.

    Parameters
    ----------
    device : str
        As torch names it: "cpu", "cuda", "cuda:1", "mps".
    max_bytes : int, optional
        Bound on the scores held at once, and so on the memory beyond sites and samples, of which
        a block takes this much and a 1/32 for the maxima; by default 4 MiB on a CPU, where it is
        the cache that counts, and 256 MiB elsewhere.
    """

    def __init__(self, device: str, *, max_bytes: int | None = None) -> None:
        self.device = _device(device)
        host = self.device.type == "cpu"
        self.max_bytes = (HOST_BYTES if host else DEVICE_BYTES) if max_bytes is None else max_bytes
        least = _FLOAT_BYTES * RUN * GROUP_SIDE**2
        if self.max_bytes < least:
            raise ValueError(f"max_bytes must be at least {least}, got {max_bytes}")
        self.samples = HOST_SAMPLES if host else DEVICE_SAMPLES

    def points(self, sites: ArrayLike) -> TorchPointScores:
        """Prepare sites for single samples."""
        return TorchPointScores(self, sites)

    def pairs(self, sites: ArrayLike, split: int) -> TorchPairScores:
        """Prepare sites for product groups."""
        return TorchPairScores(self, sites, split)

    def upload(self, array: ArrayLike) -> torch.Tensor:
        """Copy an array to the device, in float32."""
        import torch

        host = np.ascontiguousarray(array, dtype=np.float32)
        # a tensor must be able to write to its memory
        host = host if host.flags.writeable else host.copy()
        return torch.from_numpy(host).to(self.device)

    def search(
        self,
        scores: Callable[[slice, slice, torch.Tensor], object],
        n: int,
        samples: int,
        step: int,
        runner: bool,
    ) -> TorchWinners:
        """Find the winners of all samples.

        Parameters
        ----------
        scores : callable
            Writes the scores of a slice of sites and a slice of samples to a tensor of that shape.
        n : int
            Number of sites.
        samples : int
            Number of samples.
        step : int
            Samples in a block.
        runner : bool
            Whether to find the second-best site too.
        """
        import torch

        rows = 2 + 2 * runner
        packed = torch.empty((rows, samples), dtype=torch.int32, device=self.device)
        # one memory for all blocks
        least = -(-n // RUN) * RUN * min(samples, step)
        held = torch.empty(min(self.max_bytes // _FLOAT_BYTES, least), device=self.device)
        for start in range(0, samples, step):
            part = slice(start, min(start + step, samples))
            count = part.stop - part.start
            sites = max(self.max_bytes // (_FLOAT_BYTES * RUN * count), 1) * RUN
            top = _Top(count, self.device, runner)
            for first in range(0, n, sites):
                block = slice(first, min(first + sites, n))
                whole = -(-(block.stop - first) // RUN) * RUN
                matrix = held[: whole * count].view(whole, count)
                scores(block, part, matrix[: block.stop - first])
                matrix[block.stop - first :] = -torch.inf
                top.add(matrix, first)
            packed[:, part] = torch.stack(
                [v if v.dtype == torch.int32 else v.view(torch.int32) for v in top.values()]
            )
        host = packed.cpu().numpy()
        first, best = host[0], host[1].view(np.float32)
        if not runner:
            return TorchWinners(first, best, np.empty(0, np.int32), np.empty(0, np.float32))
        return TorchWinners(first, best, host[2], host[3].view(np.float32))


class _Top:
    """The largest score of each sample so far, and the second largest."""

    def __init__(self, samples: int, device: torch.device, runner: bool) -> None:
        import torch

        def filled(value: float, dtype: torch.dtype) -> torch.Tensor:
            return torch.full((samples,), value, dtype=dtype, device=device)

        self.first = filled(-1, torch.int32)
        self.best = filled(-torch.inf, torch.float32)
        self.both = runner
        if runner:
            self.second = filled(-1, torch.int32)
            self.runner = filled(-torch.inf, torch.float32)

    def values(self) -> list[torch.Tensor]:
        """First, best, and second, runner if wanted."""
        both = [self.first, self.best]
        return [*both, self.second, self.runner] if self.both else both

    def add(self, scores: torch.Tensor, start: int) -> None:
        """Take in the scores (sites, samples) of the sites from `start` on, in whole runs."""
        import torch

        m = scores.shape[1]
        runs = scores.view(-1, RUN, m)
        maxima = runs.amax(1).t().contiguous()
        columns = torch.arange(m, device=scores.device)
        best, run = maxima.max(1)
        held = runs[run, :, columns]
        within = held.max(1).indices
        first = (run * RUN + within + start).to(torch.int32)
        better = best > self.best
        if self.both:
            # the winner leaves its run, and the search is repeated
            held[columns, within] = -torch.inf
            maxima[columns, run] = held.max(1).values
            runner, other = maxima.max(1)
            inside = runs[other, :, columns]
            taken = (other == run)[:, None]
            at = torch.where(taken, held, inside).max(1).indices
            second = (other * RUN + at + start).to(torch.int32)
            # the loser of the two bests competes with the winner's own runner-up; of equal ones
            # the earlier has the lower index
            old = torch.where(better, self.best, self.runner)
            old_index = torch.where(better, self.first, self.second)
            new = torch.where(better, runner, best)
            new_index = torch.where(better, second, first)
            closer = new > old
            self.runner = torch.where(closer, new, old)
            self.second = torch.where(closer, new_index, old_index)
        self.best = torch.where(better, best, self.best)
        self.first = torch.where(better, first, self.first)


class TorchPointScores:
    """Sites (n, d) on a device, for samples given one by one."""

    def __init__(self, backend: TorchBackend, sites: ArrayLike) -> None:
        self.backend = backend
        self.n, self.dim = np.shape(sites)
        self.sites = backend.upload(sites)

    def winners(
        self,
        points: ArrayLike,
        heights: ArrayLike,
        *,
        runner: bool = False,
        lead: NDArray[np.float32] | None = None,
        threads: int = 1,
    ) -> TorchWinners:
        """Winners of points (m, d) under heights (n,), both rounded to float32."""
        import torch

        x = np.asarray(points, dtype=np.float32)
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"points must have shape (m, {self.dim}), got {np.shape(points)}")
        h = self.backend.upload(_heights(heights, self.n))[:, None]
        z = self.backend.upload(x).t()

        def scores(sites: slice, part: slice, out: torch.Tensor) -> object:
            return torch.addmm(h[sites], self.sites[sites], z[:, part], out=out)

        # no wider than leaves room for a run of sites
        step = min(self.backend.samples, self.backend.max_bytes // (_FLOAT_BYTES * RUN))
        with _plain_arithmetic(self.backend.device, threads):
            return self.backend.search(scores, self.n, len(x), step, runner or lead is not None)

    def largest(
        self, points: ArrayLike, heights: ArrayLike, k: int, *, threads: int = 1
    ) -> NDArray[np.int64]:
        """The k sites of largest score for points (m, d) under heights (n,), (m, k), best first."""
        import torch

        h = self.backend.upload(_heights(heights, self.n))
        x = self.backend.upload(points)
        found = np.empty((len(x), k), dtype=np.int64)
        step = max(self.backend.max_bytes // (_FLOAT_BYTES * self.n), 1)
        with _plain_arithmetic(self.backend.device, threads):
            for start in range(0, len(x), step):
                part = slice(start, start + step)
                scores = torch.addmm(h, x[part], self.sites.t())
                found[part] = scores.topk(k).indices.cpu().numpy()
        return found


class TorchPairScores:
    """Sites (n, d) on a device, for product groups: the first `split` coordinates are the left."""

    def __init__(self, backend: TorchBackend, sites: ArrayLike, split: int) -> None:
        self.backend = backend
        y = np.asarray(sites, dtype=np.float32)
        self.n, self.dim = y.shape
        if not 0 < split < self.dim:
            raise ValueError(f"split must lie between 1 and {self.dim - 1}, got {split}")
        self.split = split
        self.left_sites = backend.upload(y[:, :split])
        self.right_sites = backend.upload(y[:, split:])

    def winners(
        self,
        left: ArrayLike,
        right: ArrayLike,
        heights: ArrayLike,
        *,
        runner: bool = False,
        lead: NDArray[np.float32] | None = None,
        threads: int = 1,
    ) -> TorchWinners:
        """Winners of all pairs in each group, (groups * 256,), the left half's index first."""
        import torch

        halves = [np.asarray(half, dtype=np.float32) for half in (left, right)]
        groups, size = len(halves[0]), GROUP_SIDE**2
        for name, half, d in zip(
            ("left", "right"), halves, (self.split, self.dim - self.split), strict=True
        ):
            if half.shape != (groups, GROUP_SIDE, d):
                raise ValueError(
                    f"{name} must have shape (groups, {GROUP_SIDE}, {d}), got {half.shape}"
                )
        h = self.backend.upload(_heights(heights, self.n))[:, None]
        a, b = (self.backend.upload(v.reshape(groups * GROUP_SIDE, -1)).t() for v in halves)

        def scores(sites: slice, part: slice, out: torch.Tensor) -> object:
            # sixteen columns of the halves for 256 of the pairs
            columns = slice(part.start // GROUP_SIDE, part.stop // GROUP_SIDE)
            u = torch.addmm(h[sites], self.left_sites[sites], a[:, columns])
            v = torch.mm(self.right_sites[sites], b[:, columns])
            u = u.view(len(u), -1, GROUP_SIDE, 1)
            v = v.view(len(v), -1, 1, GROUP_SIDE)
            return torch.add(u, v, out=out.view(len(u), -1, GROUP_SIDE, GROUP_SIDE))

        step = (
            min(self.backend.samples, self.backend.max_bytes // (_FLOAT_BYTES * RUN)) // size * size
        )
        with _plain_arithmetic(self.backend.device, threads):
            both = runner or lead is not None
            return self.backend.search(scores, self.n, groups * size, step, both)


def _device(name: str) -> torch.device:
    """Return the device of a name, after a first tensor has been made there."""
    if not isinstance(name, str):
        raise TypeError(f"device must be a string such as 'cuda', got {type(name).__name__}")
    try:
        import torch
    except ImportError as error:
        raise ImportError(f'device={name!r} needs torch: pip install "geomot[torch]"') from error
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    # torch built without CUDA asserts, others raise a RuntimeError or a NotImplementedError
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        said = str(error).strip().partition("\n")[0]
        raise ValueError(f"device must be one that torch can use here, got {name!r}: {said}") from (
            error
        )
    return device


def _heights(heights: ArrayLike, n: int) -> NDArray[np.float32]:
    if np.shape(heights) != (n,):
        raise ValueError(f"heights must have shape ({n},), got {np.shape(heights)}")
    return np.asarray(heights, dtype=np.float32)


@contextmanager
def _plain_arithmetic(device: torch.device, threads: int) -> Iterator[None]:
    """Full float32, no gradients, and on a CPU so many threads; as before at the end."""
    import torch

    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        if device.type in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        if device.type == "cpu" and torch.get_num_threads() != threads:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(threads)
        _full_precision(stack)
        yield


def _full_precision(stack: ExitStack) -> None:
    """Keep torch from narrower products until the stack unwinds."""
    import torch

    products: list[Any] = [torch.backends.cuda.matmul, torch.backends.mkldnn]
    products[1] = getattr(products[1], "matmul", None)
    if all(hasattr(product, "fp32_precision") for product in products):
        for product in products:
            if product.fp32_precision != "ieee":
                stack.callback(setattr, product, "fp32_precision", product.fp32_precision)
                product.fp32_precision = "ieee"
    elif torch.get_float32_matmul_precision() != "highest":  # before torch 2.9
        stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        torch.set_float32_matmul_precision("highest")
