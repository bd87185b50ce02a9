"""The figure that carries a result: what is drawn is what was found."""

from __future__ import annotations

import dataclasses
import itertools
import warnings

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.alignment.pairs import align
from attnxai.explanations.stack import Split
from attnxai.report.agreement_plot import agreement_rows, noise_ceiling_range, plot_agreement
from attnxai.report.figures.text import bar_phrase
from attnxai.report.style import BASELINE_COLOUR, CEILING_COLOUR, MODEL_COLOURS, NULL_COLOUR
from tests.builders import made_up

QUICK = {"n_permutations": 99, "n_bootstrap": 100, "metrics": ("nss", "relevance_mass_accuracy")}
MAPS = ["gate1", "gate2", "mean"]
LABELS = ["Gate 1", "Gate 2", "Mean of the gates"]


def compared(name="d8.pt", *, nulls=(), n_sources=9, **options):
    maps, marks, images = made_up(n_sources=n_sources, **options)
    pairs = align(dataclasses.replace(maps, model_name=name), marks, images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compare_pairs(pairs, settings=ComparisonSettings(nulls=nulls, **QUICK), rng=1)


@pytest.fixture(scope="module")
def one():
    return compared(nulls=("symmetries", "shift"))


@pytest.fixture(scope="module")
def other():
    return compared("c1.pt", agreement=0.3)


@pytest.fixture
def ax():
    return Figure().add_subplot()


def texts(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def points(ax):
    """Height, value, marker and colour of every point."""
    return [
        (
            float(line.get_ydata()[0]),
            float(line.get_xdata()[0]),
            line.get_marker(),
            to_hex(line.get_color()).upper(),
        )
        for line in ax.lines
        if line.get_linestyle() == "None"
    ]


def bars(ax, colour):
    return [
        patch
        for patch in ax.patches
        if isinstance(patch, Rectangle) and to_hex(patch.get_facecolor()).upper() == colour
    ]


def spans(ax, colour):
    """Ends of every interval of a colour."""
    return [
        tuple(line.get_xdata())
        for line in ax.lines
        if line.get_linestyle() == "-"
        and len(line.get_xdata()) == 2
        and to_hex(line.get_color()).upper() == colour
    ]


def test_one_model_has_a_row_for_every_map_and_baseline(one, ax):
    plot_agreement(one, "nss", ax=ax, every_baseline=True)
    names = list(one.explanations + one.baselines)
    assert texts(ax) == [*LABELS, *names[3:]]
    assert [text.get_text() for text in ax.texts] == []
    drawn = points(ax)
    assert [row for row, *_ in drawn] == list(range(len(names)))
    for (_, value, _, colour), name in zip(drawn, names, strict=True):
        estimate = one.estimate(name, "nss")
        assert value == estimate.interval.value
        assert colour == (BASELINE_COLOUR if estimate.is_baseline else MODEL_COLOURS[0])
    assert ax.get_xlabel() == "NSS"


def test_of_brightness_the_resolution_that_agrees_best_is_shown(one, ax):
    plot_agreement(one, "nss", ax=ax)
    value = {name: one.estimate(name, "nss").interval.value for name in one.baselines[:2]}
    assert texts(ax)[3:] == [max(value, key=value.get), "centre bias"]


def test_lines_are_the_intervals(one, ax):
    plot_agreement(one, "nss", ax=ax)
    intervals = [one.estimate(name, "nss").interval for name in one.explanations]
    expected = [(interval.low, interval.high) for interval in intervals]
    assert spans(ax, MODEL_COLOURS[0]) == expected


def test_grey_bars_are_the_central_range_of_the_exchange(one, ax):
    plot_agreement(one, "nss", ax=ax, every_baseline=True)
    tests = [e.test for e in (one.estimate(n, "nss") for n in one.explanations + one.baselines)]
    found = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars(ax, NULL_COLOUR)]
    expected = [np.quantile(test.values, [0.025, 0.975]) for test in tests if test]
    np.testing.assert_allclose(found, expected)
    assert len(found) == len(one.explanations) + len(one.baselines) - 1  # centre bias: no test


def test_the_band_lies_between_the_two_ends_of_the_noise_ceiling(one, ax):
    plot_agreement(one, "nss", ax=ax)
    (band,) = bars(ax, CEILING_COLOUR)
    ceiling = one.noise_ceiling("nss")
    assert band.get_x() == ceiling.lower.value
    assert band.get_x() + band.get_width() == pytest.approx(ceiling.upper.value, rel=1e-12)
    low, high = ax.get_xlim()
    assert low < ceiling.lower.value
    assert ceiling.upper.value < high
    # behind everything else
    assert band.get_zorder() < min(a.get_zorder() for a in [*ax.lines, *bars(ax, NULL_COLOUR)])


def test_permutations_too_few_to_be_significant_have_no_bar(ax):
    """Three sources have six permutations: the ends of their bar would look like a test."""
    result = compared(n_sources=3)
    assert all(e.test.smallest_p > 0.05 for e in result.estimates if e.test is not None)
    plot_agreement(result, "nss", ax=ax)
    assert bars(ax, NULL_COLOUR) == []
    assert bar_phrase([result], "nss") == ""
    assert bar_phrase([compared()], "nss")


def test_one_annotator_has_no_band(ax):
    result = compared(annotators=("ann",))
    assert noise_ceiling_range(result, "nss") is None
    plot_agreement(result, "nss", ax=ax)
    assert bars(ax, CEILING_COLOUR) == []
    assert "noise ceiling" not in ax.get_legend_handles_labels()[1]


def test_further_nulls_have_thin_lines_beneath_their_bar(one, ax):
    plot_agreement(one, "nss", ax=ax)
    labels = ax.get_legend_handles_labels()[1]
    assert labels == [
        "noise ceiling",
        "annotations permuted within class, central 95 %",
        "grid symmetries, central 95 %",
        "toroidal shift, central 95 %",
        "marks at random places",
    ]
    lines = [line for line in ax.lines if line.get_marker() == "|"]
    assert len(lines) == 2 * len(one.explanations)
    for line, (name, null) in zip(
        lines, itertools.product(one.explanations, ("symmetries", "shift")), strict=True
    ):
        test = one.estimate(name, "nss").further_test(null).test
        assert tuple(line.get_xdata()) == test.range()
        row = one.explanations.index(name)
        assert row + 0.2 < line.get_ydata()[0] < row + 0.8  # between two bars
    assert len({line.get_ydata()[0] for line in lines}) == len(lines)
    again = plot_agreement(one, "nss", ax=Figure().add_subplot(), show_further=False)
    assert not any("rotation" in text for text in again.get_legend_handles_labels()[1])


def test_several_models_stand_under_their_names_and_share_baselines(one, other, ax):
    plot_agreement([one, other], "nss", ax=ax, every_baseline=True)
    assert [text.get_text() for text in ax.texts] == ["d8.pt", "c1.pt", "baselines"]
    assert texts(ax) == [*LABELS, *LABELS, *one.baselines]
    drawn = points(ax)
    assert [colour for *_, colour in drawn[:6]] == [MODEL_COLOURS[0]] * 3 + [MODEL_COLOURS[1]] * 3
    assert [marker for _, _, marker, _ in drawn[:3]] == [marker for _, _, marker, _ in drawn[3:6]]
    assert [value for _, value, _, _ in drawn[3:6]] == [
        other.estimate(name, "nss").interval.value for name in MAPS
    ]
    assert len(bars(ax, CEILING_COLOUR)) == 1
    colours = [to_hex(text.get_color()).upper() for text in ax.texts]
    assert colours == [*MODEL_COLOURS[:2], BASELINE_COLOUR]


def test_models_on_other_sources_have_baselines_and_bands_of_their_own(one, ax):
    elsewhere = compared("c1.pt", seed=5)
    plot_agreement([one, elsewhere], "nss", ax=ax, show_further=False, every_baseline=True)
    assert texts(ax) == [*LABELS, *one.baselines, *LABELS, *elsewhere.baselines]
    assert [text.get_text() for text in ax.texts] == ["d8.pt", "c1.pt"]
    first, second = bars(ax, CEILING_COLOUR)
    assert first.get_x() == one.noise_ceiling("nss").lower.value
    assert second.get_x() == elsewhere.noise_ceiling("nss").lower.value
    # each behind the rows of its model alone
    n_rows = 1 + len(MAPS) + len(one.baselines)
    assert first.get_y() + first.get_height() == second.get_y() == n_rows - 0.5
    assert ax.get_legend_handles_labels()[1].count("noise ceiling") == 1


def test_maps_of_one_name_have_one_shape_whatever_else_a_model_has(one, other):
    fewer = dataclasses.replace(other, explanations=("gate2", "mean"), values=other.values[:, 1:])
    rows = agreement_rows([fewer, one], "nss")
    shapes = {}
    for row in rows:
        if row.estimate is not None and not row.estimate.is_baseline:
            shapes.setdefault(row.text, set()).add(row.marker)
    assert all(len(found) == 1 for found in shapes.values())
    assert shapes["gate1"] != shapes["gate2"]


def test_ten_models_have_ten_colours(one):
    models = [dataclasses.replace(one, model_name=f"m{i}.pt") for i in range(11)]
    rows = agreement_rows(models, "nss")
    colours = [row.colour for row in rows if row.estimate is None and row.model is not None]
    assert len(set(colours[:10])) == 10
    assert colours[10] == colours[0]


def test_colours_are_dark_enough_to_be_read_in_grey():
    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in (*MODEL_COLOURS, BASELINE_COLOUR):
        # contrast with white as WCAG 2.1 asks for graphics
        assert 1.05 / (luminance(colour) + 0.05) >= 3
    # the band is lighter than the bars that lie on it
    assert luminance(CEILING_COLOUR) > 1.3 * luminance(NULL_COLOUR)


def test_chance_is_drawn_where_it_is_one_number(one, ax):
    plot_agreement(one, "relevance_mass_accuracy", ax=ax)
    assert "marks at random places" not in ax.get_legend_handles_labels()[1]


def test_baselines_are_shared_on_the_same_sources_whatever_a_model_knew_of_them(one):
    other = compared("c1.pt", splits=Split.TRAINING)
    rows = agreement_rows([one, other], "nss")
    assert [row.text for row in rows if row.estimate is None] == ["d8.pt", "c1.pt", "baselines"]


def test_a_result_plots_itself_on_a_new_figure_with_a_legend(one):
    import matplotlib.pyplot as plt

    ax = one.plot()
    try:
        assert ax.get_legend().get_texts()[0].get_text() == "noise ceiling"
        height = ax.figure.get_figheight()
        taller = plot_agreement([one, dataclasses.replace(one, model_name="b")], "nss")
        assert taller.figure.get_figheight() > height
    finally:
        plt.close("all")


def test_names_can_be_left_out(one, other, ax):
    plot_agreement([one, other], "nss", ax=ax, show_names=False)
    assert set(texts(ax)) == {""}
    assert list(ax.texts) == []
    assert ax.get_legend() is None
