"""How good a generator is beside what else makes codes: the table of docs/generation.md.

    geomot generate IMAGES --labels LABELS -o DIR
    python benchmarks/generation.py DIR IMAGES --labels LABELS

All rows use the autoencoder of the generator in DIR; only what makes the codes differs. "Other
training images" are half of the data against the other half, and "decoded training codes" what the
autoencoder leaves of them: nothing that makes codes is expected to be nearer.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.spatial import cKDTree

from geomot.baselines import SMOTE, FlowMatching, GaussianMixture
from geomot.generator import LatentGenerator
from geomot.images import load_images
from geomot.latent import FeatureClassifier
from geomot.metrics import frechet_distance, precision_recall_density_coverage

# Images of each row, at most, and those among them whose neighbours are looked for.
JUDGED = 5000
NEIGHBOURS = 2000
# A step between codes below this share of their typical one makes no other image.
COPY = 1e-6


def made_codes(generator, n, seconds):
    """Codes of every method, with the seconds that it took beside the autoencoder's."""
    codes = generator.codes_
    rng = np.random.default_rng(0)
    yield "decoded training codes", codes[rng.permutation(len(codes))[:n]], 0.0
    for name, mode in (("extended map", "extended"), ("exact map", "discrete")):
        yield name, generator.sample(n, 1, mode=mode, return_codes=True)[1], None
    normal = rng.multivariate_normal(codes.mean(axis=0), np.cov(codes.T), n)
    yield "Gaussian", normal, 0.0
    models = {
        "SMOTE": SMOTE(random_state=0),
        "Gaussian mixture": GaussianMixture(random_state=0),
        "flow matching": FlowMatching(
            hidden=(256, 256, 256), max_steps=10**9, max_seconds=seconds, random_state=0
        ),
    }
    for name, model in models.items():
        start = time.process_time()
        model.fit(codes)
        spent = time.process_time() - start
        yield name, model.sample(n, random_state=1), spent


def rows_of(generator, images, labels, seconds):
    """The table's rows, as dictionaries."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(images))
    half = min(len(images) // 2, JUDGED)
    judge = generator.autoencoder_.encode
    if labels is not None:
        judge = FeatureClassifier(random_state=0).fit(images, labels).features
    reference = judge(images[order[:half]])
    known, own = cKDTree(generator.codes_), labels
    typical = np.median(known.query(generator.codes_[order[:1000]], 2)[0][:, 1])

    def scores(made):
        features = judge(made)
        few = min(NEIGHBOURS, half)
        found = precision_recall_density_coverage(reference[:few], features[:few])
        return {
            "Frechet": frechet_distance(features, reference),
            "precision": found.precision,
            "recall": found.recall,
        }

    yield {"name": "other training images", **scores(images[order[half : 2 * half]])}
    for name, codes, spent in made_codes(generator, half, seconds):
        distance, nearest = known.query(codes)
        row = {"name": name, **scores(generator.autoencoder_.decode(codes)), "seconds": spent}
        row["copies"] = np.mean(distance <= COPY * typical)
        if labels is not None:
            classes, target = np.unique(own, return_counts=True)
            shares = np.array([np.mean(own[nearest] == c) for c in classes])
            target = target / len(own)
            row["worst class"] = (shares / target - 1)[np.argmax(np.abs(shares / target - 1))]
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="what `geomot generate` wrote")
    parser.add_argument("images", help="the images that it was given")
    parser.add_argument("--labels", help="their labels")
    parser.add_argument("--size", type=int, help="as it was given")
    parser.add_argument("--seconds", type=float, default=60.0, help="training of flow matching")
    arguments = parser.parse_args()
    generator = LatentGenerator.load(f"{arguments.folder}/model")
    images, labels = load_images(arguments.images, labels=arguments.labels, size=arguments.size)
    print("| codes | Frechet | precision | recall | copies | worst class | processor s |")
    print("|---|---|---|---|---|---|---|")
    for row in rows_of(generator, images, labels, arguments.seconds):
        cells = [f"{row[k]:.4g}" for k in ("Frechet", "precision", "recall")]
        for key, form in (("copies", ".0%"), ("worst class", "+.0%"), ("seconds", ".1f")):
            value = row.get(key)
            cells.append("" if value is None else format(value, form))
        print(f"| {row['name']} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
