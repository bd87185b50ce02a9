"""The record of epochs as a table."""

from __future__ import annotations

import pytest

from attnxai.errors import DataSetError
from attnxai.training.history import (
    EpochResult,
    kept_epoch,
    read_history,
    write_history,
)

LOSSES = (0.7, 0.4, 0.3, 0.3, 0.5)
HISTORY = [
    EpochResult(
        epoch=i,
        images_seen=100 * (i + 1),
        steps=7 * (i + 1),
        learning_rate=1e-3 / (i + 1),
        train_loss=loss + 0.1,
        validation_loss=loss,
        validation_accuracy=0.5 + 0.1 * i,
        seconds=1.5 * (i + 1),
    )
    for i, loss in enumerate(LOSSES)
]


def test_a_table_gives_back_what_was_written(tmp_path) -> None:
    write_history(HISTORY, tmp_path / "h.csv")
    assert read_history(tmp_path / "h.csv") == HISTORY


def test_the_first_of_equally_good_epochs_is_kept() -> None:
    assert kept_epoch(HISTORY).epoch == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"epoch,steps\n1,2\n", r"lacks the columns .*validation_loss"),
        (b"no table\n", r"lacks the columns .*validation_loss"),
        (b"", "is empty"),
        (b"\xff\xfe\x00\x81", "is not UTF-8 text"),
        (None, "cannot be read: No such file"),
    ],
)
def test_other_files_are_refused(tmp_path, content, words) -> None:
    path = tmp_path / "h.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataSetError, match=rf"training history .*h\.csv {words}"):
        read_history(path)


def test_rows_with_words_for_numbers_are_refused_by_line(tmp_path) -> None:
    path = tmp_path / "h.csv"
    write_history(HISTORY, path)
    path.write_text(path.read_text().replace(",0.4,", ",low,", 1))
    with pytest.raises(DataSetError, match="line 3, column validation_loss: 'low' is not a number"):
        read_history(path)
