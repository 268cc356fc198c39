"""The command self-test."""

from __future__ import annotations

import geomot
from geomot.cli import main


def test_passes(capsys):
    assert main(["self-test"]) == 0
    assert "All checks passed" in capsys.readouterr().out


def test_a_failure_gives_exit_code_1(capsys, monkeypatch):
    check = geomot.diagnostics.Check("sums", 3, ("1 of 3 sums is wrong.",), "Use a pen.")
    report = geomot.diagnostics.SelfTest((check,), "plain", 0.1)
    monkeypatch.setattr(geomot, "self_test", lambda strict: report)
    assert main(["self-test"]) == 1
    out, err = capsys.readouterr()
    assert "FAILED  sums (3 cases)" in out and "Use a pen." in out
    assert err == ""
