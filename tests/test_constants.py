"""Numbers that decide something have a name, and one name has one value."""

import ast
import math
from collections import defaultdict
from pathlib import Path

import pytest

import geomot

PACKAGE = Path(geomot.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# Formats of files have versions of their own.
OF_A_FILE = {"VERSION"}

# Sizes of drawings, settings that papers state, data sets: their numbers are their contents.
CONTENTS = (
    "plotting",
    "baselines/presets.py",
    "compare/_experiments.py",
    "compare/_figures.py",
    "datasets.py",
)


def constants(tree):
    """Assignments of constants at the top of a module."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            (target,) = node.targets
            if isinstance(target, ast.Name) and target.id.isupper():
                yield target.id, node.value


def is_number(node):
    return not any(
        isinstance(part, (ast.Constant,)) and not isinstance(part.value, (int, float))
        for part in ast.walk(node)
    ) and all(
        isinstance(part, (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop))
        for part in ast.walk(node)
    )


def test_a_name_is_defined_once():
    homes = defaultdict(list)
    for path in MODULES:
        for name, value in constants(ast.parse(path.read_text())):
            if is_number(value) and name not in OF_A_FILE:
                homes[name].append(str(path.relative_to(PACKAGE)))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def tolerances(tree):
    """Numbers of an extreme size that are neither constants nor defaults of arguments."""
    named = {id(part) for _, value in constants(tree) for part in ast.walk(value)}
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            for default in [*node.defaults, *filter(None, node.kw_defaults)]:
                named |= {id(part) for part in ast.walk(default)}
        elif isinstance(node, ast.AnnAssign) and node.value is not None:  # fields of dataclasses
            named |= {id(part) for part in ast.walk(node.value)}
    for node in ast.walk(tree):
        if id(node) in named:
            continue
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and is_number(node):
            size = abs(eval(compile(ast.Expression(node), "", "eval")))
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            size = abs(node.value)
        else:
            continue
        if size > 0 and not (1e-2 <= size <= 1e5) and math.isfinite(size):
            yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_tolerance_is_a_bare_literal(path):
    if str(path.relative_to(PACKAGE)).startswith(CONTENTS):
        pytest.skip("its numbers are its contents")
    assert list(tolerances(ast.parse(path.read_text()))) == []
