"""``attnxai repeat``: the same numbers, inputs that changed, and pages of strangers."""

from __future__ import annotations

import json
import re
import shutil
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import attnxai as package
from attnxai.cli.repeat import command_words
from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceSet
from attnxai.data.images_on_demand import ImageOnDemand
from attnxai.errors import OptionError
from attnxai.jobs import plugins
from attnxai.report import record
from attnxai.report.record import check_inputs_unchanged, hashes_of_inputs
from tests.builders import made_up
from tests.cli.program import attnxai, refused
from tests.cli.samples import QUICK, made_sample, read_table, write_table
from tests.registries import names_free

COMPARE = ("compare", "--model", "d8.pt", "--annotations", "mine.csv", *QUICK, "--metric", "nss")
RECORD = re.compile(r'(?<=id="record">)[^<]*')


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a report, and the images and annotations of which it was made."""
    folder = made_sample(tmp_path_factory.mktemp("made"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attnxai.report.document._drawers", lambda *_: [])
        attnxai(*COMPARE, "--images", "images", cwd=folder, check=0)
    return folder


@pytest.fixture
def sample(made, tmp_path):
    """A copy of it."""
    return shutil.copytree(made, tmp_path / "sample")


@pytest.fixture
def report(sample, without_figures):
    """The report in it."""
    return sample / "attnxai-report"


def record_in(folder):
    (text,) = RECORD.findall((folder / "index.html").read_text(encoding="utf-8"))
    assert len(text) < 4096
    return json.loads(text)


def tampered(folder, **changes):
    """The page of a report with other values in its record, as somebody else could have written it."""
    page = folder / "index.html"
    text = json.dumps({**record_in(folder), **changes}).replace("<", "\\u003c")
    content = page.read_text(encoding="utf-8")
    page.write_text(RECORD.sub(lambda _: text, content), encoding="utf-8")
    return folder


def test_the_same_report_again_and_that_one_again(report, sample):
    done = attnxai("repeat", "attnxai-report/index.html", cwd=sample, check=0)
    assert (
        f"Running: attnxai {' '.join(COMPARE)} --images images --output attnxai-repeat"
        in done.words
    )
    n_numbers = record_in(report)["n_numbers"]
    assert n_numbers > 1000
    assert f"All {n_numbers:,} numbers of summary.json are those of attnxai-report" in done.words
    first, second = (sample / name for name in ("attnxai-report", "attnxai-repeat"))
    tables = [(folder / "per_source.csv").read_bytes() for folder in (first, second)]
    assert tables[0] == tables[1]
    assert record_in(first)["numbers_sha256"] == record_in(second)["numbers_sha256"]
    # the new report holds its own command, and an earlier one is not written over
    done = attnxai("repeat", "attnxai-repeat", "--quiet", cwd=sample, check=0)
    assert done.stdout.split()[:2] == ["Report:", "attnxai-repeat-2/index.html"]
    refused(
        attnxai("repeat", "attnxai-repeat", "-o", "attnxai-report", cwd=sample), "name a new folder"
    )


def test_a_summary_that_vanishes_at_once_is_said(report, sample, monkeypatch):
    found = iter([record.read_summary(report), None])
    monkeypatch.setattr(record, "read_summary", lambda _: next(found))
    refused(
        attnxai("repeat", "attnxai-report", cwd=sample),
        "attnxai-repeat/summary.json was removed or changed as soon as it was written",
        "in a folder that no other program writes to",
    )


def test_names_cannot_end_the_record(sample, without_figures):
    name = "out </script><script>alert(1)"
    attnxai(*COMPARE, "--output", name, "--overwrite", cwd=sample, check=0)
    assert record_in(sample / name)["arguments"] == [*COMPARE, "--output", name, "--overwrite"]
    done = attnxai("repeat", name, cwd=sample, check=0)
    assert f"Running: attnxai {' '.join(COMPARE)} --output attnxai-repeat" in done.words


def test_inputs_that_changed_are_named(report, sample):
    rows = read_table(sample / "mine.csv")
    write_table(sample / "mine.csv", rows[:-1])
    message = refused(
        attnxai("repeat", "attnxai-report", cwd=sample),
        "annotations mine.csv changed since the report was made",
        f"looked for in {sample}",
    )
    assert "--moved OLD=NEW" in message
    write_table(sample / "mine.csv", rows)
    first = sample / "images" / "simulated_fr1_01.fits.gz"
    kept = first.read_bytes()
    with fits.open(first) as content:
        content[0].data[70, 70] *= 1.01
        content.writeto(first, overwrite=True)
    refused(
        attnxai("repeat", "attnxai-report", cwd=sample),
        "image simulated_fr1_01 of images changed since the report was made",
    )
    first.write_bytes(kept)
    assert not (sample / "attnxai-repeat").exists()
    attnxai("repeat", "attnxai-report", cwd=sample, check=0)


def test_headers_that_changed_are_named(report, sample):
    first = sample / "images" / "simulated_fr1_01.fits.gz"
    with fits.open(first, do_not_scale_image_data=True) as content:
        content[0].header["CRVAL1"] += 10 / 3600
        content.writeto(first, overwrite=True)
    refused(
        attnxai("repeat", "attnxai-report", cwd=sample),
        "coordinates, pixel scale, beam, survey or footprint of simulated_fr1_01 of images changed since the report",
    )
    # as in records of earlier versions
    inputs = record_in(report)["inputs"]
    del inputs["headers"]
    tampered(report, inputs=inputs)
    done = attnxai("repeat", "attnxai-report", cwd=sample)
    assert "changed since" not in done.words, done.words


def test_every_fact_of_an_image_counts():
    image = made_up(n_sources=1)[2][0]
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---SIN", "DEC--SIN"], [10, 20], [-5e-4, 5e-4]
    placed = {}
    for name, shift in (("there", 0.0), ("moved", 1e-7)):
        wcs.wcs.crval = [10, 20 + shift]
        placed[name] = image.with_facts(grid=PixelGrid(shape=image.shape, wcs=wcs.deepcopy()))
    others = [
        image,
        *placed.values(),
        image.with_facts(grid=PixelGrid(shape=image.shape, pixel_scale_arcsec=1.81)),
        image.with_facts(beam_arcsec=(5.0, 5.0, 0.0)),
        image.with_facts(survey="FIRST"),
        image.with_facts(footprint=np.arange(image.pixels.size).reshape(image.shape) > 3),
    ]
    marks = made_up(n_sources=1)[1]
    found = [hashes_of_inputs(marks, SourceSet([one]), {}) for one in others]
    assert len({one["headers"] for one in found}) == len(others)
    assert len({one["images"] for one in found}) == 1
    on_demand = ImageOnDemand.of(others[-1], lambda: others[-1])
    assert hashes_of_inputs(marks, SourceSet([on_demand]), {}) == found[-1]


def test_no_image_is_accused_where_it_is_not_known_which_changed():
    _, marks, images = made_up(n_sources=300)
    images = SourceSet(images, origin="cutouts")
    recorded = hashes_of_inputs(marks, images, {})
    changed = [*images[:-1], images[-1].with_facts(pixels=images[-1].pixels * 2)]
    labelled = [*images[:-1], images[-1].with_facts(class_name="other")]
    moved = [*images[:-1], images[-1].with_facts(survey="LoTSS")]
    for now, words in (
        (changed, "^one or more of 300 images of cutouts changed since the report was made"),
        (labelled, "^classes or splits of one or more of 300 images of cutouts changed"),
        (moved, "^coordinates, .* or footprint of one or more of 300 images of cutouts changed"),
    ):
        with pytest.raises(OptionError, match=words):
            check_inputs_unchanged(
                recorded, marks, SourceSet(now, origin="cutouts"), {}, remedy="begin anew"
            )


def test_labels_that_changed_are_named(sample, without_figures):
    names = sorted({row["source"] for row in read_table(sample / "mine.csv")})
    rows = [{"source": name, "class": "FR I" if "fr1" in name else "FR II"} for name in names]
    write_table(sample / "labels.csv", rows)
    write_table(
        sample / "mine.csv", [{**row, "class": ""} for row in read_table(sample / "mine.csv")]
    )
    labelled = (*COMPARE, "--images", "images", "--labels", "labels.csv")
    attnxai(*labelled, "-o", "labelled", cwd=sample, check=0)
    write_table(sample / "labels.csv", [{**rows[0], "class": "FR II"}, *rows[1:]])
    refused(
        attnxai("repeat", "labelled", cwd=sample),
        f"class or split of {names[0]} of images changed since the report was made",
    )
    write_table(sample / "labels.csv", rows)
    attnxai("repeat", "labelled", cwd=sample, check=0)


def test_inputs_that_are_missing_or_lie_elsewhere(report, sample, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    page = shutil.move(report / "index.html", elsewhere / "page.html")
    for name in ("mine.csv", "images"):
        shutil.move(sample / name, elsewhere / name)
    refused(attnxai("repeat", page, cwd=sample), "mine.csv", f"looked for in {sample}", "--moved")
    refused(attnxai("repeat", page, "--moved", "mine.csv", cwd=sample), "should be OLD=NEW")
    refused(
        attnxai("repeat", page, "--moved", "none.csv=a.csv", cwd=sample), "does not name none.csv"
    )
    moved = [f"{name}={elsewhere / name}" for name in ("mine.csv", "images/")]
    done = attnxai("repeat", page, "--moved", moved[0], "--moved", moved[1], cwd=sample, check=0)
    assert f"are those of {page}" in done.stdout
    done = attnxai("repeat", page, cwd=elsewhere, check=0)
    assert f"are those of {page}" in done.stdout


def test_numbers_that_differ_are_named(report, sample):
    """As another version of a package could make them: here the record says another seed."""
    tampered(report, arguments=[*COMPARE, "--images", "images", "--seed", "5"])
    done = attnxai("repeat", "attnxai-report", cwd=sample)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert "Numbers differ from those of attnxai-report." in lines
    assert "seed: 0, now 5" in lines
    found = [re.fullmatch(r"(models\S+): (\S+), now (\S+)", line) for line in lines]
    place, *shown = next(match for match in found if match).groups()
    values = [
        json.loads((sample / name / "summary.json").read_text(encoding="utf-8"))
        for name in ("attnxai-report", "attnxai-repeat")
    ]
    for index, key in re.findall(r"\[(\d+)\]|(\w+)", place):
        values = [value[int(index) if index else key] for value in values]
    assert [str(value) for value in values] == shown
    assert shown[0] != shown[1]
    (report / "summary.json").unlink()
    done = attnxai("repeat", "attnxai-report", cwd=sample)
    assert done.returncode == 1
    assert "summary.json of the report is not beside its page" in done.stdout


def test_other_versions_and_other_words_are_said(report, sample):
    versions = {**record_in(report)["versions"], "numpy": "1.0"}
    tampered(report, versions=versions)
    summary = json.loads((report / "summary.json").read_text(encoding="utf-8"))
    summary["verdict"]["headline"] = "Nothing agrees."
    (report / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    done = attnxai("repeat", "attnxai-report", cwd=sample, check=0)
    assert f"version of numpy: 1.0 in the report, {package_version('numpy')} here" in done.stderr
    assert "The headline was: Nothing agrees." in done.stdout


def package_version(name):
    from importlib import metadata

    return metadata.version(name)


EVIL = "import pathlib; pathlib.Path('run').touch()"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arguments": ["models", "list"]}, "names the command 'models'; only attnxai compare"),
        ({"arguments": []}, "was made from Python, not by attnxai compare"),
        ({"arguments": ["compare", "--help"]}, "compares nothing"),
        ({"arguments": ["compare", "--nowhere"]}, "cannot be run: No such option"),
        ({"arguments": [*COMPARE, "--plugin", "evil.py"]}, "if you trust it, add --plugin evil.py"),
        ({"arguments": [*COMPARE, "--plugin=./evil.py"]}, "whose code would be run"),
        ({"arguments": [*COMPARE, "--plugin", "evil"]}, "whose code would be run"),
        ({"arguments": [*COMPARE, "--images"]}, "cannot be"),
        ({"arguments": [*COMPARE, "--"]}, "cannot be"),
        ({"arguments": [*COMPARE, "--fwhm-arcsec", "inf"]}, "--fwhm-arcsec is too large"),
        ({"arguments": [*COMPARE, "a\x1b[2Jb"]}, "control characters"),
        ({"arguments": [*COMPARE, "a\nError: b"]}, "control characters"),
        ({"arguments": [*COMPARE, "a\u202eb"]}, "control characters"),
        ({"arguments": [*COMPARE, "\ud800"]}, "damaged"),
        ({"arguments": [*COMPARE, 3]}, "damaged"),
        ({"arguments": {"compare": 1}, "inputs": []}, "damaged"),
        ({"arguments": ["a"] * 20_000}, "bytes; no report that attnxai writes has more than 65,536"),
        ({"inputs": {"annotations": {"sha256": "0", "n_parts": 7, "parts": "1" * 6}}}, "there were 7"),
        ({"inputs": {"model other": {"sha256": "0", "n_parts": 1, "parts": ""}}}, "does not use"),
        ({"seed": 1e99}, "damaged"),
        ({"versions": {"numpy": "\x1b]0;title\x07"}}, "damaged"),
        ({"format": "other"}, "damaged"),
    ],
)  # fmt: skip
def test_pages_of_strangers_run_nothing_else(report, sample, changes, words):
    (sample / "evil.py").write_text(EVIL, encoding="utf-8")
    tampered(report, **changes)
    before = set(sample.rglob("*"))
    message = refused(attnxai("repeat", "attnxai-report", cwd=sample), words)
    assert message.isprintable()
    assert set(sample.rglob("*")) == before


@pytest.mark.parametrize(
    "where",
    [("-o", "elsewhere"), ("--output=elsewhere",), ("-oelsewhere",), ("--output", "/proc/x")],
)
def test_pages_of_strangers_choose_no_folder(report, sample, where):
    tampered(report, arguments=[*COMPARE, *where, "--overwrite", "--images", "images"])
    attnxai("repeat", "attnxai-report", "-o", "mine", cwd=sample, check=0)
    assert (sample / "mine" / "index.html").is_file()
    assert not (sample / "elsewhere").exists()


@pytest.mark.parametrize(
    "words", [("--scheduler", "tcp://192.0.2.1:8786"), ("--scheduler=tcp://192.0.2.1:8786",)]
)
def test_pages_of_strangers_choose_no_cluster(report, words):
    assert command_words((*COMPARE, *words), (), report) == tuple(COMPARE)


def test_pages_without_a_record(sample):
    for name, content in (("page.html", "<p>no report"), ("empty.html", "")):
        (sample / name).write_text(content, encoding="utf-8")
        refused(attnxai("repeat", name, cwd=sample), "no record of a comparison", "attnxai audit")
    refused(attnxai("repeat", "nowhere", cwd=sample), "nowhere does not exist")
    refused(attnxai("repeat", "images", cwd=sample), "images/index.html does not exist")


def test_reports_made_from_python_say_so(sample, without_figures):
    annotations = package.read_annotations(sample / "mine.csv")
    images = package.read_images(sample / "images")
    maps = package.maps_from_arrays(images, [one.pixels for one in images], model_name="pixels")
    settings = package.ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
    result = package.compare(maps, annotations, images, settings=settings)
    result.write_report(sample / "report")
    refused(attnxai("repeat", "report", cwd=sample), "made from Python")
    assert "attnxai repeat" not in (sample / "report" / "index.html").read_text(encoding="utf-8")


METRIC = """
import attnxai


@attnxai.metrics.register_metric(
    label="Mine", meaning="mean of the map on marked pixels", formula="share", target="mask",
    chance=0.0, bounds=(-1.0, 1.0), signed_maps=False,
)
def mine(maps, targets):
    \"\"\"Contrast of a map between marked and other pixels.\"\"\"
    marked = targets.values > 0
    inside = maps.values @ marked.T / marked.sum(axis=1)
    outside = maps.values @ ~marked.T / (~marked).sum(axis=1)
    return (inside - outside) / (inside + outside)
"""


def test_plug_ins_are_loaded_where_the_user_names_them(sample, without_figures, monkeypatch):
    (sample / "mine_metric.py").write_text(METRIC, encoding="utf-8")
    given = ("--plugin", "mine_metric.py")
    with names_free("mine"):
        monkeypatch.setattr(plugins, "LOADED", [])
        attnxai(*COMPARE[:-1], "nss,mine", *given, "--output", "out", cwd=sample, check=0)
        monkeypatch.setattr(plugins, "LOADED", [])
        sys.modules.pop("mine_metric")
        refused(attnxai("repeat", "out", cwd=sample), "add --plugin mine_metric.py")
        assert "mine_metric" not in sys.modules
    with names_free("mine"):
        done = attnxai("repeat", "out", *given, cwd=sample, check=0)
        assert "are those of out" in done.stdout
    sys.modules.pop("mine_metric")
