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

from geomot import compare
from geomot.baselines import ProximalFlow
from geomot.baselines._networks import Field, gradient
from geomot.compare._measures import MEASURES


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
            t = x.new_full((len(x),), k * step)
            slope, _ = gradient(Field(potential), x, t, create_graph=True)
            energy = energy + 0.5 * step * (slope / self.weight).square().sum(1).mean()
        return energy

    def charged(self, points):
        """The energy that is charged for points of the source, after the training."""
        potential = self.networks_["potential"]
        x = torch.as_tensor(points, dtype=torch.float32)
        path = self._flow(potential, x, self.step).path
        return float(self.released_energy(potential, path).detach())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=("moons", "pinwheel"), default="moons")
    parser.add_argument("--dim", type=int, choices=(2, 7, 12), default=2)
    parser.add_argument("--steps", type=int, default=25_000, help="steps of the training")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    seed = arguments.seed

    # As the comparison has it: its data, settings, samples and metrics.
    name = f"E5-{arguments.data}" + ("" if arguments.dim == 2 else f"-{arguments.dim}")
    (study,) = compare.studies(name)
    problem = study.make(seed)
    model = ReleasedFlow.from_preset(
        name, source=problem.source, max_steps=arguments.steps, random_state=seed
    ).fit(problem.train)
    samples = model.sample(study.samples, np.random.default_rng([seed, 1]))
    print(f"{name}, {arguments.steps} steps: {model.status_}")
    print(f"{'charged':16} {model.charged(model.source_points(study.samples, seed)):8.3g}")
    for measure in study.measures:
        for key, value in MEASURES[measure](problem, model, samples, seed).items():
            print(f"{compare.METRICS[key].title:16} {value:8.3g}")


if __name__ == "__main__":
    main()
