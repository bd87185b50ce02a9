"""``attnxai models convert``."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch
from astropy.io import fits

from attnxai.models.checkpoints import load_model, save_model
from tests.cli.program import attnxai
from tests.data.skies import make_wcs
from tests.models.builders import make_model, random_images
from tests.models.published_networks import PublishedCNN, PublishedEquivariant, trained


def convert(model, output, *options):
    return attnxai("models", "convert", "--model", model, "-o", output, *options, width=400)


def info(model):
    return attnxai("models", "info", "--model", model, check=0, width=400).stdout


@pytest.fixture
def published(tmp_path):
    file = tmp_path / "AG3_std_mean_norm.pt"
    torch.save(trained(PublishedCNN, random_images(2, 30)).state_dict(), file)
    return file


def test_a_published_checkpoint_becomes_a_file_of_ours(published, tmp_path) -> None:
    output = tmp_path / "ours.pt"
    done = convert(published, output)
    assert done.returncode == 0, done.words
    before, after = load_model(published), load_model(output)
    assert f"Wrote {output}" in done.words
    assert after.sha256[:12] in done.words
    assert "bases" not in done.words
    images = random_images(2, 30)
    with torch.no_grad():
        torch.testing.assert_close(after.network(images), before.network(images))
    shown = info(output)
    assert "std_mean_norm" in shown
    # a table as narrow as the terminal breaks the note into lines
    assert f"Convertedfrom{published.name}" in re.sub(r"[│\s]", "", shown)
    assert "filter bases" not in shown


def test_bases_that_are_kept_are_said(tmp_path) -> None:
    content = trained(
        lambda: PublishedEquivariant("C4", side=22), random_images(1, 22)
    ).state_dict()
    for name in content:
        if name.startswith("conv1b._basis"):
            content[name] = 2 * content[name]
    torch.save(content, tmp_path / "tanh.pt")
    done = convert(tmp_path / "tanh.pt", tmp_path / "ours.pt")
    assert done.returncode == 0, done.words
    assert "with filter bases of 1 layers" in done.words
    shown = info(tmp_path / "ours.pt")
    assert "taken from the file" in shown


def test_a_temperature_is_shown(tmp_path) -> None:
    save_model(dataclasses.replace(make_model(), temperature=1.25), tmp_path / "warm.pt")
    shown = info(tmp_path / "warm.pt")
    assert "temperature" in shown
    assert "1.25" in shown


def test_positions_of_the_training_are_added(tmp_path) -> None:
    model = make_model()
    for number, source in enumerate("abx"):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16), dtype=np.uint8)
        header = make_wcs((16, 16), centre=(10.0 + number, 30.0)).to_header()
        fits.PrimaryHDU(pixels, header).writeto(tmp_path / f"{source}.fits")
    save_model(model, tmp_path / "old.pt")
    done = convert(tmp_path / "old.pt", tmp_path / "new.pt", "--images", tmp_path)
    assert done.returncode == 0, done.words
    assert "with positions of 2 of 3 sources" in done.words
    record = load_model(tmp_path / "new.pt").training
    assert record is not None
    assert record.train_positions[1] == pytest.approx((11.0, 30.0))
    assert record.validation_positions == (None,)
    refused = convert(tmp_path / "old.pt", tmp_path / "none.pt", "--images", tmp_path / "x.fits")
    assert refused.returncode == 2
    assert "none of the 3 sources that tiny was trained" in refused.words


def test_an_existing_file_is_kept_unless_it_is_to_be_replaced(published, tmp_path) -> None:
    output = tmp_path / "ours.pt"
    save_model(make_model(), output)
    before = output.read_bytes()
    done = convert(published, output)
    assert done.returncode == 2
    assert "add --overwrite" in done.words
    assert output.read_bytes() == before
    assert convert(published, output, "--overwrite").returncode == 0
    assert load_model(output).spec == load_model(published).spec


def test_what_cannot_be_read_ends_with_a_sentence(tmp_path) -> None:
    (tmp_path / "bad.pt").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    done = convert(tmp_path / "bad.pt", tmp_path / "ours.pt")
    assert done.returncode == 2
    assert "is an HDF5 file, as Keras writes them" in done.words
    assert "Traceback" not in done.words
    assert not (tmp_path / "ours.pt").exists()


def test_a_shipped_model_can_be_written_to_a_file(tmp_path) -> None:
    done = convert("c1.pt", tmp_path / "mine.pt")
    assert done.returncode == 0, done.words
    assert load_model(tmp_path / "mine.pt").spec == load_model("c1.pt").spec
