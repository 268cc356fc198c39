"""Docstrings as they are meant: outside of backticks, bars, stars and last underscores are text.

In ``|x - y|^2``, ``(n, *shape)`` and ``weights_`` reStructuredText would see marks of its own. They
are escaped before numpydoc reads a docstring, but not in examples, literal blocks and names of
parameters.
"""

from __future__ import annotations

import re

MARK = re.compile(r"[|*]|(?<=\w)_(?!\w)")
QUOTED = re.compile(r"(``.+?``|`[^`]+`)")
NAMES = re.compile(r"\s*[\w*, ]+$")
HEADER = re.compile(r"(\s*[\w*, ]+ : )(.*)")
# An item of a list that opens with emphasis is the one mark-up in use: "- *Labels.* A network ..."
ITEM = re.compile(r"(\s*- \*[^*]+\*)(.*)")


def escape(text: str) -> str:
    """Escape what is outside of backticks."""
    parts = QUOTED.split(text)
    parts[::2] = [MARK.sub(r"\\\g<0>", part) for part in parts[::2]]
    return "".join(parts)


def escape_line(line: str) -> str:
    """Escape a line of prose, which may begin with the name of a parameter."""
    if NAMES.match(line):
        return line
    kept = HEADER.match(line) or ITEM.match(line)
    return kept[1] + escape(kept[2]) if kept else escape(line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def escape_docstring(lines: list[str]) -> list[str]:
    """Return the lines with those of prose escaped."""
    result = []
    example = False
    literal = None  # the indent of the line that announces a literal block
    for line in lines:
        if not line.strip():
            example = False
        elif literal is not None and _indent(line) <= literal:
            literal = None
        example = example or line.lstrip().startswith(">>>")
        result.append(line if example or literal is not None else escape_line(line))
        if not example and line.rstrip().endswith("::"):
            literal = _indent(line)
    return result


def _process(app, what, name, value, options, lines):
    lines[:] = escape_docstring(lines)


def setup(app):
    """Come before numpydoc, whose priority is 500."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
