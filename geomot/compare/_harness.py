"""Makes the cells of a comparison that are not made yet, and shows how far it is."""

from __future__ import annotations

import math
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from geomot._constants import COORDINATE_LIMIT
from geomot._files.replacing import replacing_text
from geomot._stderr import progress_bar
from geomot._validation import as_count, as_path, as_threads, as_tolerance
from geomot.compare._cells import (
    Cell,
    cell_path,
    plain_name,
    read_cell,
    traceback_path,
    write_cell,
)
from geomot.compare._measures import MEASURES
from geomot.compare._methods import warm_up
from geomot.compare._report import Report
from geomot.compare._study import FIGURES, SURFACE_REACH, Entry, Problem, Study, Task

__all__ = ["run"]

# Samples that are kept for figures, as vectors and as images; paths, and points on a side of a
# surface.
_KEPT = 2000
_KEPT_IMAGES = 60
_PATHS = 150
_SURFACE = 61

# Seconds between two looks at a row that is being made.
_REFRESH = 0.5


def run(
    studies: Iterable[Study],
    folder: str | os.PathLike[str],
    *,
    seeds: Sequence[int] = (0,),
    max_steps: int | None = None,
    max_seconds: float | None = None,
    device: str | None = None,
    threads: int | None = 1,
    progress: bool = False,
) -> Report:
    """Compare methods: make the cells that are not made yet, and collect all of them.

    A cell is one method on one problem with one seed. Each is written to a file of its own when it
    is done, under a name that tells all its settings apart; a run that was stopped resumes with
    the next one. Training that diverges is a result. A method that raises, or a problem that cannot
    be made, is reported as failed, is tried again in the next run, and does not stop the others;
    its traceback is in the report, and in a file where the cell would be. A cell that cannot be
    written ends the run.

    Parameters
    ----------
    studies : iterable of Study
        From `studies` or `study_of`.
    folder : str or path-like
        Where the cells are; made if it is not there.
    seeds : sequence of int, default (0,)
        The seeds; each gives other training and, in synthetic problems, other data.
    max_steps : int, optional
        Steps of each training in place of the studies' own.
    max_seconds : float, optional
        Seconds of each training; without `max_steps`, in place of the studies' own steps. Maps are
        solved to their tolerance, and their seconds are in the table.
    device : str, optional
        Where torch computes, such as "cuda"; None: the CPU.
    threads : int or None, default 1
        Threads of each method; None for all cores. Measured seconds depend on it.
    progress : bool, default False
        Whether to show a progress bar with the time left, on stderr.

    Returns
    -------
    Report

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; the message names it.
    OSError
        If `folder` cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from geomot import compare, datasets
    >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = compare.run([study], folder, seeds=(0, 1))
    >>> report.summary("data", "TrainingData", "novelty").count  # seeds
    2
    """
    chosen = _as_studies(studies)
    numbers = _as_seeds(seeds)
    place = Path(as_path(folder, "folder"))
    for study in chosen:
        _check_study(study)
    _check_names([plain_name(study.name) for study in chosen], "studies")
    limit = None if max_seconds is None else as_tolerance(max_seconds, "max_seconds")
    budget: dict[str, Any] = {
        "max_steps": None if max_steps is None else as_count(max_steps, "max_steps", 1),
        "max_seconds": limit,
        "device": "cpu" if device is None else device,
        "threads": as_threads(threads),
    }
    place.mkdir(parents=True, exist_ok=True)
    cells: list[Cell] = []
    failures: list[tuple[str, str, int, str]] = []
    tracebacks: list[str] = []
    # All methods of a seed, so that the first seed tells how long the others take.
    plan = [
        (_Lazy(study, seed), [(e, *_place(place, study, e, seed, budget)) for e in study.entries])
        for seed in numbers
        for study in chosen
    ]
    warm = False
    with _Bar(chosen, numbers, limit, progress) as bar:
        for problem, rows in plan:
            study, seed = problem.study, problem.seed
            for entry, path, settings in rows:
                bar.start(study, entry)
                cell = _finished(path)
                if cell is None:
                    if not warm:
                        # Before the first problem, and before anything is spent that is then lost.
                        _try_writing(place)
                        warm_up(budget["device"])
                        warm = True
                    try:
                        data = problem()
                        bar.restart()
                        cell = _make(study, entry, seed, settings, data, budget, bar.tell)
                    except Exception as error:
                        failures.append((study.name, entry.label, seed, _in_words(error)))
                        tracebacks.append("".join(traceback.format_exception(error)))
                        path.parent.mkdir(parents=True, exist_ok=True)
                        replacing_text(traceback_path(path), tracebacks[-1])
                        bar.done(study, entry, None)
                        continue
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_cell(path, cell)
                    traceback_path(path).unlink(missing_ok=True)
                cells.append(cell)
                bar.done(study, entry, cell)
    return Report(
        tuple(chosen),
        tuple(cells),
        tuple(failures),
        tuple(numbers),
        dict(budget),
        tuple(tracebacks),
    )


def _as_studies(studies: Iterable[Study]) -> list[Study]:
    if isinstance(studies, Study) or not isinstance(studies, Iterable):
        raise TypeError(f"studies must be a list of Study, got {type(studies).__name__}")
    chosen = list(studies)
    if not chosen or not all(isinstance(study, Study) for study in chosen):
        raise ValueError("studies must hold at least one Study, and nothing else")
    return chosen


def _check_study(study: Study) -> None:
    """Find out before the first training what cannot be meant."""
    if not isinstance(study.name, str) or not study.name:
        raise ValueError(f"names of studies must be text, got {study.name!r}")
    _check_names([entry.label for entry in study.entries], f"the rows of {study.name}")
    for kind, known in (("measures", MEASURES), ("figures", FIGURES)):
        strange = [name for name in getattr(study, kind) if name not in known]
        if strange:
            raise ValueError(f"{kind} must be among {', '.join(known)}; got {strange[0]!r}")


def _check_names(names: Sequence[str], what: str) -> None:
    """Results are told apart by names."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} must have different names, got {twice[0]!r} more than once")


def _as_seeds(seeds: Sequence[int]) -> list[int]:
    if isinstance(seeds, str) or not isinstance(seeds, Iterable):
        raise TypeError(f"seeds must be a sequence of integers, got {seeds!r}")
    numbers = [as_count(seed, "seeds") for seed in seeds]
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"seeds must be different integers, at least one, got {list(seeds)}")
    return numbers


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


class _Lazy:
    """A problem that is made when the first cell needs it, and not tried again if it cannot be."""

    def __init__(self, study: Study, seed: int) -> None:
        self.study, self.seed = study, seed
        self._problem: Problem | None = None
        self._error: Exception | None = None
        self._origin: TracebackType | None = None

    def __call__(self) -> Problem:
        if self._error is not None:
            # Without the frames of those who were told before.
            raise self._error.with_traceback(self._origin)
        if self._problem is None:
            try:
                self._problem = self._made()
            except Exception as error:
                self._error, self._origin = error, error.__traceback__
                raise
        return self._problem

    def _made(self) -> Problem:
        problem = self.study.make(self.seed)
        # All methods see the same: one that works in place must not change it for the next.
        for array in (problem.train, problem.test, problem.codes):
            if array is not None:
                array.setflags(write=False)
        return problem


def _try_writing(place: Path) -> None:
    """Fail now rather than after the first training."""
    with tempfile.TemporaryFile(dir=place):
        pass


def _place(
    folder: Path, study: Study, entry: Entry, seed: int, budget: dict[str, Any]
) -> tuple[Path, dict[str, Any]]:
    """Where a cell is, and what it depends on."""
    settings = _settings(study, entry, seed, budget)
    try:
        path = cell_path(folder, study.name, entry.label, seed, settings)
    except TypeError as error:
        raise TypeError(
            f"options of {entry.label} must be numbers, words or lists of them: {error}"
        ) from None
    return path, settings


def _settings(study: Study, entry: Entry, seed: int, budget: dict[str, Any]) -> dict[str, Any]:
    """All that a cell depends on."""
    from geomot import __version__

    resolve = entry.method.resolve
    options = entry.options if resolve is None else resolve(entry.options)
    return {
        "study": study.name,
        "data": dict(study.settings),
        "method": entry.method.name,
        "method_version": entry.method.version,
        "options": _listed(options),
        "measures": list(study.measures),
        "samples": study.samples,
        "seed": seed,
        **budget,
        "geomot": __version__,
    }


def _listed(value: Any) -> Any:
    """Options as JSON gives them back."""
    if isinstance(value, (tuple, list)):
        return [_listed(part) for part in value]
    if hasattr(value, "items"):
        return {str(name): _listed(part) for name, part in value.items()}
    return value


def _finished(path: Path) -> Cell | None:
    if not path.exists():
        return None
    try:
        return read_cell(path)
    except ValueError:
        # A damaged file is no result: the cell is made again.
        return None


def _make(
    study: Study,
    entry: Entry,
    seed: int,
    settings: dict[str, Any],
    problem: Problem,
    budget: dict[str, Any],
    tell: Callable[[float], None],
) -> Cell:
    on_codes = problem.codes is not None and entry.method.space == "codes"
    data = problem.codes if on_codes and problem.codes is not None else problem.train
    task = Task(data.copy(), seed, entry.options, problem=problem, tell=tell, **budget)
    started = time.perf_counter()
    model = entry.method.fit(task)
    # Baselines tell their own, without what callbacks take.
    seconds = getattr(model, "seconds_", None)
    seconds = time.perf_counter() - started if seconds is None else float(seconds)
    status = str(getattr(model, "status_", "done"))
    solution = getattr(model, "solution_", None)
    if status != "diverged" and solution is not None and not solution.converged:
        # Of flows that learn from a map too.
        status = str(solution.status)
    diverged_at = getattr(model, "diverged_at_", None)
    values: dict[str, float] = {} if np.isnan(seconds) else {"seconds": seconds}
    if getattr(model, "n_steps_", None) is not None:
        values["steps"] = float(model.n_steps_)
    arrays: dict[str, np.ndarray] = {}
    samples = np.empty(0)
    if study.samples:
        samples = _samples(model, study.samples, seed, problem, on_codes)
        if not _usable(samples):
            status = "diverged"
        else:
            kept = _KEPT if samples.ndim == 2 else _KEPT_IMAGES
            with np.errstate(over="ignore"):
                arrays["samples"] = samples[:kept].astype(np.float32)
    # What a model did before it diverged is not what it is judged by.
    if status != "diverged":
        # A quantity that overflows is left out of the means.
        with np.errstate(all="ignore"):
            for name in study.measures:
                values.update(MEASURES[name](problem, model, samples, seed))
    arrays.update(_drawn(study, model, problem, seed, status))
    history = getattr(model, "history_", None)
    names: tuple[str, ...] = ()
    if isinstance(history, np.ndarray) and history.dtype.names and len(history):
        names = tuple(history.dtype.names)
        arrays["history"] = np.stack([np.asarray(history[n], dtype=np.float64) for n in names], 1)
    return Cell(
        study.name,
        entry.label,
        seed,
        status,
        None if diverged_at is None else int(diverged_at),
        values,
        settings,
        problem.facts,
        arrays,
        names,
    )


def _samples(model: Any, n: int, seed: int, problem: Problem, on_codes: bool) -> np.ndarray:
    samples = np.asarray(model.sample(n, np.random.default_rng([seed, 1])))
    space = problem.codes if on_codes and problem.codes is not None else problem.train
    shape = space.shape[1:]
    if samples.shape not in ((n, *shape), (n, math.prod(shape))) or samples.dtype.kind not in "fiu":
        raise ValueError(
            f"sample({n}) must return real numbers of shape {(n, *shape)}, got {samples.dtype} of "
            f"shape {samples.shape}"
        )
    samples = samples.reshape(n, *shape).astype(np.float64)
    if not _usable(samples):
        return samples
    if on_codes:
        samples = np.asarray(problem.codec.decode(samples), dtype=np.float64)
        samples = samples.reshape(n, *problem.train.shape[1:])
    if problem.codec is not None:
        # Grey values beyond the data's are those of no image.
        samples = samples.clip(problem.train.min(), problem.train.max())
    return samples


def _usable(samples: np.ndarray) -> bool:
    """Whether points lie where distances can be computed: NaN does not."""
    return bool((np.abs(samples) <= COORDINATE_LIMIT).all())


def _drawn(
    study: Study, model: Any, problem: Problem, seed: int, status: str
) -> dict[str, np.ndarray]:
    """What figures need of a model that is not kept."""
    arrays: dict[str, np.ndarray] = dict(getattr(model, "_arrays", {}))
    if status == "diverged" or problem.train.ndim != 2 or problem.train.shape[1] != 2:
        return arrays
    if "paths" in study.figures and hasattr(model, "transform"):
        start = model.source_points(_PATHS, np.random.default_rng([seed, 3]))
        if start.shape[1] == 2:
            if hasattr(model, "trajectories"):
                arrays["paths"] = model.trajectories(start)
            else:
                arrays["paths"] = np.stack([start, model.transform(start)], axis=1)
    if "surface" in study.figures and hasattr(model, "potential"):
        ticks = np.linspace(-SURFACE_REACH, SURFACE_REACH, _SURFACE)
        grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
        arrays["surface"] = np.asarray(model.potential(grid)).reshape(_SURFACE, _SURFACE)
    return arrays


class _Bar:
    """Progress over cells, with the time left by what the same rows took before."""

    def __init__(
        self,
        studies: Sequence[Study],
        seeds: Sequence[int],
        max_seconds: float | None,
        shown: bool,
    ) -> None:
        self._rows = [(s.name, e.label) for _ in seeds for s in studies for e in s.entries]
        # What is trained has the budget, until it is known better.
        self._budgets = {
            (s.name, e.label): max_seconds
            for s in studies
            for e in s.entries
            if max_seconds is not None and e.method.resolve is not None
        }
        self._took: dict[tuple[str, str], float] = {}
        self._at = 0
        self._started = 0.0
        self._share = 0.0
        self._shown = 0.0
        self._bar = progress_bar(
            total=len(self._rows),
            unit="cell",
            disable=None if shown else True,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
        )

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.close()

    def start(self, study: Study, entry: Entry) -> None:
        self._started, self._share = time.perf_counter(), 0.0
        self._bar.set_description_str(f"{study.name} {entry.label}", refresh=False)
        self._show()

    def restart(self) -> None:
        """Leave out what is made once for all methods."""
        self._started = time.perf_counter()
        self._show()

    def tell(self, share: float) -> None:
        """Note which share of the present row is done."""
        self._share = share
        if time.perf_counter() - self._shown > _REFRESH:
            self._show()

    def done(self, study: Study, entry: Entry, cell: Cell | None) -> None:
        took = time.perf_counter() - self._started
        if cell is not None:
            # Reading takes no time: what counts for other seeds is how long the making took.
            took = max(took, cell.metrics.get("seconds", 0.0))
        self._took[study.name, entry.label] = took
        self._at, self._share = self._at + 1, 0.0
        self._bar.update(1)
        self._show()

    def _show(self) -> None:
        self._shown = time.perf_counter()
        seconds, complete = self.left()
        left = self._bar.format_interval(seconds) if complete else "?"
        row = f", row {100.0 * self._share:.0f} %" if self._share else ""
        self._bar.set_postfix_str(f"left {left}{row}", refresh=True)

    def left(self) -> tuple[float, bool]:
        """Seconds that the cells ahead take, and whether there is none of which nothing is known.

        What is known of a cell is what its row took with another seed, its budget of seconds, or
        how far it is.
        """
        took, present = {**self._budgets, **self._took}, 0.0
        if self._share > 0.0:
            present = time.perf_counter() - self._started
            took.setdefault(self._rows[self._at], present / self._share)
        ahead = self._rows[self._at :]
        seconds = sum(took.get(row, 0.0) for row in ahead)
        return max(seconds - present, 0.0), all(row in took for row in ahead)
