"""Named numbers, each with its reason. Lengths and masses are relative unless said otherwise."""

from __future__ import annotations

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

# More threads than this are never started; the result does not depend on their number.
MAX_THREADS = 256

# Largest index and largest header of a stored solution that are parsed, in bytes. geomot writes
# about 1 kB of each; parsing takes up to some 20 times their size.
STORED_INDEX_LIMIT = 2**14
STORED_HEADER_LIMIT = 2**14

# ---- Newton's method; measured in the study of strategies that geomot's design rests on ----

# Default bound on the relative error of a mass: quadratic convergence makes the last digits cheap.
NEWTON_TOL = 1e-9

# Steps that no convergent run was seen to need: 6 to 20 are usual.
NEWTON_MAX_ITER = 200

# Relative residual of the linear solves. A tighter one saves no step; a rougher one, far from the
# solution too, halves the inner iterations but loses cells of clustered sites on the way.
LINEAR_RTOL = 1e-4

# The step before the first: trials are twice the step before, so the first trial is a full step.
FIRST_STEP = 0.5

# A step below this means that rounding, not curvature, stops the descent.
MIN_STEP = 1e-8

# A mass error above this, where no step is acceptable any more, is not for rounding to explain.
STALL_ERROR = 1e-4

# The dual value may fall by rounding: the sum of some n costs, relative to the value.
DUAL_ROUNDING = 1e-14

# Empty cells of a trial are lifted when fewer than this share, to this share of their mass.
LIFT_SHARE = 0.3
LIFT = 0.3
LIFT_ROUNDS = 4
# From round to round the targets shrink, so that what is lifted last buries no other cell.
LIFT_DECAY = 0.1

# ---- The start: levels of insertion ----

# A Voronoi diagram this close to the masses (a lattice, a centroidal tessellation) is a start.
VORONOI_ERROR = 0.5

COARSEST = 150
LEVEL_RATIO = 4
# Masses that span more than this gain from levels down to a few sites, and those that span still
# more from levels closer together.
WIDE_MASSES = 1e2
COARSEST_WIDE = 5
VERY_WIDE_MASSES = 1e5
LEVEL_RATIO_WIDE = 2
COARSE_TOL = 0.1
MAX_COARSE_ITER = 50
# A new site gets this share of its mass; .25 to .9 made no difference.
INSERTED_SHARE = 0.5
INSERTION_ROUNDS = 4
# From round to round: equal targets need twice the rounds, a tenth costs Newton steps.
INSERTION_DECAY = 0.3
# Shares of the quantile start, which has no empty cell, mixed in where lifting leaves some.
QUANTILE_SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
START_SEED = 0

# Allowance for rounding in the certified bracket, relative to the cost: cells keep 1e-12.
CERTIFICATE_ROUNDING = 1e-12

# How far below its first cell the weight of a site without mass is put, in squared extents of
# sites and domain: far above rounding, too little to matter to a plot of the weights.
ZERO_MASS_DROP = 1e-6
