"""Colours and legends of classes, of labels of any type."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PolyCollection

import geomot
from geomot import plotting

pytestmark = pytest.mark.filterwarnings("error")


def only(ax, kind):
    (found,) = [artist for artist in ax.collections if type(artist) is kind]
    return found


def test_classes_get_a_legend_and_distinct_colours(solution):
    names = np.array(["b", "a", "c"])[np.arange(60) % 3]
    ax = plotting.power_diagram(solution, names, label="kind").axes
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "kind"
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
    colours = only(ax, PolyCollection).get_facecolor()
    assert len(np.unique(colours, axis=0)) == 3
    np.testing.assert_array_equal(colours[0], mpl.colors.to_rgba(plotting.class_colors(3)[1]))


def test_many_integers_are_numbers(solution):
    ax = plotting.power_diagram(solution, np.arange(60), legend=False).axes
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
    expected = plotting.power_diagram(solution, names).cells.get_facecolor()
    ax = plotting.power_diagram(solution, spell(names)).axes
    assert names_of(ax) == ["a", "b", "c"]
    np.testing.assert_array_equal(only(ax, PolyCollection).get_facecolor(), expected)


def test_objects_that_are_numbers(solution):
    ax = plotting.power_diagram(solution, (np.arange(60) % 3).astype(object)).axes
    assert names_of(ax) == ["0", "1", "2"]
    values = np.linspace(0, 1, 60)
    ax = plotting.power_diagram(solution, values.astype(object)).axes
    np.testing.assert_array_equal(only(ax, PolyCollection).get_array(), values)
    ax = plotting.power_diagram(solution, (np.arange(60) % 2 == 0).astype(object)).axes
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
    ax = plotting.site_cloud(solution, values).axes
    assert names_of(ax) == ["low", "middle", "high"]
    colours = ax.collections[0].get_facecolor()
    np.testing.assert_array_equal(colours[2], mpl.colors.to_rgba(plotting.class_colors(3)[2]))
    with pytest.raises(ValueError, match="values must not hold missing values, got one at index 1"):
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
        assert names_of(plotting.power_diagram(solution, series).axes) == ["a", "b", "c"]
    sizes = pandas.Categorical(names, categories=["c", "a", "b"], ordered=True)
    assert names_of(plotting.power_diagram(solution, pandas.Series(sizes)).axes) == ["c", "a", "b"]
    ax = plotting.power_diagram(solution, pandas.Series(np.arange(60) % 3, dtype="Int64")).axes
    assert names_of(ax) == ["0", "1", "2"]
    values = np.linspace(0, 1, 60)
    ax = plotting.power_diagram(solution, pandas.Series(values, index=np.arange(60)[::-1])).axes
    np.testing.assert_array_equal(only(ax, PolyCollection).get_array(), values)
    for missing in (pandas.NA, None, np.nan):
        series = pandas.Series([missing, *names[1:]], dtype=object)
        with pytest.raises(
            ValueError, match="values must not hold missing values, got .* at index 0"
        ):
            plotting.power_diagram(solution, series)


@pytest.mark.parametrize("count", [11, 25, 60])
def test_more_than_ten_classes(solution, count):
    names = np.array([f"class {k:02}" for k in range(count)])[np.arange(60) % count]
    ax = plotting.power_diagram(solution, names).axes
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
    ax = plotting.site_cloud(solution, np.array([f"n{k}" for k in sizes], object)).axes
    assert "n0" in names_of(ax)


def test_long_names_are_cut_in_the_legend(solution):
    name = "the Democratic Republic of the Congo"
    ax = plotting.site_cloud(solution, np.where(np.arange(60) < 9, name, "_Chad")).axes
    assert names_of(ax) == ["Chad", "the Democratic Republic\u2026"]


def test_labels_that_are_none(solution):
    with pytest.raises(TypeError, match="values must be of one kind, numbers or text, got int, st"):
        plotting.power_diagram(solution, np.array([1, "a"] * 30, dtype=object))
    with pytest.raises(ValueError, match="values must have at most 256 classes, got 300"):
        plotting.site_cloud(
            geomot.PowerDiagram(np.random.default_rng(0).random((300, 2))),
            [f"n{k}" for k in range(300)],
        )


def test_names_stand_at_the_middle_of_their_classes():
    points = np.array([[0, 0], [0, 1], [0, 5], [np.nan, np.nan], [9, 9], [np.nan, 1]])
    drawing = plotting.class_names(points, ["b", "b", "b", "b", "a", "c"], color="red")
    found = {text.get_text(): text.get_position() for text in drawing.names}
    assert found == {"a": (9, 9), "b": (0, 1)}
    assert drawing.names[0].get_color() == "red"
    with pytest.raises(ValueError, match=r"points must have shape \(n, 2\), got \(6,\)"):
        plotting.class_names(points[:, 0], range(6))
    with pytest.raises(ValueError, match="labels must have shape"):
        plotting.class_names(points, "ab")
    with pytest.raises(ValueError, match="labels must be classes"):
        plotting.class_names(points, np.arange(6) + 0.5)


def test_a_bar_of_equal_values_has_one_tick():
    diagram = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
    bar = plotting.power_diagram(diagram, "masses").colorbar
    assert bar.get_ticks().tolist() == [0.5]
