"""Models that a user's own code makes, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from attnxai.errors import CheckpointError, OptionError
from attnxai.models import MODELS, AttentionModel, load_model, register_model, resolve_model
from attnxai.models.zoo import named_models
from tests.models.builders import make_model
from tests.registries import names_free


@pytest.fixture(autouse=True)
def _own_names() -> Iterator[None]:
    with names_free("mine"):
        yield


def test_a_registered_model_is_made_when_it_is_loaded() -> None:
    calls = []

    @register_model("mine")
    def mine() -> AttentionModel:
        calls.append(1)
        return make_model()

    assert MODELS["mine"] is mine
    found = named_models(["mine", "d8.pt"])
    assert list(found) == ["mine", "d8.pt"]
    assert not found["mine"].shipped
    assert not calls
    assert load_model(found["mine"].path).spec.group == make_model().spec.group
    assert len(calls) == 1


def test_a_file_of_that_name_wins(tmp_path: Any, monkeypatch: Any) -> None:
    register_model("mine")(make_model)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_bytes(b"")
    assert resolve_model("mine").make is None


def test_a_name_that_is_known_already() -> None:
    register_model("mine")(make_model)
    register_model("mine")(make_model)  # as when the cell of a notebook is run again
    with pytest.raises(
        OptionError, match=r"another model called mine is registered by tests\.models\.builders"
    ):
        register_model("mine")(lambda: make_model())
    with pytest.raises(OptionError, match="d8 is the name of a shipped model"):
        register_model("d8")(make_model)
    with pytest.raises(OptionError, match="needs a name that the command line can read"):
        register_model("my net.pt")(make_model)


def test_unknown_names_are_refused_with_those_that_are_registered() -> None:
    register_model("mine")(make_model)
    with pytest.raises(
        CheckpointError,
        match=r"nor one of the shipped models \(.*\) or registered models \(mine\).*mean mine\?",
    ):
        load_model("mime")


def test_a_function_that_fails_is_named_with_its_line() -> None:
    @register_model("mine")
    def mine() -> AttentionModel:
        raise FileNotFoundError("weights.pt")

    with pytest.raises(
        CheckpointError,
        match=r"model mine cannot be made: FileNotFoundError: weights\.pt \(line \d+ of .*test_reg",
    ):
        load_model("mine")

    @register_model("mine")
    def network() -> Any:
        return make_model().network

    with pytest.raises(
        CheckpointError,
        match="model mine has to return a model, such as",
    ):
        load_model("mine")
