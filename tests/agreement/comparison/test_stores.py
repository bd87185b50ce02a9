"""Maps in stores are compared without holding all of them, and their numbers are those of maps in memory."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai
from attnxai.agreement.comparison import ComparisonSettings
from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.data.images import SourceSet
from attnxai.errors import AnnotationError, LeftOutWarning, MapFileError
from attnxai.explanations.files import map_chunks, map_store
from attnxai.explanations.stack import MapStack, Split
from tests.builders import made_up

QUICK = ComparisonSettings(metrics=("nss", "auc"), n_permutations=199, n_bootstrap=100)
LARGE = dataclasses.replace(QUICK, most_together=50)
CHUNK = 8

Made = tuple[MapStack, AnnotationSet, SourceSet]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (map_store, map_chunks):
        monkeypatch.setattr(module, "CHUNK", CHUNK)


@pytest.fixture(scope="module")
def made() -> Made:
    stack, annotations, images = made_up(n_sources=90, agreement=0.4, side=24, clip=0.1)
    scores = np.random.default_rng(3).normal(size=(90, 2))
    stack = dataclasses.replace(stack, scores=scores, class_names=("FR I", "FR II"))
    return stack, annotations, SourceSet(images, origin="made up")


@pytest.fixture
def store(made: Made, tmp_path: Path) -> Path:
    made[0].write(tmp_path / "maps.zarr")
    return tmp_path / "maps.zarr"


def texts(result: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The files of a report that hold numbers and words."""
    monkeypatch.setattr("attnxai.report.document._drawers", lambda *_: [])
    attnxai.write_report(result, folder)
    names = ("summary.json", "per_source.csv", "index.html")
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


@pytest.mark.parametrize("settings", [QUICK, LARGE])
def test_the_report_of_a_store_is_that_of_maps_in_memory(
    made: Made,
    store: Path,
    settings: ComparisonSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, annotations, images = made
    maps = attnxai.explanations.read_map_chunks(store)
    within = dataclasses.replace(settings, within="emission")
    held = attnxai.compare(stack, annotations, images, settings=within)
    read = attnxai.compare(maps, annotations, images, settings=within)
    assert (held.settings["n_blocks"] > 1) == (settings is LARGE)
    assert isinstance(read.data.maps, map_chunks.MapChunks) == (settings is LARGE)  # type: ignore[union-attr]
    expected = texts(held, tmp_path / "held", monkeypatch)
    assert texts(read, tmp_path / "read", monkeypatch) == expected
    assert json.loads(expected["summary.json"])["models"][0]["audits"]["evidence_location"]["maps"]


def test_no_more_maps_than_those_of_a_block_are_read_at_a_time(
    made: Made, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = attnxai.explanations.read_map_chunks(store)
    read: list[int] = []

    def take(positions: Any) -> MapStack:
        read.append(len(positions))
        return maps.take(positions)

    monkeypatch.setattr("attnxai.agreement.comparison.shown.N_SHOWN", 20)
    counting = dataclasses.replace(maps, take=take)
    result = attnxai.compare(counting, *made[1:], settings=LARGE)
    texts(result, tmp_path / "report", monkeypatch)
    assert max(read) <= max(LARGE.most_together, 64) < len(maps)


def test_two_stores_are_compared_with_each_other(made: Made, store: Path) -> None:
    stack, annotations, images = made
    other = dataclasses.replace(
        stack,
        model_name="other",
        layers={"gate1": stack.layers["gate2"]},
        geometry={"gate1": stack.geometry["gate2"]},
    )
    maps = attnxai.explanations.read_map_chunks(store)
    mixed, held = (
        attnxai.compare_models([one, other], annotations, images, settings=LARGE)
        for one in (maps, stack)
    )
    for found, expected in zip(mixed.results, held.results, strict=True):
        assert json.dumps(found.to_record()) == json.dumps(expected.to_record())
    assert [c.to_record() for c in mixed.contrasts] == [c.to_record() for c in held.contrasts]


@pytest.mark.parametrize("settings", [QUICK, LARGE])
def test_images_that_show_a_source_again_have_no_second_map(
    made: Made, store: Path, settings: ComparisonSettings
) -> None:
    """The store has a map of each of them; one is kept, with the more cautious split."""
    stack, annotations, images = made
    first, second = stack.sources[0], stack.sources[2]
    twice = SourceSet(
        dataclasses.replace(images[first], source=second) if image.source == second else image
        for image in images
    )
    seen = stack.brightness.copy()
    seen[2] = seen[0]
    splits = (*stack.splits[:2], Split.TRAINING, *stack.splits[3:])
    stack = dataclasses.replace(stack, brightness=seen, splits=splits)
    stack.write(store, overwrite=True)
    maps = attnxai.explanations.read_map_chunks(store)
    with pytest.warns(LeftOutWarning) as caught:
        held, read = (
            attnxai.compare(one, annotations, twice, settings=settings) for one in (stack, maps)
        )
    assert "1 of 90 images shows a source" in str(caught[0].message)
    assert len(read.sources) == 89
    assert read.splits[read.sources.index(first)] == "training"
    assert json.dumps(read.to_record()) == json.dumps(held.to_record())


@pytest.mark.parametrize("settings", [QUICK, LARGE])
def test_annotated_sources_without_maps_are_left_out_with_the_reason(
    made: Made, store: Path, settings: ComparisonSettings
) -> None:
    stack, annotations, images = made
    maps = attnxai.explanations.read_map_chunks(store)
    lost = stack.sources[4:6]
    kept = [source for source in stack.sources if source not in lost]
    some = dataclasses.replace(
        maps.restricted_to(kept), unusable={lost[0]: "it is blank", lost[1]: "it is cut off"}
    )
    with pytest.warns(LeftOutWarning) as caught:
        result = attnxai.compare(some, annotations, images.select(kept), settings=settings)
    text = (
        f"2 of 90 annotated sources are left out: {lost[0]}, made-up has no map of it (it is blank); {lost[1]}, "
        "made-up has no map of it (it is cut off)"
    )
    assert text in [str(one.message) for one in caught]
    assert result.sources == tuple(kept)
    used = result.data.annotations  # type: ignore[union-attr]
    assert f"{text}." in used.notices
    assert used.left_out["the source has no maps"] == 4
    expected = attnxai.compare(
        stack.select(kept), annotations.select(kept), images.select(kept), settings=settings
    )
    assert json.dumps(result.to_record()) == json.dumps(expected.to_record())
    with pytest.raises(AnnotationError, match=re.escape("none of 2 annotated sources can be used")):
        attnxai.compare(some, annotations.select(lost), images, settings=settings)


def test_a_damaged_chunk_is_named(made: Made, store: Path) -> None:
    (store / "gate2" / map_store.file_of_chunk(5)).write_bytes(b"nonsense")
    maps = attnxai.explanations.read_map_chunks(store)
    with pytest.raises(MapFileError, match=r"array gate2 of .*maps\.zarr.* is damaged: its chunk"):
        attnxai.compare(maps, *made[1:], settings=LARGE)
