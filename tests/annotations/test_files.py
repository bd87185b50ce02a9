from __future__ import annotations

from pathlib import Path

import pytest

from attnxai.annotations.files import find_annotation_files
from attnxai.errors import AnnotationError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return folder


def test_names_are_taken_in_their_order_and_once(tmp_path: Path) -> None:
    touch(tmp_path, "b.csv", "a.csv")
    found = find_annotation_files([tmp_path / "b.csv", tmp_path / "a.csv", tmp_path / "b.csv"])
    assert [file.path.name for file in found] == ["b.csv", "a.csv"]


def test_a_folder_gives_what_is_below_it_without_hidden_files_and_images(tmp_path: Path) -> None:
    touch(tmp_path, "ann/g1.reg", "bob/g1.reg", ".hidden/a.reg", "ann/.DS_Store", "ann/g1.fits")
    found = find_annotation_files(tmp_path)
    assert [file.path.relative_to(tmp_path).as_posix() for file in found] == [
        "ann/g1.reg",
        "bob/g1.reg",
    ]


def test_a_folder_of_images_only_may_hold_masks(tmp_path: Path) -> None:
    touch(tmp_path, "g1.png", "g2.fits.gz")
    assert [file.path.name for file in find_annotation_files(tmp_path)] == ["g1.png", "g2.fits.gz"]


def test_fields_of_a_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "ann/g1_final.reg", "bob/g1_final.reg", "bob/g1_draft.reg", "other.reg")
    found = find_annotation_files(f"{tmp_path}/{{annotator}}/{{source}}_final.reg")
    assert [(file.annotator, file.source) for file in found] == [("ann", "g1"), ("bob", "g1")]


def test_a_star_stands_for_anything(tmp_path: Path) -> None:
    touch(tmp_path, "x1/ann.csv", "x2/bob.csv", "x2/notes.txt")
    found = find_annotation_files(f"{tmp_path}/*/{{annotator}}.csv")
    assert [file.annotator for file in found] == ["ann", "bob"]


def test_a_name_with_braces_and_brackets_that_exists_is_a_name(tmp_path: Path) -> None:
    touch(tmp_path, "{a}[1].csv")
    assert find_annotation_files(tmp_path / "{a}[1].csv")[0].annotator == ""


def test_brackets_in_a_pattern_are_literal(tmp_path: Path) -> None:
    touch(tmp_path, "[1]/ann.csv", "1/bob.csv")
    found = find_annotation_files(f"{tmp_path}/[1]/{{annotator}}.csv")
    assert [file.annotator for file in found] == ["ann"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{who}.csv", r"unknown field \{who\}; known fields are \{annotator\} and \{source\}"),
        ("{source}/{source}.csv", r"has the field \{source\} twice"),
        ("{annotator}.csv", r"no file fits the pattern"),
        ("gone", r"does not exist"),
    ],
)
def test_refusals(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        find_annotation_files(f"{tmp_path}/{pattern}")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="holds no files"):
        find_annotation_files(tmp_path)
    with pytest.raises(AnnotationError, match="no annotation file is named"):
        find_annotation_files([])


def test_a_store_of_maps_is_not_taken_for_a_folder_of_annotations(tmp_path: Path) -> None:
    store = touch(tmp_path / "maps.zarr", "zarr.json", "source/zarr.json", "source/c/0")
    with pytest.raises(
        AnnotationError, match=r"maps\.zarr is a Zarr store.*give it as maps \(--maps"
    ):
        find_annotation_files(store)
