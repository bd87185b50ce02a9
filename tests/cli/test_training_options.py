"""What the options of training describe, for both commands that have them."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from pathlib import Path

import pytest

from attnxai.cli.console import typed_command
from attnxai.cli.study import study
from attnxai.cli.train import train
from attnxai.cli.training_options import (
    PrecisionChoice,
    chosen_images,
    chosen_settings,
    chosen_spec,
)
from attnxai.data.classes import Confidence
from attnxai.errors import OptionError
from attnxai.models.specification import (
    Aggregation,
    LayerOrder,
    Normalisation,
    Preset,
    compact_spec,
    paper_spec,
)
from attnxai.study.data import DataRequest
from attnxai.training.settings import Precision, Schedule, TrainingSettings


@pytest.fixture(params=[train, study], ids=["train", "study"])
def given(request):
    """Values of a command's options when they are left out."""
    parameters = inspect.signature(request.param).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters}


def test_what_is_left_out_is_the_default(given):
    given["precision"] = PrecisionChoice.FLOAT32
    assert chosen_settings(given, "cpu") == TrainingSettings()
    assert chosen_images(given) == DataRequest()
    assert chosen_spec(given, "D4", n_classes=2) == compact_spec("D4")


def test_every_option_of_training_is_heeded(given):
    wanted = TrainingSettings(
        epochs=3,
        batch_size=5,
        learning_rate=0.1,
        schedule=Schedule.CONSTANT,
        weight_decay=0.2,
        weight_average=0.3,
        patience=4,
        rotate=False,
        reflect=False,
        scale=2.0,
        shift=1.5,
        precision=Precision.MIXED,
        seed=6,
    )
    values = dataclasses.asdict(wanted)
    # or this test would not see that one is forgotten
    assert [
        name for name, value in values.items() if value == getattr(TrainingSettings(), name)
    ] == ["validation_share", "random_labels"]
    options = {name: value for name, value in values.items() if name in given}
    options["precision"] = PrecisionChoice.MIXED
    assert chosen_settings(given | options, "cpu", seed=6) == wanted
    control = chosen_settings(given | options | {"patience": 0}, "cpu", seed=6, random_labels=True)
    assert control == dataclasses.replace(wanted, patience=0, random_labels=True)


def test_every_option_of_images_is_heeded(given):
    wanted = DataRequest(
        images="folder",
        data_dir="data",
        labels="labels.csv",
        confidence=Confidence.CONFIDENT,
        hybrids=True,
        pixel_scale_arcsec=1.8,
        fill_blank=True,
        prepared=True,
        hdu="SCI",
        plane="2",
        pad=True,
        match_beam=True,
        citation="me (2026)",
        licence="CC0",
        hold_out="marks.csv",
    )
    values = {field.name: getattr(wanted, field.name) for field in dataclasses.fields(wanted)}
    assert not [name for name, value in values.items() if value == getattr(DataRequest(), name)]
    for name in ("data_dir", "labels", "hold_out"):
        values[name] = Path(values[name])
    assert chosen_images(given | values) == wanted


def test_networks(given):
    given |= {"preset": Preset.PAPER, "normalisation": Normalisation.SOFTMAX}
    plain = paper_spec("C4", normalisation=Normalisation.SOFTMAX, n_classes=3)
    assert chosen_spec(given, "C4", n_classes=3) == plain
    given["published_form"] = True
    published = chosen_spec(given, "C4", n_classes=2)
    assert published == paper_spec("C4", published_form=True, normalisation=Normalisation.SOFTMAX)
    given |= {
        "published_form": False,
        "layer_order": LayerOrder.CONV_NORM_RELU,
        "aggregation": Aggregation.MEAN,
        "binning": 2,
    }
    changed = chosen_spec(given, "C4", n_classes=2)
    assert (changed.layer_order, changed.aggregation, changed.binning) == (
        LayerOrder.CONV_NORM_RELU,
        Aggregation.MEAN,
        2,
    )
    given |= {"published_form": True, "preset": Preset.COMPACT}
    with pytest.raises(OptionError, match="--published-form belongs to --preset paper"):
        chosen_spec(given, "C4", n_classes=2)


def test_a_command_can_be_typed_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/attnxai", "train", "--output", "my model.pt"])
    assert typed_command() == "attnxai train --output 'my model.pt'"
