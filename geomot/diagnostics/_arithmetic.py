"""The arithmetic below exact signs: rounding, small numbers, operations as they are written.

Expected results are rational numbers. Where small numbers are lost, Python's own conversions of
them fail too, so that their bits are compared.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from geomot._core.exactness import (
    minus_product,
    multiplied,
    product_minus,
    product_plus,
    simple,
    sum_minus,
    summed,
)
from geomot._double_double import two_product, two_sum

__all__ = [
    "COMPILED",
    "ROUNDED",
    "SMALL",
    "Finding",
    "as_written",
    "gradual_underflow",
    "rounding",
    "transformations",
]

# The number of cases of a check, and a sentence for each kind of failure.
Finding = tuple[int, list[str]]

# Advice on failures: of the rounding, of small numbers, of compiled code.
ROUNDED = (
    "Something in this process has changed the rounding mode of this thread: look for fesetround, "
    "_controlfp or a library that calls them, and set the mode to FE_TONEAREST again."
)
SMALL = (
    "A library in this process was linked with -ffast-math, or has set the processor's control "
    "register (as torch.set_flush_denormal does). To find it, import one package after the other "
    "and call geomot.self_test() after each."
)
COMPILED = (
    "geomot was compiled with options that change results. Install its wheel, or unset CFLAGS and "
    "compile again without -ffast-math, -Ofast, -ffp-contract=fast and x87 instructions."
)

# Half of the distance from 1 to the next float64, and the least normal number.
_HALF_ULP = 2.0**-53
_LEAST_NORMAL = 2.0**-1022
# Operands below the least normal number are multiplied by this, which makes them normal.
_LIFT = 2.0**60
_LIFTED_LEAST = 2.0**-1014
# A third, rounded to the nearest float64.
_THIRD = 6004799503160661 * 2.0**-54

# Pairs of numbers for each kind, and the range of their exponents: products and their errors stay
# normal numbers.
_PAIRS = 200
_EXPONENTS = 200


def rounding() -> Finding:
    """Check that sums, products and quotients are rounded to the nearest float64."""
    beyond = 1.0 + 2.0 * _HALF_ULP
    cases = []
    for sign in (1.0, -1.0):
        cases += [
            (simple(sign, sign * 0.5 * _HALF_ULP)[0], sign),
            (simple(sign, sign * _HALF_ULP)[0], sign),
            (simple(sign, sign * 1.5 * _HALF_ULP)[0], sign * beyond),
            (simple(sign, -sign * 0.25 * _HALF_ULP)[0], sign),
            (simple(sign * beyond, beyond)[2], sign * (1.0 + 4.0 * _HALF_ULP)),
            (simple(sign, 3.0)[3], sign * _THIRD),
        ]
    if all(found == expected for found, expected in cases):
        return len(cases), []
    up = simple(1.0, 0.5 * _HALF_ULP)[0] > 1.0
    down = simple(-1.0, -0.5 * _HALF_ULP)[0] < -1.0
    mode = "up" if up else "down" if down else "to zero"
    return len(cases), [f"Results are rounded {mode}, not to the nearest number."]


def gradual_underflow() -> Finding:
    """Check that numbers below 2^-1022 are kept, as results and as operands."""
    # The number k 2^-1074 has the bits of the integer k.
    results = (
        (simple(1.5 * _LEAST_NORMAL, _LEAST_NORMAL)[1], 1 << 51),
        (simple(_LEAST_NORMAL, 0.5)[2], 1 << 51),
        (simple(_LEAST_NORMAL, 4.0)[3], 1 << 50),
        (summed(_LEAST_NORMAL, -1.25 * _LEAST_NORMAL)[0], 1 << 50 | 1 << 63),
    )
    operands = ((1, _LIFTED_LEAST), (3, 3.0 * _LIFTED_LEAST))
    failures = []
    if any(_bits(found) != expected for found, expected in results):
        failures.append(
            "Results below 2.2e-308 are replaced by zero, so that differences of different "
            "numbers can be zero (flush to zero)."
        )
    if any(simple(_from_bits(k), _LIFT)[2] != expected for k, expected in operands):
        failures.append("Operands below 2.2e-308 count as zero (denormals are zero).")
    return len(results) + len(operands), failures


def as_written() -> Finding:
    """Check that no operation was fused with another, reordered, or kept in extended precision.

    What is computed in two steps here and in one there agrees in any rounding mode.
    """
    fused = regrouped = cases = 0
    for a, b in _pairs("close"):
        total, _, product, _ = simple(a, b)
        fused += product_plus(a, b, product) != 2.0 * product
        fused += product_minus(a, b, product) != 0.0
        fused += minus_product(a, b, product) != 0.0
        regrouped += sum_minus(a, b, total) != 0.0
        cases += 4
    failures = []
    if fused:
        failures.append(
            "Products and the sums that follow are rounded once, not twice: the compiler has fused "
            "them (contraction)."
        )
    if regrouped:
        failures.append(
            "Two sums are not rounded one after the other: the compiler has reordered them, or "
            "keeps them in extended precision."
        )
    return cases, failures


def transformations() -> Finding:
    """Check that sums and products, with their errors, are exact: of kernels and of numpy."""
    constructions: tuple[tuple[str, Callable[..., tuple], bool], ...] = (
        ("sums of the kernels", summed, False),
        ("products of the kernels", multiplied, True),
        ("sums of numpy", two_sum, False),
        ("products of numpy", two_product, True),
    )
    failures = []
    cases = 0
    for name, construction, is_product in constructions:
        wrong = 0
        numbers = [pair for kind in ("close", "apart", "few bits") for pair in _pairs(kind)]
        if name.endswith("numpy"):
            parts = construction(*np.array(numbers).T)
            results = list(zip(*(part.tolist() for part in parts), strict=True))
        else:
            results = [construction(a, b) for a, b in numbers]
        for (a, b), (value, error) in zip(numbers, results, strict=True):
            x, y = Fraction(a), Fraction(b)
            exact = x * y if is_product else x + y
            wrong += Fraction(value) + Fraction(error) != exact or value != _nearest(exact)
        cases += len(numbers)
        if wrong:
            failures.append(f"{wrong} of {len(numbers)} {name} are not exact.")
    return cases, failures


def _nearest(exact: Fraction) -> float:
    """The nearest float64; Python computes it with integers, whatever the rounding mode."""
    return exact.numerator / exact.denominator


def _bits(value: float) -> int:
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return int(bits)


def _from_bits(bits: int) -> float:
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    return float(value)


def _pairs(kind: str) -> Iterator[tuple[float, float]]:
    """Pairs of normal numbers whose sums and products are normal too."""
    rng = random.Random(kind)
    bits, spread = {"close": (53, 2), "apart": (53, _EXPONENTS), "few bits": (5, 60)}[kind]
    for _ in range(_PAIRS):
        pair = []
        for _ in range(2):
            digits = rng.choice((-1, 1)) * (rng.getrandbits(bits) | 1 << (bits - 1))
            pair.append(float(Fraction(digits) * Fraction(2) ** rng.randint(-spread, spread)))
        yield pair[0], pair[1]
