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

__all__ = ["Plan", "train"]

# "plateau": the step is reduced by this factor each time the validation error has not improved for
# a third of the patience, so that a fit ends with at least two reductions before it is stopped.
_STEP_REDUCTION = 0.3

# "cosine": share of all steps in which the step size rises from zero.
_WARM_UP = 0.05


@dataclass(frozen=True)
class Plan:
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
    plan: Plan,
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
    plan : Plan
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
    optimizer: Any
    if plan.weight_decay:
        optimizer = torch.optim.AdamW(
            parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
    else:
        optimizer = torch.optim.Adam(parameters, lr=plan.learning_rate)
    steps = _Steps(torch, optimizer, plan, math.ceil(n / plan.batch_size))
    history: list[tuple[float, float]] = []
    least, best, kept = math.inf, 0, None
    bar = progress_bar(
        range(plan.epochs), desc=name, unit="epoch", disable=None if progress else True
    )
    with bar:
        for epoch in bar:
            for network in networks:
                network.train()
            total = 0.0
            for batch in torch.randperm(n, generator=stream, device="cpu").split(plan.batch_size):
                steps.before_batch()
                loss = batch_loss(batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(batch)
            for network in networks:
                network.eval()
            error = mean = total / n
            if validation_error is not None:
                with torch.no_grad():
                    error = validation_error()
            history.append((mean, error))
            steps.after_epoch(error)
            if error < least:
                least, best = error, epoch
                kept = copy.deepcopy([network.state_dict() for network in networks])
            bar.set_postfix_str(show(least), refresh=False)
            # Numbers that are not finite stay so: nothing better will come.
            if epoch - best >= plan.patience or not math.isfinite(mean):
                break
    if kept is None:
        raise ConvergenceError(
            f"the training of the {name} diverged in its first epoch: the data may hold far "
            f"outliers, or learning_rate={plan.learning_rate} be too large"
        )
    for network, best_state in zip(networks, kept, strict=True):
        network.load_state_dict(best_state)
    return np.array(history), best


class _Steps:
    """The step size of an optimizer, by a plan."""

    def __init__(self, torch: ModuleType, optimizer: Any, plan: Plan, per_epoch: int) -> None:
        self._optimizer, self._largest = optimizer, plan.learning_rate
        self._plateau = None
        if plan.schedule == "plateau":
            self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, factor=_STEP_REDUCTION, patience=plan.patience // 3
            )
        self._done, self._planned = 0, plan.epochs * per_epoch

    def before_batch(self) -> None:
        if self._plateau is not None:
            return
        # Halves, so that neither the first step nor the last has size zero.
        share = (self._done + 0.5) / self._planned
        self._done += 1
        if share < _WARM_UP:
            factor = share / _WARM_UP
        else:
            factor = 0.5 + 0.5 * math.cos(math.pi * (share - _WARM_UP) / (1.0 - _WARM_UP))
        for group in self._optimizer.param_groups:
            group["lr"] = self._largest * factor

    def after_epoch(self, error: float) -> None:
        if self._plateau is not None:
            self._plateau.step(error)
