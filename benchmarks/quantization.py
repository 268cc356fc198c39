"""Compare L-BFGS with Lloyd's method: steps and processor seconds to the same gradient norm."""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import geomot

SOURCES = {"square": geomot.UniformBox.unit(2), "Gaussian": geomot.Gaussian([0.0, 0.0], 1.0)}


def measure(source, n, masses, method, tol, seeds):
    """Return medians of steps, evaluations, seconds and n times the cost."""
    rows = []
    for seed in range(seeds):
        start = time.process_time()
        found = geomot.quantize(
            source, n, masses=masses, method=method, tol=tol, max_iter=100_000, threads=1,
            random_state=seed,
        )  # fmt: skip
        seconds = time.process_time() - start
        rows.append((found.n_iter, found.n_evaluations, seconds, n * found.cost))
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--tols", type=float, nargs="+", default=[1e-2, 1e-3])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", geomot.ConvergenceWarning)
    print("| source | masses | n | tol | method | steps | evaluations | CPU s | n x cost |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, source in SOURCES.items():
        for masses in ("free", "equal"):
            for n in arguments.sizes:
                for tol in arguments.tols:
                    for method in ("lbfgs", "lloyd"):
                        steps, cells, seconds, cost = measure(
                            source, n, masses, method, tol, arguments.seeds
                        )
                        print(
                            f"| {name} | {masses} | {n} | {tol:g} | {method} | {steps:g} | "
                            f"{cells:g} | {seconds:.2f} | {cost:.5f} |",
                            flush=True,
                        )


if __name__ == "__main__":
    main()
