"""The folder of an audit: a page, its figure, and numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.audit.folder import FORMAT, FORMAT_VERSION
from attnxai.audit.location_results import EvidenceLocation
from attnxai.data.wording import listed
from attnxai.report.audit import audit_line, locations_table, zones_table
from attnxai.report.audit_figures import audit_drawers
from attnxai.report.figures.text import FigureText
from attnxai.report.page import write_results
from attnxai.report.provenance import installed_versions
from attnxai.report.sentences.say import say
from attnxai.report.style import BLUE, saved_figure
from attnxai.statistics.formats import with_interval

if TYPE_CHECKING:
    from attnxai.audit.audits import AuditResult, ModelAudit
    from attnxai.jobs.output_folder import OutputFolder
    from attnxai.statistics.interval import Interval


def write_audit(
    result: ModelAudit,
    folder: str | Path | OutputFolder,
    *,
    command: str = "",
    overwrite: bool = False,
    on_step: Callable[[int, int], None] | None = None,
) -> None:
    """Write the page of an audit, ``summary.json`` with every number, and ``audit.csv``.

    Parameters
    ----------
    result : ModelAudit
        From :func:`attnxai.audit.run_audits`.
    folder : path or OutputFolder
        Where; its files appear when they are complete.
    command : str
        The command that made it, if one did.
    overwrite : bool
        Replace the files of an audit that lies there; other files stay.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.
    """
    versions = installed_versions()
    located = [one for one in result.results.values() if isinstance(one, EvidenceLocation)]
    drawers = audit_drawers(result.results)
    write_results(
        folder,
        what="audit",
        template="audit.html",
        drawers=[*(partial(draw_zones, one) for one in located), *drawers.values()],
        files=lambda: {
            "audit.csv": result.to_frame(),
            "summary.json": {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "command": command,
                "versions": dict(versions),
                **result.to_record(),
            },
        },
        values=lambda: {
            "result": result,
            "headline": headline(result),
            "parts": [_part(name, title, one, drawers) for name, title, one in result.titled()],
            "command": command,
            "versions": versions,
        },
        overwrite=overwrite,
        on_step=on_step,
    )


def headline(result: ModelAudit) -> str:
    """What the audits found in one or two sentences: the first of them, and which others fail."""
    located = [one for one in result.results.values() if isinstance(one, EvidenceLocation)]
    failed = [
        title
        for _, title, one in result.titled()
        if one.passes is False and not isinstance(one, EvidenceLocation)
    ]
    others = say("audit.others_fail", titles=listed(failed)) if failed else ""
    if not located and not failed:
        return say("audit.none_fails")
    return " ".join(filter(None, (audit_line(located), others)))


def _part(name: str, title: str, found: AuditResult, drawn: Collection[str]) -> dict[str, Any]:
    located = isinstance(found, EvidenceLocation)
    return {
        "name": name,
        "title": title,
        "passes": found.passes,
        "lines": found.summary().splitlines(),
        "figures": ["zones"] if located else [name] if name in drawn else [],
        "tables": [zones_table([found]), locations_table([found])]
        if isinstance(found, EvidenceLocation)
        else [],
    }


def draw_zones(found: EvidenceLocation, folder: Path) -> FigureText | None:
    """Draw the AUC of the whole network and from every zone alone, beside that of the area of the zone."""
    rows: list[tuple[str, Interval | None, Interval | None]] = [
        (say("audit.whole"), found.auc, None)
    ]
    rows += [
        (say("audit.alone", zone=zone.zone), zone.auc, zone.area_auc)
        for zone in reversed(found.zones)
    ]
    if found.auc is None or not found.zones:
        return None
    with saved_figure(folder, "zones", 12 + 8 * len(rows)) as figure:
        ax = figure.subplots()
        for place, (_, auc, area) in enumerate(rows):
            for interval, style, shift, label in (
                (auc, {"color": BLUE, "marker": "o"}, 0.0, "network"),
                (area, {"color": "0.5", "marker": "s", "mfc": "white"}, 0.22, "area of the zone"),
            ):
                if interval is None:
                    continue
                where = place + shift
                if interval.known:
                    ax.plot([interval.low, interval.high], [where, where], color=style["color"])
                ax.plot(
                    [interval.value],
                    [where],
                    linestyle="",
                    markersize=5,
                    label=label if place == 1 else None,
                    **style,
                )
        ax.axvline(0.5, color="0.6", linewidth=0.8)
        ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
        ax.invert_yaxis()
        ax.set_xlabel("AUC of the class")
        ax.legend(frameon=False, loc="best")
    return FigureText(
        name="zones",
        caption=say("audit.figure", n=found.n_sources),
        alternative="; ".join(
            f"{name}: AUC {with_interval(auc)}" for name, auc, _ in rows if auc is not None
        ),
    )
