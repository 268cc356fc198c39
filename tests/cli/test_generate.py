"""The command generate: what it writes, what it says, what it refuses."""

from __future__ import annotations

import functools
import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

import geomot
from geomot import images
from geomot.cli import main
from geomot.cli.generate import GRIDS as NAMES
from geomot.cli.generate import WRITTEN
from geomot.datasets import digits
from geomot.generator import LatentGenerator
from geomot.images import load_images
from geomot.latent import PCACodec

IMAGES, LABELS = digits()
BYTES = np.rint(255 * IMAGES.reshape(-1, 8, 8)).astype(np.uint8)[:60]
LABELS = LABELS[:60]

GRIDS = {
    "real.png",
    "samples.png",
    "samples_discrete.png",
    "reconstructions.png",
    "nearest.png",
    "interpolation.png",
}
FILES = GRIDS | {"interpolation.gif", "samples.npz", "summary.json", "summary.txt", "model"}

QUICK = ["--no-torch", "--tv-tol", "0.3", "--samples", "30", "--threads", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", BYTES)
    np.save("labels.npy", LABELS)
    # grids of few pixels are drawn faster
    monkeypatch.setattr(images, "_GRID_PIXELS", 50)
    return tmp_path


def complaint(capsys, argv, code=2):
    """Run, check the exit code, and return the one line on stderr."""
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert err.startswith("geomot generate: error: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    if code == 2:
        assert out == ""
    return err


# ---------------------------------------------------------------------------------------------
# What is written
# ---------------------------------------------------------------------------------------------


def test_files_and_summary(folder, capsys):
    assert main(["generate", "images.npy", "-o", "new/out", "--latent-dim", "4", *QUICK]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    written = folder / "new" / "out"
    assert {p.name for p in written.iterdir()} == FILES
    for name in GRIDS:
        assert (written / name).stat().st_size > 1000
    assert out == (written / "summary.txt").read_text(encoding="utf-8")

    facts = json.loads((written / "summary.json").read_text(encoding="utf-8"))
    generator = LatentGenerator.load(written / "model")
    solution = generator.transport_.solution_
    assert facts["images"] == 60
    assert facts["shape"] == [8, 8]
    assert facts["latent dimension"] == 4
    assert facts["method"] == "montecarlo"
    assert facts["tolerance"] == 0.3
    assert facts["total variation interval"] == list(solution.estimate.tv_interval)
    codec = PCACodec(4).fit(BYTES)
    assert facts["reconstruction error"] == pytest.approx(codec.reconstruction_error(BYTES))
    assert facts["variance of the data"] == pytest.approx((BYTES / 255).var(axis=0).mean())
    expected = generator.extended_.rejection_rate(10_000, 0)
    assert facts["singular share of the source"] == pytest.approx(expected[0], abs=0.03)
    assert facts["share of mixed labels"] is None
    assert facts["peak memory in bytes"] is None or facts["peak memory in bytes"] > 2**24
    assert all(seconds >= 0.0 for seconds in facts["seconds"].values())
    assert {"reading", "autoencoder", "codes and map", "samples"} <= set(facts["seconds"])
    assert facts["shares of the labels"] is None
    for words in ("60 images of 8 x 8 pixels", "total variation", "singular", "Peak memory"):
        assert words in out

    with np.load(written / "samples.npz") as samples:
        assert samples["images"].shape == (30, 8, 8)
        assert samples["images"].dtype == np.uint8
        decoded = generator.autoencoder_.decode(samples["codes"])
        np.testing.assert_allclose(
            samples["images"] / 255.0, np.clip(decoded, 0, 1), atol=0.51 / 255
        )
        distance, index = generator.nearest_training(decoded)
        np.testing.assert_array_equal(samples["nearest"], index)
        np.testing.assert_allclose(samples["distances"], distance)
        apart = np.linalg.norm(samples["codes"][:, None] - generator.codes_, axis=2).min(axis=1)
        np.testing.assert_allclose(samples["code_distances"], apart)
        said = facts["distances to the nearest training code"]
        np.testing.assert_allclose(said["generated"], np.quantile(apart, [0.05, 0.5, 0.95]))
    gaps = np.linalg.norm(generator.codes_[:, None] - generator.codes_, axis=2)
    np.fill_diagonal(gaps, np.inf)
    np.testing.assert_allclose(
        said["training codes, to others"], np.quantile(gaps.min(axis=1), [0.05, 0.5, 0.95])
    )
    rate = generator.copy_rate(10_000)[0]
    assert facts["share of copies"] == pytest.approx(rate, abs=0.03)
    assert facts["images compared"] == 30
    scores = facts["quality"]
    assert set(scores) == {"generated", "decoded training codes", "other training images"}
    for row in scores.values():
        assert set(row) == {"Frechet distance", "precision", "recall"}
    assert "of the samples are copies" in out
    # more of them, from the model
    argv = ["sample", "new/out/model", "-n", "4", "--seed", "3", "-o"]
    assert main([*argv, "more.npy"]) == 0
    np.testing.assert_allclose(np.load("more.npy"), generator.sample(4, 3), atol=1e-6)
    for bad in (["more.csv"], ["more.npy", "--pairs"]):
        assert main([*argv, *bad]) == 2
        assert "new/out/model is a model" in capsys.readouterr().err
    # what was generated can be read as images again
    assert load_images(written / "samples.npz")[0].shape == (30, 8, 8)


def test_runs_are_reproduced_and_replaced(folder, capsys):
    argv = ["generate", "images.npy", *QUICK, "--seed", "5", "--latent-dim", "3", "-o"]
    assert main([*argv, "a"]) == 0
    assert main([*argv, "b"]) == 0
    for name in [*GRIDS, "model/map.npz", "model/generator.npz", "model/autoencoder.npz"]:
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes(), name
    argv[argv.index("5")], argv[argv.index("3")] = "6", "2"
    assert main([*argv, "a"]) == 0
    assert {p.name for p in Path("a").iterdir()} == FILES
    assert Path("a", "samples.png").read_bytes() != Path("b", "samples.png").read_bytes()
    assert LatentGenerator.load("a/model").transport_.solution_.method == "newton"
    facts = json.loads(Path("a/summary.json").read_text(encoding="utf-8"))
    assert facts["total variation"] is None
    assert facts["mass error"] < 1e-6


def test_labels_and_classes(folder, capsys):
    argv = ["generate", "images.npy", "--labels", "labels.npy", "-o", "out", *QUICK]
    assert main([*argv, "--latent-dim", "2", "--class-weight", "3=1, 8=3"]) == 0
    assert {p.name for p in Path("out").iterdir()} == FILES | {"conditional.png"}
    grids = {f"{name}.png" for name in NAMES}
    assert {*WRITTEN, *grids, "model"} == FILES | {"conditional.png"}
    facts = json.loads(Path("out/summary.json").read_text(encoding="utf-8"))
    wanted = {label: share[0] for label, share in facts["shares of the labels"].items()}
    assert wanted.pop("3") == pytest.approx(0.25)
    assert wanted.pop("8") == pytest.approx(0.75)
    assert set(wanted.values()) == {0.0}
    assert set(facts["conditional maps"]) == {"3", "8"}
    assert 0.0 <= facts["share of mixed labels"] < 1.0
    # sites keep their masses: the shares differ by chance
    found = {label: share[1] for label, share in facts["shares of the labels"].items()}
    assert found["3"] == pytest.approx(0.25, abs=0.3)
    assert found["3"] + found["8"] > 0.7
    assert max(facts["conditional maps"].values()) < 1e-6
    generator = LatentGenerator.load("out/model")
    assert set(LABELS[generator.support_]) == {3, 8}
    assert "Conditional" in capsys.readouterr().out

    Path("thirds.txt").write_text("".join(f"{k % 3 % 2}\n" for k in range(60)))
    argv[argv.index("labels.npy")] = "thirds.txt"
    assert main([*argv, "--latent-dim", "2", "--class-weight", "balanced"]) == 0
    facts = json.loads(Path("out/summary.json").read_text(encoding="utf-8"))
    wanted = [share[0] for share in facts["shares of the labels"].values()]
    np.testing.assert_allclose(wanted, 0.5)


def test_words_as_labels_in_colour(folder, capsys):
    words = np.array(["coat", "shoe"])[LABELS % 2]
    colour = np.stack([BYTES, BYTES // 2, 255 - BYTES], axis=1)
    np.savez("all.npz", images=np.moveaxis(colour, 1, -1), labels=words)
    argv = ["generate", "all.npz", "-o", "out", "--latent-dim", "2", *QUICK]
    assert main([*argv, "--class-weight", "coat=1", "--first", "40"]) == 0
    facts = json.loads(Path("out/summary.json").read_text(encoding="utf-8"))
    assert (facts["images"], facts["shape"]) == (40, [3, 8, 8])
    assert facts["shares of the labels"]["coat"][0] == pytest.approx(1.0)


def test_floats_keep_their_scale(folder, capsys):
    np.save("floats.npy", (40.0 * IMAGES.reshape(-1, 8, 8) - 7.0)[:40].astype(np.float32))
    assert main(["generate", "floats.npy", "-o", "out", "--latent-dim", "2", *QUICK]) == 0
    with np.load("out/samples.npz") as samples:
        assert samples["images"].dtype == np.float32
        assert samples["images"].max() > 5.0


def test_options_of_the_extended_map(folder, capsys):
    argv = ["generate", "images.npy", "-o", "out", "--latent-dim", "3", *QUICK]
    assert main([*argv, "--smoothing", "3", "--threshold", "inf", "--whiten"]) == 0
    facts = json.loads(Path("out/summary.json").read_text(encoding="utf-8"))
    assert (facts["smoothing"], facts["threshold"], facts["whitened"]) == (3.0, None, True)
    assert facts["singular share of the source"] == 0.0
    assert facts["share of copies"] < 0.1


def test_images_that_occur_twice(folder, capsys):
    np.savez("twice.npz", images=np.concatenate([BYTES, BYTES]), labels=np.r_[LABELS, LABELS])
    argv = ["generate", "twice.npz", "-o", "out", "--latent-dim", "3", *QUICK]
    assert main([*argv, "--class-weight", "balanced"]) == 0
    facts = json.loads(Path("out/summary.json").read_text(encoding="utf-8"))
    assert facts["share of copies"] < 0.5
    assert facts["distances to the nearest training code"]["training codes, to others"][0] > 0.0


def test_vector_formats(folder, capsys):
    argv = ["generate", "images.npy", "-o", "out", "--latent-dim", "2", *QUICK]
    assert main([*argv, "--format", "svg"]) == 0
    names = {p.name for p in Path("out").iterdir()}
    assert names == {name.replace(".png", ".svg") for name in FILES}
    assert b"<svg" in Path("out/samples.svg").read_bytes()


def test_few_images(folder, capsys):
    for n, dim in ((2, "1"), (3, "2")):
        np.save("few.npy", BYTES[:n])
        argv = ["generate", "few.npy", "-o", "out", "--latent-dim", dim, *QUICK]
        assert main([*argv, "--samples", "1"]) == 0


def test_not_converged(folder, capsys, monkeypatch):
    from geomot.generator import generator

    monkeypatch.setattr(generator, "BrenierMap", functools.partial(geomot.BrenierMap, max_iter=1))
    argv = ["generate", "images.npy", "-o", "out", "--latent-dim", "4", *QUICK, "--no-whiten"]
    argv[argv.index("0.3")] = "0.001"
    line = complaint(capsys, argv, 3)
    assert "not converged (max_iter): total variation" in line
    assert "tolerance 0.001; all files were written" in line
    assert {p.name for p in Path("out").iterdir()} == FILES


def test_with_the_autoencoder(folder, capsys, monkeypatch):
    pytest.importorskip("torch")
    from geomot.latent import Autoencoder

    argv = ["generate", "images.npy", "-o", "out", *QUICK[1:], "--latent-dim", "2"]
    assert main([*argv, "--epochs", "2", "--architecture", "dense"]) == 0
    facts = json.loads(Path("out/summary.json").read_text(encoding="utf-8"))
    assert (facts["autoencoder"], facts["epochs"]) == ("Autoencoder", 2)
    codec = Autoencoder.load("out/model/autoencoder.npz")
    assert facts["held-out reconstruction error"] == codec.history_[codec.best_epoch_, 1]

    # the trained one, in a second run
    monkeypatch.setattr(Autoencoder, "fit", None)
    argv = ["generate", "images.npy", "-o", "again", *QUICK[1:], "--autoencoder"]
    assert main([*argv, "out/model/autoencoder.npz"]) == 0
    assert Path("again/model/map.npz").read_bytes() == Path("out/model/map.npz").read_bytes()


def test_progress_bars_on_a_terminal(folder, capsys, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    argv = ["generate", "images.npy", "-o", "out", *QUICK[1:], "--latent-dim", "4"]
    assert main([*argv, "--epochs", "2", "--architecture", "dense"]) == 0
    err = capsys.readouterr().err
    assert "autoencoder" in err
    assert "Monte Carlo to 0.3" in err


# ---------------------------------------------------------------------------------------------
# Bad input
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["missing.npy"], "missing.npy: No such file"),
        (["images.npy", "--labels", "missing.npy"], "missing.npy: No such file"),
        (["images.npy", "--labels", "few.npy"], "60 images, but there are 2 labels"),
        (["images.npy", "--array", "a"], "--array applies only to npz files"),
        (["images.npy", "--size", "8"], "size applies only to folders"),
        (["images.npy", "--first", "0"], "--first must be at least 1, got 0"),
        (["images.npy", "--first", "1"], "images.npy: must hold at least 2 images, got 1"),
        (["images.npy", "--latent-dim", "0"], "--latent-dim must be at least 1"),
        (["images.npy", "--latent-dim", "500"], "--latent-dim must be at most 60"),
        (["images.npy", "--samples", "0"], "--samples must be at least 1"),
        (["images.npy", "--threads", "0"], "--threads must be at least 1"),
        (["images.npy", "--tv-tol", "0"], "--tv-tol must lie between 0 and 1"),
        (["images.npy", "--tv-tol", "nan"], "--tv-tol must lie between 0 and 1"),
        (["images.npy", "--smoothing", "0"], "--smoothing must be positive and finite, got 0"),
        (["images.npy", "--threshold", "nan"], "--threshold must be positive, got nan"),
        (["images.npy", "--seed", "-1"], "--seed must not be negative"),
        (["images.npy", "--epochs", "3"], "--epochs does not go with --no-torch"),
        (["images.npy", "--class-weight", "balanced"], "--class-weight needs labels"),
        (["images.npy", "--labels", "labels.npy", "--class-weight", "3"], "got '3'"),
        (["images.npy", "--labels", "labels.npy", "--class-weight", "x=3"], "got 'x=3'"),
        (["images.npy", "--labels", "labels.npy", "--class-weight", "3=x"], "numbers, got 'x'"),
        (["images.npy", "--labels", "labels.npy", "--class-weight", "3=-1"], "not be negative"),
        (["images.npy", "--labels", "labels.npy", "--class-weight", "3=0"], "or all zero"),
        (["nan.npy"], "nan.npy: images must be finite, got nan in image 1 at pixel (2, 3)"),
        (["pickle.npy"], "pickle.npy: it is neither an npy"),
        (["empty"], "empty: the folder holds no images"),
        (["mixed"], "mixed: images must have one size: 0.png has 8 x 8 pixels and 1.png 5 x 8"),
        (["broken"], "broken: 0.png is not a picture, or is damaged"),
        (["short.idx"], "short.idx: it is cut short"),
        (["flat.npy"], "flat.npy: images must have shape"),
        (["equal.npy"], "codes of X must contain at least two different points"),
        (["images.npy", "-o", "images.npy"], "images.npy: is not a folder"),
        (["images.npy", "-o", "images.npy/out"], "images.npy/out: Not a directory"),
    ],
)  # fmt: skip
def test_bad_input(folder, capsys, argv, message):
    pictures = pytest.importorskip("PIL.Image")
    np.save("few.npy", [1, 2])
    nan = BYTES / 255.0
    nan[1, 2, 3] = np.nan
    np.save("nan.npy", nan)
    Path("pickle.npy").write_bytes(pickle.dumps(BYTES))
    for name in ("empty", "mixed", "broken"):
        Path(name).mkdir()
    pictures.fromarray(BYTES[0]).save("mixed/0.png")
    pictures.fromarray(BYTES[0, :, :5]).save("mixed/1.png")
    Path("broken/0.png").write_bytes(b"hello")
    Path("short.idx").write_bytes(
        bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 8]) + bytes(120)
    )
    np.save("flat.npy", np.zeros((5, 7)))
    np.save("equal.npy", np.zeros((5, 8, 8)))
    before = sorted(os.listdir())
    line = complaint(capsys, ["generate", *argv[:1], "-o", "out", *QUICK, *argv[1:]])
    assert message in line
    if "equal.npy" not in argv and "500" not in argv:
        assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[: len(content) // 2], "bad.npz: "),
        (lambda content: content[:2000] + b"xxxx" + content[2004:], "bad.npz: "),
        (lambda content: b"", "bad.npz: "),
        (lambda content: pickle.dumps({"weights": 3}), "bad.npz: it is not an npz archive"),
    ],
)
def test_corrupted_checkpoint(folder, capsys, change, message):
    PCACodec(3).fit(BYTES).save("good.npz")
    Path("bad.npz").write_bytes(change(Path("good.npz").read_bytes()))
    argv = ["generate", "images.npy", "-o", "out", *QUICK[1:], "--autoencoder"]
    assert message in complaint(capsys, [*argv, "bad.npz"])
    assert not Path("out").exists()
    assert main([*argv, "good.npz"]) == 0


def test_checkpoints_that_do_not_fit(folder, capsys):
    PCACodec(3).fit(BYTES[:, :5]).save("other.npz")
    geomot.solve(IMAGES[:9, 20:22]).save("map.npz")
    argv = ["generate", "images.npy", "-o", "out", *QUICK[1:], "--autoencoder"]
    line = complaint(capsys, [*argv, "other.npz"])
    assert "other.npz: was trained for shape (5, 8), and images.npy has images of shape" in line
    assert "map.npz" in complaint(capsys, [*argv, "map.npz"])
    assert "missing.npz: No such file" in complaint(capsys, [*argv, "missing.npz"])
    for option in (["--no-torch"], ["--latent-dim", "3"], ["--epochs", "3"]):
        assert "does not go with" in complaint(capsys, [*argv, "other.npz", *option])


def test_without_torch(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    line = complaint(capsys, ["generate", "images.npy", "-o", "out", *QUICK[1:]])
    assert 'pip install "geomot[torch]"' in line
    assert "--no-torch" in line


def test_help(capsys):
    assert main(["generate", "--help"]) == 0
    out = capsys.readouterr().out
    for words in ("idx", "--latent-dim", "--class-weight", "exit codes"):
        assert words in out
