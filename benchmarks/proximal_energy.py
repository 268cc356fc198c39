"""Train a proximal flow as its authors' released code does, and measure what that leaves uncharged.

`geomot.baselines.ProximalFlow` charges for the velocities that move the particles, and
differentiates them in everything. The released code (Gu et al. 2024, arXiv:2407.11901) evaluates
the velocity field of a step where the particles are after it, and takes positions for constants.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch

import geomot
from geomot import datasets, metrics
from geomot.baselines import ProximalFlow
from geomot.baselines._networks import Field, gradient

DATA = {"moons": datasets.embedded_moons, "pinwheel": datasets.pinwheel}


class ReleasedFlow(ProximalFlow):
    """A proximal flow with the kinetic energy of the released code."""

    def _flow(self, potential, x, step, *, train=False):
        record = super()._flow(potential, x, step, train=train)
        if not train:
            return record
        return replace(record, kinetic_energy=self.released_energy(potential, record.path))

    def released_energy(self, potential, path):
        """Sum of h E 1/2 |v(x_{k+1}, t_k)|^2."""
        energy, step = 0.0, self.horizon / (len(path) - 1)
        for k, x in enumerate(path[1:]):
            x = x.detach()
            slope, _ = gradient(
                Field(potential), x, x.new_full((len(x),), k * step), create_graph=True
            )
            energy = energy + 0.5 * step * (slope / self.weight).square().sum(1).mean()
        return energy


def rms(differences):
    return np.sqrt(np.mean(np.sum(differences**2, axis=1)))


def measures(model, held_out):
    """What a trained flow does with new points of the source."""
    points = model.source_points(len(held_out), 1)
    ends, halved = model.transform(points), model.transform(points, step=0.5 * model.step)
    potential = model.networks_["potential"]
    x = torch.as_tensor(points, dtype=torch.float32)
    path = ProximalFlow._flow(model, potential, x, model.step).path
    indicators = model.indicators(held_out, 2)
    return {
        "energy as charged": float(model.released_energy(potential, path).detach()),
        "energy of the flow": indicators["kinetic_energy"],
        "divergence": indicators["divergence"],
        "half step": rms(ends - halved) / rms(held_out - held_out.mean(axis=0)),
        "W2 to held-out data": np.sqrt(metrics.wasserstein2(ends, held_out)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=tuple(DATA), default="moons")
    parser.add_argument("--dim", type=int, choices=(2, 7, 12), default=2)
    parser.add_argument("--steps", type=int, default=25_000, help="steps of the training")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    dim, seed = arguments.dim, arguments.seed

    name = f"E5-{arguments.data}" + ("" if dim == 2 else f"-{dim}")
    train = DATA[arguments.data](10_000, dim, [seed, 50])
    held_out = DATA[arguments.data](2000, dim, [seed, 51])
    source = geomot.Gaussian(np.zeros(dim), 1.0)
    model = ReleasedFlow.from_preset(
        name, source=source, max_steps=arguments.steps, random_state=seed
    ).fit(train)
    print(f"{name}, {arguments.steps} steps: {model.status_}")
    for measure, value in measures(model, held_out).items():
        print(f"{measure:20} {value:8.3g}")


if __name__ == "__main__":
    main()
