"""What the commands share: exit codes, complaints, checks of arguments, words for a solution."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from geomot._stderr import say
from geomot.distributed import launched_rank

if TYPE_CHECKING:
    from geomot.solution import Solution

__all__ = [
    "EXIT_BAD_INPUT",
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_LOST",
    "EXIT_NOT_CONVERGED",
    "EXIT_OK",
    "BadInput",
    "Parser",
    "check_folder",
    "check_seed",
    "check_suffix",
    "complain",
    "describe_error",
    "in_options",
    "one_sided",
    "refuse_overwriting",
    "warn",
]

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_NOT_CONVERGED = 3
EXIT_LOST = 4
EXIT_INTERRUPTED = 130


class BadInput(Exception):
    """Input that the command line itself refuses."""


class Parser(argparse.ArgumentParser):
    """Parser whose complaints are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        # argparse would print the usage as well: one line is enough to act on.
        line = f"{self.prog}: error: {message} (see {self.prog} --help)\n"
        self.exit(EXIT_BAD_INPUT, line if launched_rank() == 0 else None)


def complain(name: str, message: str, code: int) -> int:
    """Write one line on stderr, and return the exit code."""
    # what all processes of a run find is said once
    if launched_rank() == 0 or code == EXIT_LOST:
        line = " ".join(message.split())
        say(f"{name}: {'' if code == EXIT_INTERRUPTED else 'error: '}{line}\n")
    return code


def warn(name: str, message: str) -> None:
    """Write one line on stderr about what may not be meant."""
    if launched_rank() == 0:
        say(f"{name}: warning: {' '.join(message.split())}\n")


# What Python calls the options, and advice that only Python can follow.
_OPTIONS = {
    "array": "--array",
    "class_weight": "--class-weight",
    "device": "--device",
    "epochs": "--epochs",
    "latent_dim": "--latent-dim",
    "max_iter": "--max-iter",
    "max_seconds": "--seconds",
    "max_steps": "--steps",
    "method": "--method",
    "methods": "--methods",
    "random_state": "--seed",
    "samples": "--samples",
    "size": "--size",
    "source": "--domain",
    "target_masses": "--masses",
    "threads": "--threads",
    "tol": "--tol",
    "tv_tol": "--tv-tol",
    "values": "--color",
}
_OF_ONE_COMMAND = {"source": "fit", "values": "plot"}
_ADVICE = (
    ("divide by the sum, or pass normalize=True", "add --normalize to divide by the sum"),
    ('method="montecarlo"', "--method montecarlo"),
    ("distributed must be False for method", "torchrun does not apply to --method"),
    ("choose the array that holds the images:", "choose the array of the images with --array:"),
    ("(pass size to scale them)", "(--size scales them)"),
)


def in_options(message: str, command: str) -> str:
    """Return a message of the library in the words of a command.

    Parameters
    ----------
    message : str
        What an exception says.
    command : str
        The command.

    Returns
    -------
    str
    """
    for python, option in _ADVICE:
        message = message.replace(python, option)
    argument = re.search(r"(?:^|: )(\w+) (?:must|applies)\b", message)
    if argument is None or _OF_ONE_COMMAND.get(argument[1], command) != command:
        return message
    option = _OPTIONS.get(argument[1], argument[1])
    return message[: argument.start(1)] + option + message[argument.end(1) :]


def refuse_overwriting(outputs: Iterable[str | Path], inputs: Iterable[str | Path | None]) -> None:
    """Refuse to write to a file that is read, however its path is spelt.

    Parameters
    ----------
    outputs : iterable of path
        What is going to be written.
    inputs : iterable of path or None
        What is read. Of a folder, it is all files in it and in its folders.
    """
    read = [path for path in inputs if path is not None and os.path.exists(path)]
    for output in filter(os.path.exists, outputs):
        for path in read:
            if _is_within(output, path):
                raise BadInput(f"{output}: is an input file ({path}): choose another output")


def _is_within(output: str | Path, path: str | Path) -> bool:
    if os.path.samefile(output, path):
        return True
    if not os.path.isdir(path):
        return False
    return any(os.path.samefile(path, folder) for folder in Path(output).resolve().parents[:2])


def check_folder(path: str) -> None:
    """Refuse an output that cannot be written before the work starts."""
    folder = Path(path).parent
    if not folder.is_dir():
        raise BadInput(f"{path}: there is no folder {folder}")
    if Path(path).is_dir():
        raise BadInput(f"{path}: is a folder")


def check_suffix(path: str, allowed: tuple[str, ...]) -> str:
    """Return how a path ends, if that is allowed."""
    suffix = Path(path).suffix.lower()
    if suffix not in allowed:
        raise BadInput(f"{path}: must end in {', '.join(allowed[:-1])} or {allowed[-1]}")
    return suffix


def check_seed(seed: int | None) -> None:
    """Refuse a seed that numpy would."""
    if seed is not None and seed < 0:
        raise BadInput(f"--seed must not be negative, got {seed}")


def describe_error(solution: Solution) -> str:
    """The error that the tolerance bounds."""
    if solution.estimate is None:
        return f"mass error {solution.mass_error:.2g}"
    low, high = solution.estimate.tv_interval
    level = 100 * solution.estimate.confidence
    return f"total variation {solution.estimate.tv:.2g} in [{low:.2g}, {high:.2g}] ({level:g} %)"


def one_sided(solution: Solution) -> float:
    """Level of each bound of the bracket in Monte Carlo, in per cent."""
    if solution.estimate is None:
        return 100.0
    return 50.0 * (1.0 + solution.estimate.confidence)
