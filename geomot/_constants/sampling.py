"""Monte Carlo: tolerances, steps, samples; chosen by measurement, see benchmarks/MONTECARLO.md."""

from __future__ import annotations

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
CAUTION_EASE = 0.1

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

# Share of the level CONFIDENCE that goes to the bound on the total variation by plain shares; the
# rest goes to the one by the squared distance, which is the sharper one nearly always.
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
