from __future__ import annotations

import pytest

from attnxai.annotations.rgz_experts import COLUMNS, RowKind, last_looks, parse_expert_sample
from attnxai.errors import AnnotationError

HEADER = ",".join(COLUMNS)
FIELD, OTHER = "FIRSTJ120000.0+300000", "FIRSTJ130000.0-010203"
LEFT, RIGHT, FAR = "60,64,65,68", "70,74,65,68", "100,110,100,110"


SAMPLE = "\n".join(
    (
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
)


def test_rows_and_last_looks() -> None:
    rows = parse_expert_sample(SAMPLE)
    assert [row.line for row in rows] == list(range(2, 13))
    assert rows[0].values == (60.0, 64.0, 65.0, 68.0)
    assert (rows[2].kind, rows[2].values) == (RowKind.HOST, (212.5, 222.5))
    assert [row.values for row in rows if row.kind is not RowKind.BOX][1:] == [(), (), ()]
    last = last_looks(rows)
    assert {key: len(found) for key, found in last.items()} == {
        ("one", FIELD): 5,
        ("two", FIELD): 3,
        ("one", OTHER): 1,
        ("three", OTHER): 1,
    }
    assert {row.look for row in last["two", FIELD]} == {1}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (f"one,{FIELD},1,1,RADIO,60,50,65,68", "xmin <= xmax"),
        (f"one,{FIELD},1,1,RADIO,60,64,65,140", "from 1 to 132"),
        (f"one,{FIELD},1,1,RADIO,60,x,65,68", "column b: 'x' is not a number"),
        (f"one,{FIELD},1,1,IR,60,-99,,", "from 1 to 424"),
        (f"one,{FIELD},1,1,UV,60,64,,", "RADIO, IR or NONE"),
        (f"one,{FIELD},1,a,RADIO,{LEFT}", "column comp_idx"),
        (f",{FIELD},1,1,RADIO,{LEFT}", "column expert is empty, but has to be a name"),
        (f"one,{FIELD},1,1,RADIO,1", "6 cells, but the header has 9"),
        (f"one,{FIELD},1,1,IR,60,60,,", "a host without radio components"),
    ],
)
def test_bad_rows_are_listed(row: str, words: str) -> None:
    text = "\n".join((HEADER, f"two,{FIELD},1,1,RADIO,{LEFT}", row))
    with pytest.raises(AnnotationError, match="cannot be used") as caught:
        parse_expert_sample(text)
    (fault,) = str(caught.value).splitlines()[1:]
    assert words in fault


@pytest.mark.parametrize(
    ("text", "words"), [("expert,first_id", "lacks the columns cls_idx"), (HEADER, "no rows")]
)
def test_files_that_are_no_sample(text: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        parse_expert_sample(text)
