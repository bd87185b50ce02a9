"""The accuracy on test images comes from the card beside a model's file, if it is the card of that file."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import attnxai
from attnxai.explanations.inputs import model_provenance
from attnxai.models.card_file import card_path, read_card

SHIPPED = Path(attnxai.__file__).parent / "models" / "shipped" / "c1.pt"


def test_the_card_of_the_file_has_the_test_accuracy(tmp_path) -> None:
    model = attnxai.load_model(SHIPPED)
    expected = read_card(card_path(SHIPPED)).parts["test"].values["accuracy"].value
    facts = model_provenance(model)
    assert facts["test_accuracy"] == expected
    assert facts["temperature"] == model.temperature
    assert model.training is not None
    assert facts["validation_accuracy"] == model.training.metrics["validation_accuracy"]
    other = dataclasses.replace(model, sha256="0" * 64)
    assert model_provenance(other)["test_accuracy"] is None
    alone = tmp_path / "c1.pt"
    shutil.copy(SHIPPED, alone)
    model = attnxai.load_model(alone)
    assert model_provenance(model)["test_accuracy"] is None
    card_path(alone).write_text("{", encoding="utf-8")
    assert model_provenance(model)["test_accuracy"] is None
