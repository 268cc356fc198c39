"""The command self-test: whether geomot computes exactly on this machine."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import geomot
from geomot.cli._shared import EXIT_FAILED, EXIT_OK

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    self_test = commands.add_parser(
        "self-test",
        help="check that results are exact on this machine",
        description="Check in a second that arithmetic, exact signs and a small solve are right "
        "on this machine. A failure comes with its likely cause, and gives exit code 1.",
    )
    self_test.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    report = geomot.self_test(strict=False)
    sys.stdout.write(f"{report}\n")
    return EXIT_OK if report.passed else EXIT_FAILED
