"""The table of labels of a folder of images: one row an image, every fault with its line."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from attnxai.data.classes import canonical_class
from attnxai.data.csv_table import Faults, decode_csv, parse_csv
from attnxai.data.images import source_id
from attnxai.errors import AttnxaiWarning, DataSetError

SOURCE_COLUMNS = ("source", "image")
CLASS_COLUMNS = ("class", "label", "class_name")
SPLIT_COLUMN = "split"
SPLITS = ("train", "validation", "test")
_LIMIT_LISTED = 10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """What a table says of one source.

    Parameters
    ----------
    line : int
        Where, counted from 1.
    class_name : str
        Its class.
    split : str or None
        ``train``, ``validation`` or ``test``; None where the table has no such column.
    """

    line: int
    class_name: str
    split: str | None = None


def read_label_table(path: str | Path) -> dict[str, LabelRow]:
    """Read a CSV table of classes.

    Parameters
    ----------
    path : path
        A CSV file in UTF-8 with the columns ``source`` (or ``image``), ``class`` (or ``label`` or
        ``class_name``) and, if wanted, ``split``. Capitals and spaces around names do not matter.

    Returns
    -------
    dict
        From source id (file name without folder and ending) to its row, in the order of the table.

    Raises
    ------
    DataSetError
        If the file is missing or no such table, or listing its bad rows with their lines.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataSetError(
            f"label table {path} cannot be read: {error.strerror or error}"
        ) from error
    text = decode_csv(content, f"label table {path}", DataSetError)
    return parse_label_table(text, path=str(path))


def parse_label_table(text: str, *, path: str = "") -> dict[str, LabelRow]:
    r"""Parse the text of a table of classes; see :func:`read_label_table`.

    Examples
    --------
    >>> rows = parse_label_table("source,class\na.png,FRII\nb.png,fr-1\n")
    >>> rows["a"].class_name, rows["b"].class_name
    ('FR II', 'FR I')
    """
    header, numbered = parse_csv(text, f"label table {path}", DataSetError)
    header = [name.lower() for name in header]
    source, class_name, split = _columns(header, path)
    rows: dict[str, LabelRow] = {}
    faults, n_rows = Faults(), 0
    repeated: list[int] = []
    spelling: dict[str, LabelRow] = {}
    for line, cells in numbered:
        n_rows += 1
        before = len(faults)
        if len(cells) != len(header):
            faults.add_row(line, f": {len(cells)} cells, but the header has {len(header)} columns")
            continue
        ident = source_id(cells[source])
        row = LabelRow(
            line=line,
            class_name=canonical_class(cells[class_name]),
            split=cells[split].lower() if split is not None else None,
        )
        for fault in _faults(row, ident, header, (source, class_name)):
            faults.add_row(line, f": {fault}")
        if len(faults) == before:
            # 'WAT' and 'wat' are one class to everybody but a computer
            alike = spelling.setdefault(re.sub(r"[\s_-]+", "", row.class_name).casefold(), row)
            if alike.class_name != row.class_name:
                faults.add_row(
                    line,
                    f": class {row.class_name[:60]!r} differs from {alike.class_name[:60]!r} (line "
                    f"{alike.line}) in its spelling only; write them alike",
                )
        earlier = rows.setdefault(ident, row) if len(faults) == before else row
        if earlier is not row:
            if (earlier.class_name, earlier.split) == (row.class_name, row.split):
                repeated.append(line)
            else:
                faults.add_row(
                    line,
                    f": {ident[:60]} is {_described(row)} here and {_described(earlier)} on line "
                    f"{earlier.line}; give one",
                )
    if faults:
        listed_faults = "\n".join(f"  {fault}" for fault in faults.lines())
        raise DataSetError(
            f"{faults.n_rows} of {n_rows} rows of label table {path} cannot be used:\n{listed_faults}"
        )
    if not rows:
        raise DataSetError(f"label table {path} has a header but no rows")
    if repeated:
        lines = ", ".join(map(str, repeated[:_LIMIT_LISTED]))
        more = len(repeated) - _LIMIT_LISTED
        warnings.warn(
            f"label table {path} says some things twice (lines {lines}"
            + (f" and {more} more" if more > 0 else "")
            + "); each source is used once",
            AttnxaiWarning,
            stacklevel=3,
        )
    return rows


def listed(lines: Sequence[str]) -> str:
    """The first lines of a list, indented, and how many more there are."""
    more = len(lines) - _LIMIT_LISTED
    return "\n".join(f"  {line}" for line in lines[:_LIMIT_LISTED]) + (
        f"\n  and {more} more" if more > 0 else ""
    )


def _columns(header: Sequence[str], path: str) -> tuple[int, int, int | None]:
    """Positions of the columns of source, class and split."""
    known = {*SOURCE_COLUMNS, *CLASS_COLUMNS, SPLIT_COLUMN}
    found: list[int] = []
    for names in (SOURCE_COLUMNS, CLASS_COLUMNS):
        present = [name for name in header if name in names]
        if not present:
            raise DataSetError(
                f"label table {path} has no column {names[0]} (or {' or '.join(names[1:])}); its header "
                f"is {', '.join(header)[:300]}"
                + ("; separate columns by commas" if re.search(r"[;\t|]", header[0]) else "")
            )
        if len(present) > 1:
            raise DataSetError(
                f"label table {path} has the columns {' and '.join(present)}, which mean the same; "
                "take one of them out"
            )
        found.append(header.index(present[0]))
    if header.count(SPLIT_COLUMN) > 1:
        raise DataSetError(f"label table {path} has the column split twice; take one of them out")
    if unused := [name or "one without a name" for name in header if name not in known]:
        warnings.warn(
            f"columns of label table {path} that are not used: {', '.join(unused)[:300]}",
            AttnxaiWarning,
            stacklevel=4,
        )
    split = header.index(SPLIT_COLUMN) if SPLIT_COLUMN in header else None
    return found[0], found[1], split


def _faults(
    row: LabelRow, ident: str, header: Sequence[str], columns: tuple[int, int]
) -> list[str]:
    faults = [
        f"no {header[column]}"
        for column, value in zip(columns, (ident, row.class_name), strict=True)
        if not value.strip()
    ]
    if row.split is not None and row.split not in SPLITS:
        faults.append(f"split {row.split[:60]!r} is unknown; give {', '.join(SPLITS[:-1])} or test")
    return faults


def _described(row: LabelRow) -> str:
    return f"{row.class_name[:60]!r}" + (f" for {row.split}" if row.split is not None else "")


def check_classes(rows: Mapping[str, LabelRow], path: str | Path) -> None:
    """Refuse a table that nothing could be trained on.

    Raises
    ------
    DataSetError
        If there is one class only, a class is never trained on, or nothing is.
    """
    classes = {row.class_name for row in rows.values()}
    if len(classes) < 2:
        raise DataSetError(
            f"label table {path} knows one class only, {classes.pop()[:60]!r}, on all of its {len(rows)} "
            "sources; a network needs two or more to tell apart"
        )
    trained = {row.class_name for row in rows.values() if row.split in (None, "train")}
    if not trained:
        raise DataSetError(f"label table {path} has no row with the split train")
    if never := sorted(classes - trained):
        line = min(row.line for row in rows.values() if row.class_name == never[0])
        raise DataSetError(
            f"label table {path} has no training images of class {never[0][:60]!r} (line {line}); give it "
            "some with the split train"
        )
