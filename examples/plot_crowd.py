"""
A crowd leaves a room
=====================

Everyone walks along the shortest way to the exit, but no place holds more than one person. Maury,
Roudneff-Chupin and Santambrogio (A macroscopic crowd motion model of gradient flow type, 2010) let
people walk for a short time as if they were alone, and then move them as little as possible until
the density is at most 1. This is partial transport: every person takes the part of the free floor
that is nearest, of a given area, and most of the floor stays free.
"""

# %%
# The room
# --------
# Lengths are in metres, times in seconds. The door leads to a corridor, and a pillar stands before
# it: a hole of the domain. A person needs a quarter of a square metre.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting

ROOM = [(0, 0), (12, 0), (12, 3.4), (15, 3.4), (15, 4.6), (12, 4.6), (12, 8), (0, 8)]
PILLAR = [(9.2, 4.1), (10.0, 3.3), (10.8, 4.1), (10.0, 4.9)]
DOOR = 12.0, (3.7, 4.3)  # aim a little inside of the posts
PERSON, SPEED, STEP = 0.25, 1.2, 0.25
PEOPLE = 150

# %%
# Shortest ways
# -------------
# A shortest way goes straight to the door or to a corner of the pillar, and from there on. Corners
# lie a little outside the pillar, so that no one scrapes along it.


def blocked(a, b, walls):
    """Which of the segments from the points a to the points b cross or touch a wall."""

    def turn(p, q, r):
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (
            r[..., 0] - p[..., 0]
        )

    a, b, p, q = a[:, None], b[:, None], walls[:, 0], walls[:, 1]
    crossed = (turn(a, b, p) * turn(a, b, q) <= 0) & (turn(p, q, a) * turn(p, q, b) <= 0)
    return crossed.any(axis=1)


def walking(x, corners, lengths, walls):
    """Lengths of the shortest ways to the door, and directions in which to walk."""
    door = np.column_stack([np.full(len(x), DOOR[0]), np.clip(x[:, 1], *DOOR[1])])
    ends = [(door, np.zeros(len(x)))]
    ends += [(np.tile(c, (len(x), 1)), np.full(len(x), d))
             for c, d in zip(corners, lengths, strict=True)]  # fmt: skip
    ways = np.array([np.hypot(*(e - x).T) + d + 1e3 * blocked(x, e, walls) for e, d in ends])
    best = ways.argmin(axis=0)
    step = np.array([e for e, _ in ends])[best, np.arange(len(x))] - x
    step[x[:, 0] > DOOR[0] - 0.05] = 1.0, 0.0
    return ways.min(axis=0), step / np.maximum(np.hypot(*step.T), 1e-9)[:, None]


def sides(ring):
    return np.stack([ring, np.roll(ring, -1, axis=0)], axis=1)


# %%
# Walking
# -------
# After each step people move to the centroids of their cells. Who reaches the end of the corridor
# has left.


def evacuate(pillar, people, watch=()):
    """Let people leave; the times at which they do, and diagrams at some times."""
    holes = [np.array(hole, float) for hole in pillar]
    floor = geomot.UniformPolygon(ROOM, holes=holes)
    walls = np.concatenate([sides(ring) for ring in [np.array(ROOM, float), *holes]])
    corners = np.concatenate([np.empty((0, 2)), *[h + 0.1 * np.sign(h - h.mean(axis=0))
                                                 for h in holes]])  # fmt: skip
    lengths = np.full(len(corners), 1e3)
    for _ in range(len(corners)):
        if len(corners):
            lengths = np.minimum(lengths, walking(corners, corners, lengths, walls)[0])
    x, who = people.copy(), np.arange(len(people))
    left, seen, errors, time = [], {}, [0.0], 0.0
    while len(x):
        solution = geomot.solve(
            x, np.full(len(x), PERSON / floor.area), floor, partial=True, tol=1e-6
        )
        errors.append(solution.mass_error)
        diagram = solution.diagram()
        if any(abs(time - t) < 0.5 * STEP for t in watch):
            seen[time] = diagram, who
        x = diagram.centroids.copy()
        for _ in range(6):  # six small paces, to turn round corners
            x += SPEED * STEP / 6 * walking(x, corners, lengths, walls)[1]
        time += STEP
        gone = x[:, 0] > 14.5
        left += [time] * int(gone.sum())
        x, who = x[~gone], who[~gone]
    return np.array(left), seen, max(errors)


people = geomot.UniformBox([0.3, 0.3], [7, 7.7]).sample(PEOPLE, random_state=0)
left, seen, error = evacuate([PILLAR], people, watch=(0.0, 5.0, 12.5, 20.0))
free, _, _ = evacuate([], people)
print(f"relative errors of the areas at most {error:.0e}")
print(
    f"half of {PEOPLE} people have left after {np.median(left):.1f} s, all after {left[-1]:.1f} s"
)
print(f"without the pillar after {np.median(free):.1f} s and {free[-1]:.1f} s")
flow = PEOPLE / 2 / (np.quantile(left, 0.75) - np.quantile(left, 0.25))
print(f"the middle half passes at {flow:.1f} people a second")

# %%
# At the speed of walking a full corridor would let pass fewer. In this model those behind push:
# nobody is ahead of the first ones, so they are moved on faster than they would walk. That is why a
# pillar hardly matters.

walked = (ROOM[4][1] - ROOM[3][1]) * SPEED / PERSON
print(f"a full corridor at the speed of walking: {walked:.1f} people a second")

# %%
# The figure
# ----------
# Free people have round cells; crowded ones share straight borders. Colours tell how far the way
# to the door was at first.

with plotting.style(width=7):
    figure, axes = plt.subplots(
        2, 2, figsize=(7, 4.2), layout="compressed", sharex=True, sharey=True
    )
    scale = plt.Normalize(4, 13)
    distance = np.hypot(*(people - [12, 4]).T)
    for ax, (time, (diagram, who)) in zip(axes.flat, seen.items(), strict=True):
        drawing = plotting.power_diagram(
            diagram, distance[who], sites=False, legend=False, norm=scale, linewidth=0.3, ax=ax
        )
        ax.set(xlabel="", ylabel="", xticks=[], yticks=[])
        ax.set_axis_off()
        ax.set_title(f"{time:g} s: {len(who)} people")
    figure.suptitle(
        f"Pushed from behind, {flow:.0f} people pass a second; walking, {walked:.0f} would",
        fontsize=9,
    )
    figure.colorbar(drawing.cells, ax=axes, label="distance at first, m", aspect=40)
plt.show()
