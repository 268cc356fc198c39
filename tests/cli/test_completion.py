"""Scripts for completion, run by the shells that are installed."""

from __future__ import annotations

import builtins
import shutil
import subprocess

import pytest
from commands import refusal

from geomot.cli import main

# Completes the words after the first one, as the shell does.
BASH = """
source ./script
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_geomot; printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(folder, capsys):
    pytest.importorskip("shtab")

    def write(shell):
        assert main(["completion", shell]) == 0
        (folder / "script").write_text(capsys.readouterr().out)

    return write


def run(shell, *arguments):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def test_bash_completes_commands_options_choices_and_files(script, folder):
    script("bash")
    (folder / "a-map.npz").touch()

    def completed(*words):
        return run("bash", "-c", BASH, "bash", "geomot", *words)

    assert set(completed("s")) == {"sample", "stipple", "self-test"}
    assert completed("fit", "--chec") == ["--checkpoint"]
    assert "newton" in completed("fit", "--method", "")
    assert completed("info", "a-m") == ["a-map.npz"]
    assert completed("fit", "points.csv", "-o", "a-m") == ["a-map.npz"]


def test_fish_completes_commands(script, folder):
    script("fish")
    lines = run("fish", "-c", 'source ./script; complete -C "geomot se"')
    assert [line.split("\t")[0] for line in lines] == ["self-test"]


def test_zsh_accepts_the_script(script):
    script("zsh")
    assert run("zsh", "-n", "script") == []


def test_without_shtab(capsys, monkeypatch):
    def without(name, *args, **kwargs):
        if name == "shtab":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    line = refusal(capsys, "completion", "bash")
    assert line == "geomot completion: error: geomot completion needs shtab: pip install shtab"
