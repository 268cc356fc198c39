"""Formulas as MathML, which browsers draw themselves: no script, no font, no network."""

from __future__ import annotations

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml


# Bars are written without the space that browsers put around operators.
SPACED, TIGHT = '<mo stretchy="false">|</mo>', '<mo stretchy="false" lspace="0" rspace="0">|</mo>'


def formula(text: str, **options: bool) -> str:
    """Return the MathML of a formula in LaTeX."""
    return tex2mathml(text, **options).replace(SPACED, TIGHT)


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
