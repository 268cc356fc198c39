"""The command line: maps, figures, generators, comparisons, and what installations need.

One module per command adds its arguments and runs it. Exit codes: 0 done, 1 a self-test failed, 2
bad input (one line on stderr says what), 3 not converged (the file is written all the same), 4 a
process of a distributed run was lost, 130 interrupted. Warnings are lines on stderr too. Files are
read as plain numbers; nothing is unpickled.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import geomot
from geomot.cli import (
    compare,
    completion,
    demo,
    fit,
    generate,
    info,
    plot,
    sample,
    self_test,
    stipple,
)
from geomot.cli._heartbeat import heartbeat
from geomot.cli._shared import (
    EXIT_BAD_INPUT,
    EXIT_INTERRUPTED,
    EXIT_LOST,
    EXIT_OK,
    BadInput,
    Parser,
    complain,
    in_options,
    warn,
)
from geomot.distributed import DistributedError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; None takes those of the process.

    Returns
    -------
    int
        The exit code.
    """
    parser = _build_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    name = f"geomot {args.command}"
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: warn(name, str(message))
        return _run(name, args)


def _run(name: str, args: argparse.Namespace) -> int:
    try:
        with heartbeat(name):
            code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return complain(name, "interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone (as in `geomot info map.npz | head -1`): leave quietly, and keep the
        # interpreter from flushing into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return complain(name, f"{where}{error.strerror or error}", EXIT_BAD_INPUT)
    except MemoryError:
        return complain(name, "not enough memory", EXIT_BAD_INPUT)
    except DistributedError as error:
        return complain(name, str(error), EXIT_LOST)
    except BadInput as error:
        return complain(name, str(error), EXIT_BAD_INPUT)
    except (ValueError, TypeError, ImportError) as error:
        return complain(name, in_options(str(error), args.command), EXIT_BAD_INPUT)


class _ShowVersions(argparse.Action):
    """Print versions, and leave."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        geomot.show_versions()
        parser.exit()


def _build_parser() -> Parser:
    parser = Parser(
        prog="geomot",
        description="Semi-discrete optimal transport: the optimal map from a continuous measure "
        "onto points. Exact on the line, in the plane and in space; from samples elsewhere.",
    )
    parser.add_argument(
        "--version", action=_ShowVersions, nargs=0, help="show the versions of geomot and others"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (fit, sample, plot, info, stipple, generate, compare, demo, self_test):
        command.add(commands)
    completion.add(commands, _build_parser)
    return parser
