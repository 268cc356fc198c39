"""Newton's method in the plane and on the line, and its start: tolerances, steps, rounds.

Measured in the study of strategies that geomot's design rests on.
"""

from __future__ import annotations

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

# Share of the decrease that a step promises which is asked for, and half of it for the classical
# step, of which ratios and distance fall at half the rate.
ROOT_RATE = 0.5
CLASSICAL_RATE = 0.25

# Share of the least target below which a step leaves no cell, by dimension: in space .1 instead of
# .5 saves a diagram.
FLOOR_SHARES = {2: 0.5, 3: 0.1}

# The floor of a run that lifts no cells, relative to that of its start.
FIXED_FLOOR = 0.1

# A step below this means that rounding, not curvature, stops the descent.
MIN_STEP = 1e-8

# Weights beyond this, relative to the squared size of sites and domain, are no step's aim.
MOST_WEIGHT = 2.0**200

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
# One that is opened may raise the distance of all masses to their targets by this factor.
OPENING_PRICE = 2.0
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
# In space it is one at this Hellinger distance of the masses: scattered sites have .22, for which
# insertion takes twice the time; shells, clusters and unequal masses have more than .7. So it is on
# a torus, where insertion has to find the copies of every level: from .45 on it is the cheaper one.
VORONOI_DISTANCE = 0.4

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
# A new site gets this share of its mass, by dimension. In the plane .25 to .9 made no difference;
# in space .75 and .9 save a step beside .5 where sites are clustered.
INSERTED_SHARES = {2: 0.5, 3: 0.9}
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
# Growth of the drop, where rounding hides at which weight the cell appears.
ZERO_MASS_GROWTH = 4.0

# ---- The ascent under densities that are dark in places ----

# How far masses are met at last, and at the levels before.
ASCENT_TOL = 0.1
ASCENT_COARSE_TOL = 0.3
# Steps that no run was seen to need: 5 to 60 are usual, 170 between islands.
ASCENT_STEPS = 500
# Relative residual of its linear systems.
ASCENT_RTOL = 1e-3
# Share of its mass that a new site gets, alone: more of them would bury each other.
ASCENT_INSERTED = 0.1
# Share of what it had that a cell gets again which a step has closed.
ASCENT_LIFT = 0.3
# Share of its target below which a cell counts as closed under the simple measure.
ASCENT_FAINT = 1e-12
# Trials for the roots of the masses before those for the masses.
ASCENT_ROOT_TRIALS = 3
# Gain relative to that of the quadratic model: from which on a step is taken, above which the
# damping falls, and below which it rises, and by which factors.
LEAST_GAIN = 0.1
GOOD_GAIN = 0.75
POOR_GAIN = 0.25
DAMPING_DOWN = 4.0
DAMPING_UP = 4.0
# Damping relative to the simple measure's Hessian: below, steps are Newton's; above, rounding
# hides whether the dual value rises.
LEAST_ASCENT_DAMPING = 2.0**-50
MOST_ASCENT_DAMPING = 2.0**26

# ---- The start under densities ----

# Voronoi cells are a start of the ascent if no more mass than this is in the wrong cells; else
# levels are.
NEAR_VORONOI = 0.3

# Voronoi cells are a start if each has this share of its mass; with less, steps get short.
VORONOI_RATIO = 1e-2

# Where a density is below this share of its mean, cells may be without mass on the way.
DARK = 1e-2

# Shares of the uniform density that are mixed in, relative to the least target, one after the
# other, and how far each is solved. The last one must be solved well: the step to the density
# itself then loses at most a tenth of any cell.
LADDER = ((1.0, 0.1), (0.1, 1e-3))
LADDER_STEPS = 300
# Where that fails: the factor from share to share, from the uniform density down, which is what
# cells keep of their mass, and most steps for each.
DESCENT = 0.25
DESCENT_STEPS = 400
