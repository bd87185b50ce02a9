"""Splits by name or from a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from attnxai.errors import MapFileError
from attnxai.explanations.files.splits import stated_splits
from attnxai.explanations.stack import Split


@pytest.mark.parametrize(
    ("given", "split"),
    [
        ("Training", Split.TRAINING),
        ("train", Split.TRAINING),
        ("test", Split.HELD_OUT),
        ("unknown", Split.UNKNOWN),
    ],
)
def test_names(given: str, split: Split) -> None:
    assert stated_splits(given) is split


def test_a_table_with_other_columns_and_several_rows_a_source(tmp_path: Path) -> None:
    table = tmp_path / "marks.csv"
    table.write_text(
        "Image,annotator,SPLIT\nimages/a.fits.gz,x,train\na.fits.gz,y,training\nb,x,Held-out\nc,x,unknown\n"
    )
    assert stated_splits(str(table)) == {
        "a": Split.TRAINING,
        "b": Split.HELD_OUT,
        "c": Split.UNKNOWN,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,split\na,train\n", "needs the columns source and split, once each"),
        ("source,split,split\na,train,train\n", "once each; its header is source, split, split"),
        ("source,split\na,dev\n", "line 2, column split: 'dev' is not one of training, validation"),
        ("source,split\n,train\n", "line 2, column source is empty"),
        ("source,split\na,train\na,test\n", "line 3: a is held-out here and training above"),
        ("source,split\n", "has a header but no rows"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(MapFileError, match=message):
        stated_splits(str(tmp_path / "s.csv"))


def test_other_words_are_refused() -> None:
    with pytest.raises(
        MapFileError, match="'heldout' is neither training, validation, held-out, unk"
    ):
        stated_splits("heldout")
