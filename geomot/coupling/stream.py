"""The endless sequence of pairs, of which batches, ranks and workers take their pieces.

Pair number i is made of random numbers that depend on the seed and on i alone: blocks of `BLOCK`
pairs have generators of their own. Batch s of rank r of R is the r-th of R equal pieces of pairs
s R B to (s + 1) R B - 1, with B the size of a batch. So ranks never share a pair; together they see
what one process sees with batches of R B; and a training that resumes at batch s goes on as if it
had not stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from geomot._validation import as_count, as_threads

if TYPE_CHECKING:
    from geomot.coupling.coupling import SemiDiscreteCoupling

__all__ = ["BLOCK", "PairDataset", "Steps"]

# Pairs that share a generator. Blocks are drawn as a whole, also where a batch needs a part only.
BLOCK = 256


class PairDataset:
    """Batches of pairs by number: a map-style data set for `torch.utils.data.DataLoader`.

    `SemiDiscreteCoupling.dataset` makes it. ``dataset[s]`` is batch s, a tuple of float32 arrays
    (noise, data) or (noise, data, label), for any s >= 0: the sequence has no end and no length.
    Batches need no torch; a DataLoader makes them tensors. Pickled to a worker, mapped data are
    mapped there again.

    Parameters
    ----------
    coupling : SemiDiscreteCoupling
        Fitted.
    batch_size : int
        Pairs in a batch of this rank.
    seed : int
        The seed of the sequence.
    rank, world_size : int
        Which of how many equal pieces of every batch this data set yields.
    threads : int, optional
        Number of threads; None: all available cores. The pairs do not depend on it.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.coupling import SemiDiscreteCoupling
    >>> X = np.random.default_rng(0).standard_normal((100, 2))
    >>> coupling = SemiDiscreteCoupling(random_state=0).fit(X)
    >>> first, second = (coupling.dataset(8, rank=r, world_size=2) for r in range(2))
    >>> whole = coupling.dataset(16)
    >>> noise, data = whole[5]
    >>> bool((np.concatenate([first[5][0], second[5][0]]) == noise).all())
    True
    """

    def __init__(
        self,
        coupling: SemiDiscreteCoupling,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        threads: int | None = None,
    ) -> None:
        self.coupling = coupling
        self.batch_size = as_count(batch_size, "batch_size", 1)
        self.seed = as_count(seed, "seed", 0)
        self.world_size = as_count(world_size, "world_size", 1)
        self.rank = as_count(rank, "rank", 0)
        if self.rank >= self.world_size:
            raise ValueError(f"rank must be less than world_size, {world_size}, got {rank}")
        self.threads = threads
        as_threads(threads)

    def __getitem__(self, step: int) -> tuple[Any, ...]:
        """Return the batch of a number, from 0 on."""
        start = (as_count(step, "step", 0) * self.world_size + self.rank) * self.batch_size
        return self.coupling._pairs(self._blocks(start), self.batch_size, self.threads)

    def _blocks(self, start: int) -> Iterator[tuple[np.random.Generator, slice]]:
        """Generators of the blocks that a batch lies in, and its part of each."""
        stop = start + self.batch_size
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            first = block * BLOCK
            seeds = np.random.SeedSequence(self.seed, spawn_key=(block,))
            part = slice(max(start - first, 0), min(stop - first, BLOCK))
            yield np.random.default_rng(seeds), part


class Steps:
    """Numbers of batches for a DataLoader: each pass takes the next ones.

    Parameters
    ----------
    start : int
        The first.
    count : int
        How many a pass has.
    """

    def __init__(self, start: int, count: int) -> None:
        self.following, self.count = start, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        # A DataLoader with workers makes two iterators for a pass, and takes from one of them.
        first = self.following
        self.following += self.count
        yield from range(first, first + self.count)
