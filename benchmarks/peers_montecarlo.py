"""Heights of semi-discrete transport by Monte Carlo: other packages, to a time budget.

Needs an environment of its own:
pip install numpy scipy POT==0.9.7 ott-jax==0.6.0 torch==2.13.0

Each run has a process of its own with one thread. Time is CPU time of the fit: no imports, no
compilation, no tests. At checkpoints that grow by 1.5 the clock stops and the heights meet the
honest test of `protocol`, on fresh points. One JSON line per checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time

import numpy as np
import protocol

BUDGETS = {1000: 30.0, 10_000: 60.0, 60_000: 120.0}
GROWTH = 1.5
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "NPROC": "1",  # what XLA heeds: its flags alone leave a second thread at work
}


class Finished(Exception):
    """The budget is spent."""


class Run:
    """Sites, source and scales of one case, and the clock that runs while a peer works on it."""

    def __init__(self, n, d, source, seed, checkpoints, report, most=2**20, steps=10**9):
        self.n, self.d, self.source, self.seed = n, d, source, seed
        self.most, self.steps = most, steps
        self.sites = protocol.mixture_sites(n, d)
        self.checkpoints, self.report = checkpoints, report
        self.centre = self.sites.mean(axis=0)
        self.mean, self.std = protocol.moments(source)
        self.scale = float(self.std * self.sites.std(axis=0).mean())  # of scores, hence of heights
        self.done, self.samples = 0, 0
        self.spent, self.since, self.wall, self.wall_since = 0.0, None, 0.0, None

    def start_heights(self, start):
        """Heights 0, or those of the Voronoi diagram once source and sites agree in scale."""
        if start == "zero":
            return np.zeros(self.n)
        y = self.sites - self.centre
        ratio = self.std / self.sites.std(axis=0).mean()
        return -ratio * (y**2).sum(axis=1) / 2 - self.mean * y.sum(axis=1)

    def begin(self):
        self.since, self.wall_since = time.process_time(), time.perf_counter()

    def next_checkpoint(self):
        """Seconds of fitting left before the next test."""
        return self.checkpoints[self.done] - (time.process_time() - self.since + self.spent)

    def lap(self, samples, g, cost="dot"):
        """Count samples; if a checkpoint is past, stop the clock and test the heights of `g`."""
        self.samples += samples
        spent = self.spent + time.process_time() - self.since
        if spent < self.checkpoints[self.done]:
            return
        self.wall += time.perf_counter() - self.wall_since
        h = heights_of(self, g, cost)
        seed = [self.seed, self.done]
        test = protocol.resolved_tv(h, self.sites, self.source, seed, most=self.most)
        self.report(spent, self.wall, self.samples, test)
        while self.done < len(self.checkpoints) and spent >= self.checkpoints[self.done]:
            self.done += 1
        if self.done == len(self.checkpoints):
            raise Finished
        self.spent = spent
        self.begin()


# ---- peers: each runs until the clock raises Finished ----


def heights_of(run, g, cost):
    """Turn a potential g, where a point minimises cost(x, y_i) - g_i, into heights."""
    g = np.asarray(g, dtype=float)
    return g if cost == "dot" else (g - squares(run)) / 2


def potential_of(run, h, cost):
    """Turn heights into a potential g in float32."""
    return (h if cost == "dot" else 2 * h + squares(run)).astype(np.float32)


def squares(run):
    return ((run.sites - run.centre) ** 2).sum(axis=1)


def units(run, cost, batch):
    """Batch and units of step and temperature.

    For |x - y|^2 they are the package's own. For -<x, y> the batch is that of N = 1000 and grows
    like sqrt(N), the step is in units of POT's default sqrt(N batch) and both are in scores.
    """
    if cost == "sqeuclidean":
        return batch, 1.0, 1.0
    batch = round(batch * math.sqrt(run.n / 1000))
    return batch, math.sqrt(run.n * batch) * run.scale, run.scale


def run_pot(run, lr, batch, eps, start, cost="dot", exponent=2 / 3, eps_exponent=0.5, flush=True):
    """POT's averaged SGD with decreasing regularisation, in numpy; lr=None is its default.

    The library's loop has no callback, so the sampler, which it calls once a step, reads the
    running average from the frame that calls it. `flush` rounds subnormal numbers to zero, which
    its small exponentials make many of: twice as fast, and no setting of the package.
    """
    from ot.semidiscrete import solve_semidiscrete

    if flush:
        import torch

        torch.set_flush_denormal(True)
    rng = np.random.default_rng(run.seed)

    def sampler(size):
        state = sys._getframe(1).f_locals
        if state["t"] > 1:
            run.lap(size, state["g_avg"], cost)
        return protocol.sample(run.source, size, run.d, rng)

    batch, step_unit, eps_unit = units(run, cost, batch)
    sites = (run.sites - run.centre).astype(np.float32)
    run.begin()
    return solve_semidiscrete(
        sites,
        sampler,
        metric=pot_metric(cost),
        max_iter=run.steps,
        batch_size=batch,
        lr0=None if lr is None else lr * step_unit,
        lr_exponent=exponent,
        init_potential=potential_of(run, run.start_heights(start), cost),
        decreasing_reg=eps > 0,
        decreasing_reg_initial_eps=eps * eps_unit,
        decreasing_reg_exponent=eps_exponent,
    )


def pot_metric(cost):
    return None if cost == "sqeuclidean" else lambda x, y: -(x @ y.T)


def ott_problem(run, cost):
    import jax.numpy as jnp
    import jax.random as jr
    from ott.geometry import costs
    from ott.geometry import semidiscrete_pointcloud as clouds
    from ott.problems.linear import semidiscrete_linear_problem as problems

    sampler = {"normal": jr.normal, "uniform": jr.uniform}[run.source]
    cost_fn = costs.NegDotProduct() if cost == "dot" else costs.SqEuclidean()
    sites = jnp.asarray(run.sites - run.centre, dtype=jnp.float32)
    cloud = clouds.SemidiscretePointCloud(sampler, sites, cost_fn=cost_fn, epsilon=0.0)
    return problems.SemidiscreteLinearProblem(cloud)


def ott_solver(run, lr, batch, eps=0.0, exponent=0.0, warm=1.0, window=None, cost="dot"):
    """Solver with steps lr / (1 + samples / (warm N))^exponent and temperature eps / sqrt(step).

    `window` is the number of samples that its moving average remembers; None leaves the default
    `potential_ema` of 0.99, which in 0.6.0 weighs the newest potential and not the average.
    """
    import jax.numpy as jnp
    import optax
    from ott.solvers.linear import semidiscrete

    batch, step_unit, eps_unit = units(run, cost, batch)
    decay = batch / (warm * run.n)
    return semidiscrete.SemidiscreteSolver(
        num_iterations=run.steps,
        batch_size=batch,
        optimizer=optax.sgd(lambda step: lr * step_unit / (1 + step * decay) ** exponent),
        potential_ema=0.99 if window is None else min(1.0, batch / window),
        epsilon_scheduler=lambda step, _: jnp.float32(eps * eps_unit) / jnp.sqrt(step + 1.0),
        error_eval_every=run.steps,
    )


def run_ott(run, start, cost="dot", **settings):
    """OTT-JAX's solver by its public `step`, in compiled chunks and without its error tests."""
    import jax
    import jax.numpy as jnp
    import jax.random as jr
    from ott.solvers.linear import semidiscrete

    solver = ott_solver(run, cost=cost, **settings)
    problem = ott_problem(run, cost)
    key = jr.split(jr.key(run.seed))[0]

    @jax.jit
    def steps(state, count):
        def step(_, held):
            return solver.step(jr.fold_in(key, held.it), held, problem)

        return jax.lax.fori_loop(0, count, step, state)

    g = jnp.asarray(potential_of(run, run.start_heights(start), cost))
    record = jnp.zeros(1, dtype=jnp.float32)  # of losses: JAX drops what falls outside
    state = semidiscrete.SemidiscreteState(
        it=jnp.array(0),
        epsilon=jnp.array(0.0, dtype=jnp.float32),
        g=g,
        g_ema=g,
        opt_state=solver.optimizer.init(g),
        losses=record,
        grad_norms=record,
        errors=record,
    )
    compiled = steps.lower(state, jnp.array(0)).compile()
    jax.block_until_ready(compiled(state, jnp.array(1)))  # a warm-up, thrown away
    count, taken = 1, 0
    run.begin()
    while taken < run.steps:
        count = min(count, run.steps - taken)
        before = time.process_time()
        state = jax.block_until_ready(compiled(state, jnp.array(count)))
        seconds = (time.process_time() - before) / count
        taken += count
        run.lap(count * solver.batch_size, state.g_ema, cost)
        count = max(1, min(2 * count, int(run.next_checkpoint() / (2 * seconds))))
    return state.g_ema


def run_adam(run, lr, start, scaled=False, fresh=False, bulk=1000, bulks=20, patience=30):
    """Adam on the heights as in pyOMT (AE-OT), in torch.

    Each step sums `bulks` Sobol batches, the same ones again at every step until the norm of the
    gradient has not improved on them for `patience` steps; then their number doubles. Its absolute
    stop is left out. Unlike there, the points are kept and not generated anew at every step.
    `fresh=True` draws new points instead, `scaled=True` gives lr in units of the scores.
    """
    import torch

    torch.set_num_threads(1)
    sites = torch.from_numpy((run.sites - run.centre).astype(np.float32))
    h = torch.from_numpy(run.start_heights(start).astype(np.float32))
    lr = lr * run.scale if scaled else lr
    first, second = torch.zeros(run.n), torch.zeros(run.n)
    engine = torch.quasirandom.SobolEngine(run.d, scramble=fresh, seed=run.seed)
    points = []

    def draw():
        uniform = engine.draw(bulk)
        if run.source == "uniform":
            return uniform
        return torch.special.ndtri(uniform.clamp(2**-25, 1 - 2**-24))

    best, stalled = math.inf, 0
    run.begin()
    while True:
        counts = torch.zeros(run.n)
        for k in range(bulks):
            if not fresh and k == len(points):
                points.append(draw())
            x = draw() if fresh else points[k]
            winners = torch.addmm(h, x, sites.T).max(dim=1).indices
            counts += torch.bincount(winners, minlength=run.n)
            run.lap(bulk, h)
        gradient = counts / (bulks * bulk) - 1 / run.n
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        h -= lr * first / (second.sqrt() + 1e-8)
        h -= h.mean()
        norm = float(gradient.norm())
        best, stalled = (norm, 0) if norm <= best else (best, stalled + 1)
        if stalled > patience:
            bulks, best, stalled = 2 * bulks, math.inf, 0


def run_numpy(run, lr, batch, start, exponent=0.6, decay=5.0):
    """Plain numpy: fresh batches, decaying step, an average with weights that grow like the step.

    The step in units of scale * N is lr * min(1, batch / N) / (1 + samples / (decay N))^exponent.
    """
    rng = np.random.default_rng(run.seed)
    sites = run.sites - run.centre
    h = run.start_heights(start)
    average = h.copy()
    size = min(max(int(batch * run.n), 256), 2048)
    rate = lr * run.scale * run.n * min(1.0, size / run.n)
    steps = 0
    run.begin()
    while True:
        points = protocol.sample(run.source, size, run.d, rng)
        winners = protocol.assign(points, protocol.score_table(sites, h))
        gradient = np.bincount(winners, minlength=run.n) / size - 1 / run.n
        h -= rate / (1 + steps * size / (decay * run.n)) ** exponent * gradient
        steps += 1
        average += max(1 / steps, 2 / (steps + 3)) * (h - average)
        run.lap(size, average)


RUNNERS = {"pot": run_pot, "ott": run_ott, "adam": run_adam, "numpy": run_numpy}


# ---- settings: every peer's tuned one first, then its own defaults ----

# Tuned on N = 1000, normal source, 20 s of a busy machine (times up to 1.5 too long), seed 0, then
# looked at on N = 10 000 for 20 s and on the uniform source; tv at the end of the budget.

# Tried: step 0.3 to 4, batch 16 to 256, temperature 0 (tv 0.014), 0.1, 0.3, 1, 3, its exponent
# 0.3, 0.5, 0.7 and that of the step 0.5, 0.6, 2/3: from step 1, batch 64 (0.0067, but 0.114 at
# N = 10 000, where this one has 0.101) to 0.0083. Torch arrays are 2 to 4 times slower (subnormal
# exponentials). The defaults give 0.024 to 0.026.
POT = {"lr": 2.0, "batch": 128, "eps": 1.0, "start": "voronoi", "exponent": 0.6}
POT_DEFAULT = {
    "lr": None,
    "batch": 32,
    "eps": 0.1,
    "start": "zero",
    "cost": "sqeuclidean",
    "flush": False,
}

# Tried: step 0.02 to 1, batch 32 to 512, temperature 0, 0.1, 1, 3 (alike after the first seconds),
# exponent 0.6, 0.8 and 1, Adam at 0.003 and 0.01 scores (no better). What decides is the window of
# its average, too long for a short run, too short for a long one: 60 000, 400 000 and a million
# samples give 0.022, 0.012 and 0.008 after 20 s, but 0.032, 0.13 and 0.40 after 1.8 s.
# The tutorial's settings give 0.14.
OTT = {
    "lr": 0.03,
    "batch": 128,
    "eps": 1.0,
    "start": "voronoi",
    "exponent": 0.6,
    "warm": 20.0,
    "window": 400_000,
}
OTT_TUTORIAL = {"lr": 0.1, "batch": 128, "start": "zero", "cost": "sqeuclidean"}

# Tried: rates 0.02 to 0.2 from zero and from the Voronoi start, on kept points (0.036 at best) and
# on fresh ones; then 0.0025, 0.005 and 0.01 scores (0.024, 0.005, 0.007) with batches of 1000, and
# of 5000, 20 000 and 80 000, which are worse.
ADAM = {"lr": 0.005, "scaled": True, "start": "voronoi", "fresh": True, "bulk": 200, "bulks": 5}

# Tried: step 0.2 to 2, batch N / 4 to 2 N, decay after 5, 20 and 60 N samples, exponent 0.5 to
# 0.75: 0.0027 to 0.0036 for every step up to 0.5 with decay after 5 N.
NUMPY = {"lr": 0.3, "batch": 0.25, "start": "voronoi"}

SETTINGS = {
    "pot": {"tuned": POT, "default": POT_DEFAULT},
    "ott": {
        "tuned": OTT,
        "short": {**OTT, "window": 60_000},
        "long": {**OTT, "window": 1_000_000},
        "tutorial": OTT_TUTORIAL,
    },
    "adam": {
        "tuned": ADAM,
        "faster": {**ADAM, "lr": 0.01},
        "reference": {"lr": 5e-2, "start": "zero"},
    },
    "numpy": {"tuned": NUMPY},
}


# ---- are the peers' potentials read and converted as they mean them? ----


class Probe(Run):
    """A run of a given number of steps that keeps the heights read last, and tests nothing."""

    def __init__(self, source, steps):
        super().__init__(500, 10, source, 0, [1e9], None, steps=steps)
        self.read = None

    def lap(self, samples, g, cost="dot"):
        self.read = heights_of(self, g, cost).copy()


def verify():
    import jax
    import jax.numpy as jnp
    import jax.random as jr
    from ot.semidiscrete import semidiscrete_atom_weights
    from ott.solvers.linear import semidiscrete

    for source in protocol.SOURCES:
        for name, settings in SETTINGS["pot"].items():
            cost = settings.get("cost", "dot")
            run, more = Probe(source, 300), Probe(source, 301)
            g = run_pot(run, **settings)
            run_pot(more, **settings)
            x = protocol.sample(source, 5000, run.d, np.random.default_rng(1))
            y = (run.sites - run.centre).astype(np.float32)
            own = semidiscrete_atom_weights(y, x, g, metric=pot_metric(cost)).argmax(axis=1)
            tell("pot", name, run, g, cost, more.read, x, own)
        for name, settings in SETTINGS["ott"].items():
            cost = settings.get("cost", "dot")
            run = Probe(source, 300)
            run_ott(run, **settings)
            keys = ("lr", "batch", "eps", "exponent", "warm", "window", "cost")
            solver = ott_solver(run, **{k: v for k, v in settings.items() if k in keys})
            problem = ott_problem(run, cost)
            start = jnp.asarray(potential_of(run, run.start_heights(settings["start"]), cost))
            result = jax.jit(solver)(jr.key(run.seed), problem, start)
            drawn = semidiscrete.SemidiscreteOutput(result.g, problem).sample(jr.key(1), 5000)
            x, own = np.asarray(drawn.geom.x), np.asarray(drawn.paired_indices[1])
            tell("ott", name, run, result.g, cost, run.read, x, own)


def tell(peer, name, run, g, cost, read, x, own):
    """Compare heights read during a run with the package's result, then both assignments."""
    h = heights_of(run, g, cost)
    row = {
        "peer": peer,
        "name": name,
        "source": run.source,
        "largest_difference": float(abs((read - read.mean()) - (h - h.mean())).max()),
        "heights": float(np.ptp(h)),
        "same_cell": float((protocol.assign(x, protocol.score_table(run.sites, h)) == own).mean()),
    }
    print(json.dumps(row), flush=True)


# ---- one run in a process of its own, and the command line ----


def checkpoints_of(budget, count):
    return [budget / GROWTH**k for k in reversed(range(count))]


def case(peer, name, settings, n, d, source, budget, count, seed, most):
    def report(seconds, wall, samples, test):
        row = {
            "peer": peer,
            "name": name,
            "settings": settings,
            "N": n,
            "d": d,
            "source": source,
            "seed": seed,
            "seconds": round(seconds, 4),
            "wall": round(wall, 4),
            "samples": samples,
            "samples_per_site": round(samples / n, 1),
            "tv": round(test.tv, 5),
            "tv_se": round(test.tv_se, 5),
            "n_test": test.n_test,
        }
        print(json.dumps(row), flush=True)

    run = Run(n, d, source, seed, checkpoints_of(budget, count), report, most)
    try:
        RUNNERS[peer](run, **settings)
    except Finished:
        return


def launch(**parameters):
    """Run one case in a fresh interpreter with one thread; its lines go to our output."""
    command = [sys.executable, __file__, "--case", json.dumps(parameters)]
    subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", nargs="+", choices=RUNNERS, default=list(RUNNERS))
    parser.add_argument("--sizes", nargs="+", type=float, default=list(BUDGETS))
    parser.add_argument("--budget", nargs="+", type=float, help="seconds, one for each size")
    parser.add_argument("--sources", nargs="+", choices=protocol.SOURCES, default=protocol.SOURCES)
    parser.add_argument("--names", nargs="+", help="settings by name (default: all of a peer)")
    parser.add_argument("--settings", type=json.loads, help="JSON that replaces some settings")
    parser.add_argument("--dim", type=int, default=10)
    parser.add_argument("--checkpoints", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", type=float, default=2**20, help="most points of one test")
    parser.add_argument("--verify", action="store_true", help="check how potentials are read")
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        case(**arguments.case)
        return
    if arguments.verify:
        verify()
        return
    sizes = [int(n) for n in arguments.sizes]
    budgets = arguments.budget or [BUDGETS.get(n, 60.0) for n in sizes]
    if len(budgets) == 1:
        budgets = budgets * len(sizes)
    for n, budget in zip(sizes, budgets, strict=True):
        for source in arguments.sources:
            for peer in arguments.peers:
                for name, settings in SETTINGS[peer].items():
                    if arguments.names and name not in arguments.names:
                        continue
                    launch(
                        peer=peer,
                        name=name if arguments.settings is None else "given",
                        settings={**settings, **(arguments.settings or {})},
                        n=n,
                        d=arguments.dim,
                        source=source,
                        budget=budget,
                        count=arguments.checkpoints,
                        seed=arguments.seed,
                        most=int(arguments.tests),
                    )


if __name__ == "__main__":
    main()
