"""VOTable, the tables of the Virtual Observatory, in XML.

Cells of TABLEDATA are read as the text that they are, binary ones through astropy. Nothing is fetched from elsewhere, and
no entities are defined.
"""

from __future__ import annotations

import dataclasses
import io
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.readers.table_writer import astropy_table
from attnxai.annotations.table import annotations_of_table
from attnxai.annotations.table_columns import n_known_columns
from attnxai.annotations.table_content import (
    MOST_ROWS,
    TableContent,
    check_size,
    choose_part,
    numbered,
    text_of_cell,
)
from attnxai.annotations.writers import HELD, register_writer
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError

NAME = "VOTable"
_ROOT = re.compile(rb"<(?:[\w.-]+:)?VOTABLE[\s>]")
_MEANINGS = {"pos.eq.ra": "x", "pos.eq.dec": "y", "meta.id": "source"}
_FRAMES = {
    "icrs": ("icrs", ""),
    "eq_fk5": ("fk5", "2000"),
    "fk5": ("fk5", "2000"),
    "eq_fk4": ("fk4", "1950"),
    "fk4": ("fk4", "1950"),
    "galactic": ("galactic", ""),
}
_BYTES = {"double": 8, "long": 8, "floatComplex": 8, "doubleComplex": 16, "float": 4, "int": 4, "short": 2, "unicodeChar": 2}  # fmt: skip
_MOST_ROW_BYTES = 65_536


@dataclasses.dataclass(slots=True, eq=False)
class _Found:
    """A table as the file describes it, with its rows where they are text."""

    name: str
    ids: tuple[str, ...]
    fields: list[dict[str, str]]
    refs: dict[str, str]
    rows: list[list[str]]
    n_claimed: int
    serialised: str
    place: int

    @property
    def header(self) -> list[str]:
        return [field.get("name") or field.get("ID", "") for field in self.fields]


def is_votable(head: bytes) -> bool:
    """Whether a file is a VOTable."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and bool(_ROOT.search(head))


@register_reader(NAME, recognises=is_votable)
def read_votable(file: AnnotationFile) -> AnnotationSet:
    """Read an annotation table; an AnnotationError lists row, column and value of every fault."""
    return annotations_of_table(votable_content(file, n_known_columns), file)


def votable_content(file: AnnotationFile, n_known: Callable[[Sequence[str]], int]) -> TableContent:
    """The table of a file whose columns are those that ``n_known`` counts, with units and frame.

    Raises
    ------
    AnnotationError
        If the file defines entities or refers to others, is damaged, or has several tables or none.
    """
    what, content = f"VOTable {file.path}", file.unpacked()
    tables, systems = _scan(content, what)
    names = {
        table.name: bool(n_known([*table.header, *_meanings(table).values()])) for table in tables
    }
    name, note = choose_part(names, file.part, str(file.path), "table", NAME)
    table = next(one for one in tables if one.name == name)
    what = what if len(tables) == 1 else f"table {name} of {what}"
    check_size(what, len(table.rows), len(table.fields))
    if table.serialised in ("BINARY", "BINARY2"):
        columns = _binary_columns(content, table, what)
        rows: Iterable[tuple[int, list[str]]] = numbered(columns)
    elif table.serialised in ("", "TABLEDATA"):
        missing = [_missing(field) for field in table.fields]
        rows = (
            (number, _plain(cells, missing))
            for number, cells in enumerate(table.rows, start=1)
            if any(cells)
        )
    else:
        raise AnnotationError(
            f"{what} holds its rows as {table.serialised} within XML; save it with TABLEDATA or BINARY2"
        )
    meanings = _meanings(table)
    return TableContent(
        header=table.header,
        rows=rows,
        what=what,
        item="row",
        units={
            name: field["unit"]
            for name, field in zip(table.header, table.fields, strict=True)
            if field.get("unit")
        },
        meanings=meanings,
        frame=_frame(table, systems, what),
        notes=[note] if note else [],
    )


def _scan(content: bytes, what: str) -> tuple[list[_Found], dict[str, Mapping[str, str]]]:
    """All tables of a file, and its systems of coordinates by their ids."""
    import xml.etree.ElementTree as ET

    if b"\0" in content[:65536]:
        raise AnnotationError(f"{what} is in UTF-16; save it in UTF-8")
    # in the encodings that are left, a definition can be written in this way only
    if b"<!ENTITY" in content:
        raise AnnotationError(
            f"{what} defines entities of XML, which no table needs; save it without them"
        )
    tables: list[_Found] = []
    systems: dict[str, Mapping[str, str]] = {}
    fields: list[dict[str, str]] = []
    refs: dict[str, str] = {}
    rows: list[list[str]] = []
    serialised = ""
    try:
        # S314: entities are refused above, and nothing else of XML can expand
        for _, element in ET.iterparse(io.BytesIO(content), events=("end",)):  # noqa: S314
            tag = element.tag.rpartition("}")[2]
            if tag == "TD":  # by far the most
                continue
            if tag == "TR":
                rows.append([(cell.text or "").strip() for cell in element])
                element.clear()
            elif tag == "FIELD":
                nulls = [v.get("null", "") for v in element if v.tag.rpartition("}")[2] == "VALUES"]
                fields.append({**element.attrib, "null": nulls[0] if nulls else ""})
            elif tag == "COOSYS":
                systems[element.get("ID", f"COOSYS {len(systems)}")] = dict(element.attrib)
            elif tag == "GROUP":
                of_group = {
                    child.get("ref", ""): element.get("ref", "")
                    for child in element
                    if child.tag.rpartition("}")[2] == "FIELDref"
                }
                refs.update({k: v for k, v in of_group.items() if v})
            elif tag in ("TABLEDATA", "BINARY", "BINARY2", "FITS", "PARQUET"):
                serialised = tag
                element.clear()
            elif tag == "STREAM" and "href" in element.attrib:
                raise AnnotationError(
                    f"{what} has its rows in another place, {element.get('href', '')[:60]!r}, which is not fetched; save it "
                    "with its rows inside"
                )
            elif tag == "TABLE":
                names = [n for n in (element.get("name", ""), element.get("ID", "")) if n]
                taken = {table.name for table in tables}
                free = [n for n in names if n not in taken]
                claimed = element.get("nrows", "")
                tables.append(
                    _Found(
                        name=free[0] if free else f"table {len(tables) + 1}",
                        ids=tuple(names),
                        fields=fields,
                        refs=refs,
                        rows=rows,
                        n_claimed=int(claimed) if claimed.isdecimal() and len(claimed) < 12 else 0,
                        serialised=serialised,
                        place=len(tables),
                    )
                )
                fields, refs, rows, serialised = [], {}, [], ""
                element.clear()
    except AnnotationError:
        raise
    except (ET.ParseError, LookupError, ValueError) as error:
        raise AnnotationError(f"{what} is damaged, or not XML: {str(error)[:100]}") from error
    if not tables:
        raise AnnotationError(f"{what} holds no table")
    return tables, systems


def _missing(field: Mapping[str, str]) -> frozenset[str]:
    """Cells of a column that stand for none, in lower case."""
    is_number = field.get("datatype", "char") not in ("char", "unicodeChar")
    return frozenset({field.get("null", "").lower(), "nan"} if is_number else ())


def _plain(cells: Sequence[str], missing: Sequence[frozenset[str]]) -> list[str]:
    if len(cells) != len(missing):
        return list(cells)  # which is a fault of the row
    return [
        "" if of and cell.lower() in of else cell for cell, of in zip(cells, missing, strict=True)
    ]


def _binary_columns(content: bytes, table: _Found, what: str) -> list[list[str]]:
    from astropy.io.votable import parse

    row_bytes = sum(map(_n_bytes, table.fields))
    if row_bytes > _MOST_ROW_BYTES or row_bytes * table.n_claimed > len(content):
        raise AnnotationError(
            f"{what} claims {table.n_claimed:,} rows of {row_bytes:,} bytes, more than it holds or can be read"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tables = list(parse(io.BytesIO(content), verify="ignore").iter_tables())
            array = tables[table.place].array
    except MemoryError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:150]
        raise AnnotationError(f"{what} is damaged: {reason}") from error
    if len(array) > MOST_ROWS:
        check_size(what, len(array), len(table.fields))
    columns = []
    for name in array.dtype.names or ():
        values = array[name]
        if values.ndim > 1:
            raise AnnotationError(
                f"{what} holds arrays in its column {name[:60]!r}; a cell is a number or text"
            )
        columns.append([text_of_cell(value) for value in values.tolist()])
    return columns


def _n_bytes(field: Mapping[str, str]) -> int:
    """Bytes of a cell, where their number is fixed."""
    n = _BYTES.get(field.get("datatype", ""), 1)
    for part in field.get("arraysize", "").replace("*", "").split("x"):
        n *= int(part[:9]) if part.isdecimal() else 1
    return n


def _meanings(table: _Found) -> dict[str, str]:
    """What columns hold by their UCDs, the descriptors of the Virtual Observatory: the main one where there are several."""
    found: dict[str, list[tuple[bool, str]]] = {}
    for name, field in zip(table.header, table.fields, strict=True):
        words = field.get("ucd", "").lower().split(";")
        old = field.get("ucd", "").upper()
        for ucd, column in _MEANINGS.items():
            if words[0] == ucd or old.startswith(f"{ucd.replace('.', '_').upper()}_MAIN"):
                found.setdefault(column, []).append(("meta.main" in words or "_MAIN" in old, name))
    chosen = {}
    for column, names in found.items():
        main = [name for is_main, name in names if is_main] or [name for _, name in names]
        if len(main) == 1:
            chosen[main[0]] = column
    return chosen


def _frame(table: _Found, systems: Mapping[str, Mapping[str, str]], what: str) -> str:
    """The frame of the positions, where the file states it."""
    refs = {
        ref
        for field in table.fields
        for ref in (field.get("ref", ""), table.refs.get(field.get("ID", ""), ""))
        if ref in systems
    }
    used = refs or (set(systems) if len(systems) == 1 else set())
    found = set()
    for ref in used:
        stated = systems[ref].get("system", "ICRS")
        frame, equinox = _FRAMES.get(stated.lower(), ("", ""))
        epoch = systems[ref].get("equinox", "")
        if not frame or (equinox and epoch and equinox not in epoch):
            raise AnnotationError(
                f"{what} has positions in {stated[:30]} {epoch[:20]}".rstrip()
                + "; ICRS, FK5 of J2000, FK4 of B1950 and galactic ones are read"
            )
        found.add(frame)
    if len(found) > 1:
        raise AnnotationError(
            f"{what} has positions in several frames ({', '.join(sorted(found))}); save one"
        )
    return found.pop() if found else ""


@register_writer(NAME, extension=".vot", holds=HELD, by_ending=True)
def write_votable(annotations: AnnotationSet, _: Mapping[str, SourceImage]) -> dict[str, bytes]:
    """One table of all annotations, with units where all lie in one frame."""
    from astropy.io.votable import from_table, writeto

    stream = io.BytesIO()
    writeto(from_table(astropy_table(annotations)), stream)
    return {"annotations.vot": stream.getvalue()}
