"""Semi-discrete couplings for flow matching: pairs of noise and data by the optimal map.

Flow matching regresses a velocity on straight lines between noise x_0 and data x_1. The lines of
independent pairs cross, and the flow bends; those of optimal pairs do not. Optimal pairs of small
batches are optimal for the batches only, and cost a plan in each step. The optimal map T from the
law of the noise onto all data is fitted once; then x_1 = T(x_0) for any x_0, by one search for the
cell that x_0 lies in.

A training loop of torch looks like this::

    coupling = SemiDiscreteCoupling(random_state=0).fit(X)        # once: seconds
    for epoch in range(100):
        for noise, data in coupling.loader(batch_size=256):       # tensors, float32
            t = torch.rand(len(noise), 1)
            found = net((1 - t) * noise + t * data, t)
            loss = ((found - (data - noise)) ** 2).mean()
            ...

What a training needs beyond that decides the design:

- *Labels.* A network that takes a label assumes noise that does not depend on it. With
  ``fit(X, y)`` each label has a map of its own, and the loader yields (noise, data, label).
  Continuous conditions, ``fit(X, condition=c)``, enter the cost with a weight.
- *The same pairs again.* Pairs form one endless sequence that depends on a seed alone. Batch
  sizes, ranks and workers cut it into pieces, so that results are reproduced, ranks never share a
  pair, and a training resumes where it stopped (`geomot.coupling.stream`).
- *Data on disk.* Arrays are referred to, never copied; mapped files are read batch by batch, and
  mapped again in workers. The search keeps its own copy of the sites in memory.
- *A rule that can be checked.* Rows are found by `Solution.assign`, bit for bit, on any device.
- *Softer pairs.* `epsilon` draws one of the nearest cells with entropic probabilities, under
  potentials of the regularised problem, so that data keep their masses.
- *Other code.* `OTPlanSampler` has the calls of torchcfm's class of this name.

Batches are made by a map-style data set of whole batches (`PairDataset`), which torch's DataLoader
takes as it is: its workers, pinned memory and prefetching work unchanged.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geomot.coupling.coupling import Potential, SemiDiscreteCoupling
    from geomot.coupling.plan_sampler import OTPlanSampler
    from geomot.coupling.stream import PairDataset

_HOMES = {
    "OTPlanSampler": "plan_sampler",
    "PairDataset": "stream",
    "Potential": "coupling",
    "SemiDiscreteCoupling": "coupling",
}

__all__ = ["OTPlanSampler", "PairDataset", "Potential", "SemiDiscreteCoupling"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geomot.coupling' has no attribute {name!r}")
    return getattr(import_module(f"geomot.coupling.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
