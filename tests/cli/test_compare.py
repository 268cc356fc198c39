"""The command compare: what it writes, what it says, what it refuses."""

from __future__ import annotations

import gzip
import json
import re
from importlib.util import find_spec

import numpy as np
import pytest

from geomot.cli import main
from geomot.compare import _methods

MAPS = "TrainingData,BrenierMap,ExtendedMap"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_methods, "_REGISTRY", dict(_methods._REGISTRY))
    monkeypatch.setattr("geomot.compare._harness.warm_up", lambda device: None)
    np.savetxt("points.csv", np.random.default_rng(0).standard_normal((60, 2)), delimiter=",")
    return tmp_path


def complaint(capsys, argv, code=2):
    """Run, check the exit code, and return the one line on stderr."""
    assert main(["compare", *argv]) == code
    out, err = capsys.readouterr()
    # a slow machine may be told that it runs
    err = re.sub(r"^geomot compare: running for \d+ seconds\n", "", err, flags=re.MULTILINE)
    assert err.startswith("geomot compare: error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    if code == 2:
        assert out == ""
    return err


def test_experiment(folder, capsys):
    assert main(["compare", "E6-six", "--small", "-o", "out", "--seeds", "0,1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (folder / "out" / "table.md").read_text(encoding="utf-8")
    assert "| greedy |" in out
    assert "±" in out
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {"cells", "table.md", "table.csv", "table.json", "E6-six-moves.png"}


def test_own_data_and_what_is_done_is_not_done_again(folder, capsys):
    argv = ["compare", "--data", "points.csv", "--methods", MAPS, "--samples", "30", "-o", "out"]
    assert main([*argv, "--no-figures"]) == 0
    first = capsys.readouterr().out
    cells = sorted((folder / "out" / "cells").rglob("*.npz"))
    assert len(cells) == 3
    times = [path.stat().st_mtime_ns for path in cells]
    assert not list((folder / "out").glob("*.png"))
    assert main(argv) == 0
    assert capsys.readouterr().out == first
    assert [path.stat().st_mtime_ns for path in cells] == times
    assert sorted((folder / "out" / "cells").rglob("*.npz")) == cells
    assert (folder / "out" / "points.csv-points.png").exists()
    whole = json.loads((folder / "out" / "table.json").read_text(encoding="utf-8"))
    assert {row["method"] for row in whole["rows"]} == set(MAPS.split(","))


def test_arrays_of_points(folder, capsys):
    points = np.random.default_rng(0).standard_normal((30, 3))
    np.save("p.npy", points)
    np.savez("p.npz", points=points)
    for name in ("p.npy", "p.npz"):
        argv = ["compare", "--data", name, "--methods", "TrainingData", "--samples", "10"]
        assert main([*argv, "--no-figures"]) == 0
        assert "30 points in 3 dimensions" in capsys.readouterr().out


def test_columns_of_own_data(folder, capsys):
    rows = "".join(f"place {k};{k * k % 17},5;{k * k % 13},5;{k}\n" for k in range(30))
    with gzip.open("cities.csv.gz", "wt") as file:
        file.write("name;lon;lat;people\n" + rows)
    argv = ["--data", "cities.csv.gz", "--decimal", ",", "--methods", "TrainingData"]
    for options in (["--columns", "lon,lat"], ["--drop", "name,people"]):
        assert main(["compare", *argv, *options, "--samples", "10", "--no-figures"]) == 0
        assert "30 points in 2 dimensions" in capsys.readouterr().out
    line = complaint(capsys, argv)
    assert "column name holds text" in line and "--columns lon,lat,people" in line
    np.save("images.npy", np.zeros((5, 8, 8)))
    line = complaint(capsys, ["--data", "images.npy", "--columns", "1", "--methods", MAPS])
    assert "--columns applies only to points, but --data holds images" in line
    assert "--drop applies only to --data" in complaint(capsys, ["E1", "--drop", "name"])


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
def test_arrays_of_two_axes_are_points(folder, capsys):
    table = np.random.default_rng(0).standard_normal((40, 4))
    argv = ["--methods", "TrainingData", "--no-figures", "-o", "out"]
    np.savez("x.npz", X=table, y=np.zeros(40))
    np.savez("sole.npz", foo=table)
    np.savez("sites.npz", sites=table, other=table[:3])
    np.savez("named.npz", one=table, two=table[:, :3])
    for file, more in (
        ("x.npz", []),
        ("sole.npz", []),
        ("sites.npz", ["--array", "sites"]),
        ("named.npz", ["--array", "one"]),
    ):
        assert main(["compare", "--data", file, *more, *argv]) == 0
        assert f"{file}: 40 points in 4 dimensions" in capsys.readouterr().out


def test_images(folder, capsys):
    np.save("images.npy", np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8))
    np.save("labels.npy", np.arange(40) % 2)
    argv = ["compare", "--data", "images.npy", "--labels", "labels.npy", "--methods", MAPS]
    argv += ["--epochs", "1", "--latent-dim", "2", "--samples", "20", "-o", "out"]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Frechet" in out
    assert "accuracy of the classifier" in out
    assert (folder / "out" / "images.npy-images.png").exists()


def test_methods_from_a_file(folder, capsys):
    (folder / "own.py").write_text(
        "from geomot import compare\n"
        "@compare.register('Own')\n"
        "def own(task):\n"
        "    if task.seed:\n"
        "        raise RuntimeError('not today')\n"
        "    return compare.Task and type('M', (), {'sample': lambda s, n, r: task.data[:n]})()\n",
        encoding="utf-8",
    )
    argv = ["--use", "own.py", "--data", "points.csv", "--methods", "Own", "--samples", "20"]
    assert main(["compare", *argv]) == 0
    assert "| Own |" in capsys.readouterr().out
    message = complaint(capsys, [*argv, "--seeds", "0,1"], 3)
    assert "1 cell(s) failed, the first points.csv, Own, seed 1: RuntimeError: not today" in message
    (folder / "bad.py").write_text("1 / 0\n", encoding="utf-8")
    assert "ZeroDivisionError" in complaint(capsys, ["--use", "bad.py", "--list"])
    assert "no such file" in complaint(capsys, ["--use", "none.py", "--list"])


def test_file_of_methods_is_a_program(folder, capsys):
    (folder / "lib").mkdir()
    (folder / "lib" / "helper_beside.py").write_text("SHIFT = 3.0\n")
    (folder / "lib" / "m.py").write_text("import helper_beside\n")
    argv = ["--data", "points.csv", "--methods", "TrainingData", "--no-figures", "-o", "out"]
    assert main(["compare", "--use", "lib/m.py", *argv]) == 0
    capsys.readouterr()
    for code in ("0", "'usage: x'"):
        (folder / "ends.py").write_text(f"import sys\nsys.exit({code})\n")
        assert "--use ends.py: calls sys.exit" in complaint(capsys, ["--use", "ends.py", *argv])


def test_tables_are_shown_even_if_they_cannot_be_saved(folder, capsys, monkeypatch):
    def refuse(self, folder, *, figures=True):
        raise PermissionError(13, "Permission denied", "table.md")

    monkeypatch.setattr("geomot.compare._report.Report.save", refuse)
    assert main(["compare", "--data", "points.csv", "--methods", "TrainingData", "-o", "out"]) == 2
    out, err = capsys.readouterr()
    assert "| TrainingData |" in out
    assert "Permission denied" in err


def test_interrupted(folder, capsys, monkeypatch):
    def stop(task):
        raise KeyboardInterrupt

    _methods.register("Stop")(stop)
    argv = ["compare", "--data", "points.csv", "--methods", "TrainingData,Stop", "--samples", "20"]
    assert main(argv) == 130
    assert capsys.readouterr().err == "geomot compare: interrupted\n"
    assert len(list(folder.rglob("TrainingData*.npz"))) == 1


def test_list(capsys):
    assert main(["compare", "--list"]) == 0
    out = capsys.readouterr().out
    for word in ("E1", "E5-moons-12", "E3-mnist", "PotentialRegression", "ExtendedMap"):
        assert word in out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "give either experiments"),
        (["E1", "--data", "points.csv"], "either experiments"),
        (["E9"], "name must be one of E1, E2"),
        (["E1", "--methods", "GAN"], "--methods applies only to --data"),
        (["--data", "points.csv", "--methods", "Unheard"], "methods must be among TrainingData"),
        (["--data", "points.csv", "--small"], "--small applies only to experiments"),
        (["--data", "none.csv"], "none.csv"),
        (["--data", "none.npy"], "none.npy"),
        (["--data", "points.csv", "--labels", "points.csv"], "--labels applies only to images"),
        (["E1", "--seeds", "a"], "--seeds must be whole numbers"),
        (["E1", "--seeds", "1,1"], "--seeds must be different"),
        (["E1", "--steps", "0"], "--steps must be at least 1, got 0"),
        (["E1", "--seconds", "-1"], "--seconds must be positive, got -1"),
        (["E1", "--seconds", "nan"], "--seconds must be positive, got nan"),
        (["E1", "--threads", "0"], "--threads must be at least 1, got 0"),
        (["E1", "-o", "points.csv"], "is not a folder"),
    ],
)
def test_refusals(capsys, folder, argv, words):
    assert words in complaint(capsys, argv)
    assert not (folder / "geomot-compare").exists()
