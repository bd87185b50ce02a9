"""The record of epochs: table and curves."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.errors import DataSetError
from attnxai.training.history import (
    EpochResult,
    kept_epoch,
    plot_history,
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


@pytest.mark.parametrize("text", ["epoch,steps\n1,2\n", "", "no table\n"])
def test_other_tables_are_refused(tmp_path, text) -> None:
    path = tmp_path / "h.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataSetError, match=r"lacks the columns .*validation_loss"):
        read_history(path)
    with pytest.raises(DataSetError, match="does not exist"):
        read_history(tmp_path / "none.csv")


def test_rows_with_words_for_numbers_are_refused_by_line(tmp_path) -> None:
    path = tmp_path / "h.csv"
    write_history(HISTORY, path)
    path.write_text(path.read_text().replace("0.4", "low", 1))
    with pytest.raises(DataSetError, match="line 3 of training history"):
        read_history(path)


def test_files_that_are_no_text_are_refused(tmp_path) -> None:
    path = tmp_path / "h.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataSetError, match="no CSV table in UTF-8"):
        read_history(path)


def test_curves_show_every_epoch_and_mark_the_kept_one() -> None:
    figure = plot_history(HISTORY, title="D8, seed 0")
    loss, accuracy = figure.axes
    training, validation, kept = (np.array(line.get_xydata()) for line in loss.lines)
    np.testing.assert_array_equal(validation, np.column_stack([range(1, 6), LOSSES]))
    np.testing.assert_allclose(training[:, 1], np.array(LOSSES) + 0.1)
    np.testing.assert_array_equal(kept, [[3, 0.3]])
    np.testing.assert_allclose(np.array(accuracy.lines[1].get_xydata()), [[3, 0.7]])
    assert loss.get_title(loc="left") == "D8, seed 0"
