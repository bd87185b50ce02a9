"""Words and tables about audits: what they found comes first, then agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.audit.class_shares import told
from attnxai.audit.evidence_location_result import format_level
from attnxai.data.wording import listed
from attnxai.explanations.stack import Split
from attnxai.report.sentences.say import say
from attnxai.report.tables.table import Table, text_table
from attnxai.report.wording import capitalised, label_of_map, name_of_map
from attnxai.statistics.formats import (
    MISSING,
    all_with_intervals,
    format_share,
    shares_with_intervals,
    with_interval,
)
from attnxai.statistics.interval import MIN_UNITS

if TYPE_CHECKING:
    from attnxai.audit.evidence_location_result import EvidenceLocation, ZoneEvidence
    from attnxai.audit.map_location import MapLocation
    from attnxai.statistics.interval import Interval


def audit_line(locations: Sequence[EvidenceLocation]) -> str:
    """The line under the headline: what the models fail by, or that none fails."""
    if not locations:
        return ""
    return say(f"audit.line.{audit_status(locations)}", found=audit_answer(locations))


def audit_status(locations: Sequence[EvidenceLocation]) -> str:
    """``failed`` if any model or map does, ``passed`` if none does and one could be audited, else ``unknown``."""
    outcomes = [found.passes for found in locations]
    outcomes += [one.passes for found in locations for one in found.maps]
    if False in outcomes:
        return "failed"
    return "passed" if any(found.passes for found in locations) else "unknown"


def audit_answer(locations: Sequence[EvidenceLocation]) -> str:
    """Where the evidence of the models comes from, in sentences that go on after a colon."""
    telling = [found for found in locations if (sky := found.empty_sky) and sky.tells_class]
    rest = [found for found in locations if found not in telling and found.passes is not False]
    unknown = [found for found in rest if found.passes is None]
    maps = [one for found in locations for one in found.maps]
    by_level = sum(one.level_tells_class for one in maps)
    signs = sum(one.sign_depends_on_class for one in maps)
    faults = []
    if by_level:
        faults.append(say("audit.levels", n=by_level, n_all=len(maps)))
    if signs:
        faults.append(say("audit.signs", n=signs, n_all=len(maps)))
    sentences = []
    if telling:
        sentences.append(say("audit.network", models=_with_auc(telling), n=len(telling)))
    if faults:
        n = sum(one.passes is False for one in maps)
        sentences.append(say("audit.fails", faults=listed(faults), n=n))
    if not sentences and len(unknown) < len(rest):
        passing = [found for found in rest if found.passes]
        split = not any(found.not_split for found in passing)
        models = _with_auc(passing)
        sentences.append(
            say("audit.passes", models=models) if split else say("audit.maps_pass", models=models)
        )
    if unknown:
        reasons: dict[str, list[str]] = {}
        for found in unknown:
            reasons.setdefault(_why_unknown(found), []).append(found.model_name)
        sentences += [
            reason
            if len(names) == len(locations)
            else say("audit.unknown.of", models=listed(names), reason=reason)
            for reason, names in reasons.items()
        ]
    first, *others = sentences
    return " ".join([first, *map(capitalised, others)])


def _why_unknown(found: EvidenceLocation) -> str:
    """How many sources of each class an audit needs, and how many there are."""
    counts = listed([f"{n:,} {name}" for name, n in found.classes.items()])
    if len(found.classes) == 1:
        counts = say("audit.unknown.one", counts=counts)
    elif found.classes and min(found.classes.values()) >= MIN_UNITS:
        counts = say("audit.unknown.sky", counts=counts)
    several = len(found.classes) > 2
    return say(
        "audit.unknown",
        sources="sources" if found.group == Split.UNKNOWN else f"{found.group} sources",
        classes=say(f"audit.unknown.each.{'several' if several else 'two'}"),
        there=say("audit.unknown.there", n=next(iter(found.classes.values())), counts=counts)
        if found.classes
        else say("audit.unknown.none"),
    )


def _with_auc(locations: Sequence[EvidenceLocation]) -> str:
    """Names of models, each with how well empty sky alone tells the class, or once if that is the same for all."""
    aucs = [
        say("audit.auc", auc=sky.auc) if (sky := found.empty_sky) and sky.auc is not None else ""
        for found in locations
    ]
    if len(set(aucs)) == 1:
        return listed([found.model_name for found in locations]) + aucs[0]
    return listed([f"{found.model_name}{auc}" for found, auc in zip(locations, aucs, strict=True)])


def audit_of_map(found: MapLocation | None) -> str:
    """What a map fails by, in front of its agreement; empty where it does not."""
    if found is None:
        return ""
    faults = []
    if found.level_tells_class:
        faults.append(say("audit.map.level", aucs=_aucs(found)))
    if found.sign_depends_on_class:
        faults.append(say("audit.map.sign", above=listed(found.above), below=listed(found.below)))
    if not faults:
        return ""
    return say("audit.map", map=capitalised(name_of_map(found.name)), faults=listed(faults))


def _aucs(found: MapLocation) -> str:
    if len(found.level_auc) == 1:
        return with_interval(told(*found.level_auc.values()))
    return listed(
        [f"{with_interval(told(auc))} for {name}" for name, auc in found.level_auc.items()]
    )


def audit_badge(found: MapLocation | None) -> str:
    """The same in a word, for a table."""
    if found is None or (found.passes is None):
        return MISSING
    if found.passes:
        return say("audit.badge.passes")
    faults = [
        say(f"audit.fault.{name}")
        for name, failed in (
            ("level", found.level_tells_class),
            ("sign", found.sign_depends_on_class),
        )
        if failed
    ]
    return say("audit.badge.fails", faults=", ".join(faults))


def zones_table(locations: Sequence[EvidenceLocation]) -> Table:
    """What each network knows from each zone alone; without rows where only maps are known.

    Without zones there are only the columns that a whole network has.
    """
    rows: list[tuple[EvidenceLocation, str, Interval | None, Interval | None, ZoneEvidence | None]]
    rows = []
    for found in locations:
        if found.accuracy is not None or found.auc is not None:
            rows.append((found, say("audit.whole"), found.accuracy, found.auc, None))
        for zone in reversed(found.zones):
            name = say("audit.alone", zone=zone.zone)
            rows.append((found, name, zone.accuracy, zone.auc, zone))
    names = {"Model": [one.model_name for one, *_ in rows]} if len(locations) > 1 else {}
    starts = [i for i in range(1, len(rows)) if rows[i][0] is not rows[i - 1][0]]
    reasons = dict.fromkeys(one.not_split for one in locations if one.not_split)
    cells = {
        "Accuracy": all_with_intervals([accuracy for _, _, accuracy, *_ in rows]),
        "AUC": all_with_intervals([auc for *_, auc, _ in rows]),
    }
    if any(zone for *_, zone in rows):
        cells["AUC of the area alone"] = all_with_intervals(
            [zone.area_auc if zone else None for *_, zone in rows]
        )
        cells["Share of the evidence"] = [
            format_share(zone.evidence.value) if zone else MISSING for *_, zone in rows
        ]
    return text_table(
        {**names, "From": [name for _, name, *_ in rows]},
        cells,
        title=say("audit.zones.title"),
        rules=tuple(starts),
        note=" ".join(say("audit.zones.not_split", reason=reason) for reason in reasons),
    )


def words_on_zones(locations: Sequence[EvidenceLocation]) -> str:
    """What the zones, numbers and faults in both tables are."""
    split = any(found.zones for found in locations)
    return say(
        "page.audit",
        ring=locations[0].ring_pixels,
        zones=say("page.audit.zones") if split else "",
        sky=say("page.audit.sky") if split else "",
    )


def locations_table(locations: Sequence[EvidenceLocation]) -> Table:
    """Where every map lies, and its level on empty sky."""
    rows = [(found, one) for found in locations for one in found.maps]
    names = {"Model": [found.model_name for found, _ in rows]} if len(locations) > 1 else {}
    classes = list(dict.fromkeys(name for found in locations for name in found.classes)) or ["all"]
    names |= {
        "Map": [label_of_map(one.name) for _, one in rows],
        "Audit": [audit_badge(one) for _, one in rows],
    }
    cells: dict[str, list[str]] = {}
    for name in classes:
        cells[say("audit.on_source", name=name)] = shares_with_intervals(
            [one.on_source.get(name) for _, one in rows]
        )
    for name in classes:
        cells[say("audit.level", name=name)] = [
            format_level(one.level.get(name)) for _, one in rows
        ]
    for name in dict.fromkeys(name for _, one in rows for name in one.level_auc):
        several = any(len(one.level_auc) > 1 for _, one in rows)
        heading = say("audit.level_auc", name=say("audit.of", name=name) if several else "")
        aucs = [one.level_auc.get(name) for _, one in rows]
        cells[heading] = all_with_intervals([auc and told(auc) for auc in aucs])
    n_undefined = [
        say("audit.undefined", map=one.name, n=one.n_undefined)
        for _, one in rows
        if one.n_undefined
    ]
    return text_table(
        names,
        cells,
        title=say("audit.maps.title"),
        rules=tuple(i for i in range(1, len(rows)) if rows[i][0] is not rows[i - 1][0]),
        note=" ".join(n_undefined),
    )
