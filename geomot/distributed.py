"""Several processes that solve one problem together, under torch.distributed.

A script that ``torchrun --nproc-per-node=2 script.py`` starts is hardly longer than one for a
single process::

    with geomot.distributed.initialize():
        solution = geomot.solve(sites, source=source, distributed=True, random_state=0)

Samples, or sites where they do not fit on one device, are split over the processes; all of them
return the same solution. With the compiled core it is that of one process, bit for bit. With torch
it is so up to the rounding of float32 scores. If a process is lost, the others end with
`DistributedError`.
"""

from __future__ import annotations

from geomot._distributed import (
    DistributedError,
    Ranks,
    initialize,
    is_launched,
    joined,
    launched_rank,
    local_ranks,
)

__all__ = [
    "DistributedError",
    "Ranks",
    "initialize",
    "is_launched",
    "joined",
    "launched_rank",
    "local_ranks",
]
