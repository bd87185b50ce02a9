"""What ``attnxai compare`` refuses, and how it says so."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import torch
from astropy.io import fits

from attnxai.explanations import ExplanationMethod
from attnxai.models.zoo import shipped_models
from tests.cli.program import attnxai, refused
from tests.cli.samples import QUICK, read_table, write_table

BAD_TABLES = {
    "missing": (None, ["'nowhere.csv' does not exist"]),
    "empty": ("", ["is empty"]),
    "no columns": (
        "a,b\n1,2\n",
        ["no reader recognises", "needs the columns source, x and y"],
    ),
    "binary": (b"\x89PNG\xff\xfe\x00", ["of an unknown kind; no reader recognises it"]),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables(sample, name):
    content, texts = BAD_TABLES[name]
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (sample / "nowhere.csv").write_bytes(data)
    done = attnxai("compare", "--model", "d8.pt", "--annotations", "nowhere.csv", cwd=sample)
    refused(done, *texts)
    assert not list(sample.glob("*attnxai-report*"))


def test_every_bad_row_is_listed(sample):
    rows = read_table(sample / "mine.csv")
    rows[0]["radius"], rows[0]["shape"] = "-3", "circle"
    rows[4]["label"] = "blob"
    rows[7]["weight"] = "2"
    write_table(sample / "bad.csv", rows)
    done = attnxai("compare", "--model", "d8.pt", "--annotations", "bad.csv", cwd=sample)
    refused(
        done,
        "3 of",
        "line 2, column radius: '-3' is not a length from 1e-06 to 324000 arcsec",
        "line 6, column label: 'blob' is not one of core",
        "line 9, column weight: '2' is not a number from 0 to 1",
    )


def bad_model(kind, folder):
    path = folder / "bad.pt"
    good = shipped_models()["d8"]
    if kind == "text":
        path.write_text("this is no model")
    elif kind == "truncated":
        path.write_bytes(good.read_bytes()[:20_000])
    elif kind == "code":

        class Evil:
            def __reduce__(self):
                return (os.system, (f"touch {folder / 'pwned'}",))

        torch.save({"format": "attnxai-model", "x": Evil()}, path)
    elif kind == "pickle":

        class Worse:
            def __reduce__(self):
                return (os.system, (f"touch {folder / 'pwned'}",))

        path.write_bytes(pickle.dumps(Worse()))
    elif kind == "other network":
        torch.save(torch.nn.Linear(3, 2).state_dict(), path)
    elif kind == "incomplete":
        content = torch.load(good, weights_only=True)
        del content["preprocessing"]
        torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("missing", "neither a file nor one of the shipped models"),
        ("text", "not a PyTorch checkpoint"),
        ("truncated", "is truncated"),
        ("code", "would have to run code"),
        ("pickle", "not a PyTorch checkpoint"),
        ("other network", "neither a model of attnxai nor a published attention network"),
        ("incomplete", "lacks preprocessing"),
    ],
)
def test_bad_models(sample, kind, text):
    path = bad_model(kind, sample)
    done = attnxai("compare", "--model", path, "--annotations", "mine.csv", cwd=sample)
    refused(done, text, "bad.pt")
    assert not (sample / "pwned").exists()
    assert not list(sample.glob("*attnxai-report*"))


def spoil_image(kind, folder):
    path = folder / "images" / "simulated_fr1_01.fits.gz"
    if kind == "missing":
        path.unlink()
        return
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:9000])
        return
    with fits.open(path) as hdus:
        values, header = np.array(hdus[0].data, dtype=np.float32), hdus[0].header.copy()
    if kind == "nan":
        values[3:6, 4] = np.nan
    elif kind == "constant":
        values[:] = 0.25
    elif kind == "small":
        values = values[:140, :140]
    elif kind == "no wcs":
        header = fits.Header()
    path.unlink()
    fits.PrimaryHDU(values, header).writeto(path)


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (
            "missing",
            [
                "that the column image of mine.csv names does not exist",
                "simulated_fr1_01.fits.gz; correct",
            ],
        ),
        (
            "truncated",
            ["simulated_fr1_01.fits.gz cannot be read, its gzip compression is truncated"],
        ),
        ("nan", ["3 of 25600 pixels that are NaN", "--fill-blank"]),
        ("constant", ["is constant (0.25 everywhere)"]),
        ("small", ["140 x 140 pixels", "needs at least 144 x 144", "larger cutout"]),
        ("no wcs", ["sky positions", "no celestial coordinates"]),
    ],
)
def test_bad_images(sample, kind, texts, without_figures):
    spoil_image(kind, sample)
    arguments = ["compare", "--model", "d8.pt", "--annotations", "mine.csv", "--output", "out"]
    refused(attnxai(*arguments, *QUICK, "--metric", "nss", cwd=sample), *texts)
    assert not (sample / "out").exists()
    if kind == "nan":
        attnxai(*arguments, *QUICK, "--metric", "nss", "--fill-blank", cwd=sample, check=0)


def test_sources_that_do_not_overlap(sample):
    rows = read_table(sample / "mine.csv")
    for row in rows:
        row["image"] = ""
    rows[0]["source"] = "unheard_of"
    write_table(sample / "one.csv", rows)
    arguments = ["compare", "--model", "d8.pt", "--images", "images"]
    refused(
        attnxai(*arguments, "--annotations", "one.csv", cwd=sample),
        "1 of 11 annotated sources have no image: 'unheard_of'",
    )
    for row in rows:
        row["source"] = f"other_{row['source']}"
    write_table(sample / "none.csv", rows)
    refused(
        attnxai(*arguments, "--annotations", "none.csv", cwd=sample),
        "none of the 11 sources",
    )
    refused(
        attnxai("compare", "--model", "d8.pt", "--annotations", "none.csv", cwd=sample),
        "name no image",
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--metric", "SSIM"], "unknown metric 'ssim'"),
        (["--label", "blob"], "unknown label 'blob'"),
        (["--fwhm-arcsec", "0"], "Invalid value for '--fwhm-arcsec': 0 should be 0.000001 or more"),
        (["--images", "nowhere"], "neither a file nor a folder"),
        (["--output", "mine.csv"], "is a file"),
        (["--output", "mine.csv/report"], "mine.csv is not a folder that can be written to"),
        (["--null", "shuffle"], "unknown null 'shuffle'"),
        (
            ["--figures", "svg"],
            "unknown format of figures 'svg'; known formats are pdf, png",
        ),
        (["--consensus", "most"], "unknown consensus 'most'; known rules are union, majority"),
        (
            ["--alternative", "more"],
            "unknown alternative 'more'; known alternatives are greater, less, two-sided",
        ),
        (
            ["--correction", "bonferroni"],
            "unknown correction 'bonferroni'; known corrections are holm, bh, max_t",
        ),
        (["--n-permutations", "0"], "Invalid value for '--n-permutations': 0 should be 1 or more"),
        (["--n-bootstrap", "x"], "Invalid value for '--n-bootstrap': 'x' should be a whole number"),
        (["--model", "c1.pt,d8.pt"], "to compare several models, name each on its own"),
        (["--model", "d8.pt"], "model d8.pt is given twice"),
        (["--model", "D8"], "models d8.pt and D8 are the same file"),
    ],
)
def test_bad_options(sample, options, text):
    done = attnxai("compare", "--model", "d8.pt", "--annotations", "mine.csv", *options, cwd=sample)
    refused(done, text)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--source-weights"], "cannot be weighted"),
        (
            ["--strata", "redshift"],
            "unknown strata 'redshift'; known strata are class, size, annotators; beside",
        ),
    ],
)
def test_what_the_annotations_lack_is_noticed_before_maps_are_computed(
    sample, monkeypatch, options, text
):
    def method(*_, **__):
        raise AssertionError("maps are computed")

    known = {"gates": ExplanationMethod(name="gates", title="maps", function=method)}
    monkeypatch.setattr("attnxai.explanations.explaining.EXPLANATIONS", known)
    done = attnxai("compare", "--model", "c1", "--annotations", "mine.csv", *options, cwd=sample)
    refused(done, text)


def test_mirabest_that_is_not_there(sample, without_data, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(sample / "cache"))
    done = attnxai(
        "compare", "--model", "d8.pt", "--annotations", "mine.csv", "--images", "mirabest",
        cwd=sample,
    )  # fmt: skip
    refused(done, "MiraBest was not found", "--data-dir", "attnxai data fetch mirabest")
