from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from attnxai.annotations.rgz_experts import (
    COLUMNS,
    FIELD_ARCSEC,
    read_expert_sample,
)
from attnxai.errors import AnnotationError

WriteTable = Callable[..., Path]
HEADER = ",".join(COLUMNS)
FIELD, OTHER = "FIRSTJ120000.0+300000", "FIRSTJ130000.0-010203"
LEFT, RIGHT, FAR = "60,64,65,68", "70,74,65,68", "100,110,100,110"


@pytest.fixture
def sample(write_table: WriteTable) -> Path:
    return write_table(
        HEADER,
        f"one,{FIELD},1,1,RADIO,{LEFT}",
        f"one,{FIELD},1,1,RADIO,{RIGHT}",
        f"one,{FIELD},1,1,IR,212.5,222.5,,",
        f"one,{FIELD},1,2,RADIO,{FAR}",
        f"one,{FIELD},1,2,IR,-99.0,-99.0,,",
        f"two,{FIELD},0,0,NONE:1 nothing seen,,,,",
        f"two,{FIELD},1,1,RADIO,{LEFT}",
        f"two,{FIELD},1,2,RADIO,{RIGHT}",
        f"two,{FIELD},1,2,RADIO,{LEFT}",
        f"one,{OTHER},1,1,RADIO,{FAR}",
        f"three,{OTHER},0,0,NONE:1 nothing seen,,,,",
    )


def test_sources_boxes_and_hosts(sample: Path) -> None:
    read = read_expert_sample(sample)
    assert read.experts == ("one", "three", "two")
    assert read.fields == (FIELD, OTHER)
    assert len(read.rows) == 11
    first, second = read.markings["one", FIELD]
    assert list(first.boxes) == [(60.0, 64.0, 65.0, 68.0), (70.0, 74.0, 65.0, 68.0)]
    assert list(first.hosts) == [(212.5, 222.5)]
    assert second.hosts == ()
    assert [len(rows) for rows in read.last_looks.values()] == [5, 3, 1, 1]
    assert read.markings["three", OTHER] == ()
    np.testing.assert_array_equal(read.present(), [[1, 1], [0, 1], [1, 0]])
    assert read.central("one", FIELD) == first
    assert read.central("three", OTHER) is None


def test_numbers(sample: Path) -> None:
    found = read_expert_sample(sample).numbers()
    nan = np.nan
    np.testing.assert_array_equal(found["sources"], [[2, 1], [nan, 0], [2, nan]])
    np.testing.assert_array_equal(found["components"], [[3, 1], [nan, 0], [2, nan]])
    np.testing.assert_array_equal(found["central components"], [[2, 1], [nan, nan], [1, nan]])
    np.testing.assert_array_equal(found["host seen"], [[1, 0], [nan, nan], [0, nan]])
    # ten of 424 positions below the centre of 3 arcmin
    assert found["host y"][0, 0] == pytest.approx(10 * FIELD_ARCSEC / 424)
    assert found["host x"][0, 0] == pytest.approx(0.0)


def test_masks_are_the_boxes_of_the_central_source(sample: Path) -> None:
    masks = read_expert_sample(sample).masks()
    assert masks.shape == (3, 2, 132, 132)
    assert masks[0, 0].sum() == 2 * 5 * 4
    assert masks[0, 0, 64, 59]  # counted from 1: row 65, column 60
    assert not masks[0, 0, 64, 58]
    assert masks[1].sum() == 0


def test_pairs_of_components(sample: Path) -> None:
    ratings, fields = read_expert_sample(sample).pair_ratings()
    # boxes in order: left, right, far; expert two put left and right together as well
    assert fields == (FIELD, FIELD, FIELD)
    np.testing.assert_array_equal(ratings[0], [1, 0, 0])
    assert np.isnan(ratings[1]).all()
    np.testing.assert_array_equal(ratings[2], [1, 0, 0])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (f"one,{FIELD},1,1,RADIO,60,50,65,68", "xmin <= xmax"),
        (f"one,{FIELD},1,1,RADIO,60,64,65,140", "from 1 to 132"),
        (f"one,{FIELD},1,1,RADIO,60,x,65,68", "column b: 'x' - a number"),
        (f"one,{FIELD},1,1,IR,60,-99,,", "from 1 to 424"),
        (f"one,{FIELD},1,1,UV,60,64,,", "RADIO, IR or NONE"),
        (f"one,{FIELD},1,a,RADIO,{LEFT}", "column comp_idx"),
        (f",{FIELD},1,1,RADIO,{LEFT}", "have to be given"),
        (f"one,{FIELD},1,1,RADIO,1", "fewer cells"),
        (f"one,{FIELD},1,1,IR,60,60,,", "a host without radio components"),
    ],
)
def test_bad_rows_are_listed(write_table: WriteTable, row: str, words: str) -> None:
    path = write_table(HEADER, f"two,{FIELD},1,1,RADIO,{LEFT}", row)
    with pytest.raises(AnnotationError, match="cannot be used") as caught:
        read_expert_sample(path)
    (fault,) = caught.value.rows
    assert words in fault


def test_files_that_are_no_sample(write_table: WriteTable, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="cannot be read"):
        read_expert_sample(tmp_path / "nothing.csv")
    with pytest.raises(AnnotationError, match="lacks the columns cls_idx"):
        read_expert_sample(write_table("expert,first_id"))
    with pytest.raises(AnnotationError, match="no rows"):
        read_expert_sample(write_table(HEADER))
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AnnotationError, match="not UTF-8"):
        read_expert_sample(binary)
