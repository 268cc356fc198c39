"""Bounds of floating-point filters, derived from what they bound.

    python tests/filter_bounds.py

prints for each filter the derived bound and the one in the sources, in units of u = 2^-53 (for
float32, roundings beside those that d makes). tests/core/test_filter_bounds.py wants none of the
latter to be smaller.

A filter compares the rounded value of an expression with a multiple of its permanent, the same
expression with absolute values for all terms. Every node of the expression has a number k of
roundings, such that its rounded value is off by at most ((1 + u)^k - 1) times its permanent: an
input has 0, a difference of inputs 1, a sum one more than the larger of its terms, a product one
more than the sum of both (Shewchuk 1997, section 4.3; Meyer and Pion 2008). The last sum is rounded
to the sign that it has. The permanent is rounded as often as the value, and so is its multiple.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "geomot"
ROUNDOFF = Fraction(1, 2**53)


@dataclass(frozen=True)
class Node:
    """Part of an expression: how often it is rounded."""

    roundings: int = 0

    def __add__(self, other):
        return Node(max(self.roundings, other.roundings) + 1)

    __sub__ = __add__

    def __mul__(self, other):
        return Node(self.roundings + other.roundings + 1)


INPUT = Node()


def bound(expression):
    """The least multiple of the rounded permanent that tells the sign, in units of u."""
    k, u = expression.roundings, ROUNDOFF
    return (1 + u) * ((1 + u) ** (k - 1) - 1) / (1 - u) ** (k + 1) / u


# ---- the plane predicates ----

DIFFERENCE = INPUT - INPUT
WEIGHTS = DIFFERENCE + DIFFERENCE  # hi and lo apart
SQUARE = DIFFERENCE * DIFFERENCE + DIFFERENCE * DIFFERENCE
CROSS = DIFFERENCE * DIFFERENCE - DIFFERENCE * DIFFERENCE
TWO_DISTANCES = DIFFERENCE + DIFFERENCE  # along an axis

STRIP = DIFFERENCE * DIFFERENCE * DIFFERENCE + (WEIGHTS * DIFFERENCE + WEIGHTS * DIFFERENCE)

POWER_TERM = (SQUARE - WEIGHTS) * CROSS
POWER = POWER_TERM + POWER_TERM + POWER_TERM
COMPARE = DIFFERENCE * TWO_DISTANCES + DIFFERENCE * TWO_DISTANCES + WEIGHTS

# ---- cells ----

OFFSET = SQUARE + WEIGHTS  # of a bisector; halved exactly
DET_TERM = OFFSET * CROSS
DET = DET_TERM + DET_TERM + DET_TERM
SIDE = OFFSET - (DIFFERENCE * INPUT + DIFFERENCE * INPUT)

# ---- the predicates in space ----

SQUARE3 = DIFFERENCE * DIFFERENCE + DIFFERENCE * DIFFERENCE + DIFFERENCE * DIFFERENCE
OFFSET3 = SQUARE3 + WEIGHTS
VOLUME_TERM = DIFFERENCE * CROSS
VOLUME = VOLUME_TERM + VOLUME_TERM + VOLUME_TERM
POWER3 = (OFFSET3 * VOLUME + OFFSET3 * VOLUME) + (OFFSET3 * VOLUME + OFFSET3 * VOLUME)
ALONG3 = DIFFERENCE * TWO_DISTANCES
COMPARE3 = ALONG3 + ALONG3 + ALONG3 + WEIGHTS

# The plane that a tetrahedron stores: its components are sums of offsets times cross products.
COMPONENT = OFFSET3 * CROSS + OFFSET3 * CROSS + OFFSET3 * CROSS
STORED = COMPONENT * DIFFERENCE + COMPONENT * DIFFERENCE + COMPONENT * DIFFERENCE + VOLUME * OFFSET3
# With m the largest part of a difference and L the largest offset the permanents are at most
# 6 m^2 L (|x| + |y| + |z|) and 6 m^3 times the new site's offset; these take some roundings more.
STORED_SHARE = 6
MAGNITUDES = INPUT * INPUT * OFFSET3 * (DIFFERENCE + DIFFERENCE + DIFFERENCE) + INPUT


def stored_bound():
    """The multiple of the two magnitudes that tells the sign of the stored plane's test."""
    roundings = Node(max(STORED.roundings, MAGNITUDES.roundings + 1))
    return STORED_SHARE * bound(roundings)


# ---- places in space ----

# A power centre is a component over twice the determinant: of the errors of both, relative to the
# magnitudes m^2 L and m^3 |centre - o|, and of the quotient, which has a term of its own.
CENTRE = max(bound(COMPONENT) * 6 / 2, bound(VOLUME) * 6)
# Where three walls with largest components 1 meet: normals are differences times a reciprocal.
NORMAL = DIFFERENCE * (INPUT + INPUT)
WALL_OFFSET = Node(3)  # of twice the working precision, rounded, and scaled
WALL_CROSS = NORMAL * NORMAL - NORMAL * NORMAL
WALL_TERM = WALL_OFFSET * WALL_CROSS
WALL_VOLUME = NORMAL * WALL_CROSS
NUMERATOR = WALL_TERM + WALL_TERM + WALL_TERM
DENOMINATOR = WALL_VOLUME + WALL_VOLUME + WALL_VOLUME
# relative to the sum of the offsets, and to three times the largest coordinate
MEETING_OF_WALLS = max(bound(NUMERATOR) * 2, bound(DENOMINATOR) * 6 / 3)
SIDE3 = INPUT * INPUT + INPUT * INPUT + INPUT * INPUT - INPUT


# ---- where three cells meet, in the triangulation of centroids ----

PART = OFFSET * DIFFERENCE - OFFSET * DIFFERENCE
FROM_EDGE = CROSS * DIFFERENCE + PART
MEETING = DIFFERENCE * FROM_EDGE - DIFFERENCE * FROM_EDGE


# ---- offsets of lines about shifted frames, in twice the working precision ----


@dataclass(frozen=True)
class Term:
    """A number, at most so large, and off by at most so much."""

    size: Fraction
    error: Fraction = Fraction(0)

    def __add__(self, other):
        size, error = self.size + other.size, self.error + other.error
        return Term(size, error + ROUNDOFF * (size + error))

    def __mul__(self, other):
        size = self.size * other.size
        error = (self.size + self.error) * (other.size + other.error) - size
        return Term(size, error + ROUNDOFF * (size + error))


def rest(of):
    """What two_sum and two_product leave of an exact result of so much."""
    return Term(ROUNDOFF * of)


ZERO, ONE = Term(Fraction(0)), Fraction(1)


def add_product(a, a_low, b, b_low, total, low):
    """`add_product` of cells.pyx: the new total, and the term of its trailing part."""
    product = a.size * b.size
    trailing = rest(product) + (a * b_low + a_low * b)
    neglected = a_low.size * b_low.size
    trailing = Term(trailing.size, trailing.error + neglected)
    return total + product, low + (rest(total + product) + trailing)


def shifted_bisector():
    """Error of the trailing part of an offset whose terms have the magnitudes 1.

    These are |dx| (|dx| + |ux|), the same of y, and |hi| + |lo|. Of |dx| = 1 the largest error has
    |ux| = 0 or |ux| = 1; both together are no more than both at once.
    """
    d = u = Term(ONE)
    d_low = rest(ONE)
    u_low = rest(ONE) + rest(ONE)  # uxl + dxl
    total, low = add_product(d, d_low, u, u_low, Fraction(0), ZERO)
    total, low = add_product(d, d_low, u, u_low, total, low)
    weights = rest(ONE) + (rest(ONE) + rest(ONE))
    low = rest(total + 1) + (low + weights)
    return low.error


def shifted_edge():
    """The same for an edge, whose magnitudes are |nx| (|corner - p| + |ux|) and that of y."""
    n = u = Term(ONE)
    n_low = rest(ONE)
    u_low = rest(ONE) + rest(ONE)  # te + e in `subtract`
    total, low = add_product(n, n_low, u, u_low, Fraction(0), ZERO)
    total, low = add_product(n, n_low, u, u_low, total, low)
    return low.error


def cancelled():
    """Share of the magnitudes that makes up for the error, if sizes bound OFFSET's roundings."""
    error = max(shifted_bisector(), shifted_edge())
    return error / ((1 + ROUNDOFF) ** OFFSET.roundings - 1) / ROUNDOFF


# ---- float32 scores ----

FACTORS, PRODUCT = 2, 1  # both factors are rounded to float32


def score_in_stretches():
    """Roundings of a score beside min(d, STRETCH) + ceil(d / STRETCH): sums of both, less one."""
    return FACTORS + PRODUCT - 1


def score_in_any_order():
    """Roundings of a score beside d: d products and the height are d sums."""
    return FACTORS + PRODUCT


def in_c(name, path):
    """A bound in the text of a Cython file."""
    found = re.search(rf"#define GEOMOT_{name} \(([\d.]+) \* GEOMOT_ROUNDOFF\)", read(path))
    return Fraction(found[1])


def in_python(name, path):
    """A constant at the top of a Python module, in units of u."""
    value = re.search(rf"^{name} = ([\d.* +-]+?)(?: \* UNIT_ROUNDOFF)?$", read(path), re.M)
    number = Fraction(eval(value[1]))
    return number if value[0].endswith("UNIT_ROUNDOFF") else number / ROUNDOFF


def read(path):
    return (SOURCES / path).read_text()


def table():
    """Rows of name, file, derived bound, bound in the sources."""
    predicates, cells = "_core/predicates.pxd", "_core/plane/cells.pxd"
    regular = "_core/plane/regular.pyx"
    space, space_cells = "_core/space/predicates.pxd", "_core/space/cells.pxd"
    triangulation = "extended/triangulation.py"
    stretches = re.search(r"STRETCH - 1\) / STRETCH \+ (\d+);", read("_core/src/assign_contest.h"))
    any_order = re.search(r"^_SCORE_ROUNDINGS = (\d+)$", read("_sampling/designs.py"), re.M)
    return [
        ("ORIENT_BOUND", predicates, bound(CROSS), in_c("ORIENT_BOUND", predicates)),
        ("STRIP_BOUND", regular, bound(STRIP), in_c("STRIP_BOUND", regular)),
        ("POWER_BOUND", predicates, bound(POWER), in_c("POWER_BOUND", predicates)),
        ("COMPARE_BOUND", predicates, bound(COMPARE), in_c("COMPARE_BOUND", predicates)),
        ("TURN_BOUND", cells, bound(CROSS), in_c("TURN_BOUND", cells)),
        ("DET_BOUND", cells, bound(DET), in_c("DET_BOUND", cells)),
        ("SIDE_BOUND", cells, bound(SIDE), in_c("SIDE_BOUND", cells)),
        ("CANCELLED", cells, cancelled(), in_c("CANCELLED", cells)),
        ("ORIENT3_BOUND", space, bound(VOLUME), in_c("ORIENT3_BOUND", space)),
        ("POWER3_BOUND", space, bound(POWER3), in_c("POWER3_BOUND", space)),
        ("COMPARE3_BOUND", space, bound(COMPARE3), in_c("COMPARE3_BOUND", space)),
        ("STORED_BOUND", space, stored_bound(), in_c("STORED_BOUND", space)),
        ("CENTRE_BOUND", space_cells, CENTRE, in_c("CENTRE_BOUND", space_cells)),
        ("MEETING_BOUND", space_cells, MEETING_OF_WALLS, in_c("MEETING_BOUND", space_cells)),
        ("SIDE3_BOUND", space_cells, bound(SIDE3), in_c("SIDE3_BOUND", space_cells)),
        ("_UNSURE", triangulation, bound(CROSS), in_python("_UNSURE", triangulation)),
        (
            "_UNSURE_MEETING",
            triangulation,
            bound(MEETING),
            in_python("_UNSURE_MEETING", triangulation),
        ),
        (
            "_ORIENTATION_FILTER",
            "_orientation.py",
            bound(CROSS),
            in_python("_ORIENTATION_FILTER", "_orientation.py"),
        ),
        ("error_share", "_core/src/assign_contest.h", score_in_stretches(), int(stretches[1])),
        ("_SCORE_ROUNDINGS", "_sampling/designs.py", score_in_any_order(), int(any_order[1])),
    ]


if __name__ == "__main__":
    for name, path, derived, written in table():
        print(f"{name:20} {path:28} {float(derived):8.4f} {float(written):8.4f}")
