"""``attnxai annotations`` and the options that say which annotations are read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import attnxai
from tests.cli.program import attnxai as run
from tests.cli.program import refused
from tests.cli.samples import QUICK, read_table, write_table

DS9 = """# Region file format: DS9 version 4.1
image
point(20,30) # color=cyan tag={Ann}
circle(40,50,5) # color=red tag={bob}
-circle(41,51,2) # color=red tag={bob}
"""


@pytest.fixture
def regions(tmp_path):
    path = tmp_path / "simulated_fr1_01.reg"
    path.write_text(DS9)
    return path


# --- summary ---------------------------------------------------------------------------------------


def test_summary_counts_marks_by_annotator(sample):
    done = run("annotations", "summary", "mine.csv", "-o", "table.csv", cwd=sample, check=0)
    rows = read_table(sample / "mine.csv")
    assert "10 sources, 3 annotators" in done.words
    assert f"{len(rows)} marks" in done.words
    table = pd.read_csv(sample / "table.csv").set_index("annotator")
    marks = [row for row in rows if row["annotator"] == "simulated_1"]
    assert table.loc["simulated_1", "n_marks"] == len(marks)
    cores = sum(row["label"] == "core" for row in marks)
    assert f"core {cores}" in table.loc["simulated_1", "labels"]
    assert table.loc["simulated_1", "classes"] == "FR I 5, FR II 5"


def test_summary_says_what_is_left_out_and_prints_names_as_text(sample):
    rows = read_table(sample / "mine.csv")
    for row in rows:
        if row["annotator"] == "simulated_2":
            row["annotator"] = "\x1b[31mred [bold]"
    write_table(sample / "mine.csv", rows)
    done = run("annotations", "summary", "mine.csv", cwd=sample, check=0)
    assert "\x1b" not in done.stdout
    assert "[bold]" in done.stdout


def test_summary_counts_sources_without_an_image(sample):
    rows = read_table(sample / "mine.csv")
    write_table(sample / "mine.csv", [*rows, rows[0] | {"source": "unheard_of", "image": ""}])
    done = run("annotations", "summary", "mine.csv", "--images", "images", cwd=sample, check=0)
    assert "Without an image are 1 of 11 sources: 'unheard_of'" in done.words


def test_summary_notes_marks_on_the_sky_on_images_without_coordinates(tmp_path):
    """In the words by which a comparison refuses them."""
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        np.save(tmp_path / "images" / f"{name}.npy", rng.normal(size=(150, 150)))
    (tmp_path / "marks.csv").write_text(
        "source,annotator,shape,frame,x,y\n"
        "c,ann,point,pixel,70,70\na,ann,point,icrs,150.0,20.0\nb,ann,point,icrs,151.0,20.0\n"
    )
    options = ("--images", "images", "--pixel-scale-arcsec", "1.8")
    done = run("annotations", "summary", "marks.csv", *options, cwd=tmp_path, check=0)
    words = (
        "the annotations of source 'a' are sky positions, but its image has no celestial coordinates (WCS); give FITS images "
        "with a WCS or pixel annotations"
    )
    assert f"Note: {words} (this also concerns 1 more source)" in done.words
    compared = ("--annotations", "marks.csv", "--model", "c1.pt", *options)
    refused(run("compare", *compared, cwd=tmp_path), words)
    done = run("annotations", "summary", "marks.csv", cwd=tmp_path, check=0)
    assert "celestial coordinates" not in done.words


def test_summary_notes_spellings_of_one_name(sample):
    rows = read_table(sample / "mine.csv")
    rows[0]["annotator"] = "Simulated 1"
    write_table(sample / "mine.csv", rows)
    done = run("annotations", "summary", "mine.csv", cwd=sample, check=0)
    assert "The annotators “Simulated 1” and “simulated_1” count as 2" in done.words
    merged = run(
        *("annotations", "convert", "mine.csv", "-o", "one.csv", "--merge-spellings"),
        cwd=sample,
        check=0,
    )
    assert "by 3 annotators" in merged.words


def test_words_of_regions_are_labels_and_annotators_as_the_user_says(regions, tmp_path):
    done = run(
        *("annotations", "summary", regions.name, "--label-of", "cyan=core"),
        *("--label-of", "red=lobe", "--annotator-from", "tag", "--annotator-of", "bob=Bob"),
        cwd=tmp_path,
        check=0,
    )
    assert "2 annotators, 3 marks" in done.words
    assert " Ann 1 1 core 1 point 1" in done.words
    assert " Bob 1 2 lobe 2 circle 2" in done.words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--label-of", "red"], ("--label-of", "WORD=NAME", "'red'")),
        (["--label-of", "red=lob"], ("unknown label", "lob", "lobe")),
        (["--annotator-of", "a=x", "--annotator-of", "A=y"], ("--annotator-of", "twice")),
        (["--format", "sketch"], ("unknown format", "sketch", "DS9 regions")),
        (["--annotator-from", "smell"], ("--annotator-from", "smell", "tag")),
    ],
)
def test_what_cannot_be_meant_is_refused(regions, tmp_path, options, words):
    done = run("annotations", "summary", regions.name, *options, cwd=tmp_path)
    refused(done, *words)


@pytest.mark.parametrize(
    "command",
    [["maps", "--model", "d8.pt", "-o", "m.npz"], ["audit", "--model", "d8.pt", "-o", "a"]],
)
def test_options_about_annotations_need_annotations(tmp_path, command):
    refused(run(*command, "--label-of", "red=lobe", cwd=tmp_path), "--label-of", "--annotations")


def test_a_pattern_that_the_shell_has_expanded_is_explained(sample):
    done = run("compare", "--model", "d8.pt", "--annotations", "a.reg", "b.reg", cwd=sample)
    assert done.returncode == 2
    assert "quote" in done.words


# --- check -----------------------------------------------------------------------------------------


@pytest.fixture
def flipped(sample):
    """A sample in which the third annotator counts rows from the top."""
    images = attnxai.read_images(sample / "images")
    rows = read_table(sample / "mine.csv")
    for row in rows:
        if row["annotator"] != "simulated_3":
            continue
        last = images[row["source"]].shape[0] - 1
        if row["y"]:
            row["y"] = str(last - float(row["y"]))
        if row["vertices"]:
            pairs = [pair.split() for pair in row["vertices"].split(";")]
            row["vertices"] = "; ".join(f"{x} {last - float(y)}" for x, y in pairs)
    write_table(sample / "mine.csv", rows)
    return sample


def test_check_names_the_annotator_who_counts_from_the_top(flipped):
    done = run(
        *("annotations", "check", "mine.csv", "--images", "images", "--table", "found.csv"),
        cwd=flipped,
        check=0,
    )
    assert "The marks of simulated_3" in done.words
    table = pd.read_csv(flipped / "found.csv").set_index("annotator")
    assert table["placement"].to_dict() == {
        "simulated_1": "clean",
        "simulated_2": "clean",
        "simulated_3": "misplaced",
    }
    assert "Contact sheet: contact-sheet.png" in done.stdout
    with Image.open(flipped / "contact-sheet.png") as sheet:
        assert sheet.width > 1000
    again = run("annotations", "check", "mine.csv", "--images", "images", cwd=flipped)
    refused(again, "contact-sheet.png", "--overwrite")


def test_check_without_images_uses_those_of_the_table_and_draws_nothing(sample):
    before = set(sample.iterdir())
    rows = [
        row | {"image": f"images/{row['source']}.fits.gz"}
        for row in read_table(sample / "mine.csv")
    ]
    write_table(sample / "mine.csv", rows)
    done = run("annotations", "check", "mine.csv", cwd=sample, check=0)
    assert "simulated_1" in done.stdout
    assert set(sample.iterdir()) == before


# --- convert and rule ------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["ds9", "casa"])
def test_converted_regions_come_back(sample, to):
    run("annotations", "convert", "mine.csv", "-o", "regions", "--to", to, cwd=sample, check=0)
    assert len(list((sample / "regions").iterdir())) == 10
    done = run(
        *("annotations", "convert", "regions", "-o", "back.csv", "--images", "images"),
        cwd=sample,
        check=0,
    )
    assert "Annotations: back.csv" in done.stdout
    first, second = (attnxai.read_annotations(sample / f) for f in ("mine.csv", "back.csv"))
    assert first.annotators == second.annotators
    assert [a.label for a in first.annotations] != []
    for source in first.sources:
        for annotator in first.annotators:
            assert sorted(a.label for a in first.of(source, annotator)) == sorted(
                a.label for a in second.of(source, annotator)
            )


def test_masks_hold_areas_and_are_read_with_labels(sample):
    images = ("--images", "images")
    done = run(
        *("annotations", "convert", "mine.csv", *images, "-o", "masks", "--to", "png mask"),
        cwd=sample,
        check=0,
    )
    assert "PNG mask has no place for" in done.words
    areas = [
        row for row in read_table(sample / "mine.csv") if row["shape"] not in ("point", "line")
    ]
    assert f"{len(areas)} marks on 10 sources by 3 annotators; PNG mask" in done.words
    folders = sorted(folder.name for folder in (sample / "masks").iterdir())
    assert folders == ["simulated_1", "simulated_2", "simulated_3"]
    done = run("annotations", "summary", "masks", *images, cwd=sample, check=0)
    assert "areas of masks; 10 sources, 3 annotators" in done.words
    assert "The annotator is taken from the name of the folder: simulated_1" in done.words
    done = run(
        *("annotations", "summary", "masks", *images, "--label-of", "1=host"), cwd=sample, check=0
    )
    assert "host 10" in done.words


def test_convert_keeps_a_label_and_says_what_is_lost(sample):
    done = run(
        *("annotations", "convert", "mine.csv", "-o", "cores.reg", "--label", "core"),
        cwd=sample,
    )
    refused(done, "cores.reg", "folder")
    done = run(
        *("annotations", "convert", "mine.csv", "-o", "cores.csv", "--label", "core"),
        cwd=sample,
        check=0,
    )
    assert {row["label"] for row in read_table(sample / "cores.csv")} == {"core"}
    assert "30 marks on 10 sources by 3 annotators" in done.words


def test_rule_marks_images_and_says_that_a_rule_did(sample):
    done = run("annotations", "rule", "images", "-o", "rule.csv", cwd=sample, check=0)
    assert "Annotations: rule.csv" in done.stdout
    found = attnxai.read_annotations(sample / "rule.csv")
    assert found.rule_annotators == found.annotators == ("Fanaroff-Riley rule",)
    assert len(found.sources) == 10


# --- several files ---------------------------------------------------------------------------------


def test_a_file_for_each_annotator_and_one_for_all_give_the_same_report(sample, without_figures):
    rows = read_table(sample / "mine.csv")
    for name in ("simulated_1", "simulated_2", "simulated_3"):
        (sample / "marks").mkdir(exist_ok=True)
        write_table(
            sample / "marks" / f"{name}.csv", [row for row in rows if row["annotator"] == name]
        )
    several = [
        word
        for name in ("simulated_1", "simulated_2", "simulated_3")
        for word in ("--annotations", f"marks/{name}.csv")
    ]
    same = ("compare", "--model", "d8.pt", "--images", "images", "--metric", "nss", *QUICK)
    run(*same, "--annotations", "mine.csv", "-o", "one", cwd=sample, check=0)
    run(*same, *several, "-o", "several", cwd=sample, check=0)
    run(*same, "--annotations", "marks/*.csv", "-o", "pattern", cwd=sample, check=0)
    tables = [
        (sample / name / "per_source.csv").read_bytes() for name in ("one", "several", "pattern")
    ]
    assert tables[0] == tables[1] == tables[2]
