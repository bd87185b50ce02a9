"""The results of ``attnxai audit`` in a folder, read again to join a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnxai.errors import OptionError
from attnxai.jobs.files import read_json

FORMAT = "attnxai-audit"
FORMAT_VERSION = 1
SUMMARY_NAME = "summary.json"


def read_audit(folder: str | Path, models: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Name of the model that was audited, of ``models`` with their SHA-256, and what each audit found by its name.

    Raises
    ------
    OptionError
        If the folder holds no audit, or one of another model.
    """
    path = Path(folder) / SUMMARY_NAME
    if not path.is_file():
        raise OptionError(
            f"--audit {folder} holds no {SUMMARY_NAME}; give full, or a folder that attnxai audit wrote"
        )
    try:
        content: Any = read_json(path)
        kind, sha256 = content["format"], content["model"]["sha256"]
        found = {
            str(name): {
                "title": str(one["title"]),
                "passes": one["passes"],
                "summary": [str(line) for line in one["summary"]],
                **{
                    key: value
                    for key, value in one.items()
                    if key not in ("title", "passes", "summary")
                },
            }
            for name, one in content["audits"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OptionError(
            f"{path} is not the summary of an audit; give a folder that attnxai audit wrote"
        ) from None
    if kind != FORMAT or content.get("format_version") != FORMAT_VERSION:
        raise OptionError(
            f"{path} is not the summary of an audit of this version; run attnxai audit again"
        )
    for name, own in models.items():
        if own and own == sha256:
            return name, found
    raise OptionError(
        f"--audit {folder} is of the model {content['model'].get('name')} with sha256 {str(sha256)[:12]}, which is none "
        f"of {', '.join(models)}; audit the model that is compared"
    )
