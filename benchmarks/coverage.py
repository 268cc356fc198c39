"""How often what Monte Carlo claims is false, on problems of the plane, where the truth is known.

Each run solves by sampling, or tests given weights, and compares with exact diagrams: the total
variation of the masses under the weights returned, chi^2, the masses of the cells, W2^2. Errors are
those that fits leave (nearly Gaussian), or made: all of one size, those of a few sites, none.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict

import numpy as np

import geomot

TOL = 0.1


def targets(rng, n, law):
    masses = np.ones(n) if law == "equal" else rng.random(n) ** -1.0 if law == "power" else None
    if masses is None:
        masses = 10.0 ** (-4.0 * rng.random(n))
    return masses / masses.sum()


def wrong(rng, masses, kind, size):
    """Masses at about a total variation of `size` from the targets."""
    n = len(masses)
    if kind == "one size":
        error = rng.permutation(np.where(np.arange(n) < n // 2, 1.0, -1.0)) * masses
    elif kind == "few":
        error = np.zeros(n)
        some = rng.choice(n, 1 + n // 40, replace=False)
        error[some] = rng.uniform(5.0, 30.0, len(some)) * masses[some]
    else:
        error = rng.standard_normal(n) * np.sqrt(masses)
    error -= masses * error.sum()
    error *= 2.0 * size / np.abs(error).sum()
    changed = np.maximum(masses + error, 0.02 * masses)
    return changed / changed.sum()


def one_run(seed, law, kind, n):
    """What one solve claims, and the truth."""
    rng = np.random.default_rng([seed, n, len(law), len(kind)])
    sites = rng.random((n, 2))
    masses = targets(rng, n, law)
    options = {"method": "montecarlo", "tol": TOL, "random_state": int(rng.integers(2**31))}
    if kind != "fit":
        near = wrong(rng, masses, kind, TOL * rng.uniform(0.6, 1.3))
        start = geomot.solve(sites, near, tol=1e-6)
        options.update(initial_weights=start.weights, max_iter=0)
    solution = geomot.solve(sites, masses, **options)
    true = geomot.PowerDiagram(sites, solution.weights).masses
    cost = geomot.solve(sites, masses).cost
    estimate = solution.estimate
    variation = 0.5 * float(np.abs(true - masses).sum())
    low, high = estimate.tv_interval
    intervals = estimate.mass_intervals(solution.masses)
    chi2 = float(np.sum((true - masses) ** 2 / masses))
    return {
        "converged": solution.converged,
        "false": solution.converged and variation > TOL,
        "tv low": variation >= low,
        "tv high": variation <= high,
        "chi2": abs(chi2 - estimate.chi2) <= 2.0 * estimate.chi2_standard_error,
        "masses": float(np.mean((intervals[:, 0] <= true) & (true <= intervals[:, 1]))),
        "W2 low": solution.bracket[0] <= cost,
        "W2 high": solution.bracket[1] >= cost,
        "width": (solution.bracket[1] - solution.bracket[0]) / cost,
        "high / true": high / variation,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100, help="of each kind")
    parser.add_argument("--sites", type=int, nargs="+", default=[60, 400])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", geomot.ConvergenceWarning)
    print("| masses | errors | N | converged | false | tv low | tv high | chi2 | masses "
          "| W2 low | W2 high | width | high / true |")  # fmt: skip
    print("|" + "---|" * 13)
    for n in arguments.sites:
        for law in ("equal", "power", "decades"):
            for kind in ("fit", "gaussian", "one size", "few"):
                columns = defaultdict(list)
                for seed in range(arguments.seed, arguments.seed + arguments.runs):
                    for key, value in one_run(seed, law, kind, n).items():
                        columns[key].append(float(value))
                rows = [f"{np.mean(values):.3f}" for values in columns.values()]
                print(f"| {law} | {kind} | {n} | " + " | ".join(rows) + " |", flush=True)


if __name__ == "__main__":
    main()
