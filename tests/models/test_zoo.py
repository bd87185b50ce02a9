"""Names of models."""

from __future__ import annotations

import pytest

from attnxai.errors import CheckpointError
from attnxai.models import zoo
from attnxai.models.checkpoints import load_model, save_model
from tests.models.builders import assert_one_sentence, make_model


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A package whose folder of shipped models holds d8.pt and c1.pt."""
    folder = tmp_path / "package" / "models" / "shipped"
    save_model(make_model(group="C4"), folder / "d8.pt")
    save_model(make_model(group="C1"), folder / "c1.pt")
    monkeypatch.setattr(zoo.resources, "files", lambda package: tmp_path / "package")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


@pytest.mark.parametrize("name", ["d8", "D8", "d8.pt", "D8.PT"])
def test_a_name_gives_the_shipped_model(shipped, name) -> None:
    resolved = zoo.resolve_model(name)
    assert resolved == zoo.ResolvedModel(path=str(shipped / "d8.pt"), shipped=True)
    assert load_model(name).spec.group == "C4"


def test_a_local_file_wins(shipped, tmp_path) -> None:
    save_model(make_model(group="D2"), tmp_path / "work" / "d8.pt")
    assert zoo.resolve_model("d8.pt") == zoo.ResolvedModel(path="d8.pt", shipped=False)
    assert load_model("d8.pt").spec.group == "D2"
    assert zoo.resolve_model("d8").shipped


def test_shipped_models_are_listed_by_name(shipped) -> None:
    assert list(zoo.shipped_models()) == ["c1", "d8"]


@pytest.mark.parametrize("name", ["d4.pt", "./d8.pt", "elsewhere/d8.pt", "", "d8.pth"])
def test_anything_else_names_what_ships(shipped, name) -> None:
    with pytest.raises(CheckpointError) as caught:
        zoo.resolve_model(name)
    assert_one_sentence(caught.value, names=repr(name))
    assert "c1, d8" in str(caught.value)


def test_a_build_without_models_says_so(shipped) -> None:
    for file in shipped.glob("*.pt"):
        file.unlink()
    with pytest.raises(CheckpointError, match="none ship with this build"):
        zoo.resolve_model("d8")
