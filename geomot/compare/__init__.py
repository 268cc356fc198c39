"""Comparisons of generative models on the same data, with the same budget, over several seeds.

`run` makes the cells of a comparison, one for each study, method and seed, keeps each in a file of
its own as soon as it is done, and returns a `Report` with tables and figures; what is found done is
not done again. `studies` gives the experiments of the papers, E1 to E6; `study_of` makes a study of
one's own data. Methods are found by name: `register` adds one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geomot.compare._data import study_of
    from geomot.compare._experiments import EXPERIMENTS, studies
    from geomot.compare._harness import run
    from geomot.compare._measures import METRICS
    from geomot.compare._methods import methods, register
    from geomot.compare._report import Report
    from geomot.compare._study import Entry, Method, Problem, Study, Task

_HOMES = {
    "EXPERIMENTS": "_experiments",
    "METRICS": "_measures",
    "Entry": "_study",
    "Method": "_study",
    "Problem": "_study",
    "Report": "_report",
    "Study": "_study",
    "Task": "_study",
    "methods": "_methods",
    "register": "_methods",
    "run": "_harness",
    "studies": "_experiments",
    "study_of": "_data",
}

__all__ = [
    "EXPERIMENTS",
    "METRICS",
    "Entry",
    "Method",
    "Problem",
    "Report",
    "Study",
    "Task",
    "methods",
    "register",
    "run",
    "studies",
    "study_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geomot.compare' has no attribute {name!r}")
    value = getattr(import_module(f"geomot.compare.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
