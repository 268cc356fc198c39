"""Write the files that `tests/files/test_old_files.py` loads, and the numbers that they hold.

python tests/data/make.py FOLDER      (with the version of geomot whose files are wanted)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import geomot
from geomot.generator import LatentGenerator
from geomot.latent import PCACodec


def facts(solution, points):
    """What a solution says, in plain numbers: json keeps every bit of them."""
    return {
        "sites": solution.sites.tolist(),
        "weights_exact": solution.weights_exact.tolist(),
        "target_masses": solution.target_masses.tolist(),
        "masses": solution.masses.tolist(),
        "cost": solution.cost,
        "bracket": list(solution.bracket),
        "mass_error": solution.mass_error,
        "status": solution.status,
        "method": solution.method,
        "n_iter": solution.n_iter,
        "points": points.tolist(),
        "assigned": solution.assign(points).tolist(),
    }


def main(folder):
    rng = np.random.default_rng(0)
    values = {}

    def keep(name, solution, points):
        solution.save(folder / f"{name}.npz")
        values[name] = facts(solution, points)

    polygon = geomot.UniformPolygon.regular(5, (0.5, 0.5), 0.6)
    masses = np.arange(1, 13) / 78
    keep("plane", geomot.solve(rng.random((12, 2)), masses, polygon), rng.random((8, 2)))
    sites = np.vstack([rng.random((10, 2)), [(4.0, 0.5), (4.0, 0.5)]])
    masses = np.append(np.full(10, 0.1), [0.0, 0.0])
    keep("idle", geomot.solve(sites, masses), rng.random((8, 2)))
    line = geomot.solve(rng.standard_normal((12, 1)), None, geomot.Gaussian([0.0], 1.0))
    keep("line", line, rng.standard_normal((8, 1)))
    normal = geomot.Gaussian(np.zeros(3), 1.0)
    sampled = geomot.solve(rng.standard_normal((12, 3)), None, normal, tol=0.1, random_state=0)
    keep("montecarlo", sampled, rng.standard_normal((8, 3)))
    values["montecarlo"]["tv"] = sampled.estimate.tv
    values["montecarlo"]["cost_standard_error"] = sampled.estimate.cost_standard_error
    brenier = geomot.BrenierMap(random_state=0).fit(rng.random((12, 2)))
    points = rng.random((8, 2))
    keep("brenier", brenier.solution_, points)
    values["brenier"]["transformed"] = brenier.transform(points).tolist()

    images = rng.random((20, 4, 4))
    codec = PCACodec(2).fit(images)
    codec.save(folder / "pca.npz")
    codes = codec.encode(images[:3])
    values["pca"] = {
        "images": images[:3].tolist(),
        "codes": codes.tolist(),
        "decoded": codec.decode(codes).tolist(),
    }
    generator = LatentGenerator(PCACodec(2), random_state=0).fit(images)
    generator.save(folder / "generator")
    points = rng.random((8, 2))
    values["generator"] = {
        "codes": generator.codes_.tolist(),
        "masses": generator.transport_.solution_.masses.tolist(),
        "points": points.tolist(),
        "transformed": generator.transport_.transform(points).tolist(),
        "sample": generator.sample(3, 1).tolist(),
    }
    (folder / "values.json").write_text(json.dumps(values, indent=None, separators=(",", ":")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
