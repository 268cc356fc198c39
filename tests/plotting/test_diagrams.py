"""Figures: what is drawn, in which colours, into which files, and without warnings."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import LogNorm
from mpl_toolkits.mplot3d import art3d

import geomot
from geomot import datasets, plotting

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def close_figures():
    before = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == before


@pytest.fixture(scope="module")
def solution():
    disk = geomot.UniformPolygon.regular(32, center=(0.5, 0.5), radius=0.6)
    return geomot.solve(datasets.moons(60), source=disk, tol=1e-6)


@pytest.fixture(scope="module")
def diagram():
    rng = np.random.default_rng(0)
    return geomot.PowerDiagram(rng.random((80, 2)), 0.02 * rng.random(80))


def only(ax, kind):
    (found,) = [artist for artist in ax.collections if type(artist) is kind]
    return found


def test_diagram_is_one_collection_without_empty_cells(diagram):
    ax = plotting.power_diagram(diagram)
    cells = only(ax, PolyCollection)
    assert diagram.empty.any()
    assert len(cells.get_paths()) == (~diagram.empty).sum()
    first = np.flatnonzero(~diagram.empty)[0]
    np.testing.assert_array_equal(cells.get_paths()[0].vertices[:-1], diagram.cells[int(first)])
    assert ax.get_aspect() == 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x_1$", "$x_2$")


def test_given_axes_are_used_and_returned(diagram):
    _, ax = plt.subplots()
    assert plotting.power_diagram(diagram, ax=ax) is ax
    assert plotting.brenier_contours(diagram, ax=ax) is ax
    assert plotting.site_cloud(diagram, ax=ax) is ax
    assert plotting.image_grid(np.zeros((3, 4, 4)), ax=ax) is ax
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", ["weights", "masses", "costs"])
def test_named_values_are_shown_with_a_labelled_bar(diagram, name):
    ax = plotting.power_diagram(diagram, name)
    shown = only(ax, PolyCollection).get_array()
    np.testing.assert_array_equal(shown, getattr(diagram, name)[~diagram.empty])
    assert name[:-1].removesuffix("e") in ax.figure.axes[1].get_ylabel()


def test_masses_over_decades_are_on_a_logarithmic_scale(diagram, solution):
    ax = plotting.power_diagram(diagram, "masses")
    assert isinstance(only(ax, PolyCollection).norm, LogNorm)
    ax = plotting.power_diagram(solution, "masses")
    norm = only(ax, PolyCollection).norm
    # Equal up to rounding: the scale must not magnify the rounding.
    assert not isinstance(norm, LogNorm)
    assert norm.vmax - norm.vmin > 0.05 * norm.vmax


def test_classes_get_a_legend_and_distinct_colours(solution):
    names = np.array(["b", "a", "c"])[np.arange(60) % 3]
    ax = plotting.power_diagram(solution, names, label="kind")
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "kind"
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
    colours = only(ax, PolyCollection).get_facecolor()
    assert len(np.unique(colours, axis=0)) == 3
    np.testing.assert_array_equal(colours[0], mpl.colors.to_rgba(plotting.class_colors(3)[1]))


def test_many_integers_are_numbers(solution):
    ax = plotting.power_diagram(solution, np.arange(60), legend=False)
    assert ax.get_legend() is None
    np.testing.assert_array_equal(only(ax, PolyCollection).get_array(), np.arange(60))


def test_class_colours():
    for n in range(60):
        assert len(set(plotting.class_colors(n))) == n
    assert len(set(plotting.class_colors(256))) == 256
    with pytest.raises(ValueError, match="n must be at most 256"):
        plotting.class_colors(257)


def test_colours_of_many_classes_can_be_told_apart():
    # CIELAB distances of sRGB colours; 2.3 is just noticeable, matplotlib's tab20 has 14.9.
    rgb = np.array([mpl.colors.to_rgb(c) for c in plotting.class_colors(20)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    f = np.cbrt(linear @ np.transpose(to_xyz) / [0.9505, 1.0, 1.089])
    lab = np.column_stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])]
    )
    distances = np.linalg.norm(lab[:, None] - lab, axis=2)
    assert distances[np.triu_indices(20, 1)].min() > 14.9


def names_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize(
    "spell",
    [
        lambda names: names.astype(object),
        lambda names: names.astype("S"),
        lambda names: names.tolist(),
        lambda names: np.array(names, dtype=np.dtypes.StringDType()),
    ],
)
def test_text_labels_of_any_type(solution, spell):
    names = np.array(["b", "a", "c"])[np.arange(60) % 3]
    expected = only(plotting.power_diagram(solution, names), PolyCollection).get_facecolor()
    ax = plotting.power_diagram(solution, spell(names))
    assert names_of(ax) == ["a", "b", "c"]
    np.testing.assert_array_equal(only(ax, PolyCollection).get_facecolor(), expected)


def test_objects_that_are_numbers(solution):
    ax = plotting.power_diagram(solution, (np.arange(60) % 3).astype(object))
    assert names_of(ax) == ["0", "1", "2"]
    values = np.linspace(0, 1, 60)
    ax = plotting.power_diagram(solution, values.astype(object))
    np.testing.assert_array_equal(only(ax, PolyCollection).get_array(), values)
    ax = plotting.power_diagram(solution, (np.arange(60) % 2 == 0).astype(object))
    assert names_of(ax) == ["False", "True"]


class Categorical:
    """What pandas calls so, as far as it is used."""

    def __init__(self, codes, categories):
        self.codes, self.categories = np.asarray(codes, np.int8), np.array(categories, object)

    def __array__(self, dtype=None, copy=None):
        return self.categories[self.codes]


class Series(Categorical):
    @property
    def cat(self):
        return Categorical(self.codes, self.categories)


@pytest.mark.parametrize("kind", [Categorical, Series])
def test_categories_keep_their_order(solution, kind):
    values = kind(np.arange(60) % 3, ["low", "middle", "high", "never"])
    ax = plotting.site_cloud(solution, values)
    assert names_of(ax) == ["low", "middle", "high"]
    colours = ax.collections[0].get_facecolor()
    np.testing.assert_array_equal(colours[2], mpl.colors.to_rgba(plotting.class_colors(3)[2]))
    with pytest.raises(ValueError, match="values must not be missing, as at index 1"):
        plotting.site_cloud(solution, Categorical([0, -1, *[0] * 58], ["a"]))
    with pytest.raises(ValueError, match=r"values must have shape \(60,\), got \(3,\)"):
        plotting.site_cloud(solution, kind([0, 1, 0], ["a", "b"]))


def test_labels_of_pandas(solution):
    pandas = pytest.importorskip("pandas")
    names = np.array(["b", "a", "c"])[np.arange(60) % 3]
    for series in (
        pandas.Series(names),
        pandas.Series(names.astype(object)),
        pandas.Series(names, dtype="string"),
        pandas.Series(names, dtype="category"),
        pandas.Categorical(names),
        pandas.Index(names),
    ):
        assert names_of(plotting.power_diagram(solution, series)) == ["a", "b", "c"]
    sizes = pandas.Categorical(names, categories=["c", "a", "b"], ordered=True)
    assert names_of(plotting.power_diagram(solution, pandas.Series(sizes))) == ["c", "a", "b"]
    ax = plotting.power_diagram(solution, pandas.Series(np.arange(60) % 3, dtype="Int64"))
    assert names_of(ax) == ["0", "1", "2"]
    values = np.linspace(0, 1, 60)
    ax = plotting.power_diagram(solution, pandas.Series(values, index=np.arange(60)[::-1]))
    np.testing.assert_array_equal(only(ax, PolyCollection).get_array(), values)
    for missing in (pandas.NA, None, np.nan):
        series = pandas.Series([missing, *names[1:]], dtype=object)
        with pytest.raises(ValueError, match="values must not be missing, got .* at index 0"):
            plotting.power_diagram(solution, series)


@pytest.mark.parametrize("count", [11, 25, 60])
def test_more_than_ten_classes(solution, count):
    names = np.array([f"class {k:02}" for k in range(count)])[np.arange(60) % count]
    ax = plotting.power_diagram(solution, names)
    colours = only(ax, PolyCollection).get_facecolor()
    assert len(np.unique(colours, axis=0)) == count
    shown = names_of(ax)
    if count <= 25:
        assert shown == sorted(set(names))
    else:
        assert shown[-1] == f"and {count - len(shown) + 1} more"
        assert shown[:-1] == sorted(set(names))[: len(shown) - 1]
    # The legend fits into the figure, and leaves at least 40 % of its width to the axes.
    ax.figure.canvas.draw()
    inside = ax.get_legend().get_window_extent()
    assert inside.y0 >= 0 and inside.y1 <= ax.figure.bbox.height
    assert inside.x1 <= ax.figure.bbox.width
    assert ax.get_window_extent().width > 0.4 * ax.figure.bbox.width


def test_the_legend_names_the_largest_classes(solution):
    sizes = np.r_[np.zeros(10, int), np.arange(50)]
    ax = plotting.site_cloud(solution, np.array([f"n{k}" for k in sizes], object))
    assert "n0" in names_of(ax)


def test_long_names_are_cut_in_the_legend(solution):
    name = "the Democratic Republic of the Congo"
    ax = plotting.site_cloud(solution, np.where(np.arange(60) < 9, name, "_Chad"))
    assert names_of(ax) == ["Chad", "the Democratic Republic\u2026"]


def test_labels_that_are_none(solution):
    with pytest.raises(TypeError, match="values must be of one kind, numbers or text, got int, st"):
        plotting.power_diagram(solution, np.array([1, "a"] * 30, dtype=object))
    with pytest.raises(ValueError, match="values must have at most 256 classes, got 300"):
        plotting.site_cloud(
            geomot.PowerDiagram(np.random.default_rng(0).random((300, 2))),
            [f"n{k}" for k in range(300)],
        )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("volume", "values must be an array or one of"),
        (np.zeros(3), r"values must have shape \(60,\)"),
        (np.zeros(3, dtype=int), r"values must have shape \(60,\)"),
        (np.full(60, np.nan), "values must be finite"),
    ],
)
def test_bad_values_are_refused(solution, values, message):
    with pytest.raises(ValueError, match=message):
        plotting.power_diagram(solution, values)


def test_only_diagrams_and_solutions_are_drawn():
    with pytest.raises(TypeError, match="diagram must be"):
        plotting.power_diagram(np.zeros((3, 2)))
    with pytest.raises(TypeError, match="solution must be"):
        plotting.transport_map(np.zeros((3, 2)))


def test_triangulation_is_drawn_between_sites(diagram):
    ax = plotting.power_diagram(diagram, sites=False, triangulation=True)
    segments = only(ax, LineCollection).get_segments()
    corners = diagram.triangulation.tolist()
    pairs = {frozenset(t[:k] + t[k + 1 :]) for t in corners for k in range(3)}
    drawn = {frozenset(map(tuple, segment.tolist())) for segment in segments}
    assert drawn == {frozenset(map(tuple, diagram.sites[list(pair)].tolist())) for pair in pairs}
    assert len(segments) == len(pairs)


def test_triangulation_of_collinear_sites_is_empty():
    sites = np.column_stack([np.linspace(0.1, 0.9, 5), np.full(5, 0.5)])
    ax = plotting.power_diagram(geomot.PowerDiagram(sites), triangulation=True)
    assert len(only(ax, LineCollection).get_segments()) == 0


def test_one_site(tmp_path):
    diagram = geomot.PowerDiagram([[0.3, 0.6]])
    axes = (
        plotting.power_diagram(diagram, "weights", triangulation=True),
        plotting.brenier_potential(diagram),
        plotting.brenier_contours(diagram),
        plotting.site_cloud(diagram),
    )
    for k, ax in enumerate(axes):
        ax.figure.savefig(tmp_path / f"{k}.png")


@pytest.fixture
def surfaces(monkeypatch):
    """The polygons given to each collection in space: they cannot be asked for afterwards."""
    made = []

    class Recorder(art3d.Poly3DCollection):
        def __init__(self, polygons, *args, **kwargs):
            made.append(polygons)
            super().__init__(polygons, *args, **kwargs)

    monkeypatch.setattr(art3d, "Poly3DCollection", Recorder)
    return made


def test_potential_is_lifted_to_its_values(solution, surfaces):
    ax = plotting.brenier_potential(solution, centered=False)
    surface, base = surfaces
    cells = solution.diagram().cells
    assert len(surface) == len(base) == len(cells)
    for i, (lifted, flat) in enumerate(zip(surface, base, strict=True)):
        u = cells[i] @ solution.sites[i] + solution.heights[i]
        np.testing.assert_allclose(lifted, np.column_stack([cells[i], u]), atol=1e-12)
        np.testing.assert_array_equal(flat[:, :2], cells[i])
    assert max(p[:, 2].max() for p in base) < min(p[:, 2].min() for p in surface)
    assert ax.get_zlabel() == "$u(x)$"


def test_centred_potential_has_no_slope(solution, surfaces):
    ax = plotting.brenier_potential(solution, projection=False)
    (surface,) = surfaces
    mean = solution.masses @ solution.sites
    for i, lifted in enumerate(surface):
        u = lifted[:, :2] @ (solution.sites[i] - mean) + solution.heights[i]
        np.testing.assert_allclose(lifted[:, 2], u, atol=1e-12)
    assert "bar y" in ax.get_zlabel()


def test_potential_needs_three_dimensional_axes(solution):
    with pytest.raises(ValueError, match="ax must be three-dimensional"):
        plotting.brenier_potential(solution, ax=plt.subplots()[1])


def test_contours_cover_the_values_on_the_domain(solution):
    ax = plotting.brenier_contours(solution, centered=False)
    filled = ax.collections[0]
    corners = solution.source.polygon
    u = (corners @ solution.sites.T + solution.heights).max(axis=1)
    assert filled.levels[0] <= u.min()
    assert u.max() <= filled.levels[-1]
    own = plotting.brenier_contours(solution, levels=[-0.2, 0.0, 0.2], cells=False)
    np.testing.assert_array_equal(own.collections[0].levels, [-0.2, 0.0, 0.2])
    assert not [c for c in own.collections if isinstance(c, PolyCollection)]


def test_samples_have_the_colour_of_their_site(solution):
    source, target = plotting.transport_map(solution, 50, random_state=1)
    samples = only(source, PathCollection)
    colours = only(target, PathCollection).get_facecolor()
    index = solution.assign(samples.get_offsets().data)
    np.testing.assert_array_equal(samples.get_facecolor(), colours[index])
    assert len(np.unique(colours, axis=0)) == 60
    assert (colours >= 0).all()
    assert (colours <= 1).all()


def test_map_takes_samples_or_none(solution):
    points = solution.source.sample(7, 0)
    source, _ = plotting.transport_map(solution, points)
    np.testing.assert_array_equal(only(source, PathCollection).get_offsets(), points)
    source, _ = plotting.transport_map(solution, 0)
    assert not [c for c in source.collections if isinstance(c, PathCollection)]


def test_sites_are_drawn_in_proportion_to_their_masses():
    sites, masses = np.array([[0.2, 0.5], [0.8, 0.5]]), np.array([0.25, 0.75])
    ax = plotting.site_cloud(geomot.solve(sites, masses), "masses")
    small, large = only(ax, PathCollection).get_sizes()
    assert large == pytest.approx(3 * small)


def test_convergence_of_solution_and_history(solution):
    ax = plotting.convergence(solution)
    assert ax.get_yscale() == "log"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == "mass error"
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), solution.history["residual"])
    assert len(plotting.convergence(solution.history).lines) == len(ax.lines) - 1
    with pytest.raises(ValueError, match="solution must be"):
        plotting.convergence(np.zeros(3))


@pytest.fixture(scope="module")
def sampled():
    """A map in five dimensions, of equal masses."""
    points = np.random.default_rng(0).standard_normal((150, 5)) * [5, 4, 1, 1, 1]
    source = geomot.Gaussian(np.zeros(5), 1.0)
    return geomot.solve(points, source=source, tol=0.05, random_state=0)


@pytest.fixture(scope="module")
def uneven():
    """A map in three dimensions whose masses span five decades, fitted hardly at all."""
    masses = 10.0 ** -np.linspace(0, 5, 80)
    points = np.random.default_rng(1).random((80, 3))
    with pytest.warns(geomot.ConvergenceWarning):
        return geomot.solve(points, masses, normalize=True, max_iter=3, random_state=0)


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_convergence_of_samples(sampled):
    ax = plotting.convergence(sampled)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "samples fitted to",
        "total variation of the masses",
    )
    history = sampled.history
    held = history.residual > 0
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), history.samples[held])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), history.residual[held])
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["tolerance 0.05"].get_ydata(), [0.05, 0.05])
    assert lines["95 % interval"].get_ydata()[1] == sampled.estimate.tv_interval[1]
    # The guide falls as one over the root of the samples, through the estimate's own floor.
    guide = lines["noise of as many samples"]
    expected = sampled.estimate.tv_floor * np.sqrt(sampled.estimate.n_samples / guide.get_xdata())
    np.testing.assert_allclose(guide.get_ydata(), expected)
    # The history alone has neither interval nor tolerance nor guide.
    assert len(plotting.convergence(history).lines) == 1 + (~held).any()


def test_convergence_without_positive_estimates(sampled, tmp_path):
    history = sampled.history.copy()
    history.residual[:] = 0.0
    ax = plotting.convergence(history)
    assert "estimate is 0" in legend_of(ax)
    ax.figure.savefig(tmp_path / "zero.png")
    history.samples[:] = 0.0  # as files of earlier versions may have it
    ax = plotting.convergence(history)
    assert ax.texts[0].get_text() == "no samples were fitted to"
    ax.figure.savefig(tmp_path / "none.png")


def strokes_of(ax):
    """Ends of the intervals in the order of their places."""
    found = [c for c in ax.collections if len(c.get_offsets()) <= 1 and len(c.get_paths())]
    ends = np.concatenate([p.vertices.reshape(-1, 2, 2) for c in found for p in c.get_paths()])
    assert (ends[:, 0, 0] == ends[:, 1, 0]).all()
    order = np.argsort(ends[:, 0, 0], kind="stable")
    return ends[order, 0, 0], ends[order][:, :, 1]


def dots_of(ax):
    (found,) = [c for c in ax.collections if len(c.get_offsets()) > 1]
    return found.get_offsets().data


def test_mass_errors_of_equal_masses(sampled):
    ax = plotting.mass_errors(sampled)
    ratios = np.sort(sampled.masses) * 150
    np.testing.assert_allclose(dots_of(ax), np.column_stack([np.arange(1, 151), ratios]))
    intervals = sampled.estimate.mass_intervals(sampled.masses) * 150
    places, ends = strokes_of(ax)
    np.testing.assert_array_equal(places, np.arange(1, 151))
    np.testing.assert_allclose(ends, intervals[np.argsort(sampled.masses, kind="stable")])
    missed = np.count_nonzero((ends[:, 0] > 1) | (ends[:, 1] < 1))
    assert legend_of(ax) == [
        f"95 % interval holds the target: {150 - missed}",
        f"misses it: {missed}",
    ]
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
    assert ax.get_xlabel() == "sites, sorted by measured mass"
    assert ax.get_ylabel() == "measured mass / target mass"
    low, high = ax.get_ylim()
    assert low <= ends.min()
    assert ends.max() <= high


def test_mass_errors_over_decades(uneven, tmp_path):
    ax = plotting.mass_errors(uneven)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xlabel() == "target mass"
    places, _ = strokes_of(ax)
    np.testing.assert_array_equal(places, np.sort(uneven.target_masses))
    # A site that no sample fell into is at the bottom, not lost.
    assert (uneven.masses == 0).any()
    assert len(dots_of(ax)) == 80
    assert (dots_of(ax)[:, 1] > 0).all()
    ax.figure.savefig(tmp_path / "uneven.png")


def test_mass_errors_of_an_exact_solution(solution):
    ax = plotting.mass_errors(solution)
    expected = np.sort(solution.masses) * 60 - 1
    np.testing.assert_allclose(dots_of(ax)[:, 1], expected, atol=1e-12)
    assert legend_of(ax) == ["tolerance 1e-06"]
    assert len(ax.collections) == 1


def test_mass_errors_leave_out_sites_without_target():
    points = np.random.default_rng(2).random((40, 3))
    masses = np.r_[np.zeros(10), np.full(30, 1 / 30)]
    solution = geomot.solve(points, masses, tol=0.1, random_state=0)
    ax = plotting.mass_errors(solution, ax=plt.subplots()[1])
    assert len(dots_of(ax)) == 30
    with pytest.raises(TypeError, match="solution must be a Solution, got ndarray"):
        plotting.mass_errors(points)


def test_sites_above_the_plane_are_principal_components(sampled):
    ax = plotting.site_cloud(sampled, "weights")
    points = only(ax, PathCollection).get_offsets().data
    centred = sampled.sites - sampled.sites.mean(axis=0)
    values = np.linalg.eigvalsh(np.cov(centred.T, bias=True))[::-1]
    np.testing.assert_allclose(np.cov(points.T, bias=True), np.diag(values[:2]), atol=1e-10)
    # Distances in the projection are at most those between the sites.
    assert (np.linalg.norm(points, axis=1) <= np.linalg.norm(centred, axis=1) + 1e-12).all()
    share = 100 * values[0] / values.sum()
    assert ax.get_xlabel() == f"principal component 1 ({share:.0f} %)"


def test_the_line(tmp_path):
    sites, masses = np.array([[0.2], [0.5], [0.9]]), np.array([0.2, 0.5, 0.3])
    exact = geomot.solve(sites, masses)
    ax = plotting.convergence(exact)
    assert "computed at once" in ax.texts[0].get_text()
    ax.figure.savefig(tmp_path / "line.png")
    offsets = only(plotting.site_cloud(exact), PathCollection).get_offsets().data
    np.testing.assert_array_equal(offsets, np.column_stack([sites[:, 0], masses]))
    assert len(dots_of(plotting.mass_errors(exact))) == 3
    with pytest.raises(ValueError, match="diagram must lie in the plane"):
        plotting.power_diagram(exact)


def test_coincident_sites_in_space_are_drawn():
    masses = np.full(4, 0.25)
    points, labels = plotting.diagrams._flattened(np.ones((4, 3)), masses)
    np.testing.assert_array_equal(points, np.zeros((4, 2)))
    assert labels[0] == "principal component 1 (0 %)"


@pytest.mark.parametrize(
    "draw",
    [
        plotting.power_diagram,
        plotting.brenier_potential,
        plotting.brenier_contours,
        plotting.transport_map,
    ],
)
def test_cells_are_drawn_in_the_plane_alone(sampled, draw):
    name = "diagram" if draw is plotting.power_diagram else "solution"
    with pytest.raises(ValueError, match=rf"{name} must lie in the plane .* got 5 dimension"):
        draw(sampled)
    assert not plt.get_fignums()


def test_map_of_a_source_without_cells():
    points = np.random.default_rng(3).random((70, 2))
    source = geomot.Gaussian([0.0, 0.0], [[1.0, 0.5], [0.5, 1.0]])
    solution = geomot.solve(points, source=source, tol=0.1, random_state=0)
    left, right = plotting.transport_map(solution, 50, random_state=1)
    assert not [c for c in left.collections if isinstance(c, PolyCollection)]
    samples = only(left, PathCollection)
    np.testing.assert_array_equal(samples.get_offsets(), source.sample(50, 1))
    colours = only(right, PathCollection).get_facecolor()
    index = solution.assign(samples.get_offsets().data)
    np.testing.assert_array_equal(samples.get_facecolor(), colours[index])
    with pytest.raises(ValueError, match="samples must be at least 1"):
        plotting.transport_map(solution, 0)
    with pytest.raises(ValueError, match="source must be a UniformBox"):
        plotting.power_diagram(solution)


def test_image_grid_places_each_image():
    images = np.arange(5.0)[:, None, None] * np.ones((5, 2, 3))
    ax = plotting.image_grid(images, columns=3, row_labels=["first", "second"])
    canvas = ax.images[0].get_array()
    assert canvas.shape == (2 * 3 - 1, 3 * 4 - 1)
    assert (canvas[:2, 4:7] == 1).all()
    assert (canvas[3:, 4:7] == 4).all()
    assert canvas.mask[2].all()
    assert canvas.mask[3:, 8:].all()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]


def test_image_grid_in_colour():
    images = np.zeros((3, 4, 2, 3))
    images[0, 0], images[1, 2], images[:, 3] = 2.0, 1.0, 5.0
    ax = plotting.image_grid(images, columns=2, vmin=0.0, vmax=2.0)
    canvas = ax.images[0].get_array()
    assert canvas.shape == (2 * 3 - 1, 2 * 4 - 1, 3)
    np.testing.assert_array_equal(canvas[0, 0], [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(canvas[0, 4], [0.0, 0.0, 0.5])
    # between images, and where there is none
    assert canvas[2, 0].min() > 0.8
    assert canvas[4, 5].min() > 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros((2, 5))}, "shape must be"),
        ({"images": np.zeros((2, 6)), "shape": (2, 2)}, "shape must be"),
        ({"images": np.zeros((0, 2, 2))}, "images must have shape"),
        ({"images": np.zeros(4)}, "images must have shape"),
        ({"images": np.zeros((2, 2, 4, 4))}, "images must have 1, 3 or 4 channels, got 2"),
        ({"images": np.zeros((4, 2, 2)), "row_labels": ["one"]}, "row_labels must have 2"),
        ({"images": np.zeros((4, 2, 2)), "columns": 0}, "columns must be at least 1"),
    ],
)
def test_image_grid_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.image_grid(**arguments)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_files_are_written(tmp_path, solution, sampled, suffix):
    axes = {
        "diagram": plotting.power_diagram(solution, "weights", triangulation=True),
        "classes": plotting.power_diagram(solution, np.arange(60) % 10),
        "surface": plotting.brenier_potential(solution),
        "contours": plotting.brenier_contours(solution),
        "map": plotting.transport_map(solution, 100)[0],
        "convergence": plotting.convergence(solution),
        "samples": plotting.convergence(sampled),
        "masses": plotting.mass_errors(sampled),
        "images": plotting.image_grid(np.random.default_rng(0).random((4, 8, 8))),
    }
    for name, ax in axes.items():
        path = tmp_path / f"{name}.{suffix}"
        ax.figure.savefig(path)
        assert path.stat().st_size > 1000


def test_a_hundred_thousand_cells(tmp_path):
    diagram = geomot.PowerDiagram(datasets.u2d(100_000))
    ax = plotting.power_diagram(diagram, "masses")
    ax.figure.savefig(tmp_path / "big.svg")
    assert len(ax.get_children()) < 40
    assert len(only(ax, PolyCollection).get_paths()) == 100_000
    # The cells are stored as pixels, not as 100 000 paths.
    assert (tmp_path / "big.svg").stat().st_size < 6e6


def test_masses_of_a_hundred_thousand_sites(tmp_path):
    points = np.random.default_rng(0).random((100_000, 3))
    solution = geomot.solve(points, tol=0.5, random_state=0)
    ax = plotting.mass_errors(solution)
    ax.figure.savefig(tmp_path / "big.svg")
    assert len(ax.collections) <= 3
    assert len(dots_of(ax)) == 100_000
    assert (tmp_path / "big.svg").stat().st_size < 1e6
