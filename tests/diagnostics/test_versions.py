"""What show_versions prints."""

from __future__ import annotations

import platform
import re
import tomllib
from importlib import metadata
from pathlib import Path

import geomot
from geomot.diagnostics import versions

ROOT = Path(__file__).resolve().parents[2]


def test_names_what_is_installed_and_what_is_not(capsys, monkeypatch):
    def version(name):
        if name in ("torch", "scipy"):
            raise metadata.PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(versions.metadata, "version", version)
    geomot.show_versions()
    first, *lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    assert first == f"geomot {geomot.__version__}"
    assert rows["Python"].startswith(platform.python_version())
    assert rows["kernels"].split(",")[0] in ("avx512", "avx2", "plain")
    assert rows["matplotlib"] == "1.2.3"
    assert rows["scipy"] == "missing"
    assert rows["torch"] == 'not installed (pip install "geomot[torch]")'


def test_packages_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    def names(requirements):
        return {re.match(r"[\w-]+", line)[0] for line in requirements}

    assert set(versions._REQUIRED) == names(project["dependencies"])
    assert set(versions._EXTRAS.values()) == set(extras) - {"dev", "docs"}
    for name, extra in versions._EXTRAS.items():
        assert name in names(extras[extra])
