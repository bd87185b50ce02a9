"""``attnxai compare --maps``: the maps of files, beside models or without any."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai as package
from attnxai.explanations.from_arrays import maps_from_arrays
from tests.cli.program import attnxai, refused
from tests.cli.samples import QUICK


def images_of(sample: Path) -> Any:
    return package.read_images(sample / "images")


def summary(folder: Path) -> Any:
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def save_others(sample: Path) -> Path:
    """Maps of all sources from another program: the images themselves, under the ids of their sources."""
    np.savez(sample / "cam.npz", **{image.source: image.pixels for image in images_of(sample)})
    return sample / "cam.npz"


def test_maps_of_a_file_get_the_same_page(sample: Path, without_figures: None) -> None:
    file = save_others(sample)
    options = ["--annotations", "mine.csv", "--images", "images", "--metric", "nss"]
    attnxai("compare", "--maps", "cam.npz", *options, *QUICK, "-o", "r", cwd=sample, check=0)
    found = summary(sample / "r")
    (model,) = found["models"]
    assert model["name"] == model["maps_file"] == "cam.npz"
    assert model["maps_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert {row["explanation"] for row in model["results"]} >= {"map", "brightness"}
    page = (sample / "r" / "index.html").read_text(encoding="utf-8")
    assert re.search(r"<dt>Maps</dt><dd>cam.npz: a field of 160 × 160 pixels of 1.8 arcsec", page)
    assert model["maps_sha256"] in page
    assert "Only maps were given, without their network: audits that need it are missing" in page


def test_maps_of_attnxai_equal_those_of_the_model(sample: Path, without_figures: None) -> None:
    """A model and the file of its maps, side by side, agree in every number."""
    images = images_of(sample)
    package.attention_maps(package.load_model("c1.pt"), images).write(sample / "maps.zarr", images)
    attnxai(
        *("compare", "--model", "c1.pt", "--maps", "maps.zarr", "--annotations", "mine.csv"),
        *("--images", "images", "--metric", "nss", *QUICK, "-o", "r"),
        cwd=sample,
        check=0,
    )
    model, file = summary(sample / "r")["models"]
    assert (model["name"], file["name"]) == ("c1.pt", "maps.zarr")
    assert file["file"] == model["file"]
    assert file["sha256"] == model["sha256"]
    assert "maps_file" not in model
    assert len(model["results"]) > 4
    assert file["results"] == model["results"]


def test_maps_without_annotations_are_left_out_and_counted(sample, without_figures) -> None:
    save_others(sample)
    lines = (sample / "mine.csv").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if "fr1_05" not in line and "fr2_05" not in line]
    (sample / "mine.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    options = ["--annotations", "mine.csv", "--images", "images", "--metric", "nss"]
    attnxai("compare", "--maps", "cam.npz", *options, *QUICK, "-o", "r", cwd=sample, check=0)
    found = summary(sample / "r")
    words = "cam.npz has maps of 2 sources without annotations; left out."
    assert any(words in caution for caution in found["verdict"]["cautions"])
    assert found["models"][0]["sources"]["n"] == 8


def test_maps_and_images_that_do_not_fit_are_refused(sample: Path) -> None:
    images = images_of(sample)
    options = ["--annotations", "mine.csv", "--images", "images", *QUICK]
    arrays = {image.source: image.pixels for image in images}
    np.savez(sample / "few.npz", **dict(list(arrays.items())[1:]))
    done = attnxai("compare", "--maps", "few.npz", *options, cwd=sample)
    refused(
        done, "few.npz has no maps of 1 of 10 images: simulated_fr1_01; it has maps of 9 sources"
    )
    stack = maps_from_arrays(images, list(arrays.values()))
    # what another program would get wrong: rows from the top, with everything that lies on them
    turned = type(stack)(
        **{name: getattr(stack, name) for name in ("model_name", "sources", "geometry", "field")},
        **{name: getattr(stack, name) for name in ("field_scale_arcsec", "splits", "means")},
        layers={"map": stack.layers["map"][:, ::-1]},
        brightness=stack.brightness[:, ::-1],
        valid=stack.valid[:, ::-1],
    )
    turned.write(sample / "turned.npz")
    done = attnxai("compare", "--maps", "turned.npz", *options, cwd=sample)
    refused(done, "does not agree with the image", "upside down")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "there are no maps to compare; give --model or --maps"),
        (["--maps", "a.npz", "--explain", "gates"], "--explain says how maps of a model are made"),
        (["--maps", "a.npz", "--target", "FR I"], "--target says how maps of a model are made"),
        (["--maps", "a.npz"], "file of maps a.npz does not exist"),
        (["--maps", "a.npz", "--maps", "a.npz"], "maps a.npz are given twice"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message, tmp_path: Path) -> None:
    done = attnxai("compare", "--annotations", "expert.csv", *options, cwd=tmp_path)
    refused(done, message)
    assert not list(tmp_path.iterdir())


def test_maps_of_arrays_write_the_same_report(sample: Path, without_figures: None) -> None:
    images = images_of(sample)
    maps = maps_from_arrays(images, [image.pixels for image in images], splits="held-out")
    settings = package.ComparisonSettings(metrics=("nss",), n_permutations=199, n_bootstrap=200)
    marks = package.read_annotations(sample / "mine.csv")
    package.compare(maps, marks, images, settings=settings).write_report(sample / "r")
    page = (sample / "r" / "index.html").read_text(encoding="utf-8")
    assert "<dt>Maps</dt><dd>maps: a field of 160 × 160 pixels of 1.8 arcsec<br>" in page
    assert "without their network: audits that need it are missing" in page
    assert "None" not in page
