"""The command info."""

from __future__ import annotations

import csv
import json

import numpy as np

from geomot.cli import main


def test_info(fitted, capsys):
    assert main(["info", "map.npz"]) == 0
    lines = capsys.readouterr().out.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines)
    assert facts["sites"] == "40"
    assert facts["status"] == "converged"
    assert main(["info", "map.npz", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["W2^2"] == fitted.cost
    assert facts["bracket"] == list(fitted.bracket)


def test_info_in_five_dimensions(sampled, capsys):
    assert main(["info", "map.npz", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    estimate = sampled.estimate
    expected = {
        "sites": 100,
        "dimensions": 5,
        "method": "montecarlo",
        "total variation": estimate.tv,
        "total variation interval": list(estimate.tv_interval),
        "chi^2": estimate.chi2,
        "chi^2 standard error": estimate.chi2_standard_error,
        "samples fitted": estimate.n_fit_samples,
        "samples tested": estimate.n_samples,
        "mass error standard error": estimate.mass_error_standard_error,
        "W2^2 standard error": estimate.cost_standard_error,
        "bracket": list(sampled.bracket),
        "level of each bound": 0.975,
    }
    assert {key: facts[key] for key in expected} == expected
    assert main(["info", "map.npz"]) == 0
    out = capsys.readouterr().out
    for key in facts:
        assert f"\n{key} " in "\n" + out
    low, high = estimate.tv_interval
    assert f"[{low:.15g}, {high:.15g}]\n" in out


def test_a_table_of_the_cells(fitted, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("\n".join(f"town {k}" for k in range(40)))
    command = ["info", "map.npz", "--table", "cells.csv"]
    assert main([*command, "--names", "names.txt"]) == 0
    with open("cells.csv", encoding="utf-8", newline="") as file:
        titles, *rows = csv.reader(file)
    assert titles == [
        *("name", "y1", "y2", "target_mass", "mass", "weight", "centroid1", "centroid2"),
    ]
    assert [row[0] for row in rows] == [f"town {k}" for k in range(40)]
    numbers = np.array([row[1:] for row in rows], dtype=float)
    np.testing.assert_array_equal(numbers[:, :2], fitted.sites)
    np.testing.assert_array_equal(numbers[:, 3], fitted.masses)
    np.testing.assert_array_equal(numbers[:, 5:], fitted.centroids)
    assert main(command) == 0
    capsys.readouterr()
    assert main(["info", "map.npz", "--names", "names.txt"]) == 2
    assert "--names needs --table" in capsys.readouterr().err
    assert main(["info", "map.npz", "--table", "map.npz"]) == 2
