"""The training loop: epochs of batches, a schedule of steps, early stopping, the best weights kept.

What is trained, and on what, is given by the caller as functions.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from geomot._stderr import progress_bar
from geomot.errors import ConvergenceError

__all__ = ["Hyperparameters", "cosine", "train"]

# "plateau": the step is reduced by this factor each time the validation error has not improved for
# a third of the patience, so that a fit ends with at least two reductions before it is stopped.
_STEP_REDUCTION = 0.3

# "cosine": share of all steps in which the step size rises from zero.
_WARM_UP = 0.05


@dataclass(frozen=True)
class Hyperparameters:
    """How to train.

    Attributes
    ----------
    epochs : int
        Most passes over the data.
    batch_size : int
        Samples per step.
    learning_rate : float
        Largest step size.
    patience : int
        Epochs without improvement after which the training stops.
    schedule : str
        "plateau": the step size is reduced when the validation error stalls. "cosine": it rises,
        then falls to zero over the planned epochs along a cosine.
    weight_decay : float
        Decoupled decay of the weights, in units of the step size.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    schedule: str
    weight_decay: float = 0.0


def train(
    torch: ModuleType,
    networks: Sequence[Any],
    hyper: Hyperparameters,
    n: int,
    batch_loss: Callable[[Any], Any],
    validation_error: Callable[[], float] | None,
    stream: Any,
    *,
    name: str,
    show: Callable[[float], str],
    progress: bool,
) -> tuple[np.ndarray, int]:
    """Train networks and leave them with the weights of their best epoch.

    Parameters
    ----------
    torch : module
        The module torch.
    networks : sequence of torch.nn.Module
        The networks, on their device; left in their mode for evaluation.
    hyper : Hyperparameters
        How to train.
    n : int
        Number of samples.
    batch_loss : callable
        The loss of a batch, from the indices of its samples (a tensor on the CPU).
    validation_error : callable or None
        The error that decides which epoch is best; None takes the mean loss of the epoch.
    stream : torch.Generator
        Where the order of the samples comes from.
    name : str
        What the progress bar calls this.
    show : callable
        The text behind the bar, from the least error.
    progress : bool
        Whether to show a bar on stderr, if that is a terminal.

    Returns
    -------
    history : ndarray of shape (n_epochs, 2)
        Mean loss and validation error of each epoch run.
    best : int
        The epoch whose weights were kept.

    Raises
    ------
    ConvergenceError
        If the training diverged before any epoch had a finite error.
    """
    parameters = [p for network in networks for p in network.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=hyper.learning_rate, weight_decay=hyper.weight_decay
    )
    by_step: Any = None
    by_epoch: Any = None
    if hyper.schedule == "cosine":
        planned = hyper.epochs * math.ceil(n / hyper.batch_size)
        # Halves, so that neither the first step nor the last has size zero.
        by_step = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda k: cosine((k + 0.5) / planned, _WARM_UP)
        )
    else:
        by_epoch = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=_STEP_REDUCTION, patience=hyper.patience // 3
        )
    history: list[tuple[float, float]] = []
    least, best, kept = math.inf, 0, None
    bar = progress_bar(
        range(hyper.epochs), desc=name, unit="epoch", disable=None if progress else True
    )
    with bar:
        for epoch in bar:
            for network in networks:
                network.train()
            total = 0.0
            for batch in torch.randperm(n, generator=stream, device="cpu").split(hyper.batch_size):
                loss = batch_loss(batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if by_step is not None:
                    by_step.step()
                total += loss.item() * len(batch)
            for network in networks:
                network.eval()
            error = mean = total / n
            if validation_error is not None:
                with torch.no_grad():
                    error = validation_error()
            history.append((mean, error))
            if by_epoch is not None:
                by_epoch.step(error)
            if error < least:
                least, best = error, epoch
                kept = copy.deepcopy([network.state_dict() for network in networks])
            bar.set_postfix_str(show(least), refresh=False)
            # Numbers that are not finite stay so: nothing better will come.
            if epoch - best >= hyper.patience or not math.isfinite(mean):
                break
    if kept is None:
        raise ConvergenceError(
            f"the training of the {name} diverged in its first epoch: the data may hold far "
            f"outliers, or learning_rate={hyper.learning_rate} be too large"
        )
    for network, best_state in zip(networks, kept, strict=True):
        network.load_state_dict(best_state)
    return np.array(history), best


def cosine(share: float, warm_up: float = 0.0) -> float:
    """Factor of the step size: from 0 to 1 in the warm-up, then along a cosine down to 0.

    Parameters
    ----------
    share : float
        Share of the training that is done.
    warm_up : float, default 0.0
        Share of the training in which the step size rises.

    Returns
    -------
    float
    """
    if share < warm_up:
        return share / warm_up
    return 0.5 + 0.5 * math.cos(math.pi * (share - warm_up) / (1.0 - warm_up))
