"""Classes of images from a table of labels, where they are not for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import attnxai
from attnxai.errors import AttnxaiWarning, DataSetError, ImageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("J1.5", "J2.5", "J3"):
        np.save(tmp_path / f"{name}.npy", np.eye(9))
    return tmp_path


def classes(folder: Path, labels: Path | None = None) -> list[str | None]:
    return [image.class_name for image in attnxai.read_images(folder, labels=labels)]


def test_a_table_in_the_folder_is_used_and_one_that_is_named_goes_before_it(folder: Path) -> None:
    assert classes(folder) == [None, None, None]
    # one class alone is enough, splits and images that are not there do not matter
    table = "image,label,split\nJ1.5.npy,fr-1,test\nJ2.5,FRI,train\ng,FR I,train\n"
    (folder / "labels.csv").write_text(table)
    assert classes(folder) == ["FR I", "FR I", None]
    assert {image.split for image in attnxai.read_images(folder)} == {None}
    (folder / "mine.csv").write_text("source,class\nJ3,WAT\n")
    assert classes(folder, labels=folder / "mine.csv") == [None, None, "WAT"]
    files = sorted(folder.glob("*.npy"))
    assert [image.class_name for image in attnxai.read_images(files)] == [None] * 3
    named = attnxai.read_images(files, labels=folder / "labels.csv")
    assert named["J1.5"].class_name == "FR I"


def test_a_table_about_other_images(folder: Path) -> None:
    (folder / "labels.csv").write_text("source,class\ng1,FR I\ng2,FR II\n")
    words = r"names none of 3 images \(such as 'J1.5'\), but 'g1', 'g2'; ids are file names"
    with pytest.warns(AttnxaiWarning, match=words):
        assert classes(folder) == [None, None, None]
    with pytest.raises(DataSetError, match=words):
        classes(folder, labels=folder / "labels.csv")
    with pytest.raises(DataSetError, match=r"gone\.csv"):
        classes(folder, labels=folder / "gone.csv")


def test_no_files_at_all() -> None:
    """As of annotations that name no images."""
    with pytest.raises(ImageError, match=r'no image files to read; .* read_images\("cutouts"\)'):
        attnxai.read_images({}.values())
