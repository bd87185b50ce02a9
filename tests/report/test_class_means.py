"""Figures of class-mean maps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib import pyplot as plt

from attnxai.audit.class_means import class_mean_maps
from attnxai.errors import OptionError
from attnxai.report.class_means import class_means_figure, profiles_figure, summary_layers
from tests.audit.test_class_means import made_up


@pytest.fixture(scope="module")
def results():
    first = class_mean_maps(*made_up(), group="D4", n_bootstrap=50)
    return first, dataclasses.replace(first, model_name="ordinary", group="C1")


def test_models_stand_side_by_side_with_the_same_limits(results):
    figure = class_means_figure(results, layers=["follows", "round"])
    panels = [ax for ax in figure.axes if ax.images]
    assert len(panels) == 4
    for position, (ax, name) in enumerate(
        zip(panels, ["FR I", "FR I", "FR II", "FR II"], strict=True)
    ):
        layer = ["follows", "round"][position % 2]
        shown = np.ma.filled(ax.images[0].get_array(), np.nan)
        np.testing.assert_array_equal(shown, results[0].mean_of(layer, name))
        assert ax.get_title().endswith(f": {name} (n = 10)")
        assert len(ax.collections) == 2
    assert panels[0].images[0].get_clim() == panels[2].images[0].get_clim()


def test_profiles_have_a_row_for_each_model(results):
    figure = profiles_figure(results)
    radial, angular = figure.axes[:2]
    wanted = results[0].profiles["follows", "FR I"]
    np.testing.assert_allclose(np.asarray(radial.lines[0].get_ydata()), wanted.radial[0])
    np.testing.assert_allclose(np.asarray(angular.lines[0].get_ydata())[:-1], wanted.angular[0])
    assert len(figure.axes) == 4


def test_one_result_shows_its_classes_in_one_panel(results):
    ax = results[0].plot()
    try:
        assert len(ax.images) == 2
        assert [text.get_text() for text in ax.texts] == ["FR I", "FR II"]
    finally:
        plt.close(ax.figure)


@pytest.mark.parametrize(
    ("maps", "shown"),
    [
        (("gate1", "mean", "evidence", "evidence gate1", "cam"), ["mean", "evidence"]),
        (("gate1", "evidence gate1"), ["evidence gate1"]),
    ],
)
def test_maps_of_single_gates_do_not_stand_for_all(results, maps, shown):
    assert summary_layers(dataclasses.replace(results[0], layers=(*maps, "brightness"))) == shown


def test_mistakes_are_named(results):
    with pytest.raises(OptionError, match="of the same classes"):
        class_means_figure([])
    with pytest.raises(OptionError, match="2 models need 2 layers, got 1"):
        class_means_figure(results, layers=["round"])
    with pytest.raises(OptionError, match="unknown map 'gate1'"):
        profiles_figure(results, layers=["gate1", "round"])
