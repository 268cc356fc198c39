"""Measure what couplings of noise and data are worth to flow matching, and print tables.

`quality`: straightness, and quality against evaluations of the velocity, of flows that are trained
on independent pairs, on minibatch plans and on semi-discrete pairs. `steps`: what a training step
costs with each. `conditions`: what the weight of a continuous condition trades. `memory`: peak
memory of a fit. Seconds are of the processor, in one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.spatial.distance import cdist

import geomot
from geomot import metrics
from geomot.coupling import SemiDiscreteCoupling
from geomot.coupling.minibatch import assign_batch
from geomot.datasets import digits, gaussian_modes, ring
from geomot.latent import PCACodec

BATCH = 256
GENERATED = 2000
EULER = (1, 2, 4, 8, 16)
TOLERANCE = 1e-5  # of dopri5, relative and absolute


# ---- data ----


def eight_gaussians():
    """2000 points and 2000 others of eight Gaussians, in units of their standard deviation."""
    clouds = [gaussian_modes(2000, ring(8, 5.0), 0.4, random_state=seed)[0] for seed in (0, 1)]
    return [cloud / clouds[0].std() for cloud in clouds]


def digit_codes():
    """Ten principal components of 1500 digits and of 297 others, in the units of the first."""
    images, _ = digits()
    order = np.random.default_rng(0).permutation(len(images))
    codec = PCACodec(10).fit(images[order[:1500]])
    codes = codec.encode(images[order])
    codes = (codes - codes[:1500].mean(axis=0)) / codes[:1500].std()
    return [codes[:1500], codes[1500:]]


def w2(points, held_out):
    m = min(len(points), len(held_out), 1000)
    return float(np.sqrt(metrics.wasserstein2(points[:m], held_out[:m])))


DATA = {
    "8 Gaussians": (eight_gaussians, "W2", w2),
    "digits, codes": (digit_codes, "Frechet distance", metrics.frechet_distance),
}


# ---- couplings: each yields batches for ever ----


def independent(data, rng):
    while True:
        yield rng.standard_normal((BATCH, data.shape[1])), data[rng.integers(len(data), size=BATCH)]


def minibatch(size):
    def draw(data, rng):
        """Batches from plans between `size` points of noise and of data."""
        plans = max(BATCH // size, 1)
        while True:
            pairs = []
            for _ in range(plans):
                noise = rng.standard_normal((size, data.shape[1]))
                chosen = data[rng.integers(len(data), size=size)]
                pairs.append((noise, chosen[assign_batch(noise, chosen)]))
            noise, chosen = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
            for start in range(0, len(noise), BATCH):
                yield noise[start : start + BATCH], chosen[start : start + BATCH]

    return draw


def semidiscrete(**options):
    def draw(data, rng):
        coupling = SemiDiscreteCoupling(random_state=rng, threads=1, **options).fit(data)
        pairs = coupling.dataset(BATCH)
        step = 0
        while True:
            yield pairs[step]
            step += 1

    return draw


COUPLINGS = {
    "independent": independent,
    "minibatch 64": minibatch(64),
    "minibatch 256": minibatch(256),
    "minibatch 1024": minibatch(1024),
    "semi-discrete": semidiscrete(),
}


# ---- training and flows ----


class Velocity(torch.nn.Module):
    def __init__(self, dim, width):
        super().__init__()
        sizes = [dim + 1, width, width, width]
        layers = []
        for a, b in zip(sizes, sizes[1:], strict=False):
            layers += [torch.nn.Linear(a, b), torch.nn.SiLU()]
        self.layers = torch.nn.Sequential(*layers, torch.nn.Linear(width, dim))

    def forward(self, x, t):
        return self.layers(torch.cat([x, t], dim=1))


def train(batches, dim, seed, steps, width):
    """A trained velocity, the seconds that took, and those of the pairs of each step."""
    torch.manual_seed(seed)
    net = Velocity(dim, width)
    optimizer = torch.optim.Adam(net.parameters(), 2e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    seconds = []
    started = time.process_time()
    for _ in range(steps):
        before = time.process_time()
        noise, data = (torch.as_tensor(a, dtype=torch.float32) for a in next(batches))
        seconds.append(time.process_time() - before)
        t = torch.rand(len(noise), 1)
        found = net((1 - t) * noise + t * data, t)
        loss = (found - (data - noise)).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval(), time.process_time() - started, np.array(seconds)


def field(net, dim):
    def velocity(t, x):
        points = torch.as_tensor(x.reshape(-1, dim), dtype=torch.float32)
        with torch.no_grad():
            return net(points, torch.full((len(points), 1), float(t))).double().numpy()

    return velocity


def euler(velocity, x, steps):
    for k in range(steps):
        x = x + velocity(k / steps, x) / steps
    return x


def dopri5(velocity, x):
    """The end points, and the number of evaluations."""
    solved = solve_ivp(
        lambda t, flat: velocity(t, flat).ravel(),
        (0.0, 1.0),
        x.ravel(),
        method="RK45",
        rtol=TOLERANCE,
        atol=TOLERANCE,
    )
    return solved.y[:, -1].reshape(x.shape), solved.nfev


def bend(velocity, x, steps=64):
    """E of the integral of |v - (x_1 - x_0)|^2 along paths, over E |x_1 - x_0|^2: 0 if straight."""
    path, speeds = x, []
    for k in range(steps):
        middle = path + velocity(k / steps, path) / (2 * steps)
        speeds.append(velocity((k + 0.5) / steps, middle))
        path = path + speeds[-1] / steps
    chord = path - x
    spread = np.mean([np.square(speed - chord).sum(1).mean() for speed in speeds])
    return spread / np.square(chord).sum(1).mean()


def table_quality(arguments):
    torch.set_num_threads(1)
    for name in arguments.data or DATA:
        make, measure, distance = DATA[name]
        data, held_out = make()
        heads = [f"Euler {k}" for k in EULER]
        yardstick = distance(data, held_out)
        print(f"\n{name}: {measure} to held-out data; training data have {yardstick:.3f}\n")
        columns = [
            "pairs",
            "cost",
            "bend",
            *heads,
            "dopri5",
            "evaluations",
            "fit, s",
            "training, s",
        ]
        print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
        for coupling, draw in COUPLINGS.items():
            if arguments.couplings and coupling not in arguments.couplings:
                continue
            rows = [one_run(draw, data, held_out, distance, s, arguments) for s in arguments.seeds]
            print(
                f"| {coupling} | {' | '.join(map(summary, zip(*rows, strict=True)))} |", flush=True
            )


def one_run(draw, data, held_out, distance, seed, arguments):
    dim = data.shape[1]
    batches = draw(data, np.random.default_rng([seed, 1]))
    before = time.process_time()
    next(batches)
    fit = time.process_time() - before
    net, seconds, _ = train(batches, dim, seed, arguments.steps, arguments.width)
    cost = np.mean([np.square(a - b).sum(1).mean() for a, b in (next(batches) for _ in range(40))])
    velocity = field(net, dim)
    x = np.random.default_rng([seed, 2]).standard_normal((GENERATED, dim))
    ends = [distance(euler(velocity, x, k), held_out) for k in EULER]
    end, evaluations = dopri5(velocity, x)
    return [cost, bend(velocity, x), *ends, distance(end, held_out), evaluations, fit, seconds]


def summary(values):
    mean, spread = np.mean(values), np.std(values, ddof=1) if len(values) > 1 else 0.0
    digits = 0 if mean >= 20 else 1 if mean >= 5 else 2 if mean >= 0.5 else 3
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"


# ---- the cost of a step ----


def pot_plan(size):
    import ot

    def draw(data, rng):
        shares = np.full(size, 1.0 / size)
        while True:
            noise = rng.standard_normal((size, data.shape[1]))
            chosen = data[rng.integers(len(data), size=size)]
            plan = ot.emd(shares, shares, cdist(noise, chosen, "sqeuclidean"))
            i, j = np.divmod(rng.choice(size * size, size, p=plan.ravel() / plan.sum()), size)
            yield noise[i], chosen[j]

    return draw


def table_steps(arguments):
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    sets = {
        "1500 x 10": digit_codes()[0],
        "20 000 x 32": rng.standard_normal((20_000, 32)).astype(np.float32),
    }
    kinds = {
        **{f"minibatch {m}, geomot": (minibatch(m), m) for m in (64, 256, 1024)},
        **(
            {f"minibatch {m}, POT": (pot_plan(m), m) for m in (64, 256, 1024)}
            if find_spec("ot")
            else {}
        ),
        "semi-discrete": (semidiscrete(tv_tol=0.2), BATCH),
        "semi-discrete, by torch": (semidiscrete(tv_tol=0.2, device="cpu"), BATCH),
        "semi-discrete, epsilon = 1": (semidiscrete(tv_tol=0.2, epsilon=1.0), BATCH),
    }
    print("| pairs | data | ms for 256 pairs | least | largest |\n|---|---|---|---|---|")
    for name, data in sets.items():
        for kind, (draw, size) in {"independent": (independent, BATCH), **kinds}.items():
            batches = draw(data, rng)
            next(batches)
            seconds = []
            for _ in range(arguments.repeats):
                before = time.process_time()
                for _ in range(8):  # whole plans, whatever their size
                    next(batches)
                pairs = 8 * (size if "POT" in kind else BATCH)
                seconds.append(1e3 * (time.process_time() - before) * BATCH / pairs)
            low, middle, high = np.quantile(seconds, [0.0, 0.5, 1.0])
            print(f"| {kind} | {name} | {middle:.2f} | {low:.2f} | {high:.2f} |", flush=True)
    _, whole, pairs = train(independent(sets["1500 x 10"], rng), 10, 0, 300, arguments.width)
    print(f"\ngradient step of the network here: {1e3 * (whole - pairs.sum()) / 300:.2f} ms")


# ---- conditions ----


def table_conditions(arguments):
    images, _ = digits()
    codes = digit_codes()[0]
    order = np.random.default_rng(0).permutation(len(images))[:1500]
    condition = images[order].sum(axis=1)  # the ink of a digit
    print(
        "| weight | cost | correlation, % | explained variance, % | fit, s |\n|---|---|---|---|---|"
    )
    for weight in (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0):
        before = time.process_time()
        coupling = SemiDiscreteCoupling(condition_weight=weight, random_state=0, threads=1)
        coupling.fit(codes, condition=condition)
        seconds = time.process_time() - before
        noise, data, found = coupling.sample(20_000, 1)
        cost = np.square(noise - data).sum(1).mean()
        correlations = [np.corrcoef(column, found[:, 0])[0, 1] for column in noise.T]
        # how much of the condition a linear function of the noise tells
        design = np.column_stack([np.ones(len(noise)), noise])
        residual = found[:, 0] - design @ np.linalg.lstsq(design, found[:, 0], rcond=None)[0]
        explained = 1.0 - residual.var() / found.var()
        print(
            f"| {weight:g} | {cost:.2f} | {100 * np.abs(correlations).max():.1f} "
            f"| {100 * explained:.1f} | {seconds:.1f} |",
            flush=True,
        )


# ---- memory ----


def table_memory(arguments):
    print(
        "| data, float32, mapped | peak of the fit, bytes a number | held after, bytes a number |"
    )
    print("|---|---|---|")
    for n, d in ((25_000, 128), (50_000, 128), (200_000, 16), (50_000, 16)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "X.npy"
            np.save(path, np.random.default_rng(0).standard_normal((n, d)).astype(np.float32))
            X = np.load(path, mmap_mode="r")
            tracemalloc.start()
            coupling = SemiDiscreteCoupling(random_state=0, tv_tol=0.5, threads=1).fit(X)
            coupling.dataset(BATCH)[0]
            held, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        print(f"| {n} x {d} | {peak / (n * d):.0f} | {held / (n * d):.0f} |", flush=True)


TABLES = {
    "quality": table_quality,
    "steps": table_steps,
    "conditions": table_conditions,
    "memory": table_memory,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--data", nargs="+", choices=DATA)
    parser.add_argument("--couplings", nargs="+", choices=COUPLINGS)
    arguments = parser.parse_args()
    print(f"geomot {geomot.__version__}, torch {torch.__version__}, numpy {np.__version__}")
    TABLES[arguments.table](arguments)


if __name__ == "__main__":
    main()
