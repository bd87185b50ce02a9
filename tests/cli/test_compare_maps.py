"""``attnxai compare --maps``: the maps of files, beside models or without any."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai as package
from attnxai.cli.map_files import MapFiles
from attnxai.data.grid import GridTransform
from attnxai.errors import AssumptionWarning, OptionError
from attnxai.explanations.from_arrays import maps_from_arrays
from attnxai.explanations.stack import MapStack
from tests.cli.program import attnxai, refused
from tests.cli.samples import QUICK
from tests.explanations.files.test_map_store import with_unusable


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
    methods = (sample / "r" / "methods.txt").read_text(encoding="utf-8")
    assert " Maps were read from the file cam.npz. " in methods
    page = (sample / "r" / "index.html").read_text(encoding="utf-8")
    assert re.search(r"<dt>Maps</dt><dd>cam.npz: a field of 160 × 160 pixels of 1.8 arcsec", page)
    assert model["maps_sha256"] in page
    assert "Only maps were given, without their network: audits that need it are missing" in page


def test_maps_of_a_field_in_the_middle_of_the_images(sample: Path) -> None:
    """Stated, the maps lie where they were made; else they are stretched, and a note says so."""
    images = images_of(sample)
    crops = {image.source: image.pixels[5:155, 5:155] for image in images}
    np.savez(sample / "crops.npz", **crops)
    (found,) = MapFiles.open([sample / "crops.npz"], [], None, 150).stacks(images)
    assert isinstance(found, MapStack)
    assert found.field_shape == found.layers["map"].shape[1:] == (150, 150)
    assert found.field[0] == GridTransform(origin_x=5.0, origin_y=5.0)
    with pytest.warns(
        AssumptionWarning, match="150 x 150 pixels and the images 160 x 160; .*--field"
    ):
        (stretched,) = MapFiles.open([sample / "crops.npz"], [], None).stacks(images)
    assert isinstance(stretched, MapStack)
    assert stretched.geometry["map"].step == pytest.approx(160 / 150)
    found.write(sample / "own.npz")
    with pytest.raises(OptionError, match="states its field itself; leave --field out"):
        MapFiles.open([sample / "own.npz"], [], None, 150)


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


@pytest.mark.parametrize(
    ("files", "models", "names"),
    [
        (["maps.zarr"], [], ["c1.pt"]),
        (["maps.zarr"], ["c1.pt"], ["maps.zarr"]),  # beside the model itself
        (["maps.zarr"], ["C1"], ["maps.zarr"]),
        (["of_c1.npz"], [], ["c1.pt"]),  # as with --model, whatever the name in the model's file
        (["maps.zarr", "again.npz"], [], ["maps.zarr", "again.npz"]),  # two of one model
        (["maps.zarr", "cam.npz"], ["d8.pt"], ["c1.pt", "cam.npz"]),
        (["unnamed.npz"], [], ["unnamed.npz"]),
        (["posing.npz", "cam.npz"], [], ["posing.npz", "cam.npz"]),  # states the other's name
    ],
)
def test_maps_have_the_name_of_their_model(
    sample: Path, files: list[str], models: list[str], names: list[str]
) -> None:
    images = images_of(sample)
    save_others(sample)
    stack = maps_from_arrays(images, [one.pixels for one in images], splits="held-out")
    stack.write(sample / "unnamed.npz")
    for name, model in (("maps.zarr", "c1.pt"), ("again.npz", "c1.pt"), ("posing.npz", "cam.npz")):
        dataclasses.replace(stack, model_name=model).write(sample / name)
    named = dataclasses.replace(stack, model_name="C1", provenance={"file": "c1.pt"})
    named.write(sample / "of_c1.npz")
    opened = MapFiles.open([sample / name for name in files], models, None)
    assert list(opened.files) == files
    assert list(opened.names.values()) == names
    assert [maps.model_name for maps in opened.stacks(images)] == names
    assert list(opened.hashes) == names


def test_report_names_the_model_of_a_store_and_the_file(
    sample: Path, without_figures: None
) -> None:
    images = images_of(sample)
    stack = maps_from_arrays(images, [one.pixels for one in images], model_name="far.pt")
    stack.write(sample / "maps.zarr")
    done = attnxai(
        *("compare", "--maps", "maps.zarr", "--annotations", "mine.csv", "--images", "images"),
        *("--metric", "nss", *QUICK, "-o", "r"),
        cwd=sample,
        check=0,
    )
    (model,) = summary(sample / "r")["models"]
    assert (model["name"], model["maps_model"]) == ("far.pt", "far.pt")
    assert "far.pt: 10 sources" in done.words
    assert "far.pt" in summary(sample / "r")["verdict"]["headline"]
    methods = (sample / "r" / "methods.txt").read_text(encoding="utf-8")
    assert "We compared the maps of far.pt with " in methods
    assert " Maps were read from the file maps.zarr (of far.pt). " in methods
    page = (sample / "r" / "index.html").read_text(encoding="utf-8")
    assert "<small>maps of far.pt from maps.zarr, sha256 " in page
    assert (
        "Not measured by zone: that takes the network and not its maps alone; attnxai audit --model far.pt --maps "
        "maps.zarr measures it."
    ) in page
    again = attnxai("repeat", "r", "-o", "s", cwd=sample, check=0)
    assert "numbers of summary.json are those of r." in again.words


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
    np.savez(sample / "bright.npz", brightness=list(arrays.values()), sources=images.sources)
    done = attnxai("compare", "--maps", "bright.npz", *options, cwd=sample)
    refused(
        done,
        "the maps 'brightness' of bright.npz have the name of a baseline",
        "give the layer another name, such as 'map of brightness'",
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
        (["--maps", "a.npz", "--audit", "full"], "--audit needs a model, not its maps alone"),
        (["--model", "c1.pt", "--split", "held-out"], "--split is about files of maps"),
        (["--model", "c1.pt", "--field", "150"], "--field is about files of maps"),
        (["--maps", "a.npz"], "file of maps a.npz does not exist"),
        (["--maps", "a.npz", "--maps", "a.npz"], "maps a.npz are given twice"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message, tmp_path: Path) -> None:
    done = attnxai("compare", "--annotations", "expert.csv", *options, cwd=tmp_path)
    refused(done, message)
    assert not list(tmp_path.iterdir())


def test_splits_come_from_a_table_or_hold_for_all(sample: Path, without_figures: None) -> None:
    save_others(sample)
    package.attention_maps(package.load_model("c1.pt"), images_of(sample)).write(sample / "own.npz")
    names = images_of(sample).sources
    rows = [f"{name}.fits,{'train' if i < 3 else 'test'}" for i, name in enumerate(names[:9])]
    (sample / "splits.csv").write_text("\n".join(["image,split", *rows]))
    options = ["--annotations", "mine.csv", "--images", "images", "--metric", "nss", *QUICK]
    done = attnxai(
        *("compare", "--maps", "cam.npz", "--split", "splits.csv", *options, "-o", "r"),
        cwd=sample,
        check=0,
    )
    (model,) = summary(sample / "r")["models"]
    assert model["sources"]["by_group"] == {"held-out": 6, "training": 3, "unknown": 1}
    assert "The verdict rests on the 6 held-out sources" in done.words
    assert "The table of splits for cam.npz lacks 1 source" in (
        sample / "r" / "index.html"
    ).read_text(encoding="utf-8")
    # one for the other program's file: that of attnxai states its own
    both = ["--maps", "cam.npz", "--maps", "own.npz"]
    attnxai("compare", *both, "--split", "training", *options, "-o", "s", cwd=sample, check=0)
    groups = [one["sources"]["by_group"] for one in summary(sample / "s")["models"]]
    assert groups == [{"training": 10}, {"held-out": 10}]
    for given, message in (
        (["own.npz", "--split", "training"], "own.npz states itself how its network used"),
        (
            ["cam.npz", *["--split", "training"] * 2],
            "--split is given 2 times for 1 file of --maps",
        ),
        (
            ["cam.npz", "--split", "other.csv"],
            "names none of 10 sources, such as 'simulated_fr1_01'",
        ),
    ):
        (sample / "other.csv").write_text("source,split\nx,train\n")
        refused(attnxai("compare", "--maps", *given, *options, "-o", "t", cwd=sample), message)


@pytest.mark.slow
def test_maps_alone_need_no_torch(sample: Path) -> None:
    save_others(sample)
    code = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ImportError("torch was imported")
sys.meta_path.insert(0, Blocked())
import attnxai.report.document
from attnxai.cli.main import app
attnxai.report.document._drawers = lambda *_: []
app(standalone_mode=False)
assert "torch" not in sys.modules
"""
    options = ["--annotations", "mine.csv", "--images", "images", "--metric", "nss", *QUICK]
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", "--maps", "cam.npz", *options, "-o", "r"],
        cwd=sample,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert summary(sample / "r")["models"][0]["name"] == "cam.npz"


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


def test_sources_that_a_store_has_no_maps_of_are_left_out_before_their_images_are_read(
    sample: Path, without_figures: None
) -> None:
    """As when an image is damaged, so that neither the network nor the comparison can read it."""
    stack = package.attention_maps(package.load_model("c1.pt"), images_of(sample))
    with_unusable(sample, stack, {3: "it is blank"})
    lost = stack.sources[3]
    (file,) = (sample / "images").glob(f"{lost}.*")
    file.write_bytes(b"nonsense")
    done = attnxai(
        *("compare", "--maps", "maps.zarr", "--annotations", "mine.csv"),
        *("--images", "images", "--metric", "nss", *QUICK, "-o", "r"),
        cwd=sample,
        check=0,
    )
    words = f"1 annotated source is left out: {lost}, maps.zarr has no map of it (it is blank)"
    assert words in " ".join(done.stderr.split())
    found = summary(sample / "r")
    assert f"{words}." in found["annotations"]["notices"]
    assert found["annotations"]["left_out"]["the source has no maps"] > 0
    assert found["models"][0]["sources"]["n"] == 9


@pytest.mark.parametrize("options", [["--split", "training"], ["--field", "150"]])
def test_errors_about_options_come_before_notes_on_images(options: list[str], sample: Path) -> None:
    stack = package.attention_maps(package.load_model("c1.pt"), images_of(sample))
    with_unusable(sample, stack, {3: "it is blank"})
    given = ["compare", "--maps", "maps.zarr", "--annotations", "mine.csv", "--images", "images"]
    done = attnxai(*given, *options, cwd=sample)
    refused(done, f"leave {options[0]} out")
    assert "it is blank" not in done.stderr
    assert "it is blank" in attnxai(*given, *QUICK, "--strata", "none", cwd=sample).stderr
