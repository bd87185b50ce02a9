"""The folder of an audit: a page, its figure, and numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.audit.evidence_location_result import EvidenceLocation
from attnxai.audit.folder import FORMAT, FORMAT_VERSION
from attnxai.data.origin import plugin_origins
from attnxai.report.audit import audit_answer, locations_table, words_on_zones, zones_table
from attnxai.report.audit_figures import audit_drawers
from attnxai.report.page import write_results
from attnxai.report.provenance import installed_versions
from attnxai.report.sentences.say import say
from attnxai.report.wording import capitalised, group_phrase

if TYPE_CHECKING:
    from attnxai.audit.audits import AuditResult, ModelAudit
    from attnxai.jobs.output_folder import OutputFolder


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
    write_results(
        folder,
        what="audit",
        template="audit.html",
        drawers=audit_drawers(result.results),
        files=lambda _: {
            "audit.csv": result.to_frame(),
            "summary.json": {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "command": command,
                "versions": dict(versions),
                "plugins": plugin_origins(),
                **result.to_record(),
            },
        },
        values=lambda: {
            "result": result,
            "headline": headline(result),
            "sources": group_phrase(result.group, result.n_images),
            "parts": [_part(*titled) for titled in result.titled()],
            "command": command,
            "versions": versions,
        },
        overwrite=overwrite,
        on_step=on_step,
    )


def headline(result: ModelAudit) -> str:
    """How many of the audits that have a verdict fail."""
    verdicts = [one.passes for one in result.results.values() if one.passes is not None]
    if not verdicts:
        return say("audit.no_verdict")
    n_failed = verdicts.count(False)
    if not n_failed:
        return say("audit.none_fails", n=len(verdicts))
    fail = say("audit.fail", n=n_failed)
    return say("audit.count", n_failed=n_failed, n=len(verdicts), fail=fail)


def _part(name: str, title: str, found: AuditResult) -> dict[str, Any]:
    part = {"name": name, "title": title, "passes": found.passes}
    answer, *lines = found.summary().splitlines()
    if not isinstance(found, EvidenceLocation):
        return part | {"answer": answer, "lines": lines, "tables": [], "beneath": ""}
    return part | {
        "answer": capitalised(audit_answer([found])),
        "lines": [answer, *lines],
        "tables": [zones_table([found]), locations_table([found])],
        "beneath": words_on_zones([found]),
    }
