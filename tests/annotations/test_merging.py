from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import attnxai
from attnxai.annotations.merging import majority_classes, merge_annotations
from attnxai.errors import AnnotationError, LeftOutWarning

WriteTable = Callable[..., Path]
HEADER = "source,annotator,shape,x,y,label,class,image"


def test_counts_images_and_files_of_all(tmp_path: Path, write_table: WriteTable) -> None:
    first = write_table(HEADER, "a,ann,point,1,2,core,FR I,a.fits", name="one.csv")
    (tmp_path / "sub").mkdir()
    second = write_table(
        HEADER, "a,bob,point,1,2,core,,", "b,bob,point,3,4,core,,b.fits", name="sub/two.csv"
    )
    merged = attnxai.read_annotations([first, second])
    assert merged.annotators == ("ann", "bob")
    assert merged.sources == ("a", "b")
    assert merged.n_rows == len(merged) == 3
    assert merged.image_files() == {"a": tmp_path / "a.fits", "b": tmp_path / "sub" / "b.fits"}
    assert list(merged.files) == [str(first), str(second)]
    assert {(a.file, a.line) for a in merged.annotations} == {
        ("one.csv", 2),
        ("two.csv", 2),
        ("two.csv", 3),
    }
    again = attnxai.read_annotations([second, first])
    assert again.sha256 == merged.sha256 != attnxai.read_annotations(first).sha256


def test_a_folder_of_tables(tmp_path: Path, write_table: WriteTable) -> None:
    (tmp_path / "marks").mkdir()
    write_table(HEADER, "a,ann,point,1,2,core,,", name="marks/one.csv")
    (tmp_path / "marks" / "notes.txt").write_text("by hand")
    with pytest.warns(LeftOutWarning, match=r"1 file of no known format is left out: notes\.txt"):
        merged = attnxai.read_annotations(tmp_path / "marks")
    assert merged.annotators == ("ann",)


def test_the_same_content_twice_is_refused(write_table: WriteTable) -> None:
    rows = HEADER, "a,ann,point,1,2,core,,"
    with pytest.raises(
        AnnotationError,
        match=r"have the same content, which would count twice; .*--images, .* \{source\}",
    ):
        attnxai.read_annotations(
            [write_table(*rows, name="one.csv"), write_table(*rows, name="two.csv")]
        )


def test_a_file_that_is_named_twice_is_refused(tmp_path: Path, write_table: WriteTable) -> None:
    path = write_table(HEADER, "a,ann,point,1,2,core,,", name="ann.csv")
    words = r"ann\.csv is named twice, by .* name every file once"
    for names in ([path, path], [tmp_path, tmp_path], [tmp_path, path], [path, tmp_path / "*.csv"]):
        with pytest.raises(AnnotationError, match=words):
            attnxai.read_annotations(names)


def test_the_same_content_of_two_annotators_is_noted(tmp_path: Path) -> None:
    for name in ("ann.reg", "ann (1).reg", "ann.reg~"):
        (tmp_path / name).write_text("icrs; circle(150,40,8) # tag={source=g1}")
    with pytest.warns(
        LeftOutWarning, match=r"or kept by an editor as a copy, is left out: ann\.reg~"
    ):
        merged = attnxai.read_annotations(tmp_path)
    assert set(merged.annotators) == {"ann (1)", "ann"}
    assert any(
        "ann (1).reg and ann.reg have the same content, but count as" in n for n in merged.notices
    )


def test_simulated_and_real_annotators_do_not_mix(write_table: WriteTable) -> None:
    path = write_table(HEADER, "a,ann,point,1,2,core,,")
    with pytest.raises(AnnotationError, match="simulated sources cannot be merged"):
        attnxai.read_annotations(["expert.csv", path])


def test_one_set_stays_as_it_is() -> None:
    sample = attnxai.read_annotations("expert.csv")
    assert merge_annotations([sample]) is sample


def test_class_of_most_annotators() -> None:
    stated = {
        "ann": {"s1": "FR I", "s2": "FR I", "s3": "FR II"},
        "bob": {"s1": "FR I", "s2": "FR II"},
        "eve": {"s1": "FR II"},
    }
    classes, (notice,) = majority_classes(stated)
    assert classes == {"s1": "FR I", "s3": "FR II"}
    assert "different classes for 2 of 3 sources" in notice
    assert "1 source has as many for two classes, and none: s2" in notice
    assert majority_classes({"ann": {"s1": "FR I"}, "bob": {"s1": "FR I"}}) == ({"s1": "FR I"}, [])


def test_tables_of_two_annotators_may_differ_in_a_class(write_table: WriteTable) -> None:
    paths = [
        write_table(HEADER, f"a,{name},point,1,2,core,{fr},", name=f"{name}.csv")
        for name, fr in (("ann", "FR I"), ("bob", "FR I"), ("eve", "frii"))
    ]
    merged = attnxai.read_annotations(paths)
    assert merged.classes == {"a": "FR I"}
