"""A result carries what its page shows, so that the page from Python is the page of the command."""

from __future__ import annotations

import dataclasses
import html
import warnings

import pytest

import attnxai
from attnxai.errors import OptionError
from attnxai.report.content import ReportContent
from attnxai.report.shown_maps import shown_explanation
from attnxai.report.source_table import source_rows
from tests.builders import made_up

QUICK = attnxai.ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)


pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def compared():
    maps, marks, images = made_up(n_sources=9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return attnxai.compare(maps, marks, images, settings=QUICK, rng=3)


def test_a_result_writes_its_page(compared, tmp_path):
    page = compared.write_report(tmp_path / "out", images_name="made-up images")
    assert page == tmp_path / "out" / "index.html"
    text = page.read_text(encoding="utf-8")
    assert "Made from Python, by <code>attnxai.compare</code>." in text
    assert "made-up images" in text
    assert "<dt>Seed</dt><dd>3</dd>" in text


def test_the_page_cites_the_methods_and_can_show_a_map_of_each(compared, tmp_path):
    data = compared.data
    explained = [
        {
            "name": name,
            "title": name,
            "references": [f"Author 2020 for {name}", "<b>Tools</b> 2021"],
        }
        for name in ("one", "two")
    ]
    maps = dataclasses.replace(
        data.maps, provenance={**data.maps.provenance, "explanations": explained}
    )
    result = dataclasses.replace(compared, data=dataclasses.replace(data, maps=maps))
    text = result.write_report(tmp_path / "out", images_name="").read_text(encoding="utf-8")
    cited = "<li>Author 2020 for one</li>\n<li>&lt;b&gt;Tools&lt;/b&gt; 2021</li>\n<li>Author 2020 for two</li>"
    assert cited in text
    assert "<dt>Images</dt><dd>9 images; " in text


def test_panels_have_contours_and_picture_of_every_map():
    maps, marks, images = made_up(n_sources=9)
    names = {"gate1": "gradcam", "gate2": "<cam>"}
    maps = dataclasses.replace(
        maps,
        layers={names[name]: values for name, values in maps.layers.items()},
        geometry={names[name]: place for name, place in maps.geometry.items()},
        means={},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = attnxai.compare(maps, marks, images, settings=QUICK)
    content = ReportContent.of(result)
    first = shown_explanation(result)
    (second,) = set(names.values()) - {first}
    for row in source_rows(content):
        (panel,) = row["panels"]
        for name, hidden in ((first, ""), (second, " hidden")):
            group = f'<g class="attention" data-map="{html.escape(name)}"{hidden}>'
            assert panel["svg"].count(group) == 2
            assert f"{group}<path" in panel["svg"]
            assert f"{group}<image" in panel["svg"]


def test_a_second_page_is_refused_in_words_of_python(compared, tmp_path):
    compared.write_report(tmp_path)
    with pytest.raises(OptionError) as caught:
        compared.write_report(tmp_path)
    assert str(caught.value) == (
        f"folder {tmp_path} holds a report already; name another folder or pass overwrite=True"
    )
    assert compared.write_report(tmp_path, overwrite=True).is_file()


def test_models_share_a_page_and_are_compared(compared):
    maps, marks, images = made_up(n_sources=9)
    twin = dataclasses.replace(maps, model_name="twin")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = attnxai.compare_models([maps, twin], marks, images, settings=QUICK, rng=3)
    content = ReportContent.of(both, command="a command", notes=["a note"])
    assert [part.name for part in content.parts] == ["made-up", "twin"]
    assert len(content.contrasts) == 1
    assert content.provenance.command == "a command"
    assert "a note" in content.limits()
    # twice as many maps are looked at
    alone = compared.estimate("gate1", "nss")
    first = both.results[0].estimate("gate1", "nss")
    assert (first.n_family, alone.n_family) == (6, 3)
    assert first.test.p_value == alone.test.p_value
    assert "twin" in both.summary()


def test_a_generator_has_no_seed_to_report(compared):
    content = ReportContent.of(
        dataclasses.replace(compared, data=dataclasses.replace(compared.data, seed=None))
    )
    assert content.provenance.seed is None


def test_what_cannot_be_reported_is_named(compared):
    with pytest.raises(OptionError, match="made-up does not carry its maps and images"):
        attnxai.write_report(dataclasses.replace(compared, data=None), "out")
    with pytest.raises(OptionError, match="no result to report"):
        attnxai.write_report([], "out")
    maps, marks, images = made_up(n_sources=9)
    with pytest.raises(OptionError, match="model name 'made-up'"):
        attnxai.compare_models([maps, maps], marks, images, settings=QUICK)
