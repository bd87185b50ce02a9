"""Figures of a report: files, sizes, and captions whose words follow the numbers and the options."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest

from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.agreement.model_comparison.of_results import contrast_results
from attnxai.alignment.pairs import align
from attnxai.explanations.stack import Split
from attnxai.metrics import METRICS
from attnxai.report.figures.agreement import draw_agreement, draw_all_metrics, panel_grid
from attnxai.report.figures.classes import draw_classes
from attnxai.report.figures.contrasts import draw_contrasts
from attnxai.report.figures.fitting import add_legend, fit_headings, shortened, shortened_apart
from attnxai.report.figures.nulls import draw_nulls
from attnxai.report.figures.sources import draw_sources
from attnxai.report.marks import Outline, drawn_labels
from attnxai.report.shown_maps import extreme_sources, shown_explanation
from attnxai.report.style import MM, ONE_COLUMN, TWO_COLUMNS, new_figure, paper_style
from attnxai.statistics.formats import format_value, p_equals
from tests.builders import made_up
from tests.report.verdicts import planted

MAPS = ["Gate 1", "Gate 2", "Mean of the gates"]
LONG = "my_run_of_2024-11-03_D16_paper_preset_seed_0007_lr_1e-4_augmented_final_checkpoint_best.pt"


def inputs_of(name="d8.pt", *, n_sources=9, **options):
    maps, marks, images = made_up(n_sources=n_sources, **options)
    maps = dataclasses.replace(maps, model_name=name)
    return align(maps, marks, images), maps, marks, images


def compared(name="d8.pt", *, settings=None, **options):
    asked = {"n_permutations": 99, "n_bootstrap": 100, "metrics": ("nss", "auc")}
    pairs, *_ = inputs_of(name, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compare_pairs(
            pairs, settings=ComparisonSettings(**(asked | (settings or {}))), rng=1
        )


@pytest.fixture(scope="module")
def one():
    return compared()


@pytest.fixture(scope="module")
def two(one):
    return [one, compared("c1.pt", agreement=0.3)]


@pytest.fixture
def kept(monkeypatch):
    """The figures instead of their files, which are slow to write."""
    figures = {}

    def keep(figure, folder, name):
        figure.draw_without_rendering()
        figures[name] = figure

    monkeypatch.setattr("attnxai.report.style.save_figure", keep)
    return figures


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_files_are_named_after_the_text(one, tmp_path):
    text = draw_agreement([one], tmp_path)
    assert text.name == "agreement"
    assert {path.name for path in tmp_path.iterdir()} == {
        f"agreement{width}.{kind}" for width in ("", "_one_column") for kind in ("png", "pdf")
    }
    other = draw_classes(one, tmp_path, suffix="-d8")
    assert other.name == "classes-d8"
    assert (tmp_path / "classes-d8.png").is_file()


def test_figures_are_two_columns_wide_and_those_of_one_panel_one_column_too(two, kept, tmp_path):
    draw_agreement(two, tmp_path)
    draw_all_metrics(two, tmp_path)
    draw_nulls(two[0], tmp_path, suffix="-1")
    draw_classes(two[0], tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contrasts = contrast_results(two, n_draws=99, n_bootstrap=100)
    draw_contrasts(contrasts, tmp_path)
    single = {"agreement", "classes", "contrasts"}
    narrow = {f"{name}_one_column" for name in single}
    assert set(kept) == {"all_metrics", "nulls-1"} | single | narrow
    for name, figure in kept.items():
        assert figure.get_figwidth() == pytest.approx(ONE_COLUMN if name in narrow else TWO_COLUMNS)
        width = figure.bbox.width
        for legend in figure.legends:
            assert legend.get_window_extent().x0 >= 0
            assert legend.get_window_extent().x1 <= width


def test_the_figure_grows_with_the_models(one, kept, tmp_path):
    heights = []
    for n in (1, 2, 10):
        draw_agreement(
            [dataclasses.replace(one, model_name=f"m{i}.pt") for i in range(n)], tmp_path
        )
        heights.append(kept["agreement"].get_figheight() / MM)
    assert heights == sorted(heights)
    ax = kept["agreement"].axes[0]
    rows = ax.get_ylim()[0] - ax.get_ylim()[1]
    # text of seven points needs 2.5 mm
    assert ax.get_window_extent().height / kept["agreement"].dpi / rows * 25.4 > 3.5
    assert heights[-1] < 247


def test_long_names_stay_on_their_axis(one, kept, tmp_path):
    models = [
        one,
        dataclasses.replace(one, model_name=LONG),
        dataclasses.replace(one, model_name="b"),
    ]
    draw_agreement(models, tmp_path)
    draw_all_metrics(models, tmp_path)
    (ax,) = kept["agreement"].axes
    assert [text.get_text() for text in ax.texts] == ["d8.pt", LONG, "b", "baselines"]
    panels = kept["all_metrics"].axes
    shown = [text.get_text() for text in panels[0].texts]
    assert "…" in shown[1]
    start, end = shown[1].split("…")
    assert LONG.startswith(start)
    assert LONG.endswith(end)
    assert all(text.get_window_extent().x1 <= panels[0].bbox.x1 for text in panels[0].texts)
    assert not panels[1].texts


def test_the_caption_names_n_intervals_null_and_annotators(one, kept, tmp_path):
    text = draw_agreement([one], tmp_path).caption
    assert "means over n = 9 held-out sources, lines their 95 % intervals by crossed" in text
    assert "(9 sources × 2 annotators)" in text
    assert "permuted across sources of the same class;" in text
    assert (
        "Band: the noise ceiling, from the 2 annotators each against the consensus of the others"
        in text
    )
    assert "an upper bound for every map" in text
    assert "Thin lines" not in text


def test_the_caption_of_one_annotator_speaks_of_a_bootstrap_and_no_band(kept, tmp_path):
    result = compared(annotators=("ann",), settings={"interval": "percentile"})
    text = draw_agreement([result], tmp_path).caption
    assert "95 % intervals by percentile bootstrap over sources." in text
    assert "Band" not in text


@pytest.mark.parametrize(
    ("alternative", "words"),
    [
        ("greater", "one-sided, for more agreement: p reaches 0.05 a little inside the right"),
        ("less", "one-sided, for less agreement: p reaches 0.05 a little inside the left"),
        ("two-sided", "two-sided: p is about 0.05 at either end"),
    ],
)
def test_words_follow_the_alternative(kept, tmp_path, alternative, words):
    result = compared(n_sources=8, settings={"alternative": alternative})
    assert words in draw_agreement([result], tmp_path).caption
    side = "two-sided" if alternative == "two-sided" else "one-sided"
    assert side in draw_nulls(result, tmp_path).caption


def test_words_follow_strata_and_further_nulls(kept, tmp_path):
    result = compared(
        n_sources=12, settings={"strata": ("class", "size"), "nulls": ("symmetries", "shift")}
    )
    text = draw_agreement([result], tmp_path)
    assert "permuted across sources of the same class and size" in text.caption
    assert "from top to bottom: the same under grid symmetries and toroidal shift" in (text.caption)
    assert "annotations permuted within class and size, central 95 %" in legend_of(
        kept["agreement"]
    )
    assert "sources of the same class and size (filled) or across all sources (outline)" in (
        draw_nulls(result, tmp_path).caption
    )


def test_without_classes_what_stands_in_for_them_is_named(kept, tmp_path):
    result = compared(classes=(), n_sources=16)
    words = "permuted across sources of the same predicted class and annotated size"
    assert words in draw_agreement([result], tmp_path).caption
    assert "predicted class and annotated size (filled)" in draw_nulls(result, tmp_path).caption
    assert draw_classes(result, tmp_path) is None


def test_a_null_that_could_not_be_tested_is_named(one, kept, tmp_path):
    from attnxai.agreement.estimates import FurtherTest

    missing = FurtherTest(
        null="shift", label="toroidal shift", test=None, reason="too small fields"
    )
    estimates = tuple(
        e if e.is_baseline else dataclasses.replace(e, further=(missing,)) for e in one.estimates
    )
    result = dataclasses.replace(one, estimates=estimates)
    text = draw_agreement([result], tmp_path).caption
    assert "toroidal shift could not be tested for some maps (too small fields)." in text


@pytest.mark.parametrize("n_sources", [1, 3, 7])
def test_few_sources_claim_no_intervals(kept, tmp_path, n_sources):
    result = compared(n_sources=n_sources)
    text = draw_agreement([result], tmp_path).caption
    count = "1 source is" if n_sources == 1 else f"{n_sources} sources are"
    assert f"which have no intervals ({count} too few, 8 are needed)" in text
    assert ("Grey bars" in text) == (n_sources > 3)  # of three sources none could be significant
    draw_all_metrics([result], tmp_path)
    assert "no test" in draw_nulls(result, tmp_path).alternative or n_sources > 1
    assert "too few sources for an interval" in draw_classes(result, tmp_path).caption


def test_models_with_other_sources_have_their_own_n(one, kept, tmp_path):
    other = compared("c1.pt", n_sources=10, splits=Split.TRAINING)
    text = draw_agreement([one, other], tmp_path).caption
    assert (
        "d8.pt: n = 9 held-out sources; c1.pt: n = 10 sources that the model was trained on" in text
    )
    assert "maps of d8.pt and c1.pt, a colour each" in text


def test_alternative_texts_hold_the_numbers(two, kept, tmp_path):
    text = draw_agreement(two, tmp_path).alternative
    value = two[1].estimate("gate2", "nss").interval.value
    assert f"c1.pt, gate2 {value:.2f} [" in text
    ceiling = two[0].noise_ceiling("nss")
    assert text.count(f"noise ceiling {ceiling.lower.value:.2f} to {ceiling.upper.value:.2f}") == 1
    assert text.count("centre bias") == 1
    nulls = draw_nulls(two[0], tmp_path).alternative
    estimate = two[0].estimate("gate1", "auc")
    assert f"AUC: Gate 1 {format_value(estimate.interval)} against" in nulls
    assert p_equals(estimate.test.p_value) in nulls


def test_every_metric_has_an_axis_of_its_own(kept, tmp_path):
    result = compared(n_sources=8, settings={"metrics": tuple(METRICS), "n_permutations": 39})
    draw_all_metrics([result], tmp_path)
    axes = [ax for ax in kept["all_metrics"].axes if ax.get_visible()]
    assert [ax.get_xlabel() for ax in axes] == [metric.label for metric in METRICS.values()]
    _, columns = panel_grid(len(METRICS))
    assert len({ax.get_window_extent().x0 for ax in axes}) == columns
    for ax in axes:
        assert not ax.get_shared_x_axes().get_siblings(ax)[1:]
    # names in the first panel of every row
    named = [bool("".join(t.get_text() for t in ax.get_yticklabels())) for ax in axes]
    assert named == [i % columns == 0 for i in range(len(METRICS))]
    # a figure of all of their nulls would be higher than a page
    draw_nulls(result, tmp_path)
    assert [ax.get_xlabel() for ax in kept["nulls"].axes] == ["NSS"] * 3
    some = tuple(METRICS)[:7]
    draw_nulls(dataclasses.replace(result, metrics=some, values=result.values[:7]), tmp_path)
    panels = [ax for ax in kept["nulls"].axes if ax.get_visible()]
    assert [ax.get_xlabel() for ax in panels] == 3 * [METRICS[name].label for name in some]
    p_value = result.estimate("gate1", some[-1]).test.p_value
    assert panels[6].get_title() == p_equals(p_value)


@pytest.mark.parametrize("n", range(1, 17))
def test_panels_have_enough_space(n):
    rows, columns = panel_grid(n)
    assert columns <= 5
    assert (rows - 1) * columns < n <= rows * columns


def test_observed_lines_stand_at_the_observed_values(one, kept, tmp_path):
    draw_nulls(one, tmp_path)
    axes = np.reshape(kept["nulls"].axes, (3, 2))
    for row, explanation in enumerate(one.explanations):
        for column, metric in enumerate(one.metrics):
            (line,) = axes[row, column].lines
            assert line.get_xdata()[0] == one.estimate(explanation, metric).test.observed
    assert legend_of(kept["nulls"]) == [
        "permuted across sources of the same class",
        "across all sources",
        "observed",
    ]


def test_of_many_maps_the_nulls_of_the_metric_of_the_verdict_are_drawn(kept, tmp_path):
    pairs, *_ = inputs_of("d8.pt", n_sources=8)
    one = pairs.explanations["gate1"]
    further = dict.fromkeys(("evidence", "gradcam", "saliency"), one)
    pairs = dataclasses.replace(pairs, explanations={**pairs.explanations, **further})
    settings = ComparisonSettings(n_permutations=39, n_bootstrap=100, metrics=("nss", "auc"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare_pairs(pairs, settings=settings, rng=1)
    text = draw_nulls(result, tmp_path)
    assert "of NSS over sources of the maps" in text.caption
    assert "AUC" not in text.alternative
    panels = [ax for ax in kept["nulls"].axes if ax.get_visible()]
    names = ["Gate 1", "Gate 2", "Mean of the gates", "Evidence", "Grad-CAM", "Saliency"]
    assert [ax.get_title().splitlines()[0] for ax in panels] == names
    assert [ax.get_xlabel() for ax in panels] == ["", "", "", *["NSS"] * 3]
    for ax, explanation in zip(panels, result.explanations, strict=True):
        test = result.estimate(explanation, "nss").test
        assert p_equals(test.p_value) in ax.get_title()
        assert ax.lines[0].get_xdata()[0] == test.observed


def contrasts_of(models):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return contrast_results(models, n_draws=99, n_bootstrap=100)


def test_two_models_have_a_row_for_every_map(two, kept, tmp_path):
    contrasts = contrasts_of(two)
    text = draw_contrasts(contrasts, tmp_path)
    (ax,) = kept["contrasts"].axes
    assert [label.get_text() for label in ax.get_yticklabels()] == MAPS
    assert kept["contrasts"].get_supxlabel() == "difference in NSS, d8.pt − c1.pt"
    drawn = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "None"]
    assert drawn == [c.interval.value for c in contrasts.contrasts.contrasts]
    assert "adjusted by max-T over the 3 contrasts" in text.caption
    assert "n = 9 held-out sources and 2 annotators" in text.caption
    first = contrasts.contrast("d8.pt", "c1.pt", "gate1")
    assert f"gate1: d8.pt minus c1.pt {first.interval.value:.2f} [" in text.alternative


def test_several_models_have_a_panel_for_every_map(two, kept, tmp_path):
    names = [f"a_long_common_beginning_{i}_and_a_long_common_end.pt" for i in range(3)]
    models = [
        dataclasses.replace(model, model_name=name)
        for name, model in zip(names, [*two, two[0]], strict=True)
    ]
    draw_contrasts(contrasts_of(models), tmp_path)
    axes = kept["contrasts"].axes
    assert [ax.get_title() for ax in axes] == MAPS
    rows = [label.get_text() for label in axes[0].get_yticklabels()]
    assert len(set(rows)) == 3
    assert all("…" in row for row in rows)
    assert axes[0].get_xlim() == axes[1].get_xlim()


def test_sources_say_what_is_drawn(kept, tmp_path):
    pairs, maps, marks, images = inputs_of()
    result = compared()
    explained = [{"name": shown_explanation(result), "title": "maps", "network_layer": "layer3"}]
    provenance = {**maps.provenance, "explanations": explained}
    maps = dataclasses.replace(maps, provenance=provenance)
    text = draw_sources(result, pairs, maps, marks, images, tmp_path, suffix="-d8")
    assert text.name == "sources-d8"
    figure = kept["sources-d8"]
    assert legend_of(figure) == ["map", "ann", "bob", "lobe"]
    images_above, maps_below = figure.axes[0], figure.axes[3]
    gap = images_above.get_window_extent().y0 - maps_below.get_window_extent().y1
    assert 0 < gap / figure.dpi * 25.4 < 10
    assert "what d8.pt saw" in text.caption
    assert " (of the feature map layer3), the map of which" in text.caption


def test_signed_maps_are_drawn_around_zero(kept, tmp_path):
    pairs, maps, marks, images = inputs_of()
    low = pairs.explanations["mean"] - 0.4
    signed = dataclasses.replace(pairs, explanations={**pairs.explanations, "mean": low})
    draw_sources(compared(), signed, maps, marks, images, tmp_path)
    draw_sources(compared(), pairs, maps, marks, images, tmp_path, suffix="-1")
    drawn = [ax.images[0] for ax in kept["sources"].axes[3:6]]
    assert {picture.get_cmap().name for picture in drawn} == {"RdBu_r"}
    assert len({picture.get_clim() for picture in drawn}) == 1
    assert drawn[0].get_clim()[0] == -drawn[0].get_clim()[1] < 0
    assert kept["sources-1"].axes[3].images[0].get_cmap().name == "viridis"


@pytest.mark.parametrize(
    ("n_sources", "ranks"),
    [(1, ["Only"]), (2, ["Best", "Worst"]), (4, ["Best", "Median", "Worst"])],
)
def test_few_sources_are_shown_once(kept, tmp_path, n_sources, ranks):
    result = compared(n_sources=n_sources)
    chosen = extreme_sources(result, "mean", "nss")
    assert list(chosen) == ranks
    values = result.source_means("mean", "nss")[[result.sources.index(s) for s in chosen.values()]]
    assert sorted(values, reverse=True) == list(values)
    text = draw_sources(result, *inputs_of(n_sources=n_sources), tmp_path)
    shown = dict(zip(ranks, chosen.values(), strict=True))
    assert ", ".join(f"{rank.lower()} {source}" for rank, source in shown.items()) in text.caption


def test_the_legend_has_the_marker_of_points_and_the_line_of_outlines():
    x = np.zeros(1), np.zeros(1)
    outline = np.zeros(5), np.zeros(5)
    found = drawn_labels(
        [
            {
                "consensus": [Outline("other", *x, False)],
                "bob": [Outline("core", *outline, True)],
            },
            {"bob": [Outline("core", *x, False), Outline("jet", *outline, False)]},
        ]
    )
    assert found == {"core": (True, True), "jet": (False, True), "other": (True, False)}
    assert list(found) == ["core", "jet", "other"]


def test_names_are_shortened_in_their_middle_and_stay_apart():
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert shortened("abcde", 5) == "abcde"
    several = (
        [f"run_{i}_final" for i in range(12)],
        [f"a_long_common_beginning_{i}_and_a_long_common_end.pt" for i in range(12)],
        [f"{letter * 15}{i}{letter * 15}" for i in range(3) for letter in "ab"],
        ["d8.pt", LONG, LONG.replace("seed_0007", "seed_0008")],
    )
    for names in several:
        short = shortened_apart([*names, names[0]], 14)
        assert list(short) == names
        assert len(set(short.values())) == len(names)
        assert max(map(len, short.values())) <= 14


def test_headings_that_differ_in_their_middle_stay_apart(one, kept, tmp_path):
    names = [LONG, LONG.replace("seed_0007", "seed_0008")]
    draw_all_metrics([dataclasses.replace(one, model_name=name) for name in names], tmp_path)
    first, second, _ = (text.get_text() for text in kept["all_metrics"].axes[0].texts)
    assert first != second


def test_headings_that_fit_are_left_alone():
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 40 * MM)
        ax = figure.add_subplot()
        ax.annotate("d8.pt", (0, 0.5), xycoords="axes fraction")
        fit_headings(figure, [ax])
    assert ax.texts[0].get_text() == "d8.pt"


def test_legends_take_fewer_columns_where_names_are_long():
    figure = new_figure(TWO_COLUMNS, 40 * MM, layout="constrained")
    ax = figure.add_subplot()
    for i in range(3):
        ax.plot([0, 1], [0, i], label=f"a range with a long name, central 95 %, number {i}")
    add_legend(figure, ax)
    (legend,) = figure.legends
    assert legend.get_window_extent().width <= figure.bbox.width
    assert len(legend.get_texts()) == 3


def test_panels_show_the_map_of_which_the_verdict_speaks():
    """A map that agrees comes first, then one with another finding; of several the farthest from its null."""
    _, result = planted()
    far = {name: result.estimate(name, "nss").test.z for name in result.explanations}
    assert shown_explanation(result) == max(far, key=lambda name: far[name])

    def with_p(p_values, z=None):
        def change(e):
            if e.explanation not in p_values or e.is_baseline:
                return e
            e = dataclasses.replace(e, p_adjusted=p_values[e.explanation])
            if e.explanation == z:
                test = dataclasses.replace(
                    e.test, observed=e.test.observed + 100 * e.test.values.std()
                )
                e = dataclasses.replace(e, pooled=test, within_strata=test)
            return e

        return dataclasses.replace(result, estimates=tuple(map(change, result.estimates)))

    none = dict.fromkeys(result.explanations, 0.5)
    assert shown_explanation(with_p(none)) == "mean"
    assert shown_explanation(with_p(none | {"gate1": 0.01})) == "gate1"
    both = none | {"gate1": 0.01, "gate2": 0.01}
    assert shown_explanation(with_p(both, z="gate2")) == "gate2"
    assert shown_explanation(with_p(both, z="gate1")) == "gate1"
