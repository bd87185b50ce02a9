"""What limits a conclusion stands under it."""

from __future__ import annotations

import dataclasses

import pytest

from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceSet
from attnxai.explanations.stack import Split
from attnxai.report.document import page_values
from tests.builders import made_up
from tests.data.skies import make_wcs
from tests.report.several import content_of, part_of
from tests.report.verdicts import (
    QUICK,
    planted,
    verdict_of,
    verdict_with,
)


def test_simulated_data_are_named():
    verdict, _ = verdict_of(n_sources=10, marks_change={"simulated": True})
    assert "simulated annotations" in verdict.headline
    assert verdict.cautions[0].startswith("Sources and annotators are simulated")


def test_annotations_that_a_rule_made_are_named():
    """Those of all annotators in the headline, too; those of one under it alone."""
    for rule_made, headline in ((("ann", "bob"), True), (("bob",), False)):
        _, marks, _ = made_up(10)
        made = tuple(
            dataclasses.replace(a, other={"made_by": "rule"} if a.annotator in rule_made else {})
            for a in marks.annotations
        )
        verdict, _ = verdict_of(n_sources=10, marks_change={"annotations": made})
        assert ("rule-made annotations" in verdict.headline) == headline
        names = " and ".join(rule_made)
        said = f"The annotations of {names} were made by a rule, not by a person: "
        assert sum(caution.startswith(said) for caution in verdict.cautions) == 1


def test_training_sources_are_no_evidence():
    verdict, _ = verdict_of(n_sources=12, splits=(Split.TRAINING,) * 12)
    assert any("no evidence" in caution for caution in verdict.cautions)
    mixed = (Split.TRAINING,) * 2 + (Split.HELD_OUT,) * 10
    verdict, result = verdict_of(n_sources=12, splits=mixed)
    assert any("rests on the 10 held-out sources; 2 more" in c for c in verdict.cautions)
    assert result.verdict_group == "held-out"
    verdict, _ = verdict_of(n_sources=12, splits=(Split.UNKNOWN,) * 12)
    assert any("not known whether the model was trained" in c for c in verdict.cautions)


@pytest.mark.parametrize(
    ("annotators", "words"),
    [
        (("a",), "one annotator, so inter-annotator agreement cannot be estimated"),
        (("a", "b", "c"), "The result is about these 3 annotators"),
        (("a", "b", "c"), "3 annotators are too few to estimate how much others would differ"),
        (("a", "b", "c", "d"), "The result is about annotators like these 4"),
    ],
)
def test_annotators_limit_the_conclusion(annotators, words):
    verdict, _ = verdict_of(n_sources=10, annotators=annotators)
    assert any(words in caution for caution in verdict.cautions)


def test_classes_that_are_not_held_fixed_are_mentioned():
    words = "Annotations are permuted across classes"
    for strata, said in ((("size",), True), (("class",), False), (("class", "size"), False)):
        verdict, _ = verdict_of(n_sources=16, settings=dataclasses.replace(QUICK, strata=strata))
        assert any(words in caution for caution in verdict.cautions) == said
    verdict, _ = verdict_of(n_sources=12, classes=(), settings=QUICK)
    assert not any(words in caution for caution in verdict.cautions)


def test_a_size_that_is_not_held_fixed_is_mentioned_with_the_rates():
    _, result = planted()

    def cautions(rates):
        def change(e):
            rate = rates.get(e.explanation)
            return dataclasses.replace(e, within_rejections_pairing_broken=rate)

        return verdict_with(result, change).cautions

    said = "; --strata class --strata size tests for agreement beyond size."
    assert (
        "The permutations do not control for angular size: with maps paired with other sources of similar size and the same "
        "class, 4 % to 15 % of 200 tests of each map by NSS are significant, where 5 % would be if size did not matter"
        + said
    ) in cautions({"gate1": 0.15, "gate2": 0.04})
    assert "The permutations do not control for angular size" + said in cautions({})
    verdict, _ = verdict_of(
        n_sources=16, settings=dataclasses.replace(QUICK, strata=("class", "size"))
    )
    assert not any("angular size" in caution for caution in verdict.cautions)
    verdict, _ = verdict_of(n_sources=12, classes=())
    assert not any("angular size" in caution for caution in verdict.cautions)


def test_a_test_that_size_alone_makes_significant_has_a_warning_beside_the_headline():
    _, result = planted()

    def warning(rate, p_adjusted=0.001, within=(None, None, None)):
        def change(e):
            p_within = dict(zip(result.explanations, within, strict=False)).get(e.explanation)
            return dataclasses.replace(
                e,
                within_rejections_pairing_broken=rate,
                p_adjusted=p_adjusted,
                p_within_size_adjusted=p_within,
            )

        return verdict_with(result, change).warning

    assert len(result.explanations) == 3
    begins = (
        "Caution: angular size counts as agreement: with the annotations of another source of similar size and the same "
        "class, 84 % of 200 tests are significant, where 5 % should be."
    )
    ends = " Repeat with --strata class --strata size."
    assert warning(0.84) == begins + ends
    assert warning(0.19) == warning(None) == warning(0.84, p_adjusted=0.3) == ""
    halves = " Permuted within halves of size as well, "
    alike = f"{halves}all maps that agree still do (adjusted p = 0.0030)."
    assert warning(0.84, within=(0.003, 0.003, 0.003)) == begins + alike + ends
    apart = f"{halves}all maps that agree still do (adjusted p = 0.041 or less)."
    assert warning(0.84, within=(0.041, 0.001, 0.01)) == begins + apart + ends
    some = f"{halves}1 of the 3 maps that agree still does."
    assert warning(0.84, within=(0.3, 0.001, 0.06)) == begins + some + ends
    none = f"{halves}no map is shown to agree."
    assert warning(0.84, within=(0.3, 0.06, 0.06)) == begins + none + ends


def with_record(content, **facts):
    """The same report of models that state how their training sources are known."""
    models = tuple({**model, **facts} for model in content.provenance.models)
    return dataclasses.replace(
        content, provenance=dataclasses.replace(content.provenance, models=models)
    )


def placed(content, n_with):
    """The same report on images of which the first have celestial coordinates."""
    images = [
        dataclasses.replace(
            image,
            grid=PixelGrid(shape=image.shape, wcs=make_wcs(image.shape, centre=(10.0 + i, 30.0))),
        )
        if i < n_with
        else image
        for i, image in enumerate(content.images)
    ]
    return dataclasses.replace(content, images=SourceSet(images))


def test_training_sources_that_would_not_be_recognised_in_another_image():
    content = content_of(part_of("one"), contrasts=False)
    record = {"copies_recognised": True, "n_seen": 9, "n_seen_positions": 0}
    none = with_record(content, **record)
    words = "would not be recognised among the 16 held-out sources"
    assert [words in text for text in none.limits()] == [True]
    # where ids are all that is known, another caution says so
    assert not with_record(none, copies_recognised=False).limits()
    assert not content.limits()
    known = with_record(content, **{**record, "n_seen_positions": 9})
    (text,) = known.limits()
    assert text.startswith("16 of 16 held-out sources have no celestial coordinates")
    (text,) = placed(known, 15).limits()
    assert text.startswith("1 of 16 held-out sources has no celestial coordinates")
    assert not placed(known, 16).limits()
    (text,) = with_record(placed(known, 16), n_seen_positions=8).limits()
    assert text.startswith("1 of 9 sources that the model was trained or selected on has no known")
    # simulated sources lie nowhere, and sources that a model was trained on are known already
    marks = dataclasses.replace(content.annotations, simulated=True)
    assert not dataclasses.replace(known, annotations=marks).limits()
    trained = content_of(part_of("one", splits=(Split.TRAINING,) * 16), contrasts=False)
    assert not with_record(trained, **record).limits()


@pytest.mark.parametrize(
    ("notice", "limits"),
    [
        ("Further columns are kept, and strata can be made of them: survey.", False),
        ("alice.reg: The annotator is taken from the name of the file: alice.", False),
        (
            "a.reg and b.reg: The annotator of 3 marks is taken from the name of the folder: x.",
            False,
        ),
        ("The source of the marks is taken from the name of their file.", True),
        ("Some marks state no label and count as other.", True),
    ],
)
def test_how_files_were_read_is_said_of_what_was_compared_and_limits_nothing(notice, limits):
    verdict, _ = verdict_of(n_sources=10, marks_change={"notices": (notice,)})
    assert (notice in verdict.cautions) is limits
    one = content_of(part_of("good.pt"), contrasts=False)
    one = dataclasses.replace(
        one, annotations=dataclasses.replace(one.annotations, notices=(notice,))
    )
    assert page_values(one, verdict)["read_as"] == ([] if limits else [notice])
