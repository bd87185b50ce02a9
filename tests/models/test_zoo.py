"""The models that ship: their names, their files and their cards."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from attnxai.errors import CheckpointError, OptionError
from attnxai.models import zoo
from attnxai.models.card_file import card_path, write_card
from attnxai.models.cards import ModelCard
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.torch_files import file_sha256, read_checkpoint_file
from attnxai.models.wrapped_network import weights_sha256
from attnxai.report.documentation import with_part, zoo_markdown
from tests.models.builders import GROUPS, assert_one_sentence, make_model
from tests.models.card_builders import make_card, make_part

SHIPPED = zoo.shipped_models()
CARDS = zoo.shipped_cards()
BEGIN, END = "<!-- cards:begin -->", "<!-- cards:end -->"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "zoo.md"
MOST_BYTES = 6_000_000
LEAST_ACCURACY = 0.8
each_model = pytest.mark.parametrize("name", list(SHIPPED))


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


def test_models_are_in_the_order_of_their_groups(shipped) -> None:
    for name in ("c16", "c2", "d16", "d4", "x", "x9y"):
        (shipped / f"{name}.pt").write_bytes(b"")
    assert list(zoo.shipped_models()) == ["c1", "c2", "c16", "d4", "d8", "d16", "x", "x9y"]


def test_cards_are_found_by_name(shipped) -> None:
    assert zoo.shipped_cards() == {}
    write_card(make_card(), shipped / "d8.card.json")
    write_card(make_card(), shipped / "gone.card.json")
    assert zoo.shipped_cards() == {"d8": make_card()}
    (shipped / "c1.card.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"c1\.card\.json is not a model card"):
        zoo.shipped_cards()


# --- the models that ship ---------------------------------------------------------------------------


def test_the_zoo_is_small_and_every_model_has_a_card() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.values()) < MOST_BYTES
    assert list(CARDS) == list(SHIPPED)
    assert set(SHIPPED) == {group.lower() for group in GROUPS}
    files = {file.name for file in next(iter(SHIPPED.values())).parent.iterdir()}
    assert files == {f"{name}{ending}" for name in SHIPPED for ending in (".pt", ".card.json")}


@each_model
def test_a_card_is_that_of_its_file(name) -> None:
    card, file = CARDS[name], SHIPPED[name]
    content, _ = read_checkpoint_file(file)
    record = content["training"]
    assert card.sha256 == file_sha256(file)
    assert card.file_bytes == file.stat().st_size
    assert card.name == name == content["specification"]["group"].lower()
    assert card.group == content["specification"]["group"]
    assert list(card.fields) == list(content["specification"]["fields"])
    # what is not learnt are the statistics of the batch norms
    learnt = [
        tensor
        for key, tensor in content["weights"].items()
        if key.rpartition(".")[2] not in ("running_mean", "running_var", "num_batches_tracked")
    ]
    assert card.n_parameters == sum(tensor.numel() for tensor in learnt)
    assert card.n_train == len(record["train_sources"])
    assert card.n_validation == len(record["validation_sources"])
    assert not set(record["train_sources"]) & set(record["validation_sources"])
    assert card.n_held_out
    assert card.seed == record["settings"]["seed"]
    assert dict(card.settings) == record["settings"]
    assert card.command == record["command"]
    assert card.data_sha256 == record["data_sha256"]
    assert (card.data_licence, card.measured_on) == ("CC BY 4.0", "MiraBest")
    assert card.temperature == content.get("temperature", 1.0)
    assert card.epoch == record["metrics"]["epoch"] + 1
    assert not content.get("bases")


WEIGHTS = {
    "c1": "8bf0ccd294d0", "c2": "d98b5ce70dc1", "c4": "c6ca206a760a", "c8": "b2765ea85cad", "c16": "9c782d383978",
    "d1": "2f5be12b7b48", "d2": "8c7081fc4c38", "d4": "dd888e461428", "d8": "0b0d9d25508a", "d16": "748fc867e983",
}  # fmt: skip
"""Hashes of the weights as they were trained, before the files got the positions of their training sources."""


@each_model
def test_every_file_has_the_weights_that_were_trained_and_positions(name) -> None:
    model = load_model(name)
    assert weights_sha256(model.network).startswith(WEIGHTS[name])
    assert model.training is not None
    # the coordinates of one image were never published
    assert (model.training.n_positions, model.training.n_sources) == (996, 997)


@pytest.mark.shared_data
@each_model
def test_positions_are_those_of_the_table_and_not_of_the_names(name, shared_data) -> None:
    with open(shared_data / "mirabest" / "mirabest_wcs.csv", encoding="utf-8", newline="") as file:
        rows = {row["image"].removesuffix(".png"): row for row in csv.DictReader(file)}
    record = load_model(name).training
    assert record is not None
    far = 0
    for part in ("train", "validation"):
        sources, positions = (
            getattr(record, f"{part}_{what}") for what in ("sources", "positions")
        )
        for source, position in zip(sources, positions, strict=True):
            row = rows.get(source)
            if row is None or not row["crval1"]:
                assert position is None
                continue
            # FK5 and ICRS are 0.02 arcsec apart
            assert position == pytest.approx((float(row["crval1"]), float(row["crval2"])), abs=2e-5)
            far += abs(position[1] - float(source[12:19])) > 3 / 3600
    assert far  # names are off


@each_model
def test_no_model_is_bad_on_its_validation_images(name) -> None:
    card = CARDS[name]
    part = card.parts["validation"]
    accuracy = part.values["accuracy"]
    assert part.n_images == card.n_validation == sum(part.n_by_class.values())
    low, value, high = (getattr(accuracy, end) for end in ("low", "value", "high"))
    assert low < value < high
    assert value >= LEAST_ACCURACY
    # training measures them too, possibly with 16-bit numbers
    content, _ = read_checkpoint_file(SHIPPED[name])
    trained = content["training"]["metrics"]["validation_accuracy"]
    assert value == pytest.approx(trained, abs=2.5 / part.n_images)


@pytest.mark.slow
@pytest.mark.shared_data
def test_a_card_can_be_measured_again(shared_data) -> None:
    import numpy as np

    from attnxai.classification.prediction import class_labels, class_scores
    from attnxai.data.mirabest import read_mirabest

    model = load_model("d8")
    assert model.training is not None
    images = read_mirabest(shared_data).select(model.training.validation_sources)
    scores, labels = class_scores(model, images), class_labels(model, images)
    values = CARDS["d8"].parts["validation"].values
    assert values["accuracy"].value == pytest.approx(np.mean(scores.argmax(axis=1) == labels))
    scaled = scores / model.temperature
    logs = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    loss = -logs[np.arange(len(labels)), labels].mean()
    assert values["log loss"].value == pytest.approx(loss, abs=1e-4)


def with_cards(page: str, cards: Mapping[str, ModelCard]) -> str:
    return with_part(page, "cards", zoo_markdown(cards))


# --- the page ---------------------------------------------------------------------------------------


def test_the_page_shows_the_cards() -> None:
    """``python -m attnxai.report.documentation docs`` writes them anew."""
    page = PAGE.read_text(encoding="utf-8")
    assert with_cards(page, CARDS) == page
    for file in SHIPPED.values():
        assert file_sha256(file) in page
        assert card_path(file).is_file()


def test_the_table_of_the_page() -> None:
    cards = {
        "c1": make_card(name="c1", group="C1", seed=None, parts={"validation": make_part()}),
        "d8": make_card(),
    }
    text = zoo_markdown(cards)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert rows[2] == [
        "c1", "C1", "2, 2, 3, 4", "11,707", "not recorded", "21 of 24", "1.250", "113"
    ]  # fmt: skip
    assert rows[3] == ["d8", "D8", "2, 2, 3, 4", "11,707", "3", "21 of 24", "1.250", "113"]
    assert ["Together 0.23 MB."] in rows
    assert ["Order of layers", "conv, norm, relu"] in rows
    assert not [row for row in rows if row[0] in ("Network", "Seed")]
    # one remark for each distinct one, and a table for each part, of the models that have it
    assert text.count("In brackets: ") == 2
    assert "**Validation** (20 images):" in text
    (validation,), (test,) = (
        [i for i, row in enumerate(rows) if row[0].startswith(f"**{part}**")]
        for part in ("Validation", "Test")
    )
    # of a model that was tested the images by which it was chosen are left to its card
    assert [row[0] for row in rows[validation + 4 : validation + 6]] == ["c1", ""]
    assert rows[test + 4][:2] == ["d8", "0.80 &#91;0.70, 0.90&#93;"]
    assert rows[test + 2] == ["Name", "Accuracy", "ROC AUC"]
    assert rows[-1] == ["d8", "0123456789abcdef" * 4]


def test_what_the_page_says_of_all_cards() -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").replace("\\\n", " ").split())
    command = CARDS["d8"].command
    assert command in page
    for card in CARDS.values():
        own = command.replace("D8", card.group).replace("seed1", f"seed{card.seed}")
        assert card.command == own.replace("--seed 1", f"--seed {card.seed}")
        for part in card.parts.values():
            values = {name: number.value for name, number in part.values.items()}
            assert values["accuracy from emission alone"] == values["accuracy"]
            for zone in ("ring", "empty sky"):
                assert 0.4935 < values[f"ROC AUC from {zone} alone"] < 0.5065


def test_only_what_is_between_the_marks_is_replaced() -> None:
    page = f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    written = with_cards(page, {"d8": make_card()})
    assert written.startswith(f"before\n\n{BEGIN}\n\n| Name")
    assert written.endswith(f"\n{END}\n\nafter\n")
    assert "old" not in written
    assert with_cards(written, {"d8": make_card()}) == written


@pytest.mark.parametrize("page", ["", BEGIN, END + BEGIN, BEGIN + BEGIN + END, BEGIN + END + END])
def test_a_page_without_marks_is_left_alone(page) -> None:
    with pytest.raises(OptionError, match="once and in this order"):
        with_cards(page, {"d8": make_card()})


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["d8.pt"], ["d8.pt"]),
        (["d8", "c1"], ["d8", "c1"]),
        (["a/net.pt", "b/net.pt"], ["a/net.pt", "b/net.pt"]),
        (["x/a/net.pt", "x/b/net.pt", "x/a/c1.pt"], ["a/net.pt", "b/net.pt", "c1.pt"]),
        (["p/a/net.pt", "q/a/net.pt"], ["p/a/net.pt", "q/a/net.pt"]),
        (["net.pt", "a/net.pt"], ["net.pt", "a/net.pt"]),
        (["../net.pt", "net.pt"], ["../net.pt", "net.pt"]),
    ],
)
def test_models_are_told_apart_by_as_much_of_their_paths_as_it_takes(models, names):
    assert zoo.distinct_names(models) == names
    assert zoo.distinct_names(models[::-1]) == names[::-1]


def test_one_file_under_two_names_is_refused(shipped):
    """In a working folder with a file, a link to it and a copy."""
    save_model(make_model(), "net.pt")
    Path("link.pt").symlink_to("net.pt")
    Path("copy.pt").write_bytes(Path("net.pt").read_bytes())
    found = zoo.named_models(["net.pt", "copy.pt", "d8"])
    assert {name: model.shipped for name, model in found.items()} == {
        "net.pt": False,
        "copy.pt": False,
        "d8": True,
    }
    for names, words in (
        (["copy.pt", "net.pt", "link.pt"], r"net\.pt and link\.pt are the same file"),
        (["d8.pt", "D8"], r"d8\.pt and D8 are the same file"),
        (["net.pt", "net.pt"], r"net\.pt is given twice"),
    ):
        with pytest.raises(OptionError, match=words):
            zoo.named_models(names)
    with pytest.raises(CheckpointError, match="is neither a file"):
        zoo.named_models(["net.pt", "nowhere.pt"])
