"""New data from optimal maps: noise to latent codes, and these decoded."""

from geomot.generator.generator import LatentGenerator
from geomot.generator.moment_matching import matching_disk, matching_source

__all__ = ["LatentGenerator", "matching_disk", "matching_source"]
