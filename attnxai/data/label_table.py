"""The table of labels of a folder of images: one row per image, every fault with its line."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from attnxai.data.classes import canonical_class
from attnxai.data.csv_table import Faults, parse_csv, parse_rows, read_csv
from attnxai.data.images import SourceSet, source_id
from attnxai.data.wording import counted, first_of
from attnxai.errors import AttnxaiWarning, DataSetError

LABELS_NAME = "labels.csv"
"""The table in a folder of images."""

SOURCE_COLUMNS = ("source", "image")
CLASS_COLUMNS = ("class", "label", "class_name")
SPLIT_COLUMN = "split"
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """What a table says of one source; the split is None where the table has no such column."""

    line: int
    class_name: str
    split: str | None = None


def read_label_table(path: str | Path) -> dict[str, LabelRow]:
    """Rows of a CSV table of classes by source id, in the order of the table.

    Columns are ``source`` (or ``image``), ``class`` (or ``label`` or ``class_name``) and, optionally,
    ``split``. Capitals and spaces around names do not matter.
    """
    return parse_label_table(read_csv(path, f"label table {path}", DataSetError), path=str(path))


def parse_label_table(text: str, *, path: str = "") -> dict[str, LabelRow]:
    """Parse the text of a table of classes; see :func:`read_label_table`."""
    header, numbered = parse_csv(text, f"label table {path}", DataSetError)
    header = [name.lower() for name in header]
    source, class_name = _columns(header, path)
    rows: dict[str, LabelRow] = {}
    repeated: list[str] = []
    spelling: dict[str, LabelRow] = {}

    def parse(cells: dict[str, str], line: int, faults: Faults) -> None:
        ident, split = source_id(cells[source]), cells.get(SPLIT_COLUMN)
        row = LabelRow(
            line=line,
            class_name=canonical_class(cells[class_name]),
            split=None if split is None else split.lower(),
        )
        before = len(faults)
        if not ident.strip():
            right = "a source id or the name of an image file"
            faults.add(line, source, cells[source], right)
        if not row.class_name.strip():
            faults.add(line, class_name, cells[class_name], "the name of a class")
        if row.split is not None and row.split not in SPLITS:
            faults.add(line, SPLIT_COLUMN, cells[SPLIT_COLUMN], f"one of {', '.join(SPLITS)}")
        if len(faults) > before:
            return
        # 'WAT' and 'wat' are one class to everybody but a computer
        alike = spelling.setdefault(re.sub(r"[\s_-]+", "", row.class_name).casefold(), row)
        earlier = rows.setdefault(ident, row)
        if alike.class_name != row.class_name:
            faults.add_row(
                line,
                f", column {class_name}: {row.class_name[:60]!r} differs from "
                f"{alike.class_name[:60]!r} (line {alike.line}) in its spelling only; write them alike",
            )
        elif (earlier.class_name, earlier.split) != (row.class_name, row.split):
            faults.add_row(
                line,
                f": {ident[:60]} is {_described(row)} here and {_described(earlier)} on line "
                f"{earlier.line}; give one",
            )
        elif earlier is not row:
            repeated.append(str(line))

    parse_rows(header, numbered, f"label table {path}", DataSetError, parse)
    if repeated:
        warnings.warn(
            f"label table {path} repeats earlier rows (lines {first_of(repeated)}); each source is "
            "used once",
            AttnxaiWarning,
            stacklevel=3,
        )
    return rows


def _columns(header: Sequence[str], path: str) -> tuple[str, str]:
    """Names of the columns of source and class."""
    found: list[str] = []
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
        found += present
    if header.count(SPLIT_COLUMN) > 1:
        raise DataSetError(f"label table {path} has the column split twice; take one of them out")
    known = {*SOURCE_COLUMNS, *CLASS_COLUMNS, SPLIT_COLUMN}
    if unused := [name or "one without a name" for name in header if name not in known]:
        warnings.warn(
            f"columns of label table {path} that are not used: {', '.join(unused)[:300]}",
            AttnxaiWarning,
            stacklevel=4,
        )
    return found[0], found[1]


def _described(row: LabelRow) -> str:
    return f"{row.class_name[:60]!r}" + (f" for {row.split}" if row.split is not None else "")


def check_classes(rows: Mapping[str, LabelRow], path: str | Path) -> None:
    """Refuse a table with one class only, or with a class that has no training images."""
    classes = {row.class_name for row in rows.values()}
    if len(classes) < 2:
        raise DataSetError(
            f"label table {path} has only one class, {classes.pop()[:60]!r}, on all of its {len(rows)} "
            "sources; a classifier needs two or more"
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


def labels_within(folder: Path) -> Path | None:
    """The table of labels in a folder of images; None if there is none."""
    table = folder / LABELS_NAME
    return table if table.is_file() else None


def with_classes(
    images: SourceSet, labels: str | Path | None, beside: Path | None = None
) -> SourceSet:
    """Images with the classes of a table, of which other rows are for other images.

    Parameters
    ----------
    images : SourceSet
        Images that state no class.
    labels : path, optional
        The table that a user names.
    beside : path, optional
        The table that is used where none is named; that it is about other images alone is only warned of.

    Returns
    -------
    SourceSet
        Images without a row have no class.

    Raises
    ------
    DataSetError
        If the table cannot be used, or the one that is named has no row for any of the images.
    """
    table = labels if labels is not None else beside
    if table is None:
        return images
    rows = read_label_table(table)
    if images and not any(source in rows for source in images.sources):
        fault = (
            f"label table {table} names none of {counted(len(images), 'image')} (such as {images.sources[0]!r}), but "
            f"{first_of([repr(source[:60]) for source in rows], 3)}; ids are file names without folder and extension"
        )
        if labels is not None:
            raise DataSetError(fault)
        warnings.warn(fault, AttnxaiWarning, stacklevel=3)
        return images
    return SourceSet(
        (
            image.with_facts(class_name=rows[image.source].class_name)
            if image.source in rows
            else image
            for image in images
        ),
        origin=images.origin,
    )
