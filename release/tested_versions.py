"""Write the versions that the tests have passed with into the table of docs/contributing.md.

``make oldest`` and ``make newest`` run it in their environments after the tests, as
``build/oldest/bin/python release/tested_versions.py lowest``.
"""

from __future__ import annotations

import datetime as dt
import platform
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from oldest import requirements

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "contributing.md"
COLUMNS = ("lowest", "newest")
DATE, PYTHON = "Date of the tests", "Python"
_TABLE = re.compile(r"(?<=<!-- versions:begin -->\n\n).*?(?=\n\n<!-- versions:end -->)", re.DOTALL)


def tested_versions(page: str) -> dict[str, dict[str, str]]:
    """Versions in the table of the page: for each package those of both columns, with the date and Python."""
    found = _TABLE.search(page)
    if found is None:
        sys.exit(f"{PAGE} lacks its table of versions between <!-- versions:begin --> and :end")
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in found[0].splitlines()[2:]]
    return {name: dict(zip(COLUMNS, own, strict=True)) for name, *own in cells}


def with_versions(page: str, column: str, versions: Mapping[str, str]) -> str:
    """The page with other versions in one column; packages that are not among them leave the table."""
    before = tested_versions(page)
    rows = ["| Package | Lowest tested | Newest tested |", "| --- | --- | --- |"]
    for name, version in versions.items():
        own = {**dict.fromkeys(COLUMNS, "not tested"), **before.get(name, {}), column: version}
        rows.append(f"| {name} | {' | '.join(own[one] for one in COLUMNS)} |")
    return _TABLE.sub(lambda _: "\n".join(rows), page)


def installed() -> dict[str, str]:
    """Today's date, and the versions of Python and of all that the package requires, in this environment."""
    names = {re.split(r"[^\w.-]", one)[0]: None for one in requirements(without=("docs", "test"))}
    versions = {
        DATE: dt.datetime.now(tz=dt.UTC).date().isoformat(),
        PYTHON: platform.python_version(),
    }
    return versions | {name: metadata.version(name) for name in sorted(names)}


if __name__ == "__main__":
    if sys.argv[1:] not in [[column] for column in COLUMNS]:
        sys.exit(f"name the column: {' or '.join(COLUMNS)}")
    text = with_versions(PAGE.read_text(encoding="utf-8"), sys.argv[1], installed())
    PAGE.write_text(text, encoding="utf-8")
