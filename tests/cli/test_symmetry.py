"""``attnxai models symmetry`` with small models: the table, the file, and what can be wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from attnxai.audit.equivariance import symmetry_errors
from attnxai.audit.readout import field_brightness
from attnxai.data.image_files import read_images
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.elements import elements_outside, group_elements
from attnxai.models.lenet import LeNet, LeNetSpec
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import Architecture
from tests.cli.program import attnxai
from tests.models.builders import make_model


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "small.pt"
    save_model(make_model(side=32, group="D8"), path)
    return path


def run(model, *options, code=0):
    return attnxai("models", "symmetry", "--model", model, *options, check=code, width=120).words


def test_every_element_has_a_row_and_a_sentence_ends_it(model_file) -> None:
    shown = run(model_file, "--n-images", 3)
    assert "tiny: 3 images of 32 x 32 pixels (simulated)" in shown
    assert "The images are simulated galaxies" in shown
    assert "as a share of the size of the scores" in shown
    for element in group_elements(make_model(group="D8").spec.symmetry)[1:]:
        assert element.name in shown
    assert shown.count(" exact ") == 7
    assert shown.count(" approximate ") == 8
    assert "D8 on 32 x 32 pixels: 7 of its elements hold exactly" in shown


def test_the_table_in_the_file_is_what_was_measured(model_file, tmp_path) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :40]
    (tmp_path / "images").mkdir()
    for index in range(3):
        row, column = rng.uniform(12, 28, 2)
        blob = 200 * np.exp(-((y - row) ** 2 + 2 * (x - column) ** 2) / 40)
        np.save(tmp_path / "images" / f"{index}.npy", blob.astype(np.uint8))
    options = ("--images", tmp_path / "images", "--pixel-scale-arcsec", 1.8)
    table = tmp_path / "table.csv"
    shown = run(model_file, *options, "--size", "32,33", "--output", table)
    assert "3 images of 33 x 33 pixels" in shown
    assert "Table:" in shown
    found = pd.read_csv(table)
    assert found["rows"].value_counts().to_dict() == {32: 15, 33: 15}
    model = load_model(model_file)
    images = read_images(tmp_path / "images", pixel_scale_arcsec=1.8)
    elements = group_elements(model.spec.symmetry)[1:]
    assert not elements_outside(model.spec.symmetry)
    for side in (32, 33):
        fields = field_brightness(model, images, side=side)
        expected = symmetry_errors(model, fields, elements=elements).to_frame()
        part = found[found["rows"] == side].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, expected, rtol=1e-9, atol=1e-12)


def test_the_same_seed_gives_the_same_images(model_file, tmp_path) -> None:
    tables = []
    for name, seed in (("a.csv", 4), ("b.csv", 4), ("c.csv", 5)):
        run(model_file, "--n-images", 2, "--seed", seed, "--output", tmp_path / name)
        tables.append((tmp_path / name).read_text(encoding="utf-8"))
    assert tables[0] == tables[1] != tables[2]


def test_a_network_without_symmetry_is_compared_with_what_it_lacks(tmp_path) -> None:
    save_model(make_model(side=32, group="C1"), tmp_path / "c1.pt")
    shown = run(tmp_path / "c1.pt", "--n-images", 2)
    assert shown.count("not built in") == 3 + 1
    assert "none of its elements but the identity holds exactly" in shown


def test_a_network_without_gates_has_a_table_of_scores(tmp_path) -> None:
    spec = LeNetSpec(architecture=Architecture.STEERABLE_LENET, group="C4", side=24)
    model = AttentionModel(
        name="lenet",
        spec=spec,
        network=LeNet(spec, generator=torch.Generator().manual_seed(0)).eval(),
        preprocessing=Preprocessing(size=24),
        class_names=("FR I", "FR II"),
    )
    save_model(model, tmp_path / "lenet.pt")
    shown = run(tmp_path / "lenet.pt", "--n-images", 2)
    assert "gate" not in shown
    assert "270° not built in" in shown


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (["--size", "150x"], ["--size '150x' should be a whole number from 8 to 100,000"]),
        (["--size", "4"], ["--size '4' should be a whole number from 8 to 100,000"]),
        (["--output", "table.txt"], ["--output 'table.txt' should end in .csv"]),
        (["--output", "small.pt/table.csv"], ["--output small.pt is a file; name a folder"]),
        (["--images", "nowhere.fits"], ["image nowhere.fits does not exist"]),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    model_file, monkeypatch, tmp_path, options, texts
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = run(model_file, "--n-images", 2, *options, code=2)
    assert shown.startswith("Error:")
    for text in texts:
        assert text in shown


def test_a_table_is_not_replaced_unless_asked(model_file, tmp_path, monkeypatch) -> None:
    table = tmp_path / "table.csv"
    table.write_text("mine", encoding="utf-8")
    shown = run(model_file, "--n-images", 2, "--output", table, code=2)
    assert "exists already; name another file or add --overwrite" in shown
    assert table.read_text(encoding="utf-8") == "mine"
    run(model_file, "--n-images", 2, "--output", table, "--overwrite")
    assert len(pd.read_csv(table)) == 15
