"""The self-test passes as the tests run, and fails if the arithmetic or a kernel is changed."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot.diagnostics import _arithmetic, _results, _signs, checks

ARITHMETIC = {"rounding to nearest", "gradual underflow", "operations as written"}


def failed(report):
    return {check.name for check in report.checks if not check.passed}


def test_passes_in_a_second():
    report = geomot.self_test()
    assert report.passed
    assert all(check.cases > 0 for check in report.checks)
    assert report.seconds < 60
    text = str(report)
    assert text.count("ok") >= len(report.checks) and "FAILED" not in text


@pytest.mark.parametrize("mode", ["down", "up", "to zero", "fesetround"])
def test_fails_in_other_rounding_modes(under_modes, mode):
    if mode not in under_modes:
        pytest.skip("fesetround is elsewhere")
    passed, names, text = under_modes[mode]
    assert not passed
    assert set(names) & ARITHMETIC == {"rounding to nearest"}
    # expansions are wrong, and so are signs
    assert set(names) >= {"exact sums and products", "signs in the plane", "signs in space"}
    direction = "up" if mode == "fesetround" else mode
    assert f"rounded {direction}," in text and "fesetround" in text


@pytest.mark.parametrize(
    ("mode", "words"),
    [("flush", ["Results"]), ("ignore", ["Operands"]), ("library", ["Results", "Operands"])],
)
def test_fails_if_small_numbers_are_lost(under_modes, mode, words):
    passed, names, text = under_modes[mode]
    if passed and mode == "library":
        pytest.skip("libraries of this compiler do not change modes")
    assert names == ["gradual underflow"]
    for word in ("Results", "Operands"):
        assert (f"{word} below 2.2e-308" in text) == (word in words)
    assert "-ffast-math" in text


def fused(a, b, c):
    """a * b - c with one rounding, as a compiler may compute it."""
    return float(_arithmetic.Fraction(a) * _arithmetic.Fraction(b) - _arithmetic.Fraction(c))


def extended(a, b, c):
    """a + b - c with one rounding."""
    return float(_arithmetic.Fraction(a) + _arithmetic.Fraction(b) - _arithmetic.Fraction(c))


@pytest.mark.parametrize(
    ("name", "replacement"), [("product_minus", fused), ("sum_minus", extended)]
)
def test_fails_if_operations_are_fused_or_reordered(monkeypatch, name, replacement):
    monkeypatch.setattr(_arithmetic, name, replacement)
    with pytest.raises(geomot.SelfTestError, match="does not compute exactly") as caught:
        geomot.self_test()
    report = caught.value.report
    assert failed(report) == {"operations as written"}
    assert "-ffp-contract" in str(report)
    assert geomot.self_test(strict=False).checks[2].failures == report.checks[2].failures


def orient(a, b, c):
    return int(np.sign((a[0] - c[0]) * (b[1] - c[1]) - (a[1] - c[1]) * (b[0] - c[0])))


def orient3(a, b, c, d):
    return int(np.sign(np.dot(a[:3] - d[:3], np.cross(b[:3] - d[:3], c[:3] - d[:3]))))


@pytest.mark.parametrize(
    ("module", "name", "replacement", "check"),
    [
        (_arithmetic, "summed", lambda a, b: (a + b, 0.0), "exact sums and products"),
        (_arithmetic, "two_product", lambda a, b: (a * b, 0.0 * a), "exact sums and products"),
        (_signs, "_orient", orient, "signs in the plane"),
        (_signs, "_orient3", orient3, "signs in space"),
        (_signs, "_line_vertex", lambda a, b, c: (0.5, 0.5), "points rounded once"),
        (_results, "PowerDiagram", None, "a diagram and a solve"),
    ],
)
def test_a_kernel_that_rounds_is_found(monkeypatch, module, name, replacement, check):
    monkeypatch.setattr(module, name, replacement)
    assert failed(geomot.self_test(strict=False)) == {check}


def test_samples_by_other_arithmetic_are_found(monkeypatch):
    class Rounded(_results.ExactSites):
        def under(self, heights):
            return super().under(heights.astype(np.float32).astype(np.float64))

    monkeypatch.setattr(_results, "ExactSites", Rounded)
    assert failed(geomot.self_test(strict=False)) == {"samples"}


def test_what_a_check_raises_is_a_failure(monkeypatch):
    def broken():
        raise ValueError("no such number")

    monkeypatch.setattr(checks, "_CHECKS", (("a check", broken, "Advice."), *checks._CHECKS[:1]))
    report = geomot.self_test(strict=False)
    assert report.checks[0].failures == ("ValueError: no such number",)
    assert str(report).splitlines()[:3] == [
        "FAILED  a check (1 cases)",
        "        ValueError: no such number",
        "        Advice.",
    ]
    assert "1 of 2 checks failed" in str(report)
