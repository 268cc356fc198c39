"""Named numbers, each with its reason. Lengths and masses are relative unless said otherwise.

Here are those of all engines: what input may be, what floats round, what files hold. Those of one
engine are in `newton` and `sampling`; a number that only one module uses is named at its top.
"""

from __future__ import annotations

# Half a unit in the last place of 1: what one rounding may change a number by, relatively.
UNIT_ROUNDOFF = 2.0**-53
UNIT_ROUNDOFF_SINGLE = 2.0**-24

# Bits of a mantissa: integers up to 2^53 are floats.
MANTISSA_BITS = 53

# A positive number below all that occur: logarithms are taken of it in place of 0.
LEAST_POSITIVE = 1e-300

# Seeds that are drawn for other generators lie below this: draws are int64.
SEED_RANGE = 2**63

# Latent dimension where none is given: what the papers use for images of digits.
LATENT_DIM = 10

# Channels that an array of images may have: grey, colour, colour with opacity.
IMAGE_CHANNELS = (1, 3, 4)

# Level of the two-sided intervals that are reported.
CONFIDENCE = 0.95

# Masses whose sum is this close to 1 are taken as normalised and divided by their sum; others are
# refused unless the caller asks for normalisation. Wide enough for masses that were normalised in
# float32 (rounding 6e-8), far below any sum that is wrong on purpose.
MASS_SUM_TOLERANCE = 1e-6

# Masses whose sum is within this of 1 are left untouched, so that a second validation changes no
# bit: dividing by the sum leaves a relative error of at most 2^-53 in each mass.
MASS_SUM_ROUNDING = 2.0**-52

# Largest magnitude of a coordinate. Costs are integrals of degree 4 in the coordinates, predicates
# are polynomials of degree 4: 2^800 leaves room for their factors below float64's 2^1024.
COORDINATE_LIMIT = 2.0**200

# Largest magnitude of a weight, which is a squared length.
WEIGHT_LIMIT = COORDINATE_LIMIT**2

# Sites with at most this many rows and at least this many columns are probably transposed: x, y and
# z as rows. With fewer columns they may well be a few points of many coordinates.
TRANSPOSED_ROWS = 3
TRANSPOSED_COLUMNS = 100

# A polygon is convex up to the rounding of its coordinates if every vertex lies within this many
# units in the last place of its convex hull, taken at the largest x and the largest y. Correctly
# rounded vertices of a convex polygon do within 1.5 (half a unit in each coordinate, of the vertex
# and of the hull's edge), vertices that are off by a whole unit within 3; a dent that is meant is
# wider by far.
CONVEX_ROUNDING = 4

# More threads than this are never started; the result does not depend on their number.
MAX_THREADS = 256

# Largest index and largest header of a stored solution that are parsed, in bytes. geomot writes
# about 1 kB of each; parsing takes up to some 20 times their size.
STORED_INDEX_LIMIT = 2**14
STORED_HEADER_LIMIT = 2**14

# Seconds without writing after which an unfinished file is that of a killed process. Files are
# written without pauses; what may pause them, a suspended machine, is shorter or stops all others.
STALE_SECONDS = 3600.0
