"""``attnxai compare`` of images from several surveys in one folder."""

from __future__ import annotations

import json

import pytest

from tests.cli.program import attnxai
from tests.cli.samples import QUICK
from tests.cli.surveys import SURVEYS, write_surveys

COMPARE = (
    "compare",
    "--model",
    "c1.pt",
    "--annotations",
    "marks.csv",
    "--images",
    "images",
    *QUICK,
)
pytestmark = pytest.mark.usefixtures("without_figures")


def rows_of(folder):
    summary = json.loads((folder / "attnxai-report" / "summary.json").read_text(encoding="utf-8"))
    (seen,) = summary["images"]["by_survey"]
    assert seen["models"] == ["c1.pt"]
    assert (seen["pixel_scale_arcsec"], seen["beam_arcsec"]) == (1.8, 5.4)
    return {row["survey"]: row for row in seen["surveys"]}, summary["verdict"]["cautions"]


def test_surveys_far_from_the_training_images_are_told(tmp_path):
    write_surveys(tmp_path)
    attnxai(*COMPARE, cwd=tmp_path, check=0)
    rows, cautions = rows_of(tmp_path)
    assert set(rows) == {"NVSS", "ASKAP", "MeerKAT", "VLASS"}
    for (scale, beam, _), name in zip(
        SURVEYS.values(), ("NVSS", "ASKAP", "MeerKAT", "VLASS"), strict=True
    ):
        row = rows[name]
        assert row["n"] == 3
        assert row["pixel_scale_arcsec"]["median"] == pytest.approx(scale)
        assert row["beam_arcsec"]["median"] == pytest.approx(beam)
        assert row["pixels_per_network_pixel"]["median"] == pytest.approx(1.8 / scale)
        assert row["n_far_in_scale"] == (3 if name in ("NVSS", "VLASS") else 0)
        assert row["n_far_in_beam"] == (0 if name == "MeerKAT" else 3)  # 8″ are 1.48 times 5.4″
        assert row["n_mostly_unseen"] == 0
    about = [text for text in cautions if text.startswith("3 images (")]
    assert len(about) == 5
    assert about[0].startswith(
        "3 images (NVSS) have pixels of 15″, larger than those of the network (1.8″) by a factor of 8.3"
    )
    page = (tmp_path / "attnxai-report" / "index.html").read_text(encoding="utf-8")
    assert page.index("Images by survey") > page.index("What was compared")
    for text in about:
        assert text in page


def test_smoothing_padding_and_blanks_are_in_the_table(tmp_path):
    write_surveys(tmp_path, n_each=4, surveys=("meerkat", "vlass"), blank=0.4)
    attnxai(*COMPARE, "--match-beam", "--fill-blank", cwd=tmp_path, check=0)
    rows, cautions = rows_of(tmp_path)
    assert rows["VLASS"]["n_far_in_beam"] == 0
    assert rows["VLASS"]["n_smoothed_to_beam"] == 4
    # the field of 259″ lies in the middle of 300″, whose upper 120″ are blank
    assert rows["VLASS"]["blank_share"]["median"] == pytest.approx((120 - 20.4) / 259.2, abs=0.01)
    assert rows["VLASS"]["n_mostly_unseen"] == 4
    assert any("blank or padded in 4 images (VLASS), up to 3" in text for text in cautions)
