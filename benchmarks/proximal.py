"""Proximal flows other than as the comparison trains them, on its problems and by its metrics.

`released` charges for the kinetic energy as the authors' released code does (Gu et al. 2024,
arXiv:2407.11901), and measures what that leaves uncharged: `geomot.baselines.ProximalFlow` charges
for the velocities that move the particles, and differentiates them in everything; that code
evaluates the field of a step where the particles are after it, and takes positions for constants.

`critic` leaves the energy out (W1 only), and lets the critic learn five times faster than the
potential, at rates that fall to zero, in place of five times slower: whether the game then settles.
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

FASTER_CRITIC = {
    "w2": False,
    "critic_learning_rate": 5e-4,
    "schedule": "cosine",
    # The plain one overflows in the first hundred steps of some runs.
    "exponential": "stable",
}


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("released", "critic"))
    parser.add_argument("--data", choices=("moons", "pinwheel"), default="moons")
    parser.add_argument("--dim", type=int, choices=(2, 7, 12), default=2)
    parser.add_argument("--steps", type=int, default=25_000, help="steps of the training")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    seed, released = arguments.seed, arguments.what == "released"

    name = f"E5-{arguments.data}" + ("" if arguments.dim == 2 else f"-{arguments.dim}")
    (study,) = compare.studies(name)
    problem = study.make(seed)
    model = (ReleasedFlow if released else ProximalFlow).from_preset(
        name,
        source=problem.source,
        max_steps=arguments.steps,
        random_state=seed,
        **({} if released else FASTER_CRITIC),
    )
    model.fit(problem.train)
    samples = model.sample(study.samples, np.random.default_rng([seed, 1]))
    print(f"{name}, seed {seed}, {model.n_steps_} steps: {model.status_}")
    if released:
        charged = model.charged(model.source_points(study.samples, seed))
        print(f"{'charged':16} {charged:8.3g}")
    for measure in study.measures:
        for key, value in MEASURES[measure](problem, model, samples, seed).items():
            print(f"{compare.METRICS[key].title:16} {value:8.3g}")
    energies = model.history_["kinetic_energy"][-len(model.history_) // 5 :]
    low, high = np.quantile(energies, (0.05, 0.95))
    print(f"kinetic energy in the last fifth of the training: {low:.3g} to {high:.3g} (5 to 95 %)")


if __name__ == "__main__":
    main()
