"""Model cards: what they say, their files, and text of strangers in them."""

from __future__ import annotations

import dataclasses
import html
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from attnxai.errors import CheckpointError
from attnxai.models.card_file import card_path, read_card, write_card
from attnxai.models.cards import P_IF_CALIBRATED, measured
from attnxai.report.model_card import code_block, percent
from tests.hostile.harness import EFFORTS, fuzz
from tests.hostile.mutations import damaged
from tests.models.builders import assert_one_sentence
from tests.models.card_builders import make_card, make_part

NASTY = "a|b `c` *d* _e_ [f](javascript:g) <script>h</script> &lt; \\ # ~~i~~ $j$\nk"


def rendered(markdown):
    """What a reader of Markdown that knows tables makes of it."""
    return MarkdownIt("commonmark").enable("table").render(markdown)


def cells_of(markdown):
    """Rows of the tables, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", rendered(markdown), re.DOTALL)
    return [
        [html.unescape(cell) for cell in re.findall(r"<t[hd]>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]


# --- what a card says ------------------------------------------------------------------------------


def test_the_card_says_everything():
    card = make_card()
    text = card.to_markdown()
    assert text.startswith("## d8\n")
    assert make_card().to_markdown(level=3).startswith("### d8\n")
    rows = {row[0]: row[1:] for row in cells_of(text)}
    assert rows["Network"] == ["equivariant attention, D8"]
    assert rows["Parameters"] == ["11,707"]
    assert rows["Data"] == ["Made up & published"]
    assert rows["Licence of the data"] == ["CC BY 4.0"]
    assert rows["Split"] == [
        "80 images trained on, 20 validated on (20 % of each class, drawn with seed 3), 7 held out"
    ]
    assert rows["Settings"] == [
        "epochs 24, learning rate 0.005, schedule cosine, rotate on, reflect off"
    ]
    assert rows["Epoch kept"] == ["21 of 24"]
    assert rows["Temperature"] == ["1.250"]
    assert rows["Notes"] == ["copied from a paper"]
    assert rows["sha256 of the file"] == [card.sha256]
    assert f"```sh\n{card.command}\n```" in text
    assert rows["MiraBest"] == ["validation", "test"]
    assert rows["images"] == ["20", "10"]
    assert rows["images of class FR II"] == ["10", "5"]
    assert rows["accuracy"] == ["0.85 [0.75, 0.95]", "0.80 [0.70, 0.90]"]
    assert rows["log loss"] == ["0.400", "0.400"]
    assert rows["ROC AUC"] == ["–", "–"]


def test_what_is_not_known_is_said():
    card = make_card(
        n_held_out=None, seed=None, settings={}, epoch=None, n_epochs=None, versions={}, command=""
    )
    facts = card.facts()
    assert facts["Split"] == "80 images trained on, 20 validated on, others not known"
    for name in ("Seed", "Settings", "Epoch kept", "Libraries"):
        assert facts[name] == "not recorded"
    assert "```" not in card.to_markdown()
    assert make_card(n_epochs=None).facts()["Epoch kept"] == "21"
    assert "Notes" not in make_card(notes=()).facts()


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, ["95 % intervals", "chosen on the validation images", "fitted to them (see the notes)",
              "neither in training"], []),
        ({"notes": ()}, ["fitted to them, so"], ["see the notes"]),
        ({"temperature": 1.0}, ["chosen on the validation images, so"], ["fitted", "see the notes"]),
        ({"parts": {"validation": make_part()}}, ["chosen on the validation images"], ["test images"]),
        ({"parts": {}}, ["Nothing was measured."], ["intervals", "validation images"]),
    ],
)  # fmt: skip
def test_remarks(changes, said, unsaid):
    card = make_card(**changes)
    for text in said:
        assert text in card.remarks()
    for text in unsaid:
        assert text not in card.remarks()
    assert card.remarks() in card.to_markdown()


def test_one_number():
    card = make_card()
    assert card.measured("validation", "accuracy") == measured(0.85, 0.75, 0.95, 20)
    assert card.measured("validation", "nonsense") is card.measured("nowhere", "accuracy") is None
    assert percent(measured(None)) == "–"
    assert percent(measured(1.0)) == "100.0"


def test_p_values_are_written_as_such():
    part = make_part()
    values = {**part.values, P_IF_CALIBRATED: measured(1e-5)}
    card = make_card(parts={"validation": dataclasses.replace(part, values=values)})
    rows = {row[0]: row[1:] for row in cells_of(card.to_markdown())}
    assert rows[P_IF_CALIBRATED] == ["< 0.0001"]


# --- text of strangers -----------------------------------------------------------------------------


@given(st.text(alphabet="`~\n abc"))
def test_a_block_of_code_ends_where_it_should(text):
    tokens = MarkdownIt("commonmark").parse("\n".join([*code_block(text), "", "after"]))
    assert [token.type for token in tokens][:2] == ["fence", "paragraph_open"]
    assert tokens[0].content.splitlines() == text.splitlines()


def test_names_cannot_break_the_page():
    part = dataclasses.replace(make_part(), n_by_class={NASTY: 4})
    card = make_card(
        name=NASTY,
        class_names=(NASTY, "FR II"),
        data=NASTY,
        data_licence=NASTY,
        command=f"attnxai train --output '{NASTY}\n```\n# x'",
        notes=(NASTY,),
        settings={NASTY: NASTY},
        versions={NASTY: NASTY},
        measured_on=NASTY,
        parts={NASTY: part},
    )
    plain = " ".join(NASTY.split())
    text = card.to_markdown()
    shown = rendered(text)
    assert set(re.findall(r"<(\w+)", shown)) == {
        "h2", "table", "thead", "tbody", "tr", "th", "td", "pre", "code", "p"
    }  # fmt: skip
    assert shown.count("<h2>") == shown.count("<pre>") == 1
    rows = {row[0]: row[1:] for row in cells_of(text)}
    assert rows["Data"] == rows["Notes"] == [plain]
    assert rows["Classes"] == [f"{plain}, FR II"]
    assert rows[plain] == [plain]
    assert rows[f"images of class {plain}"] == ["4"]


# --- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_held_out": None, "seed": None, "epoch": None, "n_epochs": None, "notes": ()},
        {"settings": {}, "versions": {}, "parts": {}},
        {"name": NASTY, "class_names": ("é", "ü"), "pixel_scale_arcsec": 5},
    ],
)
def test_a_card_is_read_as_it_was_written(tmp_path, changes):
    card = make_card(**changes)
    file = tmp_path / "new" / "d8.card.json"
    write_card(card, file)
    assert read_card(file) == card
    assert json.loads(file.read_text(encoding="utf-8"))["format"] == "attnxai-model-card"
    assert list(file.parent.iterdir()) == [file]


def test_the_card_lies_beside_the_model(tmp_path):
    assert card_path(tmp_path / "d8.pt") == tmp_path / "d8.card.json"
    assert card_path(str(tmp_path / "my.model.pt")) == tmp_path / "my.model.card.json"


def test_a_failed_write_leaves_the_old_card(tmp_path):
    file = tmp_path / "d8.card.json"
    write_card(make_card(), file)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_card(make_card(temperature=float("nan")), file)
    assert read_card(file) == make_card()
    assert list(tmp_path.iterdir()) == [file]


FOREIGN = [
    (b"", "is not valid JSON"),
    (b"\x80\x02}q\x00.", "is not valid JSON"),
    (b"{'format': 1}", "is not valid JSON"),
    (b"[" * 200_000, "is not valid JSON"),
    (b"[]", "is not a model card of attnxai"),
    (b'"attnxai-model-card"', "is not a model card of attnxai"),
    (b"{}", "is not a model card of attnxai"),
    (b'{"format": "attnxai-model"}', "is not a model card of attnxai"),
    (b'{"format": "attnxai-model-card"}', "has version None; this attnxai reads version 1"),
    (b'{"format": "attnxai-model-card", "version": 0}', "has version 0; this attnxai reads"),
    (b'{"format": "attnxai-model-card", "version": 2}', "has version 2; this attnxai reads"),
]


@pytest.mark.parametrize(("content", "text"), FOREIGN, ids=range(len(FOREIGN)))
def test_foreign_and_old_files(tmp_path, content, text):
    file = tmp_path / "x.card.json"
    file.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_card(file)
    assert_one_sentence(caught.value, names=file)
    assert text in str(caught.value)


def test_a_missing_card(tmp_path):
    with pytest.raises(CheckpointError, match=r"model card .*d8\.card\.json does not exist"):
        read_card(tmp_path / "d8.card.json")


def without(*path):
    def change(content):
        for name in path[:-1]:
            content = content[name]
        del content[path[-1]]

    return change


def put(value, *path):
    def change(content):
        for name in path[:-1]:
            content = content[name]
        content[path[-1]] = value

    return change


DAMAGES = [
    (without("sha256"), "lacks sha256"),
    (without("parts", "test", "n_images"), "the part test lacks n_images"),
    (without("parts", "test", "values", "accuracy", "low"), "low is missing"),
    (without("parts", "test", "values", "accuracy"), "parts do not have the same metrics"),
    (put("f" * 63, "sha256"), "sha256 is not a hash"),
    (put("F" * 64, "sha256"), "sha256 is not a hash"),
    (put(-1, "n_train"), "n_train of the card should be a whole number from 0 to 1e18, got -1"),
    (put(10**30, "file_bytes"), "file_bytes of the card should be a whole number"),
    (put(5, "name"), "name of the card should be text, got 5"),
    (put("FR I", "class_names"), "class_names of the card should be a list of texts"),
    (
        put({"epochs": [1]}, "settings"),
        "epochs of settings of the card should be a number below 1e18 or text or true",
    ),
    (put({"torch": 2}, "versions"), "torch of versions of the card should be text"),
    (put(0, "temperature"), "temperature should be above 0"),
    (put(float("nan"), "temperature"), "the number NaN is not finite"),
    (put(float("inf"), "level"), "the number Infinity is not finite"),
    (put(10**400, "temperature"), "is damaged"),
    (put([], "parts"), "parts of the card should be a dictionary"),
    (put([], "parts", "test"), "test of parts of the card should be a dictionary"),
    (
        put("x", "parts", "test", "n_by_class", "FR I"),
        "FR I of n_by_class of the part test should be a whole number",
    ),
    (
        put(0.8, "parts", "test", "values", "accuracy"),
        "accuracy of values of the part test should be a dictionary",
    ),
    (
        put("x", "parts", "test", "values", "accuracy", "value"),
        "value of accuracy of values of the part test should be a number",
    ),
    (
        put(float("nan"), "parts", "test", "values", "accuracy", "high"),
        "the number NaN is not finite",
    ),
]


@pytest.mark.parametrize(("damage", "text"), DAMAGES, ids=range(len(DAMAGES)))
def test_damaged_cards(tmp_path, damage, text):
    file = tmp_path / "x.card.json"
    write_card(make_card(), file)
    content = json.loads(file.read_text(encoding="utf-8"))
    damage(content)
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CheckpointError) as caught:
        read_card(file)
    assert text in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.data())
def test_no_change_of_a_value_gets_past_reading_and_showing(tmp_path_factory, data):
    """Whatever a file holds, it is a card that can be shown or one clear error."""
    file = tmp_path_factory.mktemp("card") / "x.card.json"
    write_card(make_card(), file)
    content = json.loads(file.read_text(encoding="utf-8"))
    name = data.draw(st.sampled_from(sorted(set(content) - {"format", "version"})))
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    content[name] = data.draw(
        st.recursive(
            leaves,
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.text(max_size=3), inner, max_size=2)
            ),
            max_leaves=4,
        )
    )
    file.write_text(json.dumps(content), encoding="utf-8")
    try:
        shown = rendered(read_card(file).to_markdown())
    except CheckpointError as error:
        shown = str(error)
    assert str(file) in shown or shown.count("<h2>") == 1


@pytest.mark.parametrize("effort", EFFORTS)
def test_any_card(effort, tmp_path):
    write_card(make_card(), tmp_path / "a.card.json")
    words = [b"null", b"{}", b"[]", b'"\\ud800"', b'"x"', b"[" * 3000, b'"' + b"x" * 5000 + b'"']
    files = damaged([(tmp_path / "a.card.json").read_bytes()], words=words, text=True)
    fuzz(
        lambda path: read_card(path).to_markdown(),
        files,
        file_name="b.card.json",
        examples=150 * effort,
    )
