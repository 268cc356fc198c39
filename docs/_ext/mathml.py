"""Formulas as MathML, which browsers draw themselves: no script, no font, no network."""

from __future__ import annotations

import re

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

# Bars and angle brackets, which browsers take for operators with space around them.
FENCE = re.compile(r'<mo(?: stretchy="false")?>([|\u27e8\u27e9])</mo>')
TIGHT = r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>'


def formula(text: str, **options: bool) -> str:
    """Return the MathML of a formula in LaTeX."""
    return FENCE.sub(TIGHT, tex2mathml(text, **options))


def _inline(translator, node):
    translator.body.append(formula(node.astext()))
    raise SkipNode


def _block(translator, node):
    text = formula(node.astext(), as_block=True)
    translator.body.append(f'<div class="formula">{text}</div>\n')
    raise SkipNode


def setup(app):
    """Name the renderer "mathml" for the option html_math_renderer."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
