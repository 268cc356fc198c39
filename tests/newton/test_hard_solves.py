"""Small problems on which a solver of the plane can fail, with W2^2 to twelve digits.

The values are those of `textbook.textbook_newton`, and tests say so where it is fast enough; the
masses are judged as in `fuzz_solve.py`, which found most of the problems.
"""

from __future__ import annotations

import fuzz_solve
import numpy as np
import pytest
from oracles import UNIT_SQUARE
from textbook import textbook_newton

import geomot

rng = np.random.default_rng


def box(width, height):
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=float)


# Tight groups: sites, masses (None: equal), domain, W2^2.
GROUPS = {
    "two pairs": (
        [(0.2502, 0.2507), (0.2501, 0.2508), (0.7503, 0.7506), (0.7501, 0.7503)],
        None,
        UNIT_SQUARE,
        0.124937307110,
    ),
    "two pairs 1e-8 wide": (
        [
            (0.25, 0.25),
            (0.25 + 1e-8, 0.25 + 2e-8),
            (0.75, 0.75),
            (0.75 - 1e-8, 0.75 + 3e-8),
        ],
        None,
        UNIT_SQUARE,
        0.124999994415,
    ),
    "two triples 1e-6 wide": (
        [
            (0.25, 0.25),
            (0.25 + 1e-6, 0.25 + 2e-6),
            (0.25 + 3e-6, 0.25 - 1e-6),
            (0.75, 0.75),
            (0.75 - 1e-6, 0.75 + 3e-6),
            (0.75 + 1e-6, 0.75),
        ],
        None,
        UNIT_SQUARE,
        0.124999088838,
    ),
    "two pairs in units of 2^-57": (
        2.0**-57
        * np.array(
            [(0.25, 0.2499995), (0.2500023, 0.2499991), (0.75, 0.7500005), (0.7499978, 0.7499992)]
        ),
        None,
        2.0**-57 * UNIT_SQUARE,
        6.01850351822e-36,
    ),
    "a pair 1e-4 wide and one": (
        [(0.1, 0.9), (0.1, 0), (0.1001, 0.9)],
        None,
        UNIT_SQUARE,
        0.316623336377,
    ),
    "a pair 1e-8 wide and one": (
        [(0.1, 0.9), (0.1, 0), (0.1 + 1e-8, 0.9)],
        None,
        UNIT_SQUARE,
        0.316666662333,
    ),
    "a pair at a corner": ([(0, 1), (0, 0.7), (1e-5, 1)], None, UNIT_SQUARE, 0.529995000025),
    "a flat lattice": ([(0, 0), (0, 1), (5e-7, 0)], None, UNIT_SQUARE, 0.444444194445),
    "a pair on a ring": (
        [(0.3, 0.44), (0.53898923, 0.43538754), (0.53898926, 0.43538756)],
        None,
        UNIT_SQUARE,
        0.131880476070,
    ),
    "a pair near the border": (
        [(1, 0.16), (0.499, 0.06631), (0.49917, 0.06631)],
        None,
        UNIT_SQUARE,
        0.301131362188,
    ),
    "a pair and two": (
        [(0, 0.6), (0.885254, 0.70298), (0.2, 0.6), (0.8853, 0.703)],
        None,
        UNIT_SQUARE,
        0.141375817530,
    ),
    "three cities": (
        [(-74, 41), (139.775, 35.8), (139.77, 35.72)],
        None,
        box(215, 17) + (-75, 35),
        5156.69511518,
    ),
    "a pair far away": (
        [(1, 1), (10899, -230217), (10900, -230216)],
        [25, 4, 25],
        UNIT_SQUARE,
        28526542677.1,
    ),
    # All digits of the weights are needed at the pair: it must not be their far end.
    "a pair an ulp wide, three far away": (
        [(0.5, 0.5), (0.5, 0.5 + 2.0**-53), (1e5, 3e4), (1.2e5, -4e4), (-2e5, 1e5)],
        None,
        UNIT_SQUARE,
        15379908195.6,
    ),
    "two far, one farther": (
        [(3, 416505), (6, 416505), (6, 624757)],
        [20, 3, 80],
        UNIT_SQUARE,
        341899019337,
    ),
}

LONG_DOMAINS = {
    "100 to 1": ([(50.1, 0.5), (50.1, 0), (29, 0)], None, box(100, 1), 511.617774692),
    "49 to 1, at one end": ([(49, 1), (46, 1), (49, 0.9)], [1, 6, 3], box(49, 1), 682.552162482),
    "a thin triangle": (
        [(0.1, 0.1), (0.13, 0.14), (0.57, 0.6), (0.35, 0.36)],
        None,
        np.array([(0, 0), (0.7, 0.72), (0.18, 0.186)]),
        0.0123163834542,
    ),
}

LAST = np.nextafter(0.5, 1)
TWINS = {
    "a sum that is rounded": ([(0.1, 0.2), (0.3, 0.7), (0.1 + 0.2, 0.7)], None, 0.185555555556),
    "the same, farther": ([(0.1, 0), (0.3, 0.7), (0.1 + 0.2, 0.7)], None, 0.196349206349),
    "three in an angle": ([(0.5, 0.5), (0.5, LAST), (LAST, 0.5), (0.1, 0.9)], None, 0.140947570825),
    "a chain of five": (
        [*((0.5 + k * 2.0**-53, 0.5) for k in range(0, 10, 2)), (0.1, 0.9)],
        None,
        0.137986690595,
    ),
}

TINY_MASSES = {
    "of two, 1e-17": ([(0.25, 0.5), (0.75, 0.5)], [1, 1e-17], 0.229166666667),
    "of two, 1e-35": ([(0.25, 0.5), (0.75, 0.5)], [1, 1e-35], 0.229166666667),
    "of two, 1e-100": ([(0, 1), (0, 0)], [1, 1e-100], 0.666666666667),
    "of three, 1e-33": ([(0.6, 0.7), (1, 0), (0, 1)], [0.9999, 1e-33, 1e-4], 0.216622466667),
    # The cell of 1e-26 is lost in rounding; the idle site must not take its neighbours' mass.
    "of four, 1e-26 and 0": (
        [(0.7, 0.36), (0.37, 0.35), (0, 0), (0, 0.98)],
        [0.996, 1e-26, 0.004, 0],
        0.224027732739,
    ),
    "of five, three below 1e-23 and 0": (
        [(0.48, 0.45), (0.16, 0.08), (0.09, 0.59), (0.27, 0.14), (0.93, 0.87)],
        [1, 1e-29, 1e-24, 1e-27, 0],
        0.169566666667,
    ),
}


def judge(sites, masses, polygon, cost, *, textbook=True):
    """Assert that geomot solves a problem, and that its W2^2 is right to twelve digits."""
    sites, polygon = np.array(sites, dtype=float), np.array(polygon, dtype=float)
    masses = np.ones(len(sites)) if masses is None else np.array(masses, dtype=float)
    masses = masses / masses.sum()
    if textbook:
        some = masses > 0
        _, value = textbook_newton(sites[some], masses[some], polygon)
        assert value == pytest.approx(cost, rel=6e-12, abs=0)
    solutions = []

    def solve(*problem):
        solutions.append(geomot.solve(*problem))
        return solutions[-1]

    case = fuzz_solve.Case("hard", 0, sites, masses, None, polygon)
    verdict = fuzz_solve.check(case, solve=solve)
    assert verdict.status == "converged", (verdict.status, verdict.error)
    assert not verdict.failed, verdict.wrong
    assert solutions[0].cost == pytest.approx(cost, rel=1e-11, abs=0)


def test_cost_beside_a_far_site_without_mass():
    # A mass of 1 - 1e-14 times the weight of the far site is no part of the cost.
    sites = [
        [1.0986721781058122e-27, 1.850480492468777e-27],
        [-3.0097237304371222e-24, 4.9120140475962405e-24],
        [1.0986721781058123e-27, 1.850480492468777e-27],
    ]
    polygon = [
        [0.0, 0.0],
        [1.3752177512551934e-27, 2.9239124782240673e-27],
        [3.198086861981874e-28, 7.499701954031466e-28],
    ]
    judge(sites, [0.0, 0.0, 1.0], polygon, 1.1471866579084664e-54, textbook=False)


# Digits of weights and of linear systems: sites, masses, domain, W2^2.
DIGITS = {
    "twins at one end of the weights": (
        [
            (6600, 15000),
            (0.5000000000116124, 0.4999999999955244),
            (6600, 14500),
            (0.5000000000116125, 0.4999999999955244),
        ],
        [0.026, 0.001, 0.095, 0.86],
        UNIT_SQUARE,
        31660042.84602,
    ),
    "a cell of 3e-28 that insertion does not open": (
        [
            (0.7384128898745316, 0.38775),
            (0.7384128898745316, 0.388),
            (0.74, 0.39),
            (0.73841289, 0.39),
            (0.7384128898745316, 0.38776),
            (0.73841, 0.389),
        ],
        [0.5, 0.5, 2e-10, 3e-8, 8e-15, 3e-28],
        np.array([(-0.2, 0.41), (0.58, 0.33), (1.75, 0.38), (1.2, 0.45)]),
        0.1804862497125,
    ),
    "sites 1e-23 apart; the linear system needs its digits there": (
        [(99.7344210478328, 0), (100, 0.33), (99.7344210478328, 1.3e-23), (100, 0.16667)],
        [4e-11, 0.006, 3e-23, 0.1],
        box(179, 1),
        2780.514400415,
    ),
    # Targets sum to 1 to 1e-17, which the lightest cells must not take.
    "masses of 1e-26 beside .02": (
        [
            (0.88, 0.6),
            (0.32809038, 0.18028063),
            (0.3281, 0.18),
            (0.33, 0.18),
            (0.32809, 0.18027),
            (0.3820885, 0.611),
            (0.38212084038064414, 0.611),
            (0.382, 0.6113348214101966),
            (0.382, 0.61133784),
            (0.38212084112733796, 0.6113127039046999),
            (0.40578205, 0.635),
            (0.37363, 0.6412990652181411),
            (0.39, 0.63817180861713),
            (0.66, 0.1557),
        ],
        [
            *(1e-33, 7.249e-26, 7e-26, 7.225e-26, 7e-26, 0.0156776431027352, 0.01568, 0.01568),
            *(0.02, 0.016, 0.011461273518768338, 0.011900055743223408, 0.01, 2e-37),
        ],
        UNIT_SQUARE,
        0.1864858216295,
    ),
}


@pytest.mark.parametrize("name", DIGITS)
def test_digits(name):
    judge(*DIGITS[name], textbook=False)


# Problems of the fuzz without a small one that fails in the same way.
REPLAYS = {
    "combined:201909": "two sites without mass that uncover each other",
    "combined:202385": "dozens of cells between two doubles",
    "combined:300706": "one heavy site and light ones need a level of its own",
    "combined:310309": "cells that bury each other when they are opened",
    "combined:405010": "masses of all cells are off by more than a light cell weighs",
    "combined:707024": "a corner of 1e-13 cut off by sites 5e9 away",
}


# Problems whose right weights, rounded, are as far off as what is found.
FLOORS = {
    "combined:201948": "twins on a cell of 1e-20",
    "combined:330243": "noise beside cells that have their digits, and reach the tolerance",
    "combined:300591": "two cells that need the digits at either end take turns",
}


@pytest.mark.parametrize("name", {**REPLAYS, **FLOORS})
def test_replayed(name):
    family, seed = name.split(":")
    verdict = fuzz_solve.check(fuzz_solve.make(family, int(seed)))
    # of the floor, which is proved, the last digits of the machine's sums decide
    assert verdict.status in ("converged", "floor")
    assert not verdict.failed, verdict.wrong


@pytest.mark.parametrize("name", GROUPS)
def test_tight_groups(name):
    judge(*GROUPS[name])


@pytest.mark.parametrize("name", LONG_DOMAINS)
def test_long_domains(name):
    judge(*LONG_DOMAINS[name])


@pytest.mark.parametrize("name", TWINS)
def test_twins(name):
    sites, masses, cost = TWINS[name]
    judge(sites, masses, UNIT_SQUARE, cost)


@pytest.mark.parametrize("name", TINY_MASSES)
def test_tiny_masses(name):
    sites, masses, cost = TINY_MASSES[name]
    # Beyond the digits of its weights the textbook's method needs larger masses.
    judge(sites, masses, UNIT_SQUARE, cost, textbook="100" not in name)


def test_four_cities():
    places = np.array([(2.35, 48.85), (-0.12, 51.5), (-74, 40.72), (139.7, 35.68)])
    noise = 0.1 * rng(0).standard_normal((48, 2))
    sites = np.round(np.repeat(places, 12, axis=0) + noise, 6)
    lower, upper = sites.min(axis=0), sites.max(axis=0)
    judge(sites, None, lower + (upper - lower) * UNIT_SQUARE, 1480.83929705)


def test_masses_of_a_gaussian():
    sites = rng(0).random((300, 2))
    masses = np.exp(-(((sites - 0.5) * 18) ** 2).sum(axis=1) / 2)
    judge(sites, masses, UNIT_SQUARE, 0.109727375147, textbook=False)
