"""The paragraph of methods names what was done, and with which settings."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from attnxai.agreement.intervals.crossed_table import CrossedMethod, CrossedTable
from attnxai.agreement.multiplicity import Correction
from attnxai.annotations.readers import claran, rgz_experts
from attnxai.data.images import SourceSet
from attnxai.report.methods import methods_text
from tests.report.several import EVIL, content_of


@pytest.fixture(scope="module")
def one(good):
    return content_of(good, contrasts=False)


def methods_with(content, **settings):
    """The paragraph for the same numbers, had they been made with other settings."""
    parts = tuple(
        dataclasses.replace(
            part,
            result=dataclasses.replace(
                part.result,
                settings={**part.result.settings, **settings},
                estimates=tuple(
                    dataclasses.replace(e, correction=Correction(settings["correction"]))
                    if e.correction and "correction" in settings
                    else e
                    for e in part.result.estimates
                ),
            ),
        )
        for part in content.parts
    )
    return methods_text(dataclasses.replace(content, parts=parts)).plain


SIDES = {
    "greater": "one-sided)",
    "less": "one-sided, for less agreement)",
    "two-sided": "two-sided)",
}
CORRECTIONS = {
    "holm": "adjusted by Holm's method (Holm 1979) over the 3 maps for each metric",
    "bh": "adjusted by the Benjamini–Hochberg method (Benjamini & Hochberg 1995) over the 3 maps for each metric",
    "max_t": "adjusted by max-T (Westfall & Young 1993) over the 3 maps for each metric",
    "none": "not adjusted for each metric",
}


@pytest.mark.parametrize(("alternative", "correction"), list(itertools.product(SIDES, CORRECTIONS)))
def test_methods_say_how_it_was_tested(one, alternative, correction):
    text = methods_with(one, alternative=alternative, correction=correction)
    assert (
        f"p = (b + 1)/(B + 1) for sampled ones, Phipson & Smyth 2010, {SIDES[alternative]}, "
        in text
    )
    assert f"{SIDES[alternative]}, {CORRECTIONS[correction]}; conclusions rest on NSS." in text


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        (
            [("a.pt", "equivariant attention", "D8"), ("b.pt", "equivariant attention", "C1")],
            (
                "The attention-gated network of a.pt is equivariant (Bowles et al. 2021a, Bowles et al. 2021b) under the group "
                "D8, with steerable convolutions (Weiler & Cesa 2019). The attention-gated network of b.pt (Bowles et al. "
                "2021a, Bowles et al. 2021b) is not equivariant to rotations or reflections: its convolutions are of the "
                "trivial group C1."
            ),
        ),
        (
            [("a.pt", "steerable lenet", "C16"), ("b.pt", "steerable lenet", "C16")],
            (
                "The networks of a.pt and b.pt are LeNets with steerable convolutions of the group C16 (Scaife & Porter "
                "2021, Weiler & Cesa 2019)."
            ),
        ),
        (
            [("a.pt", "lenet", "C1"), ("b.pt", "steerable lenet", "C1")],
            (
                "The network of a.pt is a LeNet (Scaife & Porter 2021). The network of b.pt is a LeNet (Scaife & Porter 2021) "
                "and not equivariant to rotations or reflections: its convolutions are of the trivial group C1."
            ),
        ),
        ([("a.pt", "attention gate cnn", "C1")], "The network of a.pt is an attention-gated CNN ("),
    ],
)
def test_methods_name_the_groups_of_networks(one, networks, words):
    models = tuple(
        dict(zip(("name", "architecture", "group"), facts, strict=True)) for facts in networks
    )
    provenance = dataclasses.replace(one.provenance, models=models)
    made = methods_text(dataclasses.replace(one, provenance=provenance))
    assert words in made.plain
    for form in (made.markdown, made.latex):
        assert all(f" group {group}" in form for _, kind, group in networks if "able" in kind)


def test_methods_name_nulls_strata_and_models(one, two):
    text = methods_text(one).plain
    assert "permuting annotations across sources of the same class (499 permutations" in text
    assert "Further nulls" not in text
    assert "flipping signs" not in text
    text = methods_with(one, nulls=["symmetries", "phase"], strata=["class", "survey"])
    assert "across sources of the same class and survey" in text
    assert (
        "Further nulls (grid symmetries and random phases, Theiler et al. 1992, Schreiber & Schmitz 1996) used surrogates "
        "of each source's map, with 499 draws each; their p-values are not adjusted."
    ) in text
    several = methods_text(two).plain
    assert f"the maps of good.pt and {EVIL} with" in several
    assert "(of the first model)" in several
    assert "over the 6 maps for each metric" in several
    assert (
        "Models were compared by differences paired by source over 16 sources, tested by flipping signs "
        "(499 flips, two-sided), with p-values adjusted by max-T (Westfall & Young 1993) over all pairs of models and maps; about other "
        "annotators by the crossed interval turned into a test, adjusted by Holm's method."
    ) in several


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            "predicted class",
            "Occlusion maps explained the score of the predicted class of each image, less the mean of the others.",
        ),
        ("FR II", "Occlusion maps explained the score of FR II."),
        (("FR II", "FR I"), "Occlusion maps explained the score of FR II less that of FR I."),
    ],
)
def test_methods_say_which_class_maps_explain(one, target, words):
    def paragraph(**target):
        explained = [{"title": "occlusion maps", **target}, {"title": "attention maps"}]
        provenance = {**part.maps.provenance, "explanations": explained}
        maps = dataclasses.replace(part.maps, provenance=provenance)
        content = dataclasses.replace(one, parts=(dataclasses.replace(part, maps=maps),))
        return methods_text(content).plain

    part = one.parts[0]
    said = paragraph(target=target)
    assert "We compared the occlusion maps and attention maps of" in said
    assert f"{words} Maps were" in said
    assert "explained" not in paragraph()


def test_the_feature_map_of_grad_cam_is_named(one):
    (part,) = one.parts
    explained = [{"title": "Grad-CAM maps", "network_layer": "layer3"}, {"title": "attention maps"}]
    maps = dataclasses.replace(
        part.maps, provenance={**part.maps.provenance, "explanations": explained}
    )
    content = dataclasses.replace(one, parts=(dataclasses.replace(part, maps=maps),))
    text = methods_text(content).plain
    assert "Grad-CAM maps are those of the feature map layer3. " in text
    assert text.count("feature map") == 1


def test_images_of_fr_deep_are_cited(one):
    def cited(survey):
        images = [dataclasses.replace(image, survey=survey) for image in one.images]
        return methods_text(dataclasses.replace(one, images=SourceSet(images))).plain

    assert "Images are those of FR-DEEP (FIRST) (Tang et al. 2019, Becker et al. 1995)." in cited(
        "FR-DEEP (FIRST)"
    )
    assert "Images are those of FR-DEEP (NVSS) (Tang et al. 2019)." in cited("FR-DEEP (NVSS)")
    assert "Images are from the survey FIRST (Becker et al. 1995)." in cited("FIRST")
    assert "Images are" not in cited("NVSS")


@pytest.mark.parametrize(
    ("kind", "names", "words"),
    [
        (
            claran.KIND,
            (claran.ANNOTATOR,),
            "by Radio Galaxy Zoo volunteers (Radio Galaxy Zoo consensus, Banfield et al. 2015, Wu et al. 2019) for 16 ",
        ),
        (
            rgz_experts.KIND,
            ("a", "b", "c"),
            "into sources, and their hosts (3 annotators, Banfield et al. 2015) for 16 ",
        ),
        (
            f"shapes drawn by annotators and {claran.KIND}",
            ("Ann", claran.ANNOTATOR),
            "by Radio Galaxy Zoo volunteers (2 annotators, Banfield et al. 2015, Wu et al. 2019) for 16 ",
        ),
    ],
)
def test_known_annotations_are_cited_and_a_consensus_is_named(one, kind, names, words):
    marks = one.annotations
    made = tuple(
        dataclasses.replace(mark, annotator=name) for mark in marks.annotations for name in names
    )
    annotations = dataclasses.replace(marks, annotations=made, kind=kind)
    text = methods_text(dataclasses.replace(one, annotations=annotations))
    assert words in text.plain
    assert ("Wu2019" in text.bibtex) == (claran.ANNOTATOR in names)


@pytest.mark.parametrize(("drawn", "words"), [(True, " (321 resamples)"), (False, "")])
def test_resamples_are_named_where_some_are_drawn(one, drawn, words):
    table = CrossedTable.of(np.eye(2, 20), None, 0.95)
    interval = table.interval(0.1, 1.0, CrossedMethod.DUAL_BOOTSTRAP, 0.95, drawn=drawn)
    parts = tuple(
        dataclasses.replace(
            part,
            result=dataclasses.replace(
                part.result,
                estimates=tuple(
                    dataclasses.replace(e, interval=interval) for e in part.result.estimates
                ),
            ),
        )
        for part in one.parts
    )
    text = methods_with(dataclasses.replace(one, parts=parts), n_bootstrap=321)
    assert f"intervals by {interval.method}{words}" in text
    assert (f"{interval.method} (321 resamples)" in text) == drawn
