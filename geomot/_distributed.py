"""How several processes solve one problem together, under torch.distributed.

All ranks run the same solver on the same seed, and repeat everything except the assignment of
samples to sites, which takes nearly all of the time: `DistributedBackend` splits the samples, the
sites or both over the ranks, and one gather per call gives every rank the winners of all samples.
So all ranks hold the same heights all along, and return the same solution.

- Samples split: every rank holds all sites, and assigns its share of each batch.
- Sites split: every rank holds its share of the sites on its device, and finds the two best of
  them for every sample; the best of all is the best of these.

Winners are small and arrays of the host: they go through gloo where the group has it, also between
GPUs. A group of nccl alone gets them by way of the device. Gloo notices at once that a rank has
gone. The others then end with `DistributedError`, which says who is missing and, where it can
tell, why. A rank that hangs is given up after the timeout of the group.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._core.montecarlo import GROUP_SIDE
from geomot._monitor import Monitor, SolverState
from geomot._search.backends import Backend, PairAssignment, PointAssignment
from geomot.sources import Source
from geomot.sources.wrapped import WrappedSource

if TYPE_CHECKING:
    from geomot.solution import Solution

__all__ = [
    "DistributedBackend",
    "DistributedError",
    "Ranks",
    "SharedMonitor",
    "agree",
    "initialize",
    "is_launched",
    "joined",
    "launched_rank",
    "local_ranks",
]

# Seconds that a collective may wait for the slowest rank.
TIMEOUT = 300.0

# Seconds in which ranks answer each other once one is missing.
ROLL_CALL = 2.0

# Seconds between looks for an answer.
_POLL = 0.02

# Bits of a checksum: those of a positive int32.
_CHECKSUM_BITS = 0x7FFFFFFF

IntArray = NDArray[np.int32]
Float32Array = NDArray[np.float32]


class DistributedError(RuntimeError):
    """A process of the group has ended or does not answer, or computes different numbers.

    Examples
    --------
    >>> from geomot.distributed import DistributedError, initialize
    >>> try:
    ...     with initialize() as ranks:
    ...         pass  # solve here
    ... except DistributedError as error:
    ...     print(f"lost: {error}")
    """


# ---------------------------------------------------------------------------------------------
# Joining and leaving
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ranks:
    """Place of this process among those of a run.

    Attributes
    ----------
    rank : int
        Its number, from 0.
    size : int
        How many there are.
    device : str or None
        Where it computes: the GPU of its own for "cuda", else as it was given.

    Examples
    --------
    >>> from geomot.distributed import initialize
    >>> with initialize() as ranks:  # without torchrun there is one
    ...     print(ranks)
    Ranks(rank=0, size=1, device=None)
    """

    rank: int
    size: int
    device: str | None


def is_launched() -> bool:
    """Whether torchrun, or whatever sets its environment, has started several processes.

    Examples
    --------
    >>> from geomot.distributed import is_launched
    >>> is_launched()
    False
    """
    return _environment("WORLD_SIZE", 1) > 1


def launched_rank() -> int:
    """Number that this process was given when it was started, 0 if it is the only one.

    Examples
    --------
    >>> from geomot.distributed import launched_rank
    >>> launched_rank()
    0
    """
    return _environment("RANK", 0) if is_launched() else 0


def local_ranks() -> int:
    """Number of the run's processes on this machine, which share its cores.

    Examples
    --------
    >>> from geomot.distributed import local_ranks
    >>> local_ranks()
    1
    """
    return max(_environment("LOCAL_WORLD_SIZE", 1), 1)


def joined() -> bool:
    """Whether this process belongs to a group of several ranks.

    Raises
    ------
    RuntimeError
        If it was started as one of several, but has not joined them.

    Examples
    --------
    >>> from geomot.distributed import joined
    >>> joined()
    False
    """
    dist = sys.modules.get("torch.distributed")
    if dist is not None and dist.is_available() and dist.is_initialized():
        return bool(dist.get_world_size() > 1)
    if is_launched():
        raise RuntimeError(
            "the processes have not joined: call geomot.solve(..., distributed=...) within "
            "geomot.distributed.initialize()"
        )
    return False


@contextmanager
def initialize(device: str | None = None, *, timeout: float = TIMEOUT) -> Iterator[Ranks]:
    """Join the processes that torchrun has started, until the end of the context.

    Parameters
    ----------
    device : str, optional
        Where this process is going to compute. "cuda" stands for the GPU of number LOCAL_RANK,
        modulo how many there are.
    timeout : float
        Seconds after which a rank that does not answer is given up.

    Yields
    ------
    Ranks
        Rank 0 of 1 where there is one process only: then nothing is initialised.

    Raises
    ------
    DistributedError
        If the ranks do not find each other, if one of them ends early, or if the launcher ends this
        one by SIGTERM, as torchrun does when another is lost.

    Examples
    --------
    A script that runs as one process, and as several under torchrun:

    >>> import geomot
    >>> from geomot.distributed import initialize
    >>> sites = geomot.datasets.u2d(20)
    >>> with initialize() as ranks:
    ...     solution = geomot.solve(
    ...         sites, method="montecarlo", tol=0.3, distributed=True, random_state=0
    ...     )
    >>> ranks.rank, solution.converged
    (0, True)
    """
    if not is_launched():
        yield Ranks(0, 1, device)
        return
    dist = _distributed()
    rank, size = launched_rank(), _environment("WORLD_SIZE", 1)
    backend = "gloo"
    if device is not None and device.partition(":")[0] == "cuda":
        import torch

        if torch.cuda.is_available():
            backend = "cpu:gloo,cuda:nccl"
            if device == "cuda":
                device = f"cuda:{_environment('LOCAL_RANK', rank) % torch.cuda.device_count()}"
            torch.cuda.set_device(device)
    try:
        dist.init_process_group(backend, timeout=timedelta(seconds=timeout))
    except (RuntimeError, ValueError) as error:
        raise DistributedError(
            f"rank {rank} could not join the process group of {size}: {_line(error)}"
        ) from error
    with _termination_raises():
        try:
            yield Ranks(rank, size, device)
            # nobody leaves while others still need what it holds: the store, or a last message
            _Exchange().gather(np.zeros(1, dtype=np.int32))
        except DistributedError:
            raise
        except BaseException as error:
            _post(rank, f"{type(error).__name__}: {_line(error)}")
            raise
        finally:
            dist.destroy_process_group()


def _environment(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    try:
        return int(value) if value else default
    except ValueError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None


def _distributed() -> Any:
    """Return torch.distributed."""
    try:
        import torch.distributed as dist
    except ImportError as error:
        raise ImportError('several processes need torch: pip install "geomot[torch]"') from error
    if not dist.is_available():
        raise ImportError("several processes need a torch that was built with torch.distributed")
    return dist


def _line(error: BaseException) -> str:
    """What an error says, in one line and without gloo's places in its source and advice."""
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"^\[\S+:\d+\] ", "", line).partition(". This is typically")[0]


# ---------------------------------------------------------------------------------------------
# Loss of a rank
# ---------------------------------------------------------------------------------------------


def _terminated(number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM: a launcher that has lost one rank sends it, often before others notice."""
    raise _lost("the launcher ended this one (SIGTERM)")


@contextmanager
def _termination_raises() -> Iterator[None]:
    """Turn SIGTERM into a DistributedError where nobody else handles it.

    After such an error the process is about to end and stays deaf to SIGTERM, so that what it has
    to say is heard: launchers send SIGKILL later.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    except DistributedError:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise
    except BaseException:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _lost(happened: str) -> DistributedError:
    """Call the roll, and say what came of it."""
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGTERM) is _terminated:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    dist = _distributed()
    rank, size = dist.get_rank(), dist.get_world_size()
    return DistributedError(
        f"rank {rank} of {size} lost the process group: {_roll_call(rank, size)}; {happened}"
    )


def _roll_call(rank: int, size: int) -> str:
    """Who is missing from the group, or has left it, in a few words."""
    # Once a peer is gone, torch's monitored_barrier only repeats gloo's error and names no rank.
    store = _post(rank, "")
    try:
        answer = _who_is_missing(store, [other for other in range(size) if other != rank])
        store.set(f"{_key(rank)}/done", "")
    except (RuntimeError, AttributeError):
        return "no answer from the process that holds the store, rank 0 or the launcher"
    if rank == 0:
        _wait_for_calls(store, size)
    return answer


def _who_is_missing(store: Any, missing: list[int]) -> str:
    deadline = time.monotonic() + ROLL_CALL
    while missing:
        for other in tuple(missing):
            if store.check([_key(other)]):
                missing.remove(other)
                reason = store.get(_key(other)).decode()
                if reason:
                    return f"rank {other} ended with {reason}"
        if time.monotonic() > deadline:
            names = ", ".join(map(str, missing))
            return f"no answer from rank{'s' * (len(missing) > 1)} {names}"
        time.sleep(_POLL)
    return "all ranks answer, but a connection broke"


def _wait_for_calls(store: Any, size: int) -> None:
    """Stay, since the store may end with this rank, while others call the roll or may begin to."""
    now = time.monotonic()
    with suppress(RuntimeError):
        while (waited := time.monotonic() - now) < 2.0 * ROLL_CALL:
            here = [other for other in range(1, size) if store.check([_key(other)])]
            done = all(store.check([f"{_key(other)}/done"]) for other in here)
            if done and (len(here) == size - 1 or waited > ROLL_CALL):
                return
            time.sleep(_POLL)


def _post(rank: int, reason: str) -> Any:
    """Tell the others that this rank knows of the loss, or why it leaves; return the store."""
    try:
        store = _distributed().distributed_c10d._get_default_store()
        store.set(_key(rank), reason)
    except (RuntimeError, AttributeError, ValueError):
        return None
    return store


def _key(rank: int) -> str:
    return f"geomot/roll/{rank}"


class _Exchange:
    """Gathers of small arrays over a group of ranks."""

    def __init__(self, group: Any = None) -> None:
        self.dist = _distributed()
        self.group = group
        self.rank: int = self.dist.get_rank(group)
        self.size: int = self.dist.get_world_size(group)
        config = self.dist.get_backend_config(group)
        on_host = any(name in config for name in ("cpu:gloo", "cpu:mpi"))
        self.device = "cpu" if on_host else "cuda"

    def gather(self, own: IntArray) -> IntArray:
        """Return the arrays of all ranks, of one length, one per row."""
        import torch

        mine = torch.from_numpy(own).to(self.device)
        out = torch.empty((self.size, len(own)), dtype=torch.int32, device=self.device)
        with self._watched():
            self.dist.all_gather(list(out.unbind(0)), mine, group=self.group)
            return out.cpu().numpy()

    def broadcast(self, value: Any) -> Any:
        """Return the first rank's value."""
        values = [value]
        with self._watched():
            first = 0 if self.group is None else self.dist.get_global_rank(self.group, 0)
            self.dist.broadcast_object_list(values, first, self.group, device=self.device)
        return values[0]

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except DistributedError:
            raise
        except RuntimeError as error:
            raise _lost(_line(error)) from error


# ---------------------------------------------------------------------------------------------
# Assignment
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class GatheredWinners:
    """Best and second-best site of each sample, and their scores; see `WinnersLike`."""

    first: IntArray
    best: Float32Array
    second: IntArray
    runner: Float32Array


class DistributedBackend:
    """Another backend, whose samples or sites are split over the ranks of a group.

    All ranks must make the same calls with the same arguments.

    Parameters
    ----------
    inner : Backend
        Where this rank computes.
    group : ProcessGroup, optional
        The ranks; all by default.
    shards : {"samples", "sites"} or tuple of int
        What is split; (rows, columns) splits samples into so many rows and sites into so many
        columns, whose product is the number of ranks: rank r stands in row r // columns.
    """

    def __init__(
        self, inner: Backend, group: Any = None, shards: str | tuple[int, int] = "samples"
    ) -> None:
        self.inner = inner
        self.exchange = _Exchange(group)
        size = self.exchange.size
        self.rows, self.columns = {"samples": (size, 1), "sites": (1, size)}.get(
            shards if isinstance(shards, str) else "",
            (0, 0) if isinstance(shards, str) else shards,
        )
        if self.rows * self.columns != size or self.rows < 1:
            raise ValueError(
                "shards must be 'samples', 'sites' or (rows, columns) with a product of "
                f"{size}, the number of ranks, got {shards!r}"
            )
        self.row, self.column = divmod(self.exchange.rank, self.columns)

    def points(self, sites: ArrayLike) -> PointAssignment:
        """Prepare sites for single samples."""
        return _Points(self, np.asarray(sites), self.inner.points, 1)

    def pairs(self, sites: ArrayLike, split: int) -> PairAssignment:
        """Prepare sites for product groups, of which the left half has `split` columns."""
        return _Pairs(
            self, np.asarray(sites), lambda own: self.inner.pairs(own, split), GROUP_SIDE**2
        )


# Checksums of heights and samples, which all ranks must share.
_HEADER = 2


class _Assignment:
    """Sites of all ranks, of which this one holds its column.

    Parameters
    ----------
    backend : DistributedBackend
        What is split how.
    sites : ndarray of shape (n, d)
        All sites.
    prepare : callable
        Makes the inner backend's assignment of this rank's sites.
    group : int
        Samples in a group.
    """

    def __init__(
        self,
        backend: DistributedBackend,
        sites: NDArray[Any],
        prepare: Callable[[NDArray[Any]], Any],
        group: int,
    ) -> None:
        self.backend = backend
        self.n = len(sites)
        self.group = group
        own = _share(self.n, backend.columns, backend.column)[1]
        # there may be fewer sites than ranks
        self.inner = prepare(sites[own]) if own.stop > own.start else None
        self.own_sites = own

    def find(
        self,
        samples: tuple[ArrayLike, ...],
        heights: ArrayLike,
        runner: bool,
        lead: Float32Array | None,
        threads: int,
    ) -> GatheredWinners:
        """Winners of samples, arrays with a row per group, of which this rank assigns its share."""
        h = np.asarray(heights, dtype=np.float32)
        if h.shape != (self.n,):
            raise ValueError(f"heights must have shape ({self.n},), got {h.shape}")
        batch = [np.asarray(part, dtype=np.float32) for part in samples]
        rows, columns = self.backend.rows, self.backend.columns
        share, own = _share(len(batch[0]), rows, self.backend.row)
        both = runner or lead is not None
        width, fields = share * self.group, 4 if both else 2
        packed = np.full(_HEADER + fields * width, -1, dtype=np.int32)
        packed[:_HEADER] = [_checksum(h), _checksum(*batch)]
        body = packed[_HEADER:].reshape(fields, width)
        body[1::2].view(np.float32)[:] = -np.inf
        if self.inner is not None and own.stop > own.start:
            found = self.inner.winners(
                *(part[own] for part in batch),
                h[self.own_sites],
                runner=runner,
                lead=None if lead is None else lead.reshape(-1, self.group)[own].ravel(),
                threads=threads,
            )
            count = (own.stop - own.start) * self.group
            body[0, :count] = found.first
            body[1, :count] = found.best.view(np.int32)
            if runner:
                body[2, :count] = found.second
            if both:
                body[3, :count] = found.runner.view(np.int32)
        gathered = self.backend.exchange.gather(packed)
        if (gathered[:, :_HEADER] != packed[:_HEADER]).any():
            raise DistributedError(
                "the ranks compute different numbers: they need the same arguments, libraries, "
                "number of BLAS threads and kind of processor"
            )
        parts = gathered[:, _HEADER:].reshape(rows, columns, fields, width)
        merged = self._merged(parts).reshape(fields, -1)[:, : len(batch[0]) * self.group]
        empty = np.empty(0, dtype=np.int32)
        first, best, second, runners = merged if both else (*merged, empty, empty)
        return GatheredWinners(first, best.view(np.float32), second, runners.view(np.float32))

    def _merged(self, parts: IntArray) -> IntArray:
        """Best of the columns' winners (rows, columns, fields, width), as (fields, rows, width).

        Columns stand by index, so that of equal scores the first has the lowest index.
        """
        fields = np.moveaxis(parts, 2, 0)
        if self.backend.columns == 1:
            return np.ascontiguousarray(fields[:, :, 0])
        columns = self.backend.columns
        starts = np.array([_share(self.n, columns, c)[1].start for c in range(columns)])
        starts = starts.astype(np.int32)[:, None]
        out = np.empty((len(fields), len(parts), parts.shape[3]), dtype=np.int32)
        index = fields[0] + starts
        scores = np.ascontiguousarray(fields[1]).view(np.float32)
        winner = scores.argmax(axis=1)[:, None]
        out[0] = np.take_along_axis(index, winner, 1)[:, 0]
        out[1] = np.take_along_axis(scores, winner, 1)[:, 0].view(np.int32)
        if len(fields) > 2:
            # where the winner comes from, its runner-up stands in for it
            second = np.where(fields[2] < 0, -1, fields[2] + starts)
            runner = np.ascontiguousarray(fields[3]).view(np.float32)
            np.put_along_axis(index, winner, np.take_along_axis(second, winner, 1), 1)
            np.put_along_axis(scores, winner, np.take_along_axis(runner, winner, 1), 1)
            other = scores.argmax(axis=1)[:, None]
            out[2] = np.take_along_axis(index, other, 1)[:, 0]
            out[3] = np.take_along_axis(scores, other, 1)[:, 0].view(np.int32)
        return out


class _Points(_Assignment):
    """Sites of all ranks, for samples given one by one."""

    def winners(
        self,
        points: ArrayLike,
        heights: ArrayLike,
        *,
        runner: bool = False,
        lead: Float32Array | None = None,
        threads: int = 1,
    ) -> GatheredWinners:
        """Winners of points (m, d) under heights (n,)."""
        return self.find((points,), heights, runner, lead, threads)


class _Pairs(_Assignment):
    """Sites of all ranks, for product groups."""

    def winners(
        self,
        left: ArrayLike,
        right: ArrayLike,
        heights: ArrayLike,
        *,
        runner: bool = False,
        lead: Float32Array | None = None,
        threads: int = 1,
    ) -> GatheredWinners:
        """Winners of all pairs of halves, left (groups, 16, split), right (groups, 16, rest)."""
        return self.find((left, right), heights, runner, lead, threads)


def _share(count: int, parts: int, part: int) -> tuple[int, slice]:
    """Size of the largest of equal parts of `count` things, and the slice of one of them.

    Only the last parts are smaller, so that all parts in a row, each padded to the largest, are
    the whole and then padding.
    """
    size = -(-count // parts)
    return size, slice(min(part * size, count), min((part + 1) * size, count))


def _checksum(*arrays: Float32Array) -> int:
    """A number of 31 bits that changes with nearly any change of the arrays, or of their order."""
    total = 0
    for array in arrays:
        total = zlib.crc32(np.ascontiguousarray(array).data, total)
    return total & _CHECKSUM_BITS


# ---------------------------------------------------------------------------------------------
# What the solver shares
# ---------------------------------------------------------------------------------------------


def agree(rng: np.random.Generator, **inputs: Any) -> np.random.Generator:
    """Return the first rank's generator, after a check that all ranks were given the same inputs.

    Parameters
    ----------
    rng : Generator
        This rank's generator.
    **inputs : ndarray, Source, float, int, str or None
        What must be the same on all ranks.
    """
    digests = {name: _digest(value) for name, value in inputs.items()}
    shared, expected = _Exchange().broadcast((rng, digests))
    for name, digest in digests.items():
        if digest != expected[name]:
            raise ValueError(f"{name} must be the same on all ranks, but differs from rank 0's")
    return rng if _Exchange().rank == 0 else shared


def _digest(value: Any) -> object:
    if isinstance(value, np.ndarray):
        return value.shape, zlib.crc32(np.ascontiguousarray(value).data)
    if isinstance(value, WrappedSource):
        # The words of a foreign object may name a place in memory; its moments are known.
        return _digest(value.mean), _digest(value.covariance)
    if isinstance(value, Source):
        return {name: _digest(part) for name, part in value.to_dict().items()}
    return value


class SharedMonitor(Monitor):
    """A monitor that shows on rank 0 alone what all ranks do; its callback's answer holds for all.

    The parameters are those of `Monitor`.
    """

    def __init__(
        self,
        callback: Callable[[SolverState], bool | None] | None,
        progress: bool,
        checkpoint: str | os.PathLike[str] | None,
        description: str,
        unit: str,
    ) -> None:
        self.exchange = _Exchange()
        self.speaks = self.exchange.rank == 0
        super().__init__(
            callback if self.speaks else None,
            progress and self.speaks,
            checkpoint if self.speaks else None,
            description,
            unit,
        )

    def show(
        self, state: Callable[[], SolverState], solution: Callable[[], Solution], text: str
    ) -> bool:
        """Show where the solve stands; whether rank 0's callback asks to stop."""
        stop = super().show(state, solution, text)
        answers = self.exchange.gather(np.array([stop], dtype=np.int32))
        return bool(answers[0, 0])
