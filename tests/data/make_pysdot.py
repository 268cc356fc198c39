"""Run the scripts with pysdot and store what they return, in pysdot.json.

    python tests/data/make_pysdot.py        (with pysdot 0.2.16, see requirements-peers.txt)

Each script has an interpreter of its own: replications of pysdot's diagrams are shared by all that
are made without an argument for them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pysdot_scripts import SCRIPTS  # noqa: E402

STORED = Path(__file__).with_name("pysdot.json")


class Numpy:
    """numpy, with the uint64(-1) of numpy 1, on which the defaults of pysdot rely."""

    def __getattr__(self, name):
        return getattr(np, name)

    @staticmethod
    def uint64(number):
        return np.uint64(int(number) % 2**64)


def as_lists(value):
    if isinstance(value, dict):
        return {key: as_lists(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_lists(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def run(name):
    import pysdot
    import pysdot.radial_funcs

    sys.modules["pysdot.domain_types.ConvexPolyhedraAssembly"].np = Numpy()
    return as_lists(SCRIPTS[name](pysdot))


def main():
    if len(sys.argv) == 2:
        print("\n" + json.dumps(run(sys.argv[1])))
        return
    found = {"version": metadata.version("pysdot")}
    for name in SCRIPTS:
        command = [sys.executable, __file__, name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    STORED.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
