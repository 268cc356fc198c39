"""Figures of a comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from models import Model, study

from geomot import compare


def test_one_runaway_does_not_flatten_a_figure(tmp_path):
    @compare.register("Far")
    def far(task):
        return Model(shift=1e4)

    def scales(*names):
        figures = compare.run([study(*names)], tmp_path, seeds=(0, 1)).figures()
        axes = figures["data-bars"].axes
        return {ax.get_title().split(" ")[0]: ax.get_xscale() for ax in axes}

    assert scales("TrainingData", "BrenierMap", "Far")["W2"] == "symlog"
    assert scales("TrainingData", "BrenierMap")["W2"] == "linear"


def test_few_samples_outside_a_figure_are_told(tmp_path):
    class Outlier(Model):
        def sample(self, n, random_state=None):
            samples = np.zeros((n, 2))
            samples[: self.far] = 1e3
            return samples

    def title(far):
        @compare.register("Outlier", version=str(far))
        def outlier(task):
            return Outlier(far=far)

        figures = compare.run([study("Outlier", samples=300)], tmp_path).figures()
        return figures["data-points"].axes[0].get_title()

    assert "not shown" not in title(0)
    assert title(1).endswith(", < 1 % not shown")
    assert title(30).endswith(", 10 % not shown")


def test_the_legend_of_curves_names_divergence_where_there_is_one(tmp_path):
    names = ("step", "divergence", "kinetic_energy", "hamilton_jacobi", "terminal")
    history = np.ones(3, dtype=[(name, np.float64) for name in names])

    def legend(*methods):
        drawn = replace(study(*methods), figures=("curves",))
        (figure,) = compare.run([drawn], tmp_path).figures().values()
        return [text.get_text() for text in figure.legends[0].get_texts()]

    @compare.register("Calm")
    def calm(task):
        return Model(history_=history)

    @compare.register("Wild")
    def wild(task):
        return Model(history_=history, status_="diverged", diverged_at_=3)

    assert legend("Calm") == ["Calm"]
    assert legend("Calm", "Wild") == ["Calm", "Wild", "diverged"]
