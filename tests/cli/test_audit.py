"""``attnxai audit``: its folder, the classes that it takes, what can be wrong, and joining it to a report."""

from __future__ import annotations

import csv
import json

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


def test_the_smallest_island_of_emission_can_be_chosen(model_file, images, tmp_path) -> None:
    run(model_file, images, tmp_path / "out", "--only", FIRST, "--min-island-pixels", 1)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["audits"][FIRST]["min_island_pixels"] == 1


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
