"""Every baseline beside a plain implementation of its paper, at equal processor seconds.

The plain ones are written as one would write them from the paper alone: torch's own layers,
optimizers and initial weights, one function each, with the settings that the paper or its code
states, and nothing of `geomot.baselines`. Both are given the same data and the same seconds of one
thread; seconds are of the processor, so that other programs on the machine do not count.

Vectors are judged by the exact W2 to held-out points, codes and images by the Frechet distance in
the features of a classifier: codes after decoding. Smaller is better. The row "data" is the
training data, drawn again.

    python benchmarks/plain_baselines.py --data ring codes --seconds 20 --seeds 0 1 2
    python benchmarks/plain_baselines.py --data digits --methods VAE WAE
    python benchmarks/plain_baselines.py --images fashion=FOLDER --methods VAE --data fashion

`--images NAME=FOLDER` reads idx files of images and labels, as MNIST and Fashion-MNIST come.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from geomot import baselines, metrics
from geomot.compare._data import image_problem
from geomot.datasets import digits, gaussian_modes, ring

GENERATED = 1000
# No budget of seconds leaves time for this many steps.
UNBOUNDED = 10**9
# Images of a big set that are used.
MOST_IMAGES = 12_000


# ---- what the plain implementations share ----


def mlp(*widths, activation=nn.ReLU):
    layers = []
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


class Budget:
    """Batches of the data until the seconds are spent."""

    def __init__(self, x, seconds, batch):
        self.x, self.seconds, self.batch, self.started = x, seconds, batch, time.process_time()

    @property
    def share(self):
        return (time.process_time() - self.started) / self.seconds

    def one(self):
        return self.x[torch.randint(len(self.x), (self.batch,))]

    def __iter__(self):
        while self.share < 1:
            yield self.one()


def leaky():
    return nn.LeakyReLU(0.2)


# ---- plain autoencoders, on images in [0, 1] and on vectors ----


def plain_vae(x, seconds):
    """Kingma, Welling 2014, appendix C: Bernoulli for images, Gaussian for vectors."""
    image, d, k = bool(x.min() >= 0 and x.max() <= 1), x.shape[1], min(10, x.shape[1])
    encoder = mlp(d, 400, 400, 2 * k)
    decoder = mlp(k, 400, 400, d if image else 2 * d)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)
    for batch in Budget(x, seconds, 100):
        mean, log_v = encoder(batch).chunk(2, 1)
        out = decoder(mean + (log_v / 2).exp() * torch.randn_like(mean))
        if image:
            loss = binary_cross_entropy_with_logits(out, batch, reduction="none").sum(1)
        else:
            centre, log_s = out.chunk(2, 1)
            loss = 0.5 * ((batch - centre) ** 2 / log_s.exp() + log_s).sum(1)
        loss = (loss + 0.5 * (mean**2 + log_v.exp() - 1 - log_v).sum(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def sample(n):
        out = decoder(torch.randn(n, k))
        if image:
            return out.sigmoid()
        centre, log_s = out.chunk(2, 1)
        return centre + (log_s / 2).exp() * torch.randn_like(centre)

    return sample


def multiquadratic(a, b):
    squares = torch.cdist(a, b) ** 2
    base = 2 * a.shape[1]
    return sum(s * base / (s * base + squares) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))


def plain_wae(x, seconds, adversarial=False):
    """Tolstikhin et al. 2018, algorithms 2 and 1."""
    image, d, k = bool(x.min() >= 0 and x.max() <= 1), x.shape[1], min(10, x.shape[1])
    encoder, decoder = mlp(d, 400, 400, k), mlp(k, 400, 400, d)
    critic = mlp(k, 512, 512, 1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3, (0.5, 0.999))
    critic_step = torch.optim.Adam(critic.parameters(), 5e-4, (0.5, 0.999))

    def decode(codes):
        return decoder(codes).sigmoid() if image else decoder(codes)

    for batch in Budget(x, seconds, 100):
        codes, prior = encoder(batch), torch.randn(100, k)
        if adversarial:
            divergence = -logsigmoid(critic(codes)).mean()
        else:
            off = 1 - torch.eye(100)
            within = multiquadratic(codes, codes) + multiquadratic(prior, prior)
            divergence = (within * off).sum() / (100 * 99) - 2 * multiquadratic(codes, prior).mean()
        # lambda is 10, and the authors' code takes a twentieth of the sum of squares
        loss = 0.05 * ((decode(codes) - batch) ** 2).sum(1).mean() + 10 * divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if adversarial:
            judged = -logsigmoid(critic(prior)).mean() - logsigmoid(-critic(codes.detach())).mean()
            critic_step.zero_grad()
            judged.backward()
            critic_step.step()
    return lambda n: decode(torch.randn(n, k))


def plain_wae_gan(x, seconds):
    return plain_wae(x, seconds, adversarial=True)


# ---- plain adversarial networks ----


def plain_gan(x, seconds):
    """Goodfellow et al. 2014, with the rates of Radford et al. 2016."""
    d = x.shape[1]
    k = min(d, 64)
    generator = mlp(k, 256, 256, 256, d)
    critic = mlp(d, 256, 256, 256, 1, activation=leaky)
    first = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    second = torch.optim.Adam(critic.parameters(), 2e-4, (0.5, 0.999))
    for batch in Budget(x, seconds, 128):
        fake = generator(torch.randn(128, k))
        loss = -logsigmoid(critic(batch)).mean() - logsigmoid(-critic(fake.detach())).mean()
        second.zero_grad()
        loss.backward()
        second.step()
        loss = -logsigmoid(critic(fake)).mean()
        first.zero_grad()
        loss.backward()
        first.step()
    return lambda n: generator(torch.randn(n, k))


def plain_wgan(x, seconds, penalty=None):
    """Arjovsky et al. 2017, algorithm 1; with a penalty Gulrajani et al. 2017, algorithm 1."""
    d = x.shape[1]
    k = min(d, 64)
    generator, critic = mlp(k, 256, 256, 256, d), mlp(d, 256, 256, 256, 1)
    if penalty is None:
        first = torch.optim.RMSprop(generator.parameters(), 5e-5)
        second = torch.optim.RMSprop(critic.parameters(), 5e-5)
    else:
        first = torch.optim.Adam(generator.parameters(), 1e-4, (0.5, 0.9))
        second = torch.optim.Adam(critic.parameters(), 1e-4, (0.5, 0.9))
    budget = Budget(x, seconds, 64 if penalty is None else 256)
    for _ in budget:
        for _ in range(5):
            batch = budget.one()
            with torch.no_grad():
                fake = generator(torch.randn(len(batch), k))
            loss = critic(fake).mean() - critic(batch).mean()
            if penalty is not None:
                share = torch.rand(len(batch), 1)
                between = (share * batch + (1 - share) * fake).requires_grad_()
                (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
                loss = loss + penalty * ((slope.norm(dim=1) - 1) ** 2).mean()
            second.zero_grad()
            loss.backward()
            second.step()
            if penalty is None:
                for parameter in critic.parameters():
                    parameter.data.clamp_(-0.01, 0.01)
        loss = -critic(generator(torch.randn(budget.batch, k))).mean()
        first.zero_grad()
        loss.backward()
        first.step()
    return lambda n: generator(torch.randn(n, k))


def plain_wgan_gp(x, seconds):
    return plain_wgan(x, seconds, penalty=0.1)  # of the authors' code for points


# ---- plain flows and maps ----


def plain_potential(x, seconds):
    """Liu et al. 2018: regression on duals of batches, here of exact assignments."""
    import ot

    d = x.shape[1]
    network = mlp(d, 512, 512, 512, 1, activation=leaky)
    optimizer = torch.optim.Adam(network.parameters(), 1e-4, (0.5, 0.999))
    for batch in Budget(x, seconds, 64):
        z = torch.randn_like(batch).requires_grad_()
        cost = 0.5 * torch.cdist(z, batch).detach().double().numpy() ** 2
        _, log = ot.emd(np.full(64, 1 / 64), np.full(64, 1 / 64), cost, log=True)
        u, v = log["u"], log["v"]
        shift = (v.mean() - u.mean()) / 2
        u, v = u + shift, v - shift
        values = network(z)[:, 0]
        (slope,) = torch.autograd.grad(values.sum(), z, create_graph=True)
        reach = (batch[np.argmin(cost - v, axis=1)] - z).detach().norm(dim=1)
        loss = ((values + torch.as_tensor(u, dtype=torch.float32)) ** 2).mean()
        loss = loss + 0.1 * ((slope.norm(dim=1) - reach) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def sample(n):
        with torch.enable_grad():
            z = torch.randn(n, d).requires_grad_()
            (slope,) = torch.autograd.grad(network(z).sum(), z)
        return (z + slope).detach()

    return sample


def plain_fluid(x, seconds):
    """Lin, Lensink, Haber 2019: residual flow, mixtures from a width of 2 to one of 0.1."""
    d = x.shape[1]
    fields = nn.ModuleList(mlp(d, 64, d, activation=nn.Tanh) for _ in range(8))
    optimizer = torch.optim.Adam(fields.parameters(), 2e-3)
    budget = Budget(x, seconds, 512)
    for batch in budget:
        width = 2.0 * (0.1 / 2.0) ** min(1.0, 1.1 * budget.share)
        z, energy = torch.randn_like(batch), 0.0
        for field in fields:
            v = field(z)
            z, energy = z + v / 8, energy + (v**2).sum(1).mean() / 8
        exponents = -(torch.cdist(batch, z, compute_mode="donot_use_mm_for_euclid_dist") ** 2)
        exponents = exponents / (2 * width**2)
        misfit = -exponents.logsumexp(0).mean() - exponents.logsumexp(1).mean()
        loss = misfit + energy
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def sample(n):
        z = torch.randn(n, d)
        for field in fields:
            z = z + field(z) / 8
        return z

    return sample


def plain_proximal(x, seconds, weight=0.5, gamma=0.1):
    """Gu et al. 2024: both proximals, forward Euler with five steps."""
    d = x.shape[1]
    potential = mlp(d + 1, 48, 48, 48, 48, 48, 1, activation=nn.Tanh)
    critic = mlp(d, 48, 48, 48, 1)
    first = torch.optim.Adam(potential.parameters(), 1e-3, (0.5, 0.9))
    second = torch.optim.Adam(critic.parameters(), 1e-3, (0.5, 0.9))

    def flow(z, create_graph):
        energy = 0.0
        for k in range(5):
            z = z if z.requires_grad else z.requires_grad_()
            t = torch.full((len(z), 1), k / 5)
            value = potential(torch.cat([z, t], 1)).sum()
            (slope,) = torch.autograd.grad(value, z, create_graph=create_graph)
            v = -slope / weight
            energy = energy + 0.5 * (v**2).sum(1).mean() / 5
            z = z + v / 5
            if not create_graph:
                z = z.detach()
        return z, energy

    budget = Budget(x, seconds, 200)
    for _ in budget:
        for _ in range(5):
            batch = budget.one()
            fake = flow(torch.randn_like(batch), False)[0]
            at_data = critic(batch)[:, 0].logsumexp(0) - math.log(len(batch))
            share = torch.rand(len(batch), 1)
            between = (share * batch + (1 - share) * fake).requires_grad_()
            (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            penalty = ((slope**2).sum(1) - 1).relu().mean()
            loss = at_data - critic(fake).mean() + gamma * penalty
            second.zero_grad()
            loss.backward()
            second.step()
        end, energy = flow(torch.randn_like(batch), True)
        loss = critic(end).mean() + weight * energy
        first.zero_grad()
        loss.backward()
        first.step()

    def sample(n):
        with torch.enable_grad():
            return flow(torch.randn(n, d), False)[0]

    return sample


def plain_flow(x, seconds, pair=None):
    """Lipman et al. 2023; with a `pair` Tong et al. 2024. Samples by 100 steps of Euler."""
    d = x.shape[1]
    velocity = mlp(d + 1, 256, 256, 256, d, activation=nn.SiLU)
    optimizer = torch.optim.Adam(velocity.parameters(), 1e-3)
    for batch in Budget(x, seconds, 256):
        z, t = torch.randn_like(batch), torch.rand(len(batch), 1)
        end = batch if pair is None else pair(z, batch)
        loss = (velocity(torch.cat([(1 - t) * z + t * end, t], 1)) - (end - z)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def sample(n):
        z = torch.randn(n, d)
        for k in range(100):
            z = z + velocity(torch.cat([z, torch.full((n, 1), k / 100)], 1)) / 100
        return z

    return sample


def plain_flow_minibatch(x, seconds):
    def pair(z, batch):
        return batch[linear_sum_assignment(cdist(z, batch, "sqeuclidean"))[1]]

    return plain_flow(x, seconds, pair)


def plain_flow_semidiscrete(x, seconds):
    """Potentials by averaged stochastic ascent (Genevay et al. 2016) in a third of the time."""
    started, weights = time.process_time(), torch.zeros(len(x))
    mean, step, rate = weights.clone(), 0, float(((x - x.mean(0)) ** 2).sum(1).mean())
    half_squares = (x**2).sum(1) / 2

    def nearest(z, weights):
        return (z @ x.T - half_squares + weights).argmax(1)

    while time.process_time() - started < seconds / 3:
        step += 1
        found = torch.bincount(nearest(torch.randn(1000, x.shape[1]), weights), minlength=len(x))
        weights = weights + rate * len(x) / 1000 / math.sqrt(step) * (1 / len(x) - found / 1000)
        mean += (weights - mean) / step
    left = seconds - (time.process_time() - started)
    return plain_flow(x, left, lambda z, _: x[nearest(z, mean)])


ROWS = {
    "GAN": ("GAN", {}, plain_gan),
    "WGAN": ("WGAN", {}, plain_wgan),
    "WGANGP": ("WGANGP", {}, plain_wgan_gp),
    "VAE": ("VAE", {}, plain_vae),
    "WAE": ("WAE", {}, plain_wae),
    "WAE-GAN": ("WAE", {"divergence": "gan"}, plain_wae_gan),
    "PotentialRegression": ("PotentialRegression", {}, plain_potential),
    "FluidFlow": ("FluidFlow", {}, plain_fluid),
    "ProximalFlow": ("ProximalFlow", {}, plain_proximal),
    "FlowMatching": ("FlowMatching", {}, plain_flow),
    "FlowMatching-minibatch": ("FlowMatching", {"coupling": "minibatch"}, plain_flow_minibatch),
    "FlowMatching-semidiscrete": (
        "FlowMatching", {"coupling": "semidiscrete"}, plain_flow_semidiscrete
    ),
}  # fmt: skip
OF_IMAGES = ("VAE", "WAE", "WAE-GAN", "GAN", "WGANGP", "FlowMatching")


# ---- data, and how samples are judged ----


class Vectors:
    """Points of eight Gaussians."""

    def __init__(self):
        clouds = [gaussian_modes(n, ring(8, 10.0), 1.0, random_state=n)[0] for n in (4000, 1000)]
        self.train, self.test = clouds

    def judge(self, samples):
        return math.sqrt(metrics.wasserstein2(samples, self.test))


class Images:
    """Images in [0, 1], or their codes."""

    def __init__(self, name, load, folder, codes):
        images, labels = load()
        if len(images) > MOST_IMAGES:
            some = np.random.default_rng(0).permutation(len(images))[:MOST_IMAGES]
            images, labels = images[some], labels[some]
        images = images / 255.0 if images.dtype == np.uint8 else images
        problem = image_problem(images, labels, 10, None, folder, name, None, 1)
        self._problem, self._codes = problem, codes
        self.train = problem.codes if codes else problem.train

    def judge(self, samples):
        images = self._problem.codec.decode(samples) if self._codes else samples
        images = np.clip(images.reshape(-1, *self._problem.test.shape[1:]), 0.0, 1.0)
        features = [self._problem.classifier.features(x) for x in (self._problem.test, images)]
        return metrics.frechet_distance(*features)


def digit_images():
    images, labels = digits()
    return images.reshape(-1, 8, 8), labels


def idx_images(folder):
    from geomot.images import load_images, load_labels

    (pictures,), (labels,) = (
        sorted(Path(folder).glob(f"*train*{kind}*")) for kind in ("images", "labels")
    )
    return load_images(pictures)[0], np.asarray(load_labels(labels))


def of_geomot(name, data, seconds, seed, options):
    method, fixed, _ = ROWS[name]
    keywords = {"max_steps": UNBOUNDED, "max_seconds": seconds, **fixed, **options}
    model = getattr(baselines, method)(random_state=seed, **keywords)
    with mock.patch("time.perf_counter", time.process_time):
        model.fit(data.train)
    return model.sample(GENERATED), model.n_steps_


def plain(name, data, seconds, seed):
    torch.manual_seed(seed)
    flat = data.train.reshape(len(data.train), -1)
    # Images are taken as they are by autoencoders, everything else is standardised.
    as_is = data.train.ndim > 2 and name in ("VAE", "WAE", "WAE-GAN")
    mean, scale = (0.0, 1.0) if as_is else (flat.mean(axis=0), flat.std())
    sample = ROWS[name][2](torch.as_tensor((flat - mean) / scale, dtype=torch.float32), seconds)
    with torch.no_grad():
        found = sample(GENERATED).double().numpy() * scale + mean
    return found.reshape(GENERATED, *data.train.shape[1:])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=["ring", "codes", "digits"])
    parser.add_argument("--images", nargs="*", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--methods", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, help="where codecs and classifiers are kept")
    parser.add_argument("--option", nargs="*", default=[], metavar="KEYWORD=VALUE")
    parser.add_argument("--only", choices=["ours", "plain"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    options = {key: eval(value) for key, value in (o.split("=", 1) for o in arguments.option)}
    folders = dict(pair.split("=", 1) for pair in arguments.images)
    print("| data | method | seconds | geomot | plain | steps |\n|---|---|---|---|---|---|")
    for word in arguments.data:
        if word == "ring":
            data = Vectors()
        else:
            name = word.removesuffix("-codes") if word != "codes" else "digits"
            load = digit_images if name == "digits" else lambda: idx_images(folders[name])  # noqa: B023
            data = Images(name, load, arguments.folder, codes=word.endswith("codes"))
        again = data.train[np.random.default_rng(0).integers(len(data.train), size=GENERATED)]
        print(f"| {word} | data | - | {data.judge(again):.3g} | | |", flush=True)
        for name in arguments.methods:
            if data.train.ndim > 2 and name not in OF_IMAGES:
                continue
            ours, others, steps = [], [], 0
            for seed in arguments.seeds:
                if arguments.only != "plain":
                    samples, steps = of_geomot(name, data, arguments.seconds, seed, options)
                    ours.append(data.judge(samples))
                if arguments.only != "ours":
                    others.append(data.judge(plain(name, data, arguments.seconds, seed)))
            cells = [f"{np.mean(v):.3g} ± {np.std(v):.2g}" if v else "-" for v in (ours, others)]
            row = [word, name, f"{arguments.seconds:g}", *cells, str(steps)]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
