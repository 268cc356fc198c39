"""
Regions of equal area around thirty towns
=========================================

A country is to be divided among its towns: each gets a region of the same area, and places lie, on
average, as near to their towns as possible. The border of the country is not convex, there are a
lake and an island, and many towns lie outside their own regions. Country and towns are invented;
docs/regions.md does the same with real ones, and says what can be done about towns outside.
"""

# %%
# A country and its towns
# -----------------------
# Coordinates are in km. `UniformPolygon` takes a ring of corners or several, and holes. Half of the
# towns are drawn in the west.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting

mainland = [(10, 40), (45, 15), (70, 30), (95, 5), (150, 12), (165, 45), (215, 30), (240, 70),
            (225, 115), (180, 110), (172, 150), (130, 170), (118, 138), (75, 150), (50, 185),
            (15, 165), (28, 120), (5, 85)]  # fmt: skip
lake = [(100, 70), (112, 92), (138, 96), (146, 74), (124, 60)]
island = [(195, 140), (235, 135), (248, 165), (222, 182), (198, 170)]
country = geomot.UniformPolygon([mainland, island], holes=[lake])

names = """Aller Brede Colm Dorn Elst Farn Grote Halm Irle Jork Kelm Lind Mark Nore Oster
Pell Quarn Rode Selm Torn Ulm Varel Wende Xant Yarl Zell Anse Borg Carn Dell"""
names = names.split()
rng = np.random.default_rng(4)
many = country.sample(400, random_state=rng)
west = many[many[:, 0] < 70][:15]
towns = np.concatenate([west, many[many[:, 0] >= 70][:15]])

# %%
# The division
# ------------
# Without masses all regions are equal. The lake belongs to no one.

solution = geomot.solve(towns, source=country)
diagram = solution.diagram()
areas = solution.masses * country.area
outside = solution.assign(towns) != np.arange(len(towns))
print(f"{solution.status}: {areas.min():.3f} to {areas.max():.3f} km^2 each")
print(f"{outside.sum()} of {len(towns)} towns lie outside their regions")
print(f"root mean squared distance to the town {np.sqrt(solution.cost):.1f} km")

# %%
# A region may consist of several pieces: `outlines` gives the rings around them.

pieces = np.array([len(diagram.cells.outlines(i)) for i in range(len(towns))])
print(f"in several pieces, or with a hole: {[names[i] for i in np.flatnonzero(pieces > 1)]}")

# %%
# Colours
# -------
# Each region takes the first colour that none of its neighbours has.

colours = np.full(len(towns), -1)
for i in range(len(towns)):
    near = diagram.facets.sites[(diagram.facets.sites == i).any(axis=1)]
    taken = set(colours[near].ravel())
    colours[i] = min(set(range(len(towns))) - taken)
print(f"{colours.max() + 1} colours")

# %%
# The figure
# ----------
# A line leads from each town to the centroid of its region.

with plotting.style(width=7):
    figure, ax = plt.subplots(figsize=(7, 5.2))
    plotting.power_diagram(
        diagram,
        colours,
        names=names,
        links=True,
        legend=False,
        alpha=0.5,
        edgecolor="#666666",
        ax=ax,
    )
    ax.set(xlabel="km east", ylabel="km north")
    ax.set_title(f"30 regions of {areas.mean():.0f} km²; {outside.sum()} towns lie outside theirs")
plt.show()
