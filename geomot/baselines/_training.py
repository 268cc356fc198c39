"""What the training of every baseline shares: batches, noise, budget, history, divergence."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geomot._stderr import progress_bar
from geomot.latent._training import cosine

if TYPE_CHECKING:
    from geomot.baselines._base import Baseline

__all__ = ["STATUSES", "Run", "history_dtype", "train"]

STATUSES = ("max_steps", "max_seconds", "diverged", "stopped")

# Rows of the history, at equal shares of the budget, unless `log_every` says otherwise.
_HISTORY_ROWS = 500

# Of a budget in seconds, rows take no more than this share: short trainings have fewer of them.
_ROWS_SHARE = 0.05

# Points of the source whose images are looked at, and the rows from one look to the next: a flow
# takes many times as long for its images as for a step.
_PROBE = 64
_ROWS_PER_LOOK = 10

# Averaged parameters follow the trained ones more closely in the first steps.
_AVERAGING_WARMUP = 10.0


class Run:
    """What a method sees while it is trained.

    Parameters
    ----------
    data : torch.Tensor of shape (n, ...)
        The data, standardised, on the device.
    networks : mapping of str to torch.nn.Module
        The networks that are trained.
    draw : callable
        ``draw(m, rng)`` returns m points of the source, an array of shape (m, ...).
    rng : numpy.random.Generator
        All randomness: the same stream on every device.
    batch_size : int
        Rows of a batch.
    schedule : {"constant", "cosine"}
        What becomes of the learning rates.

    Attributes
    ----------
    fraction : float
        Share of the budget, in steps or seconds, that was spent before the present step.
    """

    def __init__(
        self,
        data: Any,
        networks: Mapping[str, Any],
        draw: Callable[[int, np.random.Generator], np.ndarray],
        rng: np.random.Generator,
        batch_size: int,
        schedule: str,
    ) -> None:
        self.data = data
        self.networks = networks
        self.rng = rng
        self.fraction = 0.0
        self._draw = draw
        self._batch_size = min(batch_size, len(data))
        self._cosine = schedule == "cosine"
        self._schedulers: list[Any] = []
        self._order = np.empty(0, dtype=np.int64)

    def batch(self) -> Any:
        """Take the next rows of the data, in an order that is drawn anew for each pass."""
        if self._batch_size == len(self.data):
            return self.data
        if len(self._order) < self._batch_size:
            # What is left of a pass comes first, so that every row is seen equally often.
            self._order = np.concatenate([self._order, self.rng.permutation(len(self.data))])
        chosen, self._order = np.split(self._order, [self._batch_size])
        return self.rows(chosen)

    def rows(self, indices: np.ndarray) -> Any:
        """Take rows of the data by their numbers."""
        return self.data[self.indices(indices)]

    def indices(self, numbers: np.ndarray) -> Any:
        """Copy numbers of rows to the device."""
        import torch

        return torch.as_tensor(np.asarray(numbers, dtype=np.int64), device=self.data.device)

    def noise(self, m: int) -> Any:
        """Draw m points of the source."""
        return self.tensor(self._draw(m, self.rng))

    def normal(self, shape: Sequence[int]) -> Any:
        """Draw standard normal numbers."""
        return self.tensor(self.rng.standard_normal(tuple(shape), dtype=np.float32))

    def uniform(self, shape: Sequence[int]) -> Any:
        """Draw uniform numbers in [0, 1)."""
        return self.tensor(self.rng.random(tuple(shape), dtype=np.float32))

    def tensor(self, array: Any) -> Any:
        """Copy numbers to the device, in float32."""
        import torch

        return torch.as_tensor(np.asarray(array, dtype=np.float32), device=self.data.device)

    def adam(
        self, networks: Sequence[Any], learning_rate: float, betas: tuple[float, float]
    ) -> Any:
        """Return Adam for the parameters of some networks."""
        import torch

        parameters = [p for network in networks for p in network.parameters()]
        # Small networks would spend as long on the optimizer's many small operations as on theirs.
        return self._scheduled(torch.optim.Adam(parameters, learning_rate, betas, fused=True))

    def rmsprop(self, networks: Sequence[Any], learning_rate: float) -> Any:
        """Return RMSprop for the parameters of some networks."""
        import torch

        parameters = [p for network in networks for p in network.parameters()]
        return self._scheduled(torch.optim.RMSprop(parameters, learning_rate))

    def _scheduled(self, optimizer: Any) -> Any:
        from torch.optim.lr_scheduler import LambdaLR

        if self._cosine:
            self._schedulers.append(LambdaLR(optimizer, lambda _: cosine(self.fraction)))
        return optimizer

    def descend(self, optimizer: Any, loss: Any) -> None:
        """Make one step against the gradient of a loss in the optimizer's own parameters."""
        import torch

        (group,) = optimizer.param_groups
        # No gradient is computed for the parameters of the other networks that the loss uses.
        grads = torch.autograd.grad(loss, group["params"], allow_unused=True)
        for parameter, grad in zip(group["params"], grads, strict=True):
            parameter.grad = grad
        optimizer.step()

    def advance(self, fraction: float) -> None:
        """Note the share of the budget that is spent, and set the learning rates."""
        self.fraction = fraction
        for scheduler in self._schedulers:
            scheduler.step()


class _Budget:
    """Steps and seconds that a training may take, and when a row of its history is due."""

    def __init__(
        self, max_steps: int, max_seconds: float | None, log_every: int | None, started: float
    ) -> None:
        self.max_steps = max_steps
        self._seconds = math.inf if max_seconds is None else max_seconds
        self._log_every = log_every
        self._started = started
        self._row = 0
        self._on_rows = 0.0

    def seconds(self) -> float:
        """Seconds that the training has taken."""
        return time.perf_counter() - self._started

    def forgive(self, seconds: float) -> None:
        """Leave out what was not spent on the training."""
        self._started += seconds

    def charge(self, seconds: float) -> None:
        """Note what a row of the history took."""
        self._on_rows += seconds

    def fraction(self, step: int, seconds: float) -> float:
        """Share of the budget that is spent."""
        return min(max(step / self.max_steps, seconds / self._seconds), 1.0)

    def end(self, step: int, seconds: float) -> str | None:
        """Which budget is spent, if one is."""
        if step == self.max_steps:
            return "max_steps"
        return "max_seconds" if seconds >= self._seconds else None

    def due(self, step: int, seconds: float) -> bool:
        """Whether a row of the history is due after a step."""
        if self._log_every is not None:
            return step % self._log_every == 0
        if math.isfinite(self._seconds) and self._on_rows > _ROWS_SHARE * seconds:
            return False
        # Steps are counted in integers: without a budget in seconds, rows are the same everywhere.
        row = max(
            step * _HISTORY_ROWS // self.max_steps, int(seconds / self._seconds * _HISTORY_ROWS)
        )
        due, self._row = row > self._row, row
        return due


def train(
    model: Baseline,
    run: Run,
    callback: Callable[[Baseline, int], bool | None] | None,
    *,
    max_steps: int,
    max_seconds: float | None,
    log_every: int | None,
    averaging: float,
    started: float,
    progress: bool,
) -> None:
    """Run the steps of a model until its budget is spent, and note on it how that went.

    Parameters
    ----------
    model : Baseline
        Its `networks_` are kept up to date, and in the end are those last found finite.
    run : Run
        What its steps need.
    callback : callable or None
        Called with the model and the number of steps at each row of the history; returning True
        ends the training. The time it takes is not counted.
    max_steps, max_seconds, log_every, averaging, progress
        As in `Baseline`.
    started : float
        Reading of `time.perf_counter` from which seconds are counted.
    """
    names = type(model).losses
    budget = _Budget(max_steps, max_seconds, log_every, started)
    rows: list[tuple[float, ...]] = []
    total, count = np.zeros(len(names)), 0
    kept, kept_at, model.kept_step_ = _snapshot(model), 0, 0
    model.diverged_at_, model.n_steps_ = None, 0
    # Few points that the map must send somewhere: finite parameters are not enough.
    probe = run.tensor(model.source_points(_PROBE, 0))
    steps = model._steps(run)
    end, seconds = None, budget.seconds()
    bar = progress_bar(
        total=max_steps, desc=type(model).__name__, unit="step", disable=None if progress else True
    )
    with bar:
        while end is None:
            run.advance(budget.fraction(model.n_steps_, seconds))
            values = _numbers(next(steps), run.data.device)
            model.n_steps_ = step = model.n_steps_ + 1
            _average(model, run, averaging, step)
            seconds = budget.seconds()
            end = budget.end(step, seconds)
            finite = bool(np.isfinite(values).all())
            total, count = total + values, count + 1
            if finite and not (budget.due(step, seconds) or end):
                continue
            sound = finite and _finite(model)
            if sound and (end or len(rows) % _ROWS_PER_LOOK == 0):
                sound = _maps(model, probe)
                if sound:
                    kept, kept_at = _snapshot(model), step
            if sound:
                model.kept_step_ = step
                rows.append((step, seconds, *(total / count)))
                total, count = np.zeros(len(names)), 0
            else:
                end, model.diverged_at_, model.kept_step_ = "diverged", step, kept_at
                rows.append((step, seconds, *values))
                _restore(model, kept)
            budget.charge(budget.seconds() - seconds)
            bar.update(step - bar.n)
            bar.set_postfix({names[0]: f"{rows[-1][2]:.4g}"}, refresh=False)
            if callback is None and end is None:
                continue
            # To the callback, and in what it may save, the model is as if stopped here.
            model.status_ = end or "stopped"
            model.history_, model.seconds_ = _history(rows, names), seconds
            if callback is not None and end != "diverged":
                before = time.perf_counter()
                stop = callback(model, step)
                budget.forgive(time.perf_counter() - before)
                if stop:
                    end = model.status_ = "stopped"


def history_dtype(names: Sequence[str]) -> np.dtype:
    """Type of a row of the history: step, seconds, and the losses."""
    return np.dtype([("step", np.int64), *((name, np.float64) for name in ("seconds", *names))])


def _history(rows: Sequence[tuple[float, ...]], names: Sequence[str]) -> np.ndarray:
    return np.array(rows, dtype=history_dtype(names))


def _numbers(values: Sequence[Any], device: Any) -> np.ndarray:
    """Losses as numbers: one transfer, whatever the device."""
    import torch

    tensors = [torch.as_tensor(value, dtype=torch.float32, device=device) for value in values]
    return torch.stack(tensors).numpy(force=True).astype(np.float64)


def _parameters(model: Baseline) -> list[Any]:
    return [p for network in model.networks_.values() for p in network.parameters()]


def _snapshot(model: Baseline) -> list[Any]:
    return [p.detach().clone() for p in _parameters(model)]


def _finite(model: Baseline) -> bool:
    """Whether all parameters are finite."""
    return all(bool(p.isfinite().all()) for p in _parameters(model))


def _maps(model: Baseline, probe: Any) -> bool:
    """Whether the images of some points are finite."""
    import torch

    with torch.no_grad():
        return bool(model._push(probe).isfinite().all())


def _restore(model: Baseline, state: Sequence[Any]) -> None:
    for parameter, value in zip(_parameters(model), state, strict=True):
        parameter.data.copy_(value)


def _average(model: Baseline, run: Run, averaging: float, step: int) -> None:
    """Let the averaged networks follow the trained ones."""
    # Not torch's AveragedModel: it forgets the initial parameters, and would be no shorter here.
    share = 1.0 - min(averaging, step / (step + _AVERAGING_WARMUP))
    for name, network in model.networks_.items():
        trained = run.networks[name]
        if network is not trained:
            for slow, fast in zip(network.parameters(), trained.parameters(), strict=True):
                slow.data.lerp_(fast.data, share)
