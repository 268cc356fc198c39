"""The command completion: a script that lets a shell complete commands, options and files."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import Any

from geomot.cli._shared import EXIT_OK

__all__ = ["add"]

_SHELLS = ("bash", "zsh", "fish")

# How arguments that are paths are called.
_PATH = re.compile(r"FILE|MAP|DIR|CSV|IMAGE")


def add(commands: Any, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Add the command's arguments to a parser.

    Parameters
    ----------
    commands : subparsers of argparse
        Where to add them.
    parser : callable
        Returns the parser of all commands.
    """
    completion = commands.add_parser(
        "completion",
        help="print a script for completion in bash, zsh or fish",
        description="Print a script with which a shell completes commands, options and files. "
        'bash: add `eval "$(geomot completion bash)"` to ~/.bashrc; zsh: write it to a file '
        "_geomot in a folder of $fpath; fish: write it to "
        "~/.config/fish/completions/geomot.fish.",
    )
    completion.add_argument("shell", choices=_SHELLS, help="the shell")
    completion.set_defaults(run=_run, parser=parser)


def _run(args: argparse.Namespace) -> int:
    try:
        import shtab
    except ImportError:
        raise ImportError("geomot completion needs shtab: pip install shtab") from None
    parser = args.parser()
    for action in _actions(parser):
        name = action.dest.upper() if action.metavar is None else str(action.metavar)
        if action.choices is None and (_PATH.search(name) or action.dest == "output"):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    sys.stdout.write(shtab.complete(parser, shell=args.shell) + "\n")
    return EXIT_OK


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Arguments of a parser and of its commands."""
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                found += _actions(command)
        elif action.nargs != 0:
            found.append(action)
    return found
