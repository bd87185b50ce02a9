"""``attnxai audit``: its folder, the classes that it takes, what can be wrong, and joining it to a report."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from attnxai.audit import AUDITS
from attnxai.audit.folder import read_audit
from attnxai.errors import OptionError
from attnxai.models.checkpoints import save_model
from tests.cli.program import attnxai
from tests.models.builders import make_model

FIRST = "evidence_location"


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "small.pt"
    save_model(make_model(side=32, group="C4"), path)
    return path


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "cutouts"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = [("source", "class")]
    for i in range(10):
        pixels = np.zeros((40, 40), np.uint8)
        row, column = rng.integers(8, 28, 2)
        pixels[row : row + 4, column : column + 3] = rng.integers(90, 250, (4, 3))
        Image.fromarray(pixels).save(folder / f"g{i}.png")
        rows.append((f"g{i}", ("class 0", "class 1")[i % 2]))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


def run(model, images, folder, *options, code=0):
    return attnxai(
        "audit",
        "--model",
        model,
        "--images",
        images,
        "--pixel-scale-arcsec",
        1.8,
        "-o",
        folder,
        *options,
        check=code,
    ).words


def test_the_folder_holds_the_page_and_the_numbers(model_file, images, tmp_path) -> None:
    shown = run(model_file, images, tmp_path / "out", "--only", FIRST)
    assert "Where does the evidence come from?" in shown
    assert "Audit: " in shown
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert (summary["format"], summary["images"]["n"]) == ("attnxai-audit", 10)
    found = summary["audits"][FIRST]
    assert found["classes"] == {"class 0": 5, "class 1": 5}
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    for line in found["summary"]:
        assert line in page
    assert found["min_island_pixels"] == 5
    assert (tmp_path / "out" / "figures" / f"{FIRST}.pdf").is_file()
    assert (tmp_path / "out" / "audit.csv").read_text(encoding="utf-8").startswith("audit,")


@pytest.mark.usefixtures("undrawn")
def test_the_smallest_island_of_emission_can_be_chosen(model_file, images, tmp_path) -> None:
    run(model_file, images, tmp_path / "out", "--only", FIRST, "--min-island-pixels", 1)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["audits"][FIRST]["min_island_pixels"] == 1


def make_maps(model_file, images, path, *explain):
    attnxai(
        "maps", "--model", model_file, "--images", images, "--pixel-scale-arcsec", 1.8, "--output", path,
        *(word for name in explain for word in ("--explain", name)), check=0,
    )  # fmt: skip
    return path


@pytest.mark.usefixtures("undrawn")
def test_maps_from_a_store_are_audited_instead(model_file, images, tmp_path) -> None:
    (images / "torn.png").write_bytes(b"\x89PNG")  # which the store lists with a reason
    maps = make_maps(model_file, images, tmp_path / "maps.zarr", "gates", "saliency")
    only = ("--only", FIRST, "--only", "map_agreement")
    shown = run(model_file, images, tmp_path / "out", "--maps", maps, *only)
    assert "1 of 11 images has no maps and is left out: torn" in shown
    maps_line = (
        "Maps: attention maps and saliency maps (gate1, gate2, gate3 and saliency) from the file maps.zarr. 1 image has no "
        "maps."
    )
    assert maps_line in shown
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["images"]["n"] == 10
    assert summary["maps"]["explanations"] == ["gates", "saliency"]
    assert (summary["maps"]["file"], summary["maps"]["n_without_maps"]) == ("maps.zarr", 1)
    assert summary["audits"][FIRST]["classes"] == {"class 0": 5, "class 1": 5}
    located = {one["map"]: one for one in summary["audits"][FIRST]["maps"]}
    assert list(located) == ["gate1", "gate2", "gate3", "saliency", "mean"]
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert maps_line in page
    assert summary["maps"]["sha256"] in page
    # the network itself is audited as without maps
    (images / "torn.png").unlink()
    run(model_file, images, tmp_path / "own", "--only", FIRST)
    own = json.loads((tmp_path / "own" / "summary.json").read_text(encoding="utf-8"))
    assert own["maps"] == {"given": False, "explanations": ["gates"]}
    assert own["audits"][FIRST]["zones"] == summary["audits"][FIRST]["zones"]
    assert all(one == located[one["map"]] for one in own["audits"][FIRST]["maps"])


@pytest.mark.usefixtures("undrawn")
def test_images_may_lie_in_one_file(model_file, images, tmp_path) -> None:
    pixels = np.stack([np.asarray(Image.open(images / f"g{i}.png")) for i in range(10)])
    np.save(tmp_path / "cutouts.npy", pixels)
    labels = tmp_path / "classes.csv"
    rows = [f"cutouts_{i},class {i % 2}" for i in range(10)]
    labels.write_text("\n".join(["source,class", *rows]), encoding="utf-8")
    only = ("--only", FIRST)
    run(model_file, tmp_path / "cutouts.npy", tmp_path / "file", "--labels", labels, *only)
    run(model_file, images, tmp_path / "folder", *only)
    of_file, of_folder = (
        json.loads((tmp_path / name / "summary.json").read_text(encoding="utf-8"))["audits"][FIRST]
        for name in ("file", "folder")
    )
    assert of_file == of_folder


@pytest.mark.usefixtures("undrawn")
def test_maps_in_another_format_are_read_as_well(model_file, images, tmp_path) -> None:
    (images / "labels.csv").unlink()
    maps = make_maps(model_file, images, tmp_path / "maps.npz")
    shown = run(model_file, images, tmp_path / "out", "--maps", maps, "--only", "map_agreement")
    assert "Maps: attention maps (gate1, gate2 and gate3) from the file maps.npz." in shown
    arrays: Any = {f"g{i}": np.random.default_rng(i).random((40, 40)) for i in range(10)}
    np.savez(tmp_path / "theirs.npz", **arrays)
    shown = run(
        model_file, images, tmp_path / "other", "--maps", tmp_path / "theirs.npz", "--only", "map_agreement",
        code=2,
    )  # fmt: skip
    assert "lie on a field of 40 x 40 pixels, and the model tiny sees 32 x 32" in shown


def test_maps_of_another_model_are_refused(model_file, images, tmp_path) -> None:
    maps = make_maps(model_file, images, tmp_path / "maps.zarr")
    other = tmp_path / "other.pt"
    save_model(make_model(side=32, group="C8"), other)
    shown = run(other, images, tmp_path / "out", "--maps", maps, "--only", FIRST, code=2)
    assert "the maps in maps.zarr are of the model small.pt with sha256" in shown
    assert "give the model that made the maps, or maps of this model" in shown
    shown = run(model_file, images, tmp_path / "out", "--maps", maps, "--only", "rotations", code=2)
    assert "rotations would not use them; leave the maps out" in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_all_audits_stand_on_one_page(model_file, images, tmp_path) -> None:
    run(model_file, images, tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert list(summary["audits"]) == list(AUDITS)
    for name, audit in AUDITS.items():
        assert audit.title in page
        assert summary["audits"][name]["summary"]
    assert list((tmp_path / "out" / "figures").glob("faithfulness*.pdf"))


def test_without_labels_the_classes_are_not_known(model_file, images, tmp_path) -> None:
    (images / "labels.csv").unlink()
    shown = run(model_file, images, tmp_path / "out", "--only", FIRST)
    assert "their classes are not known" in shown
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["passes"] is None


def test_an_unknown_audit_is_refused(model_file, images, tmp_path) -> None:
    shown = run(model_file, images, tmp_path / "out", "--only", "evidence", code=2)
    assert "unknown audit 'evidence'" in shown
    assert not (tmp_path / "out").exists()


def test_a_folder_is_joined_to_the_model_with_its_hash(tmp_path) -> None:
    folder = tmp_path / "audited"
    with pytest.raises(OptionError, match=r"holds no summary\.json; give full, or a folder"):
        read_audit(folder, {"a.pt": "12"})
    folder.mkdir()
    record = {
        "format": "attnxai-audit",
        "format_version": 1,
        "model": {"name": "A", "sha256": "12"},
        "audits": {"faithfulness": {"title": "T", "passes": False, "summary": ["S"], "n": 3}},
    }
    (folder / "summary.json").write_text(json.dumps(record), encoding="utf-8")
    name, found = read_audit(folder, {"b.pt": "34", "a.pt": "12"})
    assert name == "a.pt"
    assert found["faithfulness"] == {"title": "T", "passes": False, "summary": ["S"], "n": 3}
    with pytest.raises(OptionError, match=r"sha256 12, which is none of b\.pt; audit the model"):
        read_audit(folder, {"b.pt": "34"})
    for broken in (
        "[]",
        "{",
        '{"format": "attnxai-report", "model": {"sha256": "12"}, "audits": {}}',
    ):
        (folder / "summary.json").write_text(broken, encoding="utf-8")
        with pytest.raises(OptionError, match="is not the summary of an audit"):
            read_audit(folder, {"a.pt": "12"})
