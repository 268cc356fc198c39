"""Throughput of argmax_i <x, y_i> + h_i in other packages, beside that of a matrix product.

Needs the environment of `peers_montecarlo.py` with faiss-cpu and threadpoolctl. One JSON line per
case; the unit is 1e9 samples x sites x d per wall-clock second, the median of the repeats.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import faiss
import numpy as np
import torch
from threadpoolctl import threadpool_limits

REPEATS = 5
BLOCK = 2000  # points at once
CACHED = 64  # points at once such that the scores stay in the cache


def numpy_product(x, y, h, block):
    lifted = np.hstack([x, np.ones((len(x), 1), dtype=np.float32)])
    table = np.ascontiguousarray(np.hstack([y, h[:, None]]).T)
    scores = np.empty((block, len(y)), dtype=np.float32)

    def work():
        winners = np.empty(len(x), dtype=np.intp)
        for start in range(0, len(x), block):
            part = lifted[start : start + block]
            held = np.matmul(part, table, out=scores[: len(part)])
            held.argmax(axis=1, out=winners[start : start + block])
        return winners

    return work


def torch_product(x, y, h, block):
    points, table, heights = torch.from_numpy(x), torch.from_numpy(y).T, torch.from_numpy(h)

    def work():
        parts = points.split(block)
        return torch.cat([torch.addmm(heights, p, table).max(dim=1).indices for p in parts]).numpy()

    return work


def faiss_flat(x, y, h):
    index = faiss.IndexFlatIP(y.shape[1] + 1)
    index.add(np.hstack([y, h[:, None]]))
    lifted = np.hstack([x, np.ones((len(x), 1), dtype=np.float32)])
    return lambda: index.search(lifted, 1)[1][:, 0]


def report(engine, threads, work, pairs, **more):
    """Time some work; `busy` well below the number of threads tells of a machine in use."""
    work()
    walls, cpus = [], []
    for _ in range(REPEATS):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    row = {
        "engine": engine,
        "threads": threads,
        **more,
        "rate": round(pairs / statistics.median(walls) / 1e9, 2),
        "busy": round(statistics.median(cpus) / statistics.median(walls), 2),
    }
    print(json.dumps(row), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=float, default=1e4)
    parser.add_argument("--samples", type=float, default=8e3)
    parser.add_argument("--dims", nargs="+", type=int, default=[2, 3, 10, 32, 128, 512])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--product", type=int, default=4096, help="size of the matrix product")
    arguments = parser.parse_args()
    n, samples = int(arguments.sites), int(arguments.samples)
    r = np.random.default_rng(0)
    square = r.standard_normal((arguments.product, arguments.product), dtype=np.float32)
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        faiss.omp_set_num_threads(threads)
        with threadpool_limits(threads):
            size = arguments.product
            report("sgemm", threads, lambda: square @ square, size**3, d=size)
            for d in arguments.dims:
                x = r.standard_normal((samples, d), dtype=np.float32)
                y = r.standard_normal((n, d), dtype=np.float32)
                h = -(y**2).sum(axis=1) / 2
                engines = {
                    f"numpy, blocks of {BLOCK}": numpy_product(x, y, h, BLOCK),
                    f"numpy, blocks of {CACHED}": numpy_product(x, y, h, CACHED),
                    f"torch, blocks of {BLOCK}": torch_product(x, y, h, BLOCK),
                    f"torch, blocks of {CACHED}": torch_product(x, y, h, CACHED),
                    "faiss, flat inner product": faiss_flat(x, y, h),
                }
                truth = numpy_product(x, y, h, BLOCK)()
                for engine, work in engines.items():
                    agree = float((work() == truth).mean())
                    more = {"d": d, "N": n, "samples": samples, "agree": agree}
                    report(engine, threads, work, samples * n * d, **more)


if __name__ == "__main__":
    main()
