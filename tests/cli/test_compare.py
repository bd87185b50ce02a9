"""``attnxai compare`` as a user meets it: the shipped sample, own files, and everything that can be wrong."""

from __future__ import annotations

import csv
import inspect
import json
import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from astropy.io import fits

from attnxai.annotations.sample import sample_folder
from attnxai.models.zoo import shipped_models
from tests.cli.program import attnxai, refused

QUICK = ["--n-permutations", "199", "--n-bootstrap", "200"]


@pytest.fixture
def without_figures(monkeypatch):
    """Reports of numbers and words alone, for tests that look at nothing else."""
    monkeypatch.setattr("attnxai.report.document._drawers", lambda *_: [])


@pytest.fixture
def sample(tmp_path):
    """A folder of one's own with a few sources of the sample and their table."""
    return made_sample(tmp_path)


def made_sample(tmp_path):
    source = sample_folder()
    names = [f"simulated_fr{c}_{i:02d}" for c in (1, 2) for i in range(1, 6)]
    (tmp_path / "images").mkdir()
    for name in names:
        shutil.copy(source / "images" / f"{name}.fits.gz", tmp_path / "images")
    with open(source / "expert.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] in names]
    write_table(tmp_path / "mine.csv", rows)
    return tmp_path


def read_table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_table(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_the_command_of_the_readme_in_any_folder(tmp_path):
    done = attnxai(
        "compare", "--model", "d8.pt", "--annotations", "expert.csv", cwd=tmp_path, check=0
    )
    assert "d8.pt is no local file: using the model that ships" in done.stderr
    assert "expert.csv is no local file: using the simulated sample" in done.stderr
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

    from attnxai.data.images import read_image
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
    from attnxai.data.images import read_image
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
    assert "smallest p-value that could come out is 0.5" in notes
    summary = json.loads((sample / "out" / "summary.json").read_text(encoding="utf-8"))
    assert "too few" in summary["verdict"]["headline"]
    assert {s["finding"] for s in summary["models"][0]["verdict"]["statements"]} == {"inconclusive"}


BAD_TABLES = {
    "missing": (None, ["'nowhere.csv' does not exist"]),
    "empty": ("", ["is empty"]),
    "no columns": (
        "a,b\n1,2\n",
        ["no reader recognises", "needs the columns source, annotator, shape and label"],
    ),
    "binary": (b"\x89PNG\xff\xfe\x00", ["of an unknown kind that no reader recognises"]),
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
    rows[4]["label"] = "nucleus"
    rows[7]["weight"] = "2"
    write_table(sample / "bad.csv", rows)
    done = attnxai("compare", "--model", "d8.pt", "--annotations", "bad.csv", cwd=sample)
    refused(
        done,
        "3 of",
        "line 2, column radius: '-3' - a length above 0",
        "line 6, column label: 'nucleus' - one of core",
        "line 9, column weight: '2' - a number from 0 to 1",
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
        ("text", "no PyTorch checkpoint"),
        ("truncated", "is truncated"),
        ("code", "would have to run code"),
        ("pickle", "no PyTorch checkpoint"),
        ("other network", "neither a model of attnxai nor a published attention network"),
        ("incomplete", "lacks its preprocessing"),
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
        values = values[:40, :40]
    elif kind == "no wcs":
        header = fits.Header()
    path.unlink()
    fits.PrimaryHDU(values, header).writeto(path)


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("missing", ["simulated_fr1_01.fits.gz does not exist"]),
        (
            "truncated",
            ["simulated_fr1_01.fits.gz cannot be read, its gzip compression is truncated"],
        ),
        ("nan", ["3 of 25600 pixels that are NaN", "--fill-blank"]),
        ("constant", ["is constant (0.25 everywhere)"]),
        ("small", ["40 x 40 pixels", "needs at least 150 x 150", "larger cutout"]),
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
        (["--metric", "SSIM"], "unknown metric ssim; known are auc"),
        (["--label", "nucleus"], "unknown label 'nucleus'"),
        (["--fwhm-arcsec", "0"], "Invalid value for '--fwhm-arcsec'"),
        (["--images", "nowhere"], "neither a file nor a folder"),
        (["--source-weights"], "cannot be weighted"),
        (["--output", "mine.csv"], "is a file"),
        (["--output", "mine.csv/report"], "mine.csv is no folder to write to"),
        (["--null", "shuffle"], "unknown null shuffle; known are "),
        (
            ["--alternative", "more"],
            "unknown alternative 'more'; known are greater, less, two-sided",
        ),
        (
            ["--correction", "bonferroni"],
            "unknown correction 'bonferroni'; known are holm, bh, max_t",
        ),
        (
            ["--strata", "redshift"],
            "sources cannot be stratified by 'redshift': it is no column of the annotation table",
        ),
        (["--model", "d8.pt"], "--model d8.pt is given twice"),
        (["--model", "D8"], "--model d8.pt and --model D8 are the same file"),
    ],
)
def test_bad_options(sample, options, text):
    done = attnxai("compare", "--model", "d8.pt", "--annotations", "mine.csv", *options, cwd=sample)
    refused(done, text)


@pytest.fixture(scope="module")
def two_models(tmp_path_factory):
    """Two models whose files have one name, with everything that can be asked for beside the default."""
    folder = made_sample(tmp_path_factory.mktemp("two"))
    for place, name in (("first", "d8"), ("second", "c1")):
        (folder / place).mkdir()
        shutil.copy(shipped_models()[name], folder / place / "net.pt")
    rows = read_table(folder / "mine.csv")
    for row in rows:
        row["survey"] = "north" if row["source"].endswith(("1", "2", "3")) else "south"
    write_table(folder / "mine.csv", rows)
    done = attnxai(
        "compare", "--model", "first/net.pt", "--model", folder / "second" / "net.pt",
        "--annotations", "mine.csv", "--metric", "nss", "--metric", "AUC", "--null", "symmetries",
        "--strata", "class", "--strata", "survey", "--alternative", "Two-Sided", "--correction", "max-t",
        "--output", "out", *QUICK, cwd=folder, check=0,
    )  # fmt: skip
    return folder, done


def test_two_models_are_reported_and_compared(two_models):
    folder, done = two_models
    summary = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    names = ["first/net.pt", "second/net.pt"]
    assert [model["name"] for model in summary["models"]] == names
    assert [model["group"] for model in summary["models"]] == ["D8", "C1"]
    assert [model["sources"]["n"] for model in summary["models"]] == [10, 10]
    assert [c["metric"] for c in summary["contrasts"]] == ["nss", "auc"]
    for contrasts in summary["contrasts"]:
        assert contrasts["models"] == names
        assert len(contrasts["contrasts"]) == 4
    assert len(summary["verdict"]["contrasts"]) >= 2
    shown = " ".join(done.stdout.split())
    assert summary["verdict"]["headline"] in shown
    assert "first/net.pt: 10 held-out sources" in shown
    for name in ("index.html", "per_source.csv", "agreement.tex"):
        assert (folder / "out" / name).is_file()
    figures = {path.stem for path in (folder / "out" / "figures").iterdir()}
    assert {"agreement", "contrasts", "classes-1", "classes-2", "nulls-1", "sources-2"} <= figures
    tables = (folder / "out" / "agreement.tex").read_text(encoding="utf-8")
    assert tables.count("\\begin{tabular}") == 3
    assert {row["model"] for row in read_table(folder / "out" / "per_source.csv")} == set(names)


def test_what_is_asked_for_is_done(two_models):
    folder, _ = two_models
    summary = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    settings = summary["settings"]
    assert settings["nulls"] == ["symmetries"]
    assert settings["strata"] == ["class", "survey"]
    assert settings["alternative"] == "two-sided"
    assert settings["correction"] == "max_t"
    rows = [r for m in summary["models"] for r in m["results"] if not r["is_baseline"]]
    main = [r for r in rows if r["class"] == "all"]
    # three and two of each class lie in the north and the south
    assert {r["p_smallest_within_strata"] for r in main} == {2 / (6 * 2 * 6 * 2)}
    assert {r["n_family"] for r in main} == {8}
    assert all(r["p_adjusted"] >= r["p_within_strata"] for r in main)
    assert {f["null"] for r in main for f in r["further"]} == {"symmetries"}
    page = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "adjusted by max-T over the 8 maps" in page
    assert "sources of the same class and survey" in page
    assert {row["stratum"] for row in read_table(folder / "out" / "per_source.csv")} == {
        f"{c} / {s}" for c in ("FR I", "FR II") for s in ("north", "south")
    }


def test_a_report_of_two_models_is_a_pilot_of_either(two_models):
    folder, _ = two_models
    plan = [
        "plan",
        "--pilot",
        "out",
        "--effect",
        "1",
        "--n-sources",
        "20,200",
        "--n-annotators",
        "3",
    ]
    first = " ".join(attnxai(*plan, cwd=folder, check=0).stdout.split())
    start = "Pilot: {}, mean, NSS, 10 held-out sources, 3 annotators "
    assert first.startswith(start.format("first/net.pt"))
    second = attnxai(*plan, "--model", "second/net.pt", cwd=folder, check=0).stdout
    second = " ".join(second.split())
    assert second.startswith(start.format("second/net.pt"))
    assert first.split("annotators", 1)[1] != second.split("annotators", 1)[1]
    refused(
        attnxai(*plan, "--model", "d8.pt", cwd=folder), "d8.pt", "first/net.pt", "second/net.pt"
    )


def test_models_that_know_different_sources_are_reported_but_not_compared(tmp_path, monkeypatch):
    """One was trained on what is held out for the other: each has its verdict, and a caution says the rest."""
    from attnxai.cli import compare as module
    from attnxai.errors import AssumptionWarning
    from attnxai.explanations import inputs

    folder = made_sample(tmp_path)
    monkeypatch.chdir(folder)
    splits_by_result = iter([inputs.Split.TRAINING] * 10 + [inputs.Split.HELD_OUT] * 10)
    monkeypatch.setattr(inputs, "split_of", lambda *_: next(splits_by_result))
    written = {}
    monkeypatch.setattr(
        "attnxai.report.document.write_report",
        lambda content, _, **given: written.update(content=content, **given) or stop(),
    )
    with (
        pytest.warns(AssumptionWarning, match="not compared with each other: none of the 10"),
        pytest.raises(Stopped),
    ):
        inspect.unwrap(module.compare)(
            model=["d8.pt", "c1.pt"], annotations="mine.csv", metric=["nss"], n_permutations=99,
            n_bootstrap=100,
        )  # fmt: skip
    content = written["content"]
    assert [result.verdict_group for result in content.results] == ["training", "held-out"]
    assert content.contrasts == ()
    assert any("the models are not compared with each other" in note for note in written["notes"])


class Stopped(Exception):
    """The report that would be written is at hand."""


def stop():
    raise Stopped


def test_mirabest_that_is_not_there(sample, without_data, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(sample / "cache"))
    done = attnxai(
        "compare", "--model", "d8.pt", "--annotations", "mine.csv", "--images", "mirabest",
        cwd=sample,
    )  # fmt: skip
    refused(done, "MiraBest was not found", "--data-dir", "attnxai data fetch mirabest")


def test_help_and_version(tmp_path):
    assert "compare" in attnxai("--help", cwd=tmp_path, check=0).stdout
    assert attnxai("--version", cwd=tmp_path, check=0).stdout.startswith("attnxai 0.")


def test_models_info_and_list(tmp_path):
    text = attnxai("models", "info", "--model", "d8.pt", cwd=tmp_path, check=0).stdout
    for expected in ("D8", "equivariant attention", "CC BY 4.0", "sha256", "validation accuracy"):
        assert expected in text
    listed = attnxai("models", "list", cwd=tmp_path, check=0).stdout
    assert {"d8.pt", "c1.pt"} <= set(listed.split())
    refused(attnxai("models", "info", "--model", "no.pt", cwd=tmp_path), "neither a file nor")


def test_shipped_models_say_what_a_referee_asks():
    from attnxai.models.checkpoints import read_checkpoint_file
    from attnxai.models.model import TrainingRecord

    for name, path in shipped_models().items():
        record = TrainingRecord.from_dict(read_checkpoint_file(path)[0]["training"])
        assert record.data_licence == "CC BY 4.0"
        assert len(record.data_sha256) == 64
        assert not set(record.train_sources) & set(record.validation_sources)
        assert record.metrics["validation_accuracy"] >= 0.8, name
        assert record.command.startswith("attnxai train ")
        assert path.stat().st_size < 3e6


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
