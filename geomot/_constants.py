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

# ---- Newton's method; measured in the study of strategies that geomot's design rests on ----

# Default bound on the relative error of a mass: quadratic convergence makes the last digits cheap.
NEWTON_TOL = 1e-9

# Default absolute tolerance of a mass, of a total of 1. Weights hi + lo place a border to within
# 2^-104, the square of float64's rounding, and this is a hundred times more: at the default
# tolerance masses above 1e-20 are met relatively, all others to this. Under smaller tolerances
# masses above float64's rounding of the total are still met relatively.
ATOL = 2.0**-97
LEAST_RELATIVE_MASS = 2.0**-52

# Steps that no convergent run was seen to need: 6 to 20 are usual.
NEWTON_MAX_ITER = 200

# Relative residual of the linear solves. A tighter one saves no step; a rougher one, far from the
# solution too, halves the inner iterations but loses cells of clustered sites on the way.
LINEAR_RTOL = 1e-4

# The step before the first: trials are twice the step before, so the first trial is a full step.
FIRST_STEP = 0.5

# A step below this means that rounding, not curvature, stops the descent.
MIN_STEP = 1e-8

# After so many short steps in a row it is looked at whether rounding explains what is left.
SHORT_STEP = 0.1
MANY_SHORT_STEPS = 8

# Rounding of a mass, relative to itself, and of weights hi + lo, relative to their magnitude: what
# an error may be owed to. What the weights' does to the masses is tried so many times.
MASS_ROUNDING = 2.0**-44
WEIGHT_ROUNDING = 2.0**-100
ROUNDING_TRIALS = 4

# Rounding of a pair hi + lo relative to its size, with that of the sum that made it: masses moved
# by no more than this are noise to the line search.
WEIGHT_NOISE = 2.0**-104

# Cells that are left empty are opened one by one, by trial: first steps from the weight of
# insertion, relative to all weights, their growth, rounds in case one buries another, and most
# diagrams that this may take.
OPENING = 2.0**-104
OPENING_GROWTH = 16.0
OPENING_ROUNDS = 5
MAX_OPENING = 1000
# Empty cells of which the smallest possible size is looked for, when nothing else helps.
MOST_EXAMINED = 16

# Hellinger distances below this are rounding: they need not fall any more.
HELLINGER_ROUNDING = 1e-13

# Systems of so few unknowns are preconditioned by an exact factorisation.
EXACT_CHOLESKY = 24

# Iterations needed at a relative residual of 1e-4 are 10 to 40; a run this long has stalled.
MAX_CG_ITERATIONS = 200

# Residual above which a solution is not good enough to step by, and the system is solved exactly.
ACCEPTED_RESIDUAL = 1e-2

# Rounds of refinement of an exact solution: one makes it good to the last bits.
MAX_REFINEMENTS = 3

# Empty cells of a trial are lifted when fewer than this share, to this share of their mass.
LIFT_SHARE = 0.3
LIFT = 0.3
LIFT_ROUNDS = 4
# Those lighter than this share of the heaviest wait for a later round: they would be buried.
LIFT_BAND = 1e-5
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
# Largest ratio of the masses that one level adds.
LEVEL_BAND = 1e6
COARSE_TOL = 0.1
MAX_COARSE_ITER = 50
# A new site gets this share of its mass; .25 to .9 made no difference.
INSERTED_SHARE = 0.5
INSERTION_ROUNDS = 4
# From round to round: equal targets need twice the rounds, a tenth costs Newton steps.
INSERTION_DECAY = 0.3
# Cells that rounding keeps from being lifted stay empty at the start if they weigh no more.
NEGLIGIBLE_START = 2.0**-40
# Shares of the quantile start, which has no empty cell, mixed in where lifting leaves some.
QUANTILE_SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
START_SEED = 0
# Cells of a start that have less than this share of their mass are lifted like empty ones.
START_FLOOR = 1e-8

# Allowance for rounding in the certified bracket, relative to the cost: cells keep 1e-12.
CERTIFICATE_ROUNDING = 1e-12

# How far below its first cell the weight of a site without mass is put, in squared extents of
# sites and domain: far above rounding, too little to matter to a plot of the weights.
ZERO_MASS_DROP = 1e-6

# ---- Monte Carlo; chosen by measurement, see benchmarks/MONTECARLO.md ----

# Default bound on the total variation between the masses and their targets.
MONTECARLO_TOL = 0.01

# Product groups from this many sites and dimensions on.
PAIR_SITES = 64
PAIR_DIMENSIONS = 5

# Dimensions in which single samples skip sites by bounding boxes, if there are so many sites: from
# NEAR_POINTS on it is faster than looking at all, from NEAR_SITES 2^d on faster than product
# groups.
NEAR_DIMENSIONS = 8
NEAR_POINTS = 4096
NEAR_SITES = 600

# Rows of a scrambled Sobol sequence before the next scrambling: a power of two.
SOBOL_ROWS = 2**14

# Samples of a step: half the number of sites, or a share of the samples so far, within bounds.
SAMPLES_PER_BATCH = 256
LEAST_BATCH = 2048
LARGEST_BATCH = 8192

# With very many sites a step's work on vectors of their length is not to outweigh its samples.
SITES_PER_SAMPLE = 32

# Steps shrink as (1 + samples / (STEP_SAMPLES * n))^-STEP_DECAY. A slower decay makes heights so
# noisy that their average is biased, a faster one forgets the start too late.
STEP_SAMPLES = 2.0
STEP_DECAY = 0.6

# Steps lengthen by this factor where the error that is left outlives them. A start on levels of
# clusters is worth this many times its samples: steps begin as short as after so many.
LENGTHEN = 1.5
START_WORTH = 2.0

# Masses of a batch are far worse if their squared distance exceeds the recent mean by so many times
# the part of it that persists, and by so many standard errors.
ALARM = 3.0, 4.0

# A cell that seems to have this many times its target is treated by its mass, not its target.
FAR_TOO_LARGE = 4.0

# Heights are averaged with weights ~ k^(AVERAGING - 1) at step k: 1 loses nothing to noise, more
# forgets the start sooner.
AVERAGING = 1.5

# Gaps are looked at now and then. The estimate of the Hessian remembers so many looks.
GAPS_EVERY = 8
HESSIAN_MEMORY = 0.02

# What holds heights back: a share of the Hessian for each unit of total variation, within bounds,
# and what so many samples that were overlooked at the border of a cell would add. Where few samples
# tell how stiff a cell or cluster is, so many that are like its neighbours are added to them.
DAMPING = 0.25
LEAST_DAMPING = 0.006
MOST_DAMPING = 0.6
OVERLOOKED_HITS = 3.0
PRIOR_HITS = 5.0

# A step that made masses far worse is taken back, and the next ones are held back by this factor
# more; after ten others by as much as before.
CAUTION = 4.0

# Newton's systems are solved roughly: by conjugate gradients to a relative residual, in so many
# iterations at most, with a dense matrix between so many clusters. In the plane and on lines, where
# the matrix is factorised, the number of looks at gaps grows by a factor between factorisations.
NEWTON_RESIDUAL = 0.1
NEWTON_ITERATIONS = 10
COARSE_CLUSTERS = 256
REFACTOR_GROWTH = 1.1

# Clusters of sites, and clusters of these: sites in one, and how many of them at least and at most.
CLUSTER_SITES = 8
FEWEST_CLUSTERS = 6
MOST_CLUSTERS = 2048
LLOYD_STEPS = 5

# The start: a level of at most so many clusters is solved for first. Samples on a level: for each
# site at least and at most, the latter if they are not more than a number in all, which is not less
# than another one. Newton's method takes so many steps at most, until so much of the mass is out of
# place, on the coarser levels and on the last one; its systems are solved to a relative residual,
# in so many iterations at most.
TOP_LEVEL = 128
LEVEL_SAMPLES = 4096, 32768
LEVEL_SAMPLES_PER_SITE = 4, 16
LEVEL_STEPS = 30
LEVEL_GOALS = 0.1, 0.2
LEVEL_RESIDUAL = 0.01
LEVEL_ITERATIONS = 100

# Sites that have no cell get heights from the order of so many samples at most, if half a sample of
# them is due at least; so many times in a solve. Sites of small masses to which fewer hits of the
# fit were due may have none. What placing takes besides the fit: so many pairs of samples and
# sites, about a second.
RARE_SAMPLES = 2**20
RARE_HITS = 10.0
RARE_PAIRS = 2**34
PLACEMENTS = 3

# Independent streams of samples in a test: the jackknife over them gives the error of chi^2,
# Student's distribution with one degree of freedom less its quantiles.
TEST_STREAMS = 32

# Level of the two-sided intervals that are reported, at whichever look the solve ended.
CONFIDENCE = 0.95

# Share of the level that goes to the bound on the total variation by plain shares; the rest goes to
# the one by the squared distance, which is the sharper one nearly always.
PLAIN_SHARE = 0.1

# The upper bound on W2^2: neighbours to which the excess of a cell may flow, accuracy of the flows,
# blocks of streams that give its error, and sites up to which it is worth while, as all of them are
# compared with each other.
REPAIR_NEIGHBOURS = 12
REPAIR_RTOL = 1e-6
REPAIR_BLOCKS = 8
REPAIR_SITES = 20_000

# First look after this many samples per site; the next when chi^2 ~ 1 / samples is expected to
# allow a verdict, but never earlier or later than these factors say.
FIRST_LOOK = 5.0
LOOK_GROWTH = (1.15, 1.8)

# Samples of a look, as a share of those fitted so far; it goes on only if chi^2 is not above its
# tolerance by this many standard errors.
TEST_SHARE = 0.03
LOOK_QUANTILE = 2.0

# What a fit and a test are planned with: chi^2 after m fitted samples is FIT_NOISE n / m, give or
# take a share of FIT_NOISE_SPREAD, and a verdict needs so many of its standard errors.
FIT_NOISE = 1.0
FIT_NOISE_SPREAD = 0.2
TEST_QUANTILE = 3.0

# Share of the tolerated total variation that fitting may lose to float32: samples that it sends to
# other sites than float64 does, or would send there under other heights, as so many samples tell.
RESOLUTION = 0.25
RESOLUTION_SAMPLES = 4096

# Total variation from which on given weights are no start: cells that they bury come back slowly.
BURIED = 0.9

# Samples of a solve that are refused as too many: counts of a stream are 32-bit integers. And the
# seconds from which on a solve says how long it will take, once so many steps are done and the next
# ones have taken a while.
MOST_SAMPLES = 2**35
LONG_SECONDS = 120.0
FORECAST_STEPS = 5
FORECAST_SECONDS = 1.0

# A fit gives up after this many times the samples that independent ones would need, and after so
# many steps at least: few sites are short of steps, not of samples.
FIT_CAP = 20.0
LEAST_LIMIT = 3000

# Reach, in roots of the total variance, within which a site without mass has no cell if the source
# has no bounds.
IDLE_REACH = 12.0

# ---- densities that are not uniform ----

# Voronoi cells are a start if each has this share of its mass; with less, steps get short.
VORONOI_RATIO = 1e-2
# Where they serve, each solve of the ladder takes 5 to 15 steps.
VORONOI_STEPS = 25

# Where a density is below this share of its mean, cells may be without mass on the way.
DARK = 1e-2

# Shares of the uniform density that are mixed in, relative to the least target, one after the
# other, and how far each is solved. The last one must be solved well: the step to the density
# itself then loses at most a tenth of any cell.
LADDER = (1.0, 0.1)
LADDER_TOL = 0.1
LAST_LADDER_TOL = 1e-3
LADDER_STEPS = 80
# Larger shares to begin with where that fails, as it may between islands.
LONG_LADDER = (0.03, 0.01, 0.003, 0.001, 0.0003)
LONG_LADDER_STEPS = 400

# Total variation of the sampled start: rough is enough, and takes a second for 1e4 sites.
SAMPLED_START_TOL = 0.3
SAMPLED_START_SEED = 0
