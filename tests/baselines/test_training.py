"""Steps of the baselines: each loss, gradient and update is recomputed from the formulas.

A fit is recorded: all that it draws, and at each update the networks before it, the loss, and the
loss's gradient in the parameters that are to change. The formulas of the papers, in float64 and
with torch's own derivatives, must then give the same.
"""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import linear_sum_assignment, linprog

import geomot
from geomot import baselines
from geomot.baselines import METHODS, _training

torch = pytest.importorskip("torch")

SHAPES = {"vectors": (2,), "images": (1, 6, 4)}
GAME = {"generator_hidden": (6,), "critic_hidden": (6, 5), "critic_steps": 2}
SMALL = {
    "GAN": GAME,
    "WGAN": {**GAME, "clip": 0.1},
    "WGANGP": GAME,
    "VAE": {"hidden": (6,), "beta": 0.7},
    "WAE": {"hidden": (6,), "critic_hidden": (5,)},
    "PotentialRegression": {"hidden": (6, 5), "regularization": 0.3},
    "FluidFlow": {
        "layers": 3, "width": 5, "energy_weight": 0.3, "width_start": 2.0, "width_end": 1.0,
        "width_factor": 2.0,
    },
    "ProximalFlow": {
        "potential_hidden": (6, 5), "critic_hidden": (6,), "critic_steps": 2, "horizon": 1.5,
        "step": 0.5, "weight": 0.7, "gamma": 0.4, "lipschitz": 0.3,
    },
    "FlowMatching": {"hidden": (6,), "ode_steps": 2},
}  # fmt: skip
VARIANTS = {
    **{name: (name, {}) for name in METHODS},
    "WGANGP-penalty": ("WGANGP", {"penalty": 3.0}),
    "VAE-variance": ("VAE", {"variance": 0.3}),
    "VAE-bernoulli": ("VAE", {"likelihood": "bernoulli"}),
    "WAE-sigmoid": ("WAE", {"output": "sigmoid"}),
    "WAE-uniform": ("WAE", {"source": "uniform", "penalty": 2.0}),
    "WAE-gan": ("WAE", {"divergence": "gan"}),
    "WAE-gan-uniform": ("WAE", {"divergence": "gan", "source": "uniform", "penalty": 2.0}),
    "PotentialRegression-plain": ("PotentialRegression", {"regularization": 0.0}),
    "PotentialRegression-fixed": ("PotentialRegression", {"fixed_source": 12}),
    "ProximalFlow-none": ("ProximalFlow", {"w1": False, "w2": False}),
    "ProximalFlow-w1": ("ProximalFlow", {"w2": False, "exponential": "plain"}),
    "ProximalFlow-w2": ("ProximalFlow", {"w1": False, "exponential": "plain"}),
    "FlowMatching-minibatch": ("FlowMatching", {"coupling": "minibatch"}),
    "FlowMatching-semidiscrete": ("FlowMatching", {"coupling": "semidiscrete", "tv_tol": 0.2}),
}
# One variant for each set of optimizers.
TRAINED = (*METHODS, "WAE-gan")

every_trained = pytest.mark.parametrize("name", TRAINED)


def make(name, shape=(2,), **keywords):
    settings = {"max_steps": 2, "batch_size": 8, "random_state": 0, "log_every": 1}
    method, variant = VARIANTS[name]
    if name == "FlowMatching-semidiscrete":
        dim = int(np.prod(shape))
        settings["source"] = geomot.UniformBox(np.full(dim, -1.0), np.full(dim, 2.0))
    return getattr(baselines, method)(
        **{**settings, "channels": (3,), **SMALL[method], **variant, **keywords}
    )


def data(shape=(2,), n=20):
    return 3.0 + 2.0 * np.random.default_rng(1).standard_normal((n, *shape))


def grey(shape=(2,), n=20):
    return np.random.default_rng(2).random((n, *shape)) ** 2


class Record:
    """What fits draw, in float64 and by kind, and their updates."""

    def __init__(self, monkeypatch):
        from geomot.baselines._training import Run

        self.drawn, self.updates, self.networks = defaultdict(list), [], {}
        for kind in ("batch", "noise", "normal", "uniform"):
            monkeypatch.setattr(Run, kind, self._keeping(getattr(Run, kind), kind))
        sample = self._keeping(geomot.UniformBox.sample, "source")
        monkeypatch.setattr(geomot.UniformBox, "sample", sample)
        descend = Run.descend

        def recorded(run, optimizer, loss):
            self.updates.append(note(run.networks, optimizer, loss))
            descend(run, optimizer, loss)
            self.updates[-1].after = parameters(run.networks)

        monkeypatch.setattr(Run, "descend", recorded)

    def _keeping(self, draw, kind):
        def drawing(*args):
            value = draw(*args)
            self.drawn[kind].append(torch.as_tensor(value).detach().double().clone())
            return value

        return drawing

    def take(self, kind):
        """What was drawn first and not taken yet."""
        return self.drawn[kind].pop(0)


def note(networks, optimizer, loss):
    """What is known just before an update."""
    (group,) = optimizer.param_groups
    grads = torch.autograd.grad(
        loss, group["params"], retain_graph=True, allow_unused=True, materialize_grads=True
    )
    numbers = {id(p): key for key, p in named(networks).items()}
    grads = {numbers[id(p)]: g.double() for p, g in zip(group["params"], grads, strict=True)}
    trained = {name for name, _ in grads}
    # a network is trained as a whole
    assert set(grads) == {key for key in numbers.values() if key[0] in trained}
    return SimpleNamespace(
        trained=trained,
        loss=loss.item(),
        grads=grads,
        rate=group["lr"],
        networks={name: copy.deepcopy(network).double() for name, network in networks.items()},
        before=parameters(networks),
    )


def named(networks):
    """Parameters by network and name."""
    return {(n, key): p for n, net in networks.items() for key, p in net.named_parameters()}


def parameters(networks):
    return {key: p.detach().double().clone() for key, p in named(networks).items()}


@pytest.fixture
def record(monkeypatch):
    return Record(monkeypatch)


# The formulas. Each yields, update by update: the networks that are trained, their loss, and after
# the last update of a step the losses of the history, all in terms of `record.networks`, which are
# those before the update.


def value(network, x, t=None):
    """Output of a network, and for all but U-nets without the package's own code."""
    from geomot.baselines._networks import evaluate

    if isinstance(network, torch.nn.Sequential):
        return network(x if t is None else torch.cat([x, t[:, None]], 1))
    if "features" in network:
        return value(network["head"], network["features"](x), t)
    return evaluate(network, x, t)


def slopes(function, *points):
    """Gradients at every point, to be differentiated in points and parameters."""
    points = [p if p.requires_grad else p.clone().requires_grad_() for p in points]
    return torch.autograd.grad(function(*points).sum(), points, create_graph=True)


def length(v):
    return v.flatten(1).norm(dim=1)


def like(share, x):
    """One number for each row, to be multiplied with it."""
    assert share.numel() == len(x)
    return share.reshape(-1, *[1] * (x.ndim - 1))


def squares(a, b):
    """Squared distances of all pairs."""
    return (a.flatten(1)[:, None] - b.flatten(1)).square().sum(-1)


def gan(model, record):
    while True:
        for _ in range(model.critic_steps):
            x, z = record.take("batch"), record.take("noise")
            G, D = record.networks["generator"], record.networks["critic"]
            critic = -D(x).sigmoid().log().mean() - (1 - D(G(z)).sigmoid()).log().mean()
            yield {"critic"}, critic, None
        G, D = record.networks["generator"], record.networks["critic"]
        loss = -D(G(record.take("noise"))).sigmoid().log().mean()
        yield {"generator"}, loss, (loss, critic)


def wasserstein(model, record):
    while True:
        for _ in range(model.critic_steps):
            x, z = record.take("batch"), record.take("noise")
            G, D = record.networks["generator"], record.networks["critic"]
            distance = D(x).mean() - D(G(z)).mean()
            critic = -distance
            if isinstance(model, baselines.WGANGP):
                share = like(record.take("uniform"), x)
                (slope,) = slopes(D, share * x + (1 - share) * G(z))
                weight = model.penalty or (0.1 if x.ndim == 2 else 10.0)
                critic = critic + weight * (length(slope) - 1).square().mean()
            yield {"critic"}, critic, None
        G, D = record.networks["generator"], record.networks["critic"]
        loss = -D(G(record.take("noise"))).mean()
        yield {"generator"}, loss, (loss, critic, distance)


def vae(model, record):
    from torch.distributions import Normal, kl_divergence

    log_variance = -5.0 if model.variance is None else np.log(model.variance)
    bernoulli = model.likelihood == "bernoulli"
    while True:
        x, e = record.take("batch"), record.take("normal")
        codes = record.networks["encoder"](x)
        dim = codes.shape[1] // 2
        posterior = Normal(codes[:, :dim], codes[:, dim:].exp().sqrt())
        decoded = record.networks["decoder"](posterior.mean + posterior.stddev * e)
        if bernoulli:
            decoded = decoded.sigmoid()
            log_likelihood = (x * decoded.log() + (1 - x) * (1 - decoded).log()).flatten(1).sum(1)
        else:
            log_likelihood = Normal(decoded, np.exp(log_variance / 2)).log_prob(x)
            log_likelihood = log_likelihood.flatten(1).sum(1)
        divergence = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1).mean()
        loss = -log_likelihood.mean() + model.beta * divergence
        error = (decoded - x).square().mean()
        yield {"encoder", "decoder"}, loss, (loss, error, divergence)
        if model.variance is None:
            # it takes a hundredth of the way to its optimum in each step
            log_variance += 0.01 * (np.log(error.item()) - log_variance)


def wae(model, record):
    normal, adversarial = model.source == "normal", model.divergence == "gan"
    penalty = (0.1 if adversarial else 2.5) if model.penalty is None else model.penalty
    sigmoid = model.output == "sigmoid"
    # errors are those of standardised data
    unit = grey().var() if sigmoid else 1.0

    def probability(codes):
        """Of being from the prior; its log density is known if it is normal."""
        score = record.networks["critic"](codes)[:, 0]
        known = torch.distributions.Normal(0.0, 1.0).log_prob(codes) + 0.5 * np.log(2 * np.pi)
        return (score + known.sum(1) if normal else score).sigmoid()

    def kernel(a, b):
        # the variance of a coordinate is 1, or 1/3 for the uniform distribution
        scale = 2 * a.shape[1] * (1.0 if normal else 1 / 3)
        constants = [s * scale for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)]
        return sum(c / (c + squares(a, b)) for c in constants)

    while True:
        x, prior = record.take("batch"), record.take("noise")
        codes = record.networks["encoder"](x)
        decoded = record.networks["decoder"](codes)
        error = ((decoded.sigmoid() if sigmoid else decoded) - x).square().mean() / unit
        if adversarial:
            divergence = -probability(codes).log().mean()
        else:
            other = ~torch.eye(len(x), dtype=torch.bool)
            within = kernel(codes, codes)[other].mean() + kernel(prior, prior)[other].mean()
            divergence = within - 2 * kernel(codes, prior).mean()
        loss = error + penalty * divergence
        report = (loss, error, divergence)
        yield {"encoder", "decoder"}, loss, None if adversarial else report
        if adversarial:
            at_prior, at_codes = probability(prior), probability(codes)
            judged = -at_prior.log().mean() - (1 - at_codes).log().mean()
            yield {"critic"}, judged, report


def potential_regression(model, record):
    fixed = None if model.fixed_source is None else record.take("noise")
    while True:
        y = record.take("batch")
        points = record.take("noise") if fixed is None else fixed
        cost, u, v = record.take("dual")
        # which points were taken is known by their costs
        wanted = 0.5 * squares(points, y)
        rows = torch.cdist(cost, wanted).argmin(1)
        assert len(set(rows.tolist())) == len(rows) == min(len(points), len(y))
        torch.testing.assert_close(cost, wanted[rows])
        x, h_source, h_data = points[rows].requires_grad_(), -u, v

        values = value(record.networks["potential"], x)[:, 0]
        regression = (values - h_source).square().mean()
        loss, slope = regression, torch.tensor(0.0)
        if model.regularization:
            (grad,) = torch.autograd.grad(values.sum(), x, create_graph=True)
            sigma = (cost + h_source[:, None] - h_data).argmin(1)
            slope = (length(grad) - length(y[sigma] - x)).square().mean()
            loss = regression + model.regularization * slope
        yield {"potential"}, loss, (loss, regression, slope, u.mean() + v.mean())


def fluid_flow(model, record):
    step, h = 0, 1 / model.layers
    while True:
        # the fits have as many steps as widths: one for each
        width = model.width_start / model.width_factor**step
        y, x, energy = record.take("batch"), record.take("noise"), 0.0
        for field in record.networks["fields"]:
            v = field(x)
            x, energy = x + h * v, energy + h * length(v).square().mean()
        near = (-squares(y, x) / (2 * width**2)).exp()
        misfit = -near.mean(1).log().mean() - near.mean(0).log().mean()
        loss = misfit + model.energy_weight * energy
        yield {"fields"}, loss, (loss, misfit, energy, width)
        step += 1


def proximal_flow(model, record):
    def flow(U, x):
        """Final points, kinetic energy, and residual of the Hamilton-Jacobi equation."""
        h, x, energy, residual = model.step, x.requires_grad_(), 0.0, 0.0
        for k in range(round(model.horizon / h)):
            t = torch.full((len(x),), k * h, dtype=x.dtype)
            grad, rate = slopes(lambda *p: value(U, *p), x, t)
            v = -grad / model.weight
            energy = energy + h * 0.5 * length(v).square().mean()
            hamiltonian = length(grad).square() / (2 * model.weight)
            residual = residual + h * (rate - hamiltonian).abs().mean()
            x = x + h * v
        return x, energy, residual

    def divergence(D, generated, data):
        return value(D, generated).mean() - value(D, data).exp().mean().log()

    while True:
        batches = [record.take("batch") for _ in range(model.critic_steps)]
        starts = record.take("noise").split([len(batch) for batch in batches])
        for batch, start in zip(batches, starts, strict=True):
            U, D = record.networks["potential"], record.networks["critic"]
            fake = flow(U, start)[0]
            critic = -divergence(D, fake, batch)
            if model.w1:
                share = like(record.take("uniform"), batch)
                points = share * batch + (1 - share) * fake
                (grad,) = slopes(lambda p: value(record.networks["critic"], p), points)
                excess = length(grad).square() - model.lipschitz**2
                critic = critic + model.gamma * excess.clamp(min=0).mean()
            yield {"critic"}, critic, None
        U, D = record.networks["potential"], record.networks["critic"]
        end, energy, residual = flow(U, record.take("noise"))
        misfit = divergence(D, end, batch)
        loss = misfit + model.weight * energy if model.w2 else misfit
        t = torch.full((len(end),), model.horizon, dtype=end.dtype)
        at_end = slopes(lambda *p: value(record.networks["potential"], *p), end, t)[0]
        (wanted,) = slopes(lambda p: value(record.networks["critic"], p), end)
        terminal = length(at_end - wanted).square().mean().sqrt()
        yield {"potential"}, loss, (loss, misfit, energy, residual, terminal)


def flow_matching(model, record):
    if model.coupling == "semidiscrete":
        # before the steps other points are drawn, for the map and for checks
        record.drawn["source"] = record.drawn["source"][-model.max_steps :]
        sites, weights = (torch.tensor(a) for a in (model.solution_.sites, model.solution_.weights))
    while True:
        if model.coupling == "semidiscrete":
            points = record.take("source")
            cells = (squares(points, sites) - weights).argmin(1)
            pair = (v.reshape(-1, *model.sample_shape_) for v in (points, sites[cells]))
            # the networks see float32
            start, end = (v.float().double() for v in pair)
        else:
            end, start = record.take("batch"), record.take("noise")
        if model.coupling == "minibatch":
            end = end[linear_sum_assignment(squares(start, end).numpy())[1]]
        t = record.take("uniform")
        share = like(t, start)
        found = value(record.networks["velocity"], (1 - share) * start + share * end, t)
        loss = length(found - (end - start)).square().mean()
        yield {"velocity"}, loss, (loss, length(end - start).square().mean())


FORMULAS = {
    "GAN": gan,
    "WGAN": wasserstein,
    "WGANGP": wasserstein,
    "VAE": vae,
    "WAE": wae,
    "PotentialRegression": potential_regression,
    "FluidFlow": fluid_flow,
    "ProximalFlow": proximal_flow,
    "FlowMatching": flow_matching,
}


def invent_duals(monkeypatch, record):
    """Potentials of no meaning: those of a program leave ties in sigma for rounding to decide."""
    rng = np.random.default_rng(3)

    def dual(cost):
        u, v = (rng.standard_normal(n) for n in cost.shape)
        record.drawn["dual"].append([torch.as_tensor(a) for a in (cost, u, v)])
        return u, v

    monkeypatch.setattr("geomot.baselines.potential.exact_dual", dual)


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, "vectors") for name in VARIANTS), *((name, "images") for name in METHODS)],
)
def test_losses_and_gradients_follow_the_formulas(name, kind, record, monkeypatch):
    invent_duals(monkeypatch, record)
    shape = SHAPES[kind]
    outputs_in_the_unit_interval = name in ("VAE-bernoulli", "WAE-sigmoid")
    model = make(name, shape).fit((grey if outputs_in_the_unit_interval else data)(shape))
    steps, rows = FORMULAS[VARIANTS[name][0]](model, record), []
    for update in record.updates:
        record.networks = update.networks
        trained, loss, report = next(steps)
        assert update.trained == trained
        assert update.loss == pytest.approx(loss.item(), rel=1e-4, abs=1e-5)
        wanted = {key: p for key, p in named(update.networks).items() if key[0] in trained}
        grads = torch.autograd.grad(
            loss, list(wanted.values()), allow_unused=True, materialize_grads=True
        )
        largest = max(grad.abs().max().item() for grad in grads)
        assert largest > 0
        for key, grad in zip(wanted, grads, strict=True):
            torch.testing.assert_close(update.grads[key], grad, rtol=1e-4, atol=1e-5 * largest)
        if report is not None:
            rows.append([torch.as_tensor(number).item() for number in report])
    assert len(rows) == model.max_steps
    assert not any(record.drawn.values())
    found = [[row[field] for field in model.losses] for row in model.history_]
    np.testing.assert_allclose(found, rows, rtol=1e-4, atol=1e-5)


def test_potential_regression_learns_the_exact_dual(record):
    # 5 and 8 have no common divisor: the optimum is unique up to a constant
    model = make("PotentialRegression-plain", fixed_source=5).fit(data())
    x = record.take("noise")
    pairs = np.indices((5, 8)).reshape(2, -1)
    rows = np.zeros((40, 13))
    rows[np.arange(40), pairs[0]], rows[np.arange(40), 5 + pairs[1]] = -1.0, 1.0
    weights = np.repeat([1 / 5, -1 / 8], [5, 8])
    for update, row in zip(record.updates, model.history_, strict=True):
        cost = 0.5 * squares(x, record.take("batch")).numpy()
        # min mean(H at the source) - mean(H at the data), with equal means of u = -H and v = H
        found = linprog(weights, A_ub=rows, b_ub=cost.ravel(), bounds=(None, None))
        h = found.x[:5] - 0.5 * (found.x[:5].mean() + found.x[5:].mean())
        with torch.no_grad():
            values = update.networks["potential"](x)[:, 0].numpy()
        assert update.loss == pytest.approx(np.square(values - h).mean(), rel=1e-4)
        assert row["cost"] == pytest.approx(-found.fun, rel=1e-4)


# The updates


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("GAN", ["critic", "generator"]),
        ("WGAN", [*["critic"] * 5, "generator"]),
        ("WGANGP", [*["critic"] * 5, "generator"]),
        ("WAE-gan", ["decoder encoder", "critic"]),
        ("ProximalFlow", [*["critic"] * 5, "potential"]),
    ],
)
def test_number_of_updates_in_a_step(name, order, record):
    method, variant = VARIANTS[name]
    getattr(baselines, method)(max_steps=2, random_state=0, **variant).fit(data())
    assert [" ".join(sorted(update.trained)) for update in record.updates] == 2 * order


def followed(record, model):
    """Updates, each with the parameters at the beginning of the next, or at the end."""
    followers = [*[update.before for update in record.updates[1:]], parameters(model.networks_)]
    return zip(record.updates, followers, strict=True)


@pytest.mark.parametrize("name", VARIANTS)
def test_an_update_changes_its_own_networks_only(name, record):
    model = make(name).fit(grey() if name in ("VAE-bernoulli", "WAE-sigmoid") else data())
    for update, follower in followed(record, model):
        changed = {key[0] for key, p in update.after.items() if not p.equal(update.before[key])}
        assert update.trained == changed
        for key, p in update.after.items():
            clipped = name == "WGAN" and update.trained == {"critic"} == {key[0]}
            assert clipped or p.equal(follower[key])


def test_the_critic_of_wgan_is_clipped_after_each_update(record):
    model = make("WGAN", clip=0.1).fit(data())
    for update, follower in followed(record, model):
        if update.trained == {"critic"}:
            for key, p in update.after.items():
                bounded = p.float().clamp(-0.1, 0.1).double() if key[0] == "critic" else p
                assert bounded.equal(follower[key])


def with_rates(name, **keywords):
    """A model whose critic, if it has one, has a learning rate of its own; and their rates."""
    rates = defaultdict(lambda: 2e-3, critic=5e-3)
    keywords["learning_rate"] = rates["map"]
    if hasattr(make(name), "critic_learning_rate"):
        keywords["critic_learning_rate"] = rates["critic"]
    return make(name, **keywords), rates


@every_trained
def test_first_updates_have_the_size_of_the_learning_rate(name, record):
    model, rates = with_rates(name)
    model.fit(data())
    # Adam divides the gradient by its size, RMSprop by a tenth of it
    factor = 10 if name == "WGAN" else 1
    for network, key in record.updates[0].before:
        update = next(update for update in record.updates if network in update.trained)
        grad = update.grads[network, key]
        clear = grad.abs() > 1e-4
        found = (update.after[network, key] - update.before[network, key])[clear]
        wanted = -factor * rates[network] * grad.sign()[clear]
        torch.testing.assert_close(found, wanted, rtol=5e-3, atol=1e-7)


@pytest.mark.parametrize("name", ["GAN", "WGAN", "WGANGP"])
def test_the_critic_has_the_rate_of_the_generator_by_default(name, record):
    make(name, learning_rate=7e-4).fit(data())
    assert {update.rate for update in record.updates} == {7e-4}


@pytest.mark.parametrize("name", [name for name in TRAINED if name != "WGAN"])
def test_second_updates_follow_the_betas_of_adam(name, record):
    b1, b2 = betas = (0.3, 0.8)
    model, rates = with_rates(name, betas=betas, schedule="constant")
    model.fit(data())
    for network, key in record.updates[0].before:
        first, second = [update for update in record.updates if network in update.trained][:2]
        g, h = first.grads[network, key], second.grads[network, key]
        mean = (1 - b1) * (b1 * g + h) / (1 - b1**2)
        square = (1 - b2) * (b2 * g**2 + h**2) / (1 - b2**2)
        found = second.after[network, key] - second.before[network, key]
        wanted = -rates[network] * mean / (square.sqrt() + 1e-8)
        torch.testing.assert_close(found, wanted, rtol=5e-3, atol=1e-6)


@every_trained
def test_schedules_of_the_learning_rates(name, record):
    for schedule, factors in [
        ("constant", [1.0, 1.0, 1.0]),
        ("cosine", 0.5 * (1 + np.cos(np.pi * np.array([0, 1, 2]) / 3))),
    ]:
        record.updates.clear()
        model, rates = with_rates(name, max_steps=3, schedule=schedule)
        model.fit(data())
        full = [rates[min(update.trained)] for update in record.updates]
        each = np.repeat(factors, len(record.updates) // 3)
        np.testing.assert_allclose([update.rate for update in record.updates], full * each)


def test_budgets_in_seconds_count_the_training_only(record, monkeypatch):
    from geomot.baselines._training import Run

    # a step takes a second, and the callback a hundred
    now, descend = [0.0], Run.descend

    def slow(*args):
        descend(*args)
        now[0] += 1.0

    def callback(model, step):
        now[0] += 100.0

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(Run, "descend", slow)
    model = make("VAE", max_steps=100, max_seconds=4.0, schedule="cosine", learning_rate=1.0)
    model.fit(data(), callback=callback)
    assert (model.status_, model.n_steps_, model.seconds_) == ("max_seconds", 4, 4.0)
    assert model.history_["seconds"].tolist() == [1.0, 2.0, 3.0, 4.0]
    factors = 0.5 * (1 + np.cos(np.pi * np.array([0.0, 0.25, 0.5, 0.75])))
    np.testing.assert_allclose([update.rate for update in record.updates], factors)


def test_rows_take_a_small_share_of_a_budget_in_seconds(monkeypatch):
    # a step takes a second, and what a row looks at ten
    now = [0.0]
    for name, duration in (("_average", 1.0), ("_finite", 10.0)):
        function = getattr(_training, name)

        def slow(*args, function=function, duration=duration):
            now[0] += duration
            return function(*args)

        monkeypatch.setattr(_training, name, slow)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    model = make("FlowMatching", max_steps=10**6, max_seconds=2000.0, log_every=None).fit(data())
    assert 8 <= len(model.history_) <= 12
    assert model.history_["step"][-1] == model.n_steps_ > 1800
    # without such a budget all are there
    assert len(make("FlowMatching", max_steps=700, log_every=None).fit(data()).history_) == 500


def test_images_of_points_are_looked_at_now_and_then(monkeypatch):
    looks = []
    monkeypatch.setattr(_training, "_maps", lambda *_: not looks.append(1))
    model = make("FlowMatching", max_steps=25).fit(data())
    assert len(model.history_) == 25
    # at the first row, at each tenth, and at the end
    assert len(looks) == 4
    monkeypatch.setattr(_training, "_maps", lambda model, _: model.n_steps_ != 21)
    model = make("FlowMatching", max_steps=25).fit(data())
    assert (model.status_, model.diverged_at_, model.kept_step_) == ("diverged", 21, 11)


# What is drawn


def passes(record, **keywords):
    """Numbers of the rows in the order of two passes over ten rows."""
    record.drawn.clear()
    X = data(n=10)
    model = make("VAE", max_steps=5, batch_size=4, **keywords).fit(X)
    drawn = torch.cat(record.drawn["batch"]).numpy() * model.scale_ + model.mean_
    assert [len(batch) for batch in record.drawn["batch"]] == [4] * 5
    distances = np.abs(drawn[:, None] - X).max(axis=2)
    np.testing.assert_allclose(distances.min(axis=1), 0.0, atol=1e-5)
    return distances.argmin(axis=1).reshape(2, 10).tolist()


def test_batches_take_every_row_once_in_a_pass(record):
    orders = [order for seed in (0, 1) for order in passes(record, random_state=seed)]
    for order in orders:
        assert sorted(order) == list(range(10))
        assert order != list(range(10))
    assert len(set(map(tuple, orders))) == 4
    assert passes(record, random_state=0) == orders[:2]


def test_batches_of_all_rows(record):
    X = data(n=5)
    model = make("VAE", batch_size=6).fit(X)
    for batch in record.drawn["batch"]:
        np.testing.assert_allclose(batch.numpy() * model.scale_ + model.mean_, X, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "kind", "law"),
    [
        ("FluidFlow", "noise", stats.norm()),
        ("VAE", "normal", stats.norm()),
        ("WGANGP", "uniform", stats.uniform()),
        ("FlowMatching", "uniform", stats.uniform()),
    ],
)
def test_random_numbers_have_their_law_and_are_fresh(name, kind, law, record):
    make(name, batch_size=1000).fit(data(n=1000))
    numbers = torch.stack(record.drawn[kind]).flatten().numpy()
    assert len(np.unique(numbers)) > 0.999 * len(numbers)
    assert stats.kstest(numbers, law.cdf).pvalue > 1e-3


def test_averaged_networks_are_running_means(record):
    model = make("GAN", averaging=0.15).fit(data())
    mean = {key: p for key, p in record.updates[0].before.items() if key[0] == "generator"}
    ends = [update.after for update in record.updates if update.trained == {"generator"}]
    for step, after in enumerate(ends, 1):
        # the decay is smaller in the first steps
        decay = min(0.15, step / (step + 10))
        mean = {key: decay * p + (1 - decay) * after[key] for key, p in mean.items()}
    for key, p in mean.items():
        torch.testing.assert_close(parameters(model.networks_)[key], p, rtol=1e-5, atol=1e-7)
