"""What the audit found stands before any agreement: in a line, in the sentences and in the tables."""

from __future__ import annotations

import dataclasses

import pytest

from attnxai.audit.evidence_location_result import EvidenceLocation, ZoneEvidence
from attnxai.audit.evidence_location_statistics import locate_evidence
from attnxai.audit.map_location import MapLocation
from attnxai.report.audit import (
    audit_badge,
    audit_line,
    audit_of_map,
    locations_table,
    words_on_zones,
    zones_table,
)
from attnxai.report.document import write_report
from attnxai.report.methods import methods_text
from attnxai.report.verdict import reach_verdict
from attnxai.statistics.interval import Interval, no_interval
from tests.report.several import content_of, part_of


def interval(value: float, low: float, high: float) -> Interval:
    return Interval(value=value, low=low, high=high, n_units=40, reference=0.5)


HIGH, EVEN, LOW = interval(0.9, 0.8, 0.96), interval(0.5, 0.4, 0.6), interval(0.1, 0.04, 0.2)


def map_of(name: str, first: Interval, second: Interval, auc: Interval) -> MapLocation:
    return MapLocation(
        name=name,
        on_source={"all": EVEN, "FR I": first, "FR II": second},
        level={"all": 0.3, "FR I": 0.1, "FR II": 0.5},
        level_auc={"FR II": auc},
        n_undefined=0,
    )


def zone_of(name: str, auc: Interval) -> ZoneEvidence:
    return ZoneEvidence(
        zone=name,
        accuracy=auc,
        auc=auc,
        area=0.4,
        area_auc=EVEN,
        beyond_area=interval(auc.value - 0.5, auc.low - 0.5, auc.high - 0.5),
        evidence=interval(0.25, 0.2, 0.3),
        absolute_evidence=EVEN,
        evidence_by_gate={"gate1": 0.3},
    )


GOOD = map_of("gate1", HIGH, HIGH, EVEN)
SIGN = map_of("gate2", HIGH, LOW, EVEN)
LEVEL = map_of("mean", EVEN, EVEN, LOW)


def location(*maps: MapLocation, empty: Interval | None = EVEN) -> EvidenceLocation:
    zones: tuple[ZoneEvidence, ...] = ()
    if empty is not None:
        zones = tuple(
            zone_of(name, auc)
            for name, auc in (("emission", HIGH), ("ring", HIGH), ("empty sky", empty))
        )
    return EvidenceLocation(
        model_name="d8.pt",
        group="held-out",
        n_sources=40,
        classes={"FR I": 20, "FR II": 20},
        accuracy=HIGH,
        auc=HIGH,
        zones=zones,
        maps=maps,
        not_split="" if zones else "it has no gates",
        min_island_pixels=1,
        ring_pixels=24,
        n_bootstrap=100,
    )


def test_a_network_that_knows_the_class_from_empty_sky_is_to_be_read_with_care() -> None:
    found = location(GOOD, SIGN, empty=HIGH)
    assert found.passes is False
    assert audit_line([found]) == (
        "Audit failed: from empty sky alone d8.pt (AUC 0.900 [0.800, 0.960]) tells the class, so that a map on the source does "
        "not show that the answer comes from there. 1 of 2 maps is higher on the source than elsewhere "
        "for one class and lower for another; read it with care."
    )
    assert audit_line([location(GOOD, SIGN)]) == (
        "Audit failed: 1 of 2 maps is higher on the source than elsewhere for one class and lower for another; read it with care."
    )
    assert audit_line([location(LEVEL, GOOD)]) == (
        "Audit failed: 1 of 2 maps gives the class away by its level on empty sky; read it with care."
    )
    assert audit_line([location(SIGN)]) == (
        "Audit failed: the only map is higher on the source than elsewhere for one class and lower for another; read it with care."
    )
    assert audit_line([location(SIGN, LEVEL)]).endswith("; read them with care.")


def test_a_network_that_fails_while_its_maps_pass_is_what_the_line_speaks_of() -> None:
    found = location(GOOD, empty=HIGH)
    assert (found.passes, found.maps[0].passes) == (False, True)
    assert audit_line([found]) == (
        "Audit failed: from empty sky alone d8.pt (AUC 0.900 [0.800, 0.960]) tells the class, so that a map on the source does "
        "not show that the answer comes from there."
    )


def test_a_network_that_passes() -> None:
    found = location(GOOD)
    assert found.passes is True
    line = audit_line([found])
    assert line.startswith("Audit passed: from empty sky alone d8.pt (AUC 0.50 ")
    assert line.endswith(
        "and no map is higher on the source than elsewhere for one class and lower for another."
    )
    without = location(GOOD, empty=None)
    assert without.passes is True
    assert audit_line([without]) == (
        "Audit passed: no map of d8.pt gives the class away by its level on empty sky, and none is higher on the source than "
        "elsewhere for one class and lower for another."
    )


def test_of_several_models_what_is_the_same_is_said_once() -> None:
    first, other = location(GOOD), dataclasses.replace(location(GOOD, GOOD), model_name="c1.pt")
    assert audit_line([first, other]) == (
        "Audit passed: from empty sky alone d8.pt and c1.pt (AUC 0.50 [0.40, 0.60]) cannot tell the class, and no map is higher "
        "on the source than elsewhere for one class and lower for another."
    )
    telling = dataclasses.replace(location(GOOD, SIGN, empty=HIGH), model_name="c1.pt")
    assert audit_line([first, telling]) == (
        "Audit failed: from empty sky alone c1.pt (AUC 0.900 [0.800, 0.960]) tells the class, so that a map on the source does "
        "not show that the answer comes from there. 1 of 3 maps is higher on the source than elsewhere for one "
        "class and lower for another; read it with care."
    )
    both = [dataclasses.replace(location(GOOD, empty=HIGH), model_name=n) for n in ("a.pt", "b.pt")]
    assert "alone a.pt and b.pt (AUC 0.900 [0.800, 0.960]) tell the class" in audit_line(both)
    assert audit_line([]) == ""


def test_what_is_not_known_is_said() -> None:
    bare = dataclasses.replace(GOOD, level_auc={}, on_source={"all": HIGH}, level={"all": 0.1})
    found = dataclasses.replace(location(bare, empty=None), classes={}, accuracy=None, auc=None)
    assert found.passes is None
    assert audit_line([found]) == (
        "Audit not possible: 8 or more held-out sources of each of two classes are needed; no class is known."
    )
    assert audit_badge(bare) == audit_badge(None) == "–"
    (heading, *_), *_ = [[c.heading for c in locations_table([found]).columns]]
    assert heading == "Map"


@pytest.mark.parametrize(
    ("classes", "group", "words"),
    [
        (
            {"FR I": 9, "FR II": 7},
            "held-out",
            "8 or more held-out sources of each of two classes are needed; there are 9 FR I and 7 FR II.",
        ),
        (
            {"FR I": 1, "FR II": 7},
            "unknown",
            "8 or more sources of each of two classes are needed; there is 1 FR I and 7 FR II.",
        ),
        (
            {"FR I": 20},
            "training",
            "8 or more training sources of each of two classes are needed; there are only 20 FR I.",
        ),
        (
            {"A": 20, "B": 30, "C": 3},
            "held-out",
            "8 or more held-out sources of each class are needed; there are 20 A, 30 B and 3 C.",
        ),
        (
            {"FR I": 20, "FR II": 9},
            "held-out",
            "8 or more held-out sources of each of two classes are needed; there are 20 FR I and 9 FR II, too few with empty sky.",
        ),
    ],
)
def test_an_audit_that_is_not_possible_says_what_there_is(classes, group, words):
    undecided = no_interval(0.5, 16, reason="too few")
    few = dataclasses.replace(
        location(dataclasses.replace(GOOD, level_auc={"FR II": undecided}), empty=None),
        classes=classes,
        group=group,
    )
    assert audit_line([few]) == f"Audit not possible: {words}"
    other = dataclasses.replace(few, model_name="c1.pt")
    assert audit_line([few, other]) == f"Audit not possible: {words}"
    passing = dataclasses.replace(location(GOOD), model_name="a.pt")
    assert audit_line([passing, few]).endswith(f"lower for another. For d8.pt, {words}")


@pytest.mark.parametrize(
    ("found", "badge", "sentence"),
    [
        (GOOD, "passes", ""),
        (
            SIGN,
            "fails: sign",
            "Gate 2 fails the audit: it is higher on the source than elsewhere for FR I, and lower for FR II.",
        ),
        (
            LEVEL,
            "fails: level",
            "The mean of the gates fails the audit: its level on empty sky tells the class (AUC 0.900 [0.800, 0.960]).",
        ),
    ],
)
def test_each_map_says_what_it_fails_by(found, badge, sentence) -> None:
    assert audit_badge(found) == badge
    assert audit_of_map(found) == sentence


def test_tables_have_a_row_for_every_zone_and_every_map() -> None:
    found = location(GOOD, SIGN, empty=HIGH)
    zones = {column.heading: column.cells for column in zones_table([found]).columns}
    assert zones["From"] == ("whole network", "empty sky alone", "ring alone", "emission alone")
    assert zones["Share of the evidence"] == ("–", "25 %", "25 %", "25 %")
    maps = {column.heading: column.cells for column in locations_table([found]).columns}
    assert maps["On source, FR II"] == ("90.0 % [80.0, 96.0]", "10.0 % [4.0, 20.0]")
    assert maps["Level on empty sky, FR I"] == ("0.10", "0.10")
    assert (
        zones_table([location(GOOD, empty=None)]).note == "Not measured by zone: it has no gates."
    )


@pytest.mark.usefixtures("undrawn")
def test_the_verdict_and_the_report_have_it_first(tmp_path) -> None:
    part = part_of("d8.pt")
    content = content_of(part, contrasts=False)
    names = content.results[0].explanations
    found = location(*(dataclasses.replace(SIGN, name=name) for name in names), empty=HIGH)
    verdict = reach_verdict(content.results, content.annotations, locations=[found])
    assert verdict.audit == audit_line([found])
    assert all("fails the audit" in statement.audit for statement in verdict.statements)
    result = dataclasses.replace(content.results[0], data=part_data(part, content))
    write_report(result, tmp_path / "given", locations={"d8.pt": found})
    page = (tmp_path / "given" / "index.html").read_text(encoding="utf-8")
    assert page.index("Audit failed: from empty sky alone d8.pt (AUC") < page.index("<table")
    assert page.index("fails the audit") < page.index(verdict.statements[0].lead)
    write_report(result, tmp_path / "own")
    own = (tmp_path / "own" / "summary.json").read_text(encoding="utf-8")
    assert '"not_split": "that takes the network and not its maps alone"' in own


def part_data(part, content):
    from attnxai.agreement.results import ComparedData

    return ComparedData(
        maps=part.maps,
        annotations=content.annotations,
        images=content.images,
        pairs=part.pairs,
        seed=1,
    )


def test_the_paragraph_of_methods_follows_the_options_of_the_audit():
    content = content_of(part_of("a.pt"), contrasts=False)

    def paragraph(found: EvidenceLocation) -> str:
        part = dataclasses.replace(content.parts[0], location=found)
        return methods_text(dataclasses.replace(content, parts=(part,))).plain

    text = paragraph(location(GOOD))
    assert (
        "Where evidence comes from was audited on 40 held-out sources: emission is what lies above the clip of the "
        "preprocessing, the ring what lies within 24 pixels of it, and empty sky the rest. For class scores from one zone "
        "alone, the sums of features over the other zones were replaced by their means over these sources; nothing was "
        "fitted again. AUCs of the audit have BCa bootstrap intervals over sources within classes (100 resamples), "
        "shares exact binomial ones."
    ) in text
    changed = dataclasses.replace(
        location(GOOD), min_island_pixels=5, ring_pixels=12.5, n_bootstrap=999, group="validation"
    )
    text = paragraph(changed)
    assert "audited on 40 sources that the model was validated on: emission" in text
    assert "above the clip of the preprocessing in islands of 5 pixels or more" in text
    assert "within 12.5 pixels of it" in text
    assert "(999 resamples)" in text
    aucs = {
        name: dataclasses.replace(auc, method="ABC (DiCiccio & Efron 1992), over sources")
        for name, auc in GOOD.level_auc.items()
    }
    many = dataclasses.replace(location(GOOD), maps=(dataclasses.replace(GOOD, level_auc=aucs),))
    assert (
        "resamples; for many sources by their limit without resamples, ABC, DiCiccio & Efron 1992)"
        in paragraph(many)
    )
    without = dataclasses.replace(
        location(empty=None), maps=(dataclasses.replace(GOOD, level_auc={}),)
    )
    assert "one zone alone" not in paragraph(without)
    assert "AUCs of the audit" not in paragraph(without)
    # where classes are not known nothing could be told, and nothing is claimed
    classes = [None] * 16
    blind = locate_evidence(content.parts[0].maps, classes, n_bootstrap=100)
    assert blind.passes is None
    no_auc = tuple(dataclasses.replace(zone, auc=None) for zone in location().zones)
    for unknown in (blind, dataclasses.replace(blind, zones=no_auc)):
        assert "audited" not in paragraph(unknown)
        assert "one zone alone" not in paragraph(unknown)


def test_maps_without_their_network_have_no_empty_table_of_zones():
    bare = dataclasses.replace(
        location(GOOD, empty=None), accuracy=None, auc=None, zones=(), not_split="only maps"
    )
    table = zones_table([bare])
    assert table.n_rows == 0
    assert table.note == "Not measured by zone: only maps."
    scored = dataclasses.replace(location(GOOD, empty=None), zones=(), not_split="only maps")
    (row,) = zip(*(column.cells for column in zones_table([scored]).columns), strict=True)
    assert row[0] == "whole network"
    assert "–" not in row
    for found, said in ((scored, False), (location(GOOD), True)):
        words = words_on_zones([found])
        assert ("From a zone alone" in words) is ("AUC of the area alone" in words) is said
        assert ("fails if empty sky alone or the level" in words) is said
