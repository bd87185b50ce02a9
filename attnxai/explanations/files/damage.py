"""What is said of files of maps that are damaged."""

from __future__ import annotations

from attnxai.errors import MapFileError

MADE_AGAIN = "make the maps again by the command that made them (attnxai maps, with --overwrite)"


def damaged(where: str, fault: str) -> MapFileError:
    """Say which file or array is damaged, by what, and what to do."""
    return MapFileError(f"{where} is damaged: {fault}; {MADE_AGAIN}")
