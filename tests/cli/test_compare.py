"""``attnxai compare`` as a user meets it: the shipped sample, own files, and everything that can be wrong."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from tests.cli.program import attnxai, refused
from tests.cli.samples import QUICK, read_table, write_table


@pytest.mark.slow
def test_the_command_of_the_readme_in_any_folder(tmp_path):
    done = attnxai(
        "compare", "--model", "d8.pt", "--annotations", "expert.csv", cwd=tmp_path, check=0
    )
    assert "d8.pt is not a local file: using the model that ships" in done.stderr
    assert "expert.csv is not a local file: using the simulated sample" in done.stderr
    assert "Report: attnxai-report/index.html" in done.stdout
    summary = json.loads((tmp_path / "attnxai-report" / "summary.json").read_text(encoding="utf-8"))
    assert summary["models"][0]["sources"]["by_class"] == {"FR I": 20, "FR II": 20}
    assert summary["models"][0]["verdict"]["group"] == "held-out"
    assert summary["annotations"]["simulated"]
    assert summary["verdict"]["headline"] in " ".join(done.stdout.split())
    assert summary["command"] == "attnxai compare --model d8.pt --annotations expert.csv"
    page = (tmp_path / "attnxai-report" / "index.html").read_text(encoding="utf-8")
    assert "simulated" in page


def test_same_seed_same_report_and_nothing_is_replaced(sample, without_figures):
    arguments = [
        "compare",
        "--model",
        "d8.pt",
        "--annotations",
        "mine.csv",
        *QUICK,
        "--metric",
        "nss",
    ]
    attnxai(*arguments, cwd=sample, check=0)
    attnxai(*arguments, cwd=sample, check=0)
    first, second = sample / "attnxai-report", sample / "attnxai-report-2"
    for name in ("index.html", "summary.json", "per_source.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    third = attnxai(*arguments, "--output", "attnxai-report", cwd=sample)
    refused(third, "--overwrite")
    attnxai(
        *arguments, "--output", "attnxai-report", "--overwrite", "--seed", "3", cwd=sample, check=0
    )
    assert json.loads((first / "summary.json").read_text(encoding="utf-8"))["seed"] == 3
    assert not list(sample.glob(".*"))


def test_a_folder_of_images_of_other_kinds(sample, without_figures):
    """PNG and NPY images, 8-bit as networks are trained on, beside FITS; ids come from file names."""
    from PIL import Image

    from attnxai.data.image_files import read_image
    from attnxai.models.preprocessing import Preprocessing

    mixed = sample / "mixed"
    mixed.mkdir()
    for index, path in enumerate(sorted((sample / "images").iterdir())):
        image = read_image(path)
        prepared = np.round(Preprocessing().view(image).brightness * 255).astype(np.uint8)
        if index % 3 == 0:
            shutil.copy(path, mixed)
        elif index % 3 == 1:
            Image.fromarray(prepared).save(mixed / f"{image.source}.png")
        else:
            np.save(mixed / f"{image.source}.npy", prepared)
    rows = read_table(sample / "mine.csv")
    circles = []
    for row in rows:
        if row["annotator"] == "simulated_2":
            row.update(x="75", y="75", image="")
            circles.append(row)
    write_table(sample / "pixels.csv", circles)
    done = attnxai(
        "compare", "--model", "d8.pt", "--annotations", "pixels.csv", "--images", "mixed",
        "--output", "out", *QUICK, "--metric", "nss", cwd=sample, check=0,
    )  # fmt: skip
    assert "state no pixel scale" in done.stderr
    page = (sample / "out" / "index.html").read_text(encoding="utf-8")
    assert "state no pixel scale" in page
    assert "6 of 10 were clipped and scaled already" in page
    summary = json.loads((sample / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["models"][0]["sources"]["n"] == 10


@pytest.mark.parametrize("archived", [False, True])
def test_batches_like_those_of_frdeep(sample, archived, without_figures):
    """The ten sources as 8-bit batches, recognised as in training, with classes and split."""
    from attnxai.data.image_files import read_image
    from attnxai.models.preprocessing import Preprocessing
    from tests.data.frdeep_files import write_archive, write_batch

    images = [read_image(path) for path in sorted((sample / "images").iterdir())]
    batches = sample / "batches"
    parts = {"data_batch_1": images[:4], "data_batch_2": images[4:7], "test_batch": images[7:]}
    for name, part in parts.items():
        write_batch(
            batches / name,
            labels=[int("fr2" in image.source) for image in part],
            data=[
                np.round(Preprocessing().view(image).brightness * 255).astype(np.uint8)
                for image in part
            ],
            filenames=[f"{image.source}.png" for image in part],
        )
    rows = [r for r in read_table(sample / "mine.csv") if r["annotator"] == "simulated_1"]
    for row in rows:
        row.update(annotator="me", shape="circle", x="75", y="75", radius="6")
        row.update({"frame": "pixel", "vertices": "", "class": "", "image": ""})
    write_table(sample / "pixels.csv", rows)
    name = "batches"
    if archived:
        name = "batches.tar.gz"
        write_archive(sample / name, batches)
    attnxai(
        "compare", "--model", "d8.pt", "--annotations", "pixels.csv", "--images", name,
        "--pixel-scale-arcsec", "1.8", "--output", "out", *QUICK, "--metric", "nss", cwd=sample, check=0,
    )  # fmt: skip
    summary = json.loads((sample / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["models"][0]["sources"]["by_class"] == {"FR I": 5, "FR II": 5}
    assert summary["images"]["published_split"] == {"train": 7, "test": 3}
    assert summary["images"]["n_prepared"] == summary["images"]["n"] == 10
    assert summary["images"]["name"] == name
    assert {row["source"] for row in read_table(sample / "out" / "per_source.csv")} == {
        image.source for image in images
    }


def test_names_with_brackets_are_printed_as_they_are(sample, without_figures):
    done = attnxai(
        "compare", "--model", "d8.pt", "--annotations", "mine.csv", "--output", "out[red]", *QUICK, "--metric", "nss",
        cwd=sample, check=0,
    )  # fmt: skip
    assert "Report: out[red]/index.html" in done.stdout
    assert (sample / "out[red]" / "index.html").is_file()


def test_few_sources_are_a_result_with_a_warning(sample, without_figures):
    rows = [r for r in read_table(sample / "mine.csv") if r["source"].endswith(("_01", "_02"))]
    write_table(sample / "few.csv", [r for r in rows if r["source"] != "simulated_fr2_02"])
    done = attnxai(
        "compare", "--model", "d8.pt", "--annotations", "few.csv", "--output", "out", *QUICK, "--metric", "nss", cwd=sample, check=0
    )  # fmt: skip
    notes = " ".join(done.stderr.split())
    assert "3 held-out sources are too few for a confidence interval" in notes
    assert "smallest attainable p-value is 0.5" in notes
    summary = json.loads((sample / "out" / "summary.json").read_text(encoding="utf-8"))
    assert "too few" in summary["verdict"]["headline"]
    assert {s["finding"] for s in summary["models"][0]["verdict"]["statements"]} == {"inconclusive"}


def test_help_and_version(tmp_path):
    assert "compare" in attnxai("--help", cwd=tmp_path, check=0).stdout
    assert attnxai("--version", cwd=tmp_path, check=0).stdout.startswith("attnxai 0.")


@pytest.mark.shared_data
@pytest.mark.parametrize("model", ["d8.pt", pytest.param("published", marks=pytest.mark.slow)])
def test_real_galaxies_against_human_component_associations(
    shared_data, tmp_path, model, without_figures
):
    published = shared_data / "published_checkpoints" / "bowles2021_mirabest_ag3_range_norm_ft.pt"
    done = attnxai(
        "compare", "--model", published if model == "published" else model,
        "--annotations", shared_data / "rgz" / "claran_full_catalogue.csv",
        "--images", "mirabest", "--data-dir", shared_data, "--output", "out", *QUICK, "--metric", "nss",
        cwd=tmp_path, check=0,
    )  # fmt: skip
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["models"][0]["sources"]["n"] == 88
    assert summary["models"][0]["sources"]["by_class"] == {"FR I": 54, "FR II": 34}
    assert summary["images"]["published_split"] == {"train": 72, "test": 16}
    marks = summary["annotations"]
    assert marks["n_rows_read"] == 11_836
    assert marks["n_rows_used"] == 88
    assert marks["n_rows_used"] + sum(marks["left_out"].values()) == marks["n_rows_read"]
    assert "fewer than 2 components" in " ".join(marks["left_out"])
    cautions = " ".join(summary["verdict"]["cautions"])
    assert "nothing records where anyone looked" in cautions
    assert "72 of 88" in cautions
    assert "one annotator" in cautions
    expected = {"training": 72, "held-out": 16} if model == "published" else {"held-out": 88}
    assert summary["models"][0]["sources"]["by_group"] == expected
    assert summary["models"][0]["verdict"]["group"] == "held-out"
    assert "associated" in done.stdout
