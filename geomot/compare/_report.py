"""What a comparison found: means and spreads over seeds, as tables."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._files.replacing import replacing_text
from geomot._validation import as_path
from geomot.compare._cells import Cell
from geomot.compare._measures import METRICS
from geomot.compare._study import Study

__all__ = ["Report", "Summary"]


@dataclass(frozen=True)
class Summary:
    """A metric over the seeds.

    Attributes
    ----------
    mean : float
        Over the seeds that did not diverge; NaN if there are none.
    deviation : float
        Standard deviation over them; NaN for less than two.
    count : int
        How many there are.
    """

    mean: float
    deviation: float
    count: int


@dataclass(frozen=True, eq=False)
class Report:
    """What a comparison found.

    Attributes
    ----------
    studies : tuple of Study
        What was compared.
    cells : tuple of Cell
        One for each study, method and seed that is done.
    failures : tuple of (study, label, seed, message)
        Methods that raised, with one line of what they said.
    seeds : tuple of int
        The seeds.
    budget : mapping of str to object
        Steps, seconds, device and threads.
    tracebacks : tuple of str
        The whole traceback of each of the failures.

    Examples
    --------
    >>> import tempfile
    >>> from geomot import compare, datasets
    >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = compare.run([study], folder)
    >>> len(report.cells), report.failures
    (1, ())
    >>> print(report.markdown().splitlines()[0])
    # Comparison
    """

    studies: tuple[Study, ...]
    cells: tuple[Cell, ...]
    failures: tuple[tuple[str, str, int, str], ...]
    seeds: tuple[int, ...]
    budget: Mapping[str, Any]
    tracebacks: tuple[str, ...] = ()

    def cells_of(self, study: str, label: str | None = None) -> list[Cell]:
        """Return the cells of a study, or of one of its rows, in the order of the seeds.

        Parameters
        ----------
        study : str
            Name of the study.
        label : str, optional
            The row.

        Returns
        -------
        list of Cell

        Examples
        --------
        >>> import tempfile
        >>> from geomot import compare, datasets
        >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compare.run([study], folder)
        >>> [cell.seed for cell in report.cells_of("data", "TrainingData")]
        [0]
        """
        found = [c for c in self.cells if c.study == study and label in (None, c.label)]
        return sorted(found, key=lambda cell: cell.seed)

    def columns(self, study: str) -> list[str]:
        """Metrics that some cell of a study has, in the order of `METRICS`.

        Parameters
        ----------
        study : str
            Name of the study.

        Returns
        -------
        list of str

        Examples
        --------
        >>> import tempfile
        >>> from geomot import compare, datasets
        >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compare.run([study], folder)
        >>> report.columns("data")
        ['w2', 'energy', 'precision', 'recall', 'density', 'coverage', 'novelty']
        """
        known = {name for cell in self.cells_of(study) for name in cell.metrics}
        return [name for name in METRICS if name in known] + sorted(known - set(METRICS))

    def values(self, study: str, label: str, metric: str) -> NDArray[np.float64]:
        """Values of a metric with the seeds that did not diverge.

        Parameters
        ----------
        study, label, metric : str
            Which one.

        Returns
        -------
        ndarray of shape (n_seeds,), float64
            Those that are finite.

        Examples
        --------
        >>> import tempfile
        >>> from geomot import compare, datasets
        >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compare.run([study], folder)
        >>> report.values("data", "TrainingData", "novelty").tolist()  # copies
        [0.0]
        """
        cells = [cell for cell in self.cells_of(study, label) if not cell.diverged]
        found = np.array([cell.metrics.get(metric, math.nan) for cell in cells], dtype=np.float64)
        return found[np.isfinite(found)]

    def summary(self, study: str, label: str, metric: str) -> Summary:
        """Mean and spread of a metric over the seeds that did not diverge.

        Parameters
        ----------
        study, label, metric : str
            Which one.

        Returns
        -------
        Summary

        Examples
        --------
        >>> import tempfile
        >>> from geomot import compare, datasets
        >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compare.run([study], folder)
        >>> report.summary("data", "TrainingData", "novelty")
        Summary(mean=0.0, deviation=nan, count=1)
        """
        values = self.values(study, label, metric)
        if not len(values):
            return Summary(math.nan, math.nan, 0)
        deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        return Summary(float(values.mean()), deviation, len(values))

    def outcome(self, study: str, label: str) -> str:
        """How the runs of a row ended, in words.

        Parameters
        ----------
        study, label : str
            Which row.

        Returns
        -------
        str
            Such as "done", or "diverged 2/3 (steps 512, 780)".

        Examples
        --------
        >>> import tempfile
        >>> from geomot import compare, datasets
        >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compare.run([study], folder)
        >>> report.outcome("data", "TrainingData")
        'done'
        """
        cells = self.cells_of(study, label)
        lost = [f for f in self.failures if f[:2] == (study, label)]
        parts = []
        gone = [cell for cell in cells if cell.diverged]
        if gone:
            steps = [str(cell.diverged_at) for cell in gone if cell.diverged_at is not None]
            where = f" (step{'s' * (len(steps) > 1)} {', '.join(steps)})" if steps else ""
            parts.append(f"diverged {len(gone)}/{len(self.seeds)}{where}")
        if lost:
            parts.append(f"failed {len(lost)}/{len(self.seeds)}: {lost[0][3]}")
        usual = ("done", "max_steps", "max_seconds", "converged", "diverged")
        odd = sorted({cell.status for cell in cells} - set(usual))
        parts.extend(odd)
        if not parts:
            return "done" if cells else "not run"
        return "; ".join(parts)

    def markdown(self) -> str:
        """Tables, one for each study.

        Returns
        -------
        str
            Means over seeds, with the standard deviation from seed to seed after the sign.

        Examples
        --------
        >>> import tempfile
        >>> from geomot import compare, datasets
        >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compare.run([study], folder)
        >>> print(report.markdown().splitlines()[4])
        ## data: 60 points in 2 dimensions
        """
        lines = ["# Comparison", "", self._preamble(), ""]
        for study in self.studies:
            lines += self._table(study)
        return "\n".join(lines).rstrip() + "\n"

    def _preamble(self) -> str:
        budget = []
        if self.budget.get("max_steps") is not None:
            budget.append(f"at most {self.budget['max_steps']} steps of training")
        if self.budget.get("max_seconds") is not None:
            budget.append(f"at most {self.budget['max_seconds']:g} s of training")
        stated = " and ".join(budget) or "each study's own number of steps"
        seeds = ", ".join(map(str, self.seeds))
        return (
            f"Seeds {seeds}; budget: {stated}; {self.budget['threads']} thread(s) on "
            f"{self.budget['device']}. Numbers are means over the seeds that did not diverge, "
            "± their standard deviation from seed to seed; arrows tell which way is better."
        )

    def _table(self, study: Study) -> list[str]:
        names = self.columns(study.name)
        lines = [f"## {study.title}", ""]
        facts = next((cell.facts for cell in self.cells_of(study.name)), {})
        if facts:
            lines += ["; ".join(f"{key}: {_fact(value)}" for key, value in facts.items()) + ".", ""]
        heads = ["method", *(_heading(name) for name in names), "outcome"]
        lines.append("| " + " | ".join(heads) + " |")
        lines.append("|" + "---|" * len(heads))
        for entry in study.entries:
            row = [entry.label]
            sound = sum(not cell.diverged for cell in self.cells_of(study.name, entry.label))
            row += [_shown(self.summary(study.name, entry.label, name), sound) for name in names]
            row.append(self.outcome(study.name, entry.label).replace("|", "/"))
            lines.append("| " + " | ".join(row) + " |")
        meanings = [f"{METRICS[n].title}: {METRICS[n].meaning}" for n in names if n in METRICS]
        return [*lines, "", *(["; ".join(meanings) + ".", ""] if meanings else [])]

    def csv(self) -> str:
        """Every cell in a row of its own.

        Returns
        -------
        str

        Examples
        --------
        >>> import tempfile
        >>> from geomot import compare, datasets
        >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compare.run([study], folder)
        >>> report.csv().splitlines()[1].split(",")[:4]
        ['data', 'TrainingData', '0', 'done']
        """
        names = list(dict.fromkeys(n for study in self.studies for n in self.columns(study.name)))
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["study", "method", "seed", "status", "diverged_at", *names])
        for cell in self.cells:
            values = [cell.metrics.get(name, math.nan) for name in names]
            writer.writerow(
                [
                    cell.study,
                    cell.label,
                    cell.seed,
                    cell.status,
                    "" if cell.diverged_at is None else cell.diverged_at,
                    *("" if math.isnan(value) else repr(value) for value in values),
                ]
            )
        for study, label, seed, _ in self.failures:
            writer.writerow([study, label, seed, "failed", *[""] * (len(names) + 1)])
        return buffer.getvalue()

    def json(self) -> str:
        """All of it: settings, cells, and the means over seeds.

        Returns
        -------
        str

        Examples
        --------
        >>> import json
        >>> import tempfile
        >>> from geomot import compare, datasets
        >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compare.run([study], folder)
        >>> json.loads(report.json())["seeds"]
        [0]
        """
        import geomot

        cells = [
            {
                "study": cell.study,
                "method": cell.label,
                "seed": cell.seed,
                "status": cell.status,
                "diverged_at": cell.diverged_at,
                "metrics": {n: _number(v) for n, v in cell.metrics.items()},
                "facts": dict(cell.facts),
                "settings": dict(cell.settings),
            }
            for cell in self.cells
        ]
        rows = [
            {
                "study": study.name,
                "method": entry.label,
                "outcome": self.outcome(study.name, entry.label),
                "metrics": {
                    name: {"mean": _number(s.mean), "std": _number(s.deviation), "seeds": s.count}
                    for name in self.columns(study.name)
                    for s in [self.summary(study.name, entry.label, name)]
                },
            }
            for study in self.studies
            for entry in study.entries
        ]
        failures = [
            {"study": f[0], "method": f[1], "seed": f[2], "error": f[3], "traceback": text}
            for f, text in itertools.zip_longest(self.failures, self.tracebacks)
        ]
        whole = {
            "geomot": geomot.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "seeds": list(self.seeds),
            "budget": dict(self.budget),
            "rows": rows,
            "cells": cells,
            "failures": failures,
        }
        return json.dumps(whole, indent=1) + "\n"

    def figures(self) -> dict[str, Any]:
        """Draw the figures of the studies, with matplotlib.

        Returns
        -------
        dict of str to matplotlib.figure.Figure
            By study and kind, such as "E2-surface"; pyplot does not know them.

        Examples
        --------
        >>> import tempfile
        >>> from geomot import compare, datasets
        >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compare.run([study], folder)
        >>> sorted(report.figures())
        ['data-bars', 'data-points']
        """
        from geomot.compare._figures import draw

        return draw(self)

    def save(self, folder: str | os.PathLike[str], *, figures: bool = True) -> list[Path]:
        """Write table.md, table.csv, table.json and the figures.

        Parameters
        ----------
        folder : str or path-like
            Where; made if it is not there.
        figures : bool, default True
            Whether to draw them, with matplotlib.

        Returns
        -------
        list of Path
            What was written.

        Examples
        --------
        >>> import tempfile
        >>> from geomot import compare, datasets
        >>> study = compare.study_of(datasets.moons(60), methods=["TrainingData"], samples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compare.run([study], folder)
        ...     written = report.save(folder, figures=False)
        >>> [file.name for file in written]
        ['table.md', 'table.csv', 'table.json']
        """
        place = Path(as_path(folder, "folder"))
        place.mkdir(parents=True, exist_ok=True)
        written = []
        for name, text in (
            ("table.md", self.markdown()),
            ("table.csv", self.csv()),
            ("table.json", self.json()),
        ):
            replacing_text(place / name, text)
            written.append(place / name)
        if figures:
            from geomot.compare._figures import write

            for name, figure in self.figures().items():
                write(figure, place / f"{name}.png")
                written.append(place / f"{name}.png")
        return written


def _heading(name: str) -> str:
    if name not in METRICS:
        return name
    metric = METRICS[name]
    return metric.title + {"lower": " ↓", "higher": " ↑", "": ""}[metric.better]


def _shown(summary: Summary, sound: int) -> str:
    """A mean with its deviation, and of how many seeds if some that did not diverge have none."""
    if summary.count == 0:
        return "–"
    text = _short(summary.mean)
    if not math.isnan(summary.deviation):
        text += f" ± {_short(summary.deviation, 2)}"
    return text if summary.count == sound else f"{text} ({summary.count}/{sound} seeds)"


# Numbers below this are written without an exponent.
_PLAIN_NUMBERS = 1e6


def _short(value: float, digits: int = 3) -> str:
    """A number of few digits, without an exponent where it can be read without."""
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < _PLAIN_NUMBERS else text


def _fact(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
