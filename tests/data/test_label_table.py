"""Tables of labels: what they may look like, and every fault with its line."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnxai.data.classes import canonical_class
from attnxai.data.label_table import (
    CLASS_COLUMNS,
    SOURCE_COLUMNS,
    SPLITS,
    LabelRow,
    check_classes,
    parse_label_table,
    read_label_table,
)
from attnxai.errors import AttnxaiError, AttnxaiWarning, DataSetError


def parse(text: str) -> dict[str, tuple[str, str | None]]:
    rows = parse_label_table(text, path="t.csv")
    return {source: (row.class_name, row.split) for source, row in rows.items()}


def problems(text: str) -> list[str]:
    """Lines of the error that a table ends in."""
    with pytest.raises(DataSetError) as caught:
        parse_label_table(text, path="t.csv")
    return [line.strip() for line in str(caught.value).splitlines()]


class TestColumns:
    @pytest.mark.parametrize("source", ["source", "image", " Source ", "IMAGE"])
    @pytest.mark.parametrize("name", ["class", "label", "class_name", "Class"])
    def test_every_name(self, source: str, name: str) -> None:
        assert parse(f"{source},{name}\na.png,FRI\nb,WAT\n") == {
            "a": ("FR I", None),
            "b": ("WAT", None),
        }

    def test_order_of_columns_and_split(self) -> None:
        text = "split,class,image\nTrain,FR2,x/a.fits.gz\n test ,bent tail,b\nvalidation,FRI,c.1\n"
        assert parse(text) == {
            "a": ("FR II", "train"),
            "b": ("bent tail", "test"),
            "c.1": ("FR I", "validation"),
        }

    @pytest.mark.parametrize(
        ("header", "text"),
        [
            ("class", "has no column source (or image); its header is class"),
            (
                "source,classes",
                "has no column class (or label or class_name); its header is source, cl",
            ),
            ("source;class", "separate columns by commas"),
            ("source\tclass", "separate columns by commas"),
            ("source,image,class", "has the columns source and image, which mean the same; take"),
            ("source,class,label", "has the columns class and label, which mean the same"),
            ("source,class,class", "has the columns class and class"),
            ("source,split,class,split", "has the column split twice"),
        ],
    )
    def test_bad_headers(self, header: str, text: str) -> None:
        (message,) = problems(f"{header}\na,b\n")
        assert message.startswith("label table t.csv ")
        assert text in message

    def test_columns_that_are_not_used_are_named(self) -> None:
        with pytest.warns(AttnxaiWarning, match="not used: group, one without a name, ra$"):
            assert parse("group,source,,class,RA\n1,a,,FRI,3\n") == {"a": ("FR I", None)}

    @pytest.mark.parametrize("text", ["", "\n\n", " , ,\n"])
    def test_empty(self, text: str) -> None:
        assert problems(text) == [
            "label table t.csv is empty; its first line has to name the columns"
        ]

    def test_header_alone(self) -> None:
        assert problems("source,class\n\n,\n") == [
            "label table t.csv has a header but no rows; add a row for each entry"
        ]


class TestRows:
    def test_every_fault_has_its_line(self) -> None:
        text = (
            "source,class,split\n"  # 1
            "a,FRI,train\n"
            ",FRI,train\n"  # 3
            "b,,train\n"
            "\n"  # 5
            "c,FRI\n"
            "d,FRI,train,more\n"  # 7
            "e,FRI,valid\n"
            "f,FRI,\n"  # 9
            '"g\nh",FRI,test\n'
            "a,FRII,train\n"  # 12
            "a,FRI,test\n"
        )
        hint = "; a cell that holds a comma needs quotes, and a number a decimal point"
        assert problems(text) == [
            "8 of 10 rows of label table t.csv cannot be used:",
            "line 3, column source is empty, but has to be a source id or the name of an image file",
            "line 4, column class is empty, but has to be the name of a class",
            "line 6: 2 cells, but the header has 3 columns",
            f"line 7: 4 cells, but the header has 3 columns{hint}",
            "line 8, column split: 'valid' is not one of train, validation, test",
            "line 9, column split is empty, but has to be one of train, validation, test",
            "line 12: a is 'FR II' for train here and 'FR I' for train on line 2; give one",
            "line 13: a is 'FR I' for test here and 'FR I' for train on line 2; give one",
        ]

    def test_several_faults_in_one_row(self) -> None:
        header, *faults = problems("image,label,split\n,,x\n")
        assert header.startswith("1 of 1 rows")
        assert [re.split("[: ]", fault)[3] for fault in faults] == ["image", "label", "split"]

    def test_equal_faults_are_one_entry(self) -> None:
        lines = problems("source,class\n" + ",FRI\n" * 19)
        assert lines[0].startswith("19 of 19 rows")
        assert lines[1].startswith("lines 2, 3, 4, 5, 6 and 14 more, column source is empty")
        assert len(lines) == 2

    def test_repeated_rows_are_used_once(self) -> None:
        text = "source,class\na.png,FRI\nb,FRII\nx/a.fits,fr-1\nb,FR2\n"
        with pytest.warns(AttnxaiWarning, match=r"repeats earlier rows \(lines 4, 5\); each"):
            assert parse(text) == {"a": ("FR I", None), "b": ("FR II", None)}

    @pytest.mark.parametrize("other", ["wat", "W A T", "W-AT", "w_at"])
    def test_one_class_in_two_spellings(self, other: str) -> None:
        _, fault = problems(f"source,class\na,FRI\nb,WAT\nc,{other}\n")
        assert fault == (
            f"line 4, column class: {other!r} differs from 'WAT' (line 3) in its spelling only; write them "
            "alike"
        )

    def test_spreadsheets_write_a_mark_and_other_line_ends(self, tmp_path: Path) -> None:
        text = 'source,class\r\n"a, b",FRI\r\nc,FRII\r\n'
        (tmp_path / "t.csv").write_bytes(text.encode("utf-8-sig"))
        rows = read_label_table(tmp_path / "t.csv")
        assert list(rows) == ["a, b", "c"]
        assert [row.line for row in rows.values()] == [2, 3]


class TestFiles:
    def test_missing_file_and_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataSetError, match=r"t\.csv cannot be read: No such file"):
            read_label_table(tmp_path / "t.csv")
        with pytest.raises(DataSetError, match="is a folder; name a file in it"):
            read_label_table(tmp_path)

    def test_other_encoding(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_bytes("source,class\nJ\xf6rg,1\n".encode("latin1"))
        with pytest.raises(DataSetError, match=r"is not UTF-8 text \(byte 14\); save it in UTF-8"):
            read_label_table(tmp_path / "t.csv")

    @pytest.mark.parametrize("text", ['source,class\n"a,FRI\n', 'source,class\n"a"b,FRI\n'])
    def test_quotes_that_do_not_close(self, text: str) -> None:
        (message,) = problems(text)
        assert "is not valid CSV" in message
        assert "(in the row that begins on line 2)" in message

    def test_long_cells_are_read_whole(self) -> None:
        rows = parse_label_table("source,class\na," + "x" * 200_000)
        assert len(rows["a"].class_name or "") == 200_000


def test_the_example_of_the_documentation_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "images.md").read_text(
        encoding="utf-8"
    )
    (example,) = re.findall(r"^```csv\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    rows = parse_label_table(example)
    check_classes(rows, "docs/reference/images.md")
    assert [row.class_name for row in rows.values()] == ["FR I", "FR II", "FR II", "FR I"]
    assert [row.split for row in rows.values()] == ["train", "train", "validation", "test"]
    for column in (*SOURCE_COLUMNS, *CLASS_COLUMNS, *SPLITS):
        assert f"`{column}`" in page


class TestClasses:
    @pytest.mark.parametrize(
        "text",
        [
            "a,FRI,train\nb,FRII,train\n",
            "a,FRI,train\nb,FRII,train\nc,FRI,validation\nd,FRI,test\n",
        ],
    )
    def test_enough_to_train_on(self, text: str) -> None:
        check_classes(parse_label_table("source,class,split\n" + text), "t.csv")

    def test_no_split_is_all_training(self) -> None:
        check_classes(parse_label_table("source,class\na,x\nb,y\n"), "t.csv")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a,FRI,train\nb,fr1,train\n", "has only one class, 'FR I', on all of its 2 sources"),
            ("a,FRI,test\nb,FRII,validation\n", "has no row with the split train"),
            (
                "a,x,train\nb,y,test\nc,y,validation\n",
                r"no training images of class 'y' \(line 3\)",
            ),
        ],
    )
    def test_nothing_to_train_on(self, text: str, message: str) -> None:
        rows = parse_label_table("source,class,split\n" + text)
        with pytest.raises(DataSetError, match=message):
            check_classes(rows, "t.csv")


def read_or_refused(read: Callable[[], dict[str, LabelRow]], name: str) -> dict[str, LabelRow]:
    """What was read; nothing where it was refused in the package's own way."""
    message = name
    rows: dict[str, LabelRow] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AttnxaiWarning)
        try:
            rows = read()
        except AttnxaiError as error:
            message = str(error)
    assert name in message
    return rows


cells = st.one_of(
    st.sampled_from(["a", "b", "c.png", "FRI", "FR II", "WAT", "train", "test", ""]),
    st.text(st.sampled_from('ab1 I,;"\n\r\t.-_/é'), max_size=6),
)
headers = st.one_of(
    st.sampled_from([["source", "class"], ["label", "image", "split"]]),
    st.lists(
        st.sampled_from(["source", "image", "class", "label", "split", "group", ""]), max_size=5
    ),
)
beginnings = st.sampled_from([b"", b"source,class\n", b"\xef\xbb\xbfimage,label,split\r\n"])


@given(beginnings, st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_any_bytes_are_a_table_or_refused(
    tmp_path_factory: pytest.TempPathFactory, beginning: bytes, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.csv"
    path.write_bytes(beginning + content)
    read_or_refused(lambda: read_label_table(path), str(path))


@given(headers, st.lists(st.lists(cells, min_size=2, max_size=3), max_size=6))
def test_any_table_is_read_or_refused(header: list[str], rows: list[list[str]]) -> None:
    text = "\n".join(",".join(row) for row in [header, *rows])
    found = read_or_refused(lambda: parse_label_table(text, path="t.csv"), "label table t.csv")
    for source, row in found.items():
        assert source.strip()
        assert row.class_name == canonical_class(row.class_name) != ""
        assert 1 < row.line <= text.count("\n") + text.count("\r") + 1
        assert row.split in (None, "train", "validation", "test")


@given(
    st.dictionaries(
        st.integers(0, 10**6).map("J{:06d}".format),
        st.tuples(
            st.sampled_from(["FRI", "FR II", "hybrid", "WAT"]), st.sampled_from(["train", "test"])
        ),
        min_size=1,
        max_size=12,
    )
)
def test_what_is_written_is_read(content: dict[str, tuple[str, str]]) -> None:
    lines = [f"{source}.png,{name},{split}" for source, (name, split) in content.items()]
    expected = {source: (canonical_class(name), split) for source, (name, split) in content.items()}
    assert parse("\n".join(["image,class,split", *lines])) == expected
