"""Stores of maps: what others read of them, what is read in parts, and those of earlier versions."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from attnxai.agreement.comparison import blocks
from attnxai.data.grid import GridTransform
from attnxai.errors import AlignmentError, LeftOutWarning, MapFileError, OptionError
from attnxai.explanations.files import map_store
from attnxai.explanations.files.formats import read_map_chunks, read_maps
from attnxai.explanations.files.header import arrays_of, header_of
from attnxai.explanations.files.map_chunks import MapChunks
from attnxai.explanations.files.zarr_arrays import ArrayOfChunks
from attnxai.explanations.stack import MapStack, Split
from tests.explanations.files.skies import stack
from tests.explanations.files.test_formats import check_same


def many(n: int) -> MapStack:
    """Maps of more sources than a chunk has."""
    rng = np.random.default_rng(5)
    return dataclasses.replace(
        stack(1),
        sources=tuple(f"s{i:03d}" for i in range(n)),
        layers={"gate1": rng.random((n, 8, 8), np.float32), "full": rng.random((n, 32, 32), np.float32)},
        geometry={"gate1": GridTransform(step=4.0, origin_x=1.5, origin_y=1.5), "full": GridTransform()},
        field=tuple(GridTransform(origin_x=i / 7) for i in range(n)),
        brightness=rng.random((n, 32, 32), np.float32),
        valid=rng.random((n, 32, 32)) > 0.1,
        splits=(Split.HELD_OUT,) * n,
        scores=rng.normal(size=(n, 2)),
        means={},
    )  # fmt: skip


def with_unusable(folder: Path, written: MapStack, unusable: dict[int, str]) -> Path:
    """A store of which some rows have no maps."""
    n = len(written)
    path = folder / "maps.zarr"
    good = [i for i in range(n) if i not in unusable]
    tables = map_store.StoreTables.blank(written.sources, 2)
    for i in good:
        tables.places[i] = map_store.place_of(written.field[i])
        tables.scores[i] = written.scores[i]  # type: ignore[index]
    tables = dataclasses.replace(
        tables,
        reasons=tuple(unusable.get(i, "") for i in range(n)),
        splits=tuple("" if i in unusable else str(written.splits[i]) for i in range(n)),
    )
    for start in range(0, n, map_store.CHUNK):
        rows = [i for i in good if start <= i < start + map_store.CHUNK]
        if not rows:  # nothing is written of a chunk without maps
            continue
        files = map_store.encoded_chunk(written.take(rows), [i - start for i in rows])
        for name, content in files.items():
            file = path / name / map_store.file_of_chunk(start // map_store.CHUNK)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    map_store.write_metadata(path, map_store.layout_of(written.take(good[:1])), tables)
    return path


def test_xarray_opens_a_store_and_shows_what_a_stranger_needs(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    written = many(70)
    path = with_unusable(tmp_path, written, {3: "it is blank"})
    with xarray.open_zarr(path) as found:
        assert dict(found.sizes) == {
            "source": 70, "class": 2, "y": 32, "x": 32, "y_gate1": 8, "x_gate1": 8,
        }  # fmt: skip
        assert found["gate1"].dims == ("source", "y_gate1", "x_gate1")
        assert found["full"].dims == found["brightness"].dims == ("source", "y", "x")
        assert found.attrs["title"] == "Maps of d4.pt for 70 images"
        assert found.attrs["explanations"] == ["attention maps"]
        assert found.attrs["n_unusable"] == 1
        assert found.attrs["attnxai"]["provenance"]["sha256"] == "0" * 64
        one = found.sel(source="s065")
        np.testing.assert_array_equal(one["gate1"], written.layers["gate1"][65])
        np.testing.assert_array_equal(one["valid"], written.valid[65])
        assert written.scores is not None
        np.testing.assert_array_equal(one["scores"].sel({"class": "FR II"}), written.scores[65, 1])
        np.testing.assert_array_equal(found["y_gate1"], 1.5 + 4.0 * np.arange(8))
        assert float(one["field_x"]) == written.field[65].origin_x
        bad = found.sel(source="s003")
        assert str(bad["reason"].values) == "it is blank"
        assert np.isnan(bad["full"]).all()
        assert np.isnan(bad["scores"]).all()
        assert not bad["valid"].any()


def test_a_store_is_read_in_parts(tmp_path: Path) -> None:
    written = many(150)
    written.write(tmp_path / "maps.zarr")
    maps = read_map_chunks(tmp_path / "maps.zarr")
    assert maps.sources == written.sources
    assert maps.layers == ("gate1", "full")
    check_same(maps.read(60, 131), written.take(range(60, 131)))
    names = ("s140", "s002", "s070", "s003")
    check_same(maps.select(names), written.select(names))
    assert [len(part) for part in maps.chunks()] == [64, 64, 22]
    assert [part.sources[0] for part in maps.chunks(60, 130)] == ["s060", "s064", "s128"]
    check_same(next(maps.chunks(10)), written.take(range(10, 64)))
    check_same(read_maps(tmp_path / "maps.zarr"), written)
    held = MapChunks.of(written)
    assert [part.sources for part in held.chunks()] == [part.sources for part in maps.chunks()]
    with pytest.raises(AlignmentError, match="no map of 'other'"):
        maps.select(["other"])


def test_only_the_chunks_that_are_asked_for_are_read(tmp_path: Path) -> None:
    many(150).write(tmp_path / "maps.zarr")
    (tmp_path / "maps.zarr" / "gate1" / "c" / "2" / "0" / "0").unlink()
    maps = read_map_chunks(tmp_path / "maps.zarr")
    assert maps.read(0, 128).sources[-1] == "s127"
    with pytest.raises(
        MapFileError,
        match=r"array gate1 of .* \(file .*gate1/c/2/0/0, with the maps of 's128' to 's149'\) is damaged: it lacks the "
        "chunk 2; make the maps again",
    ):
        maps.read(127, 129)


def test_blocks_of_a_comparison_read_every_chunk_about_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_store, "CHUNK", 4)
    written = many(200)
    written.write(tmp_path / "maps.zarr")
    read = []
    chunk_of = ArrayOfChunks._chunk

    def counted(array: ArrayOfChunks, index: int) -> Any:
        read.append(index)
        return chunk_of(array, index)

    monkeypatch.setattr(ArrayOfChunks, "_chunk", counted)
    maps = read_map_chunks(tmp_path / "maps.zarr")
    monkeypatch.setattr(blocks, "_BLOCKS_IN_A_ROW", 4)
    dealt = blocks.deal_blocks([""] * 200, np.random.default_rng(0), size=20)
    for block in dealt:
        names = [written.sources[i] for i in block]
        check_same(maps.select(names), written.select(names))
    n_arrays = len(written.layers) + 2
    n_touched = sum(len(np.unique(block // 4)) for block in dealt)
    assert len(read) < 1.2 * n_arrays * 50 < 0.5 * n_arrays * n_touched


def test_images_without_maps_are_left_out_and_named(tmp_path: Path) -> None:
    written = many(130)
    unusable = {1: "too small", **dict.fromkeys(range(64, 128), "blank")}
    path = with_unusable(tmp_path, written, unusable)
    maps = read_map_chunks(path)
    good = [i for i in range(130) if i not in unusable]
    assert maps.sources == tuple(written.sources[i] for i in good)
    assert maps.unusable["s001"] == "too small"
    assert len(maps.unusable) == 65
    check_same(maps.read(0, 65), written.take(good))
    with pytest.raises(AlignmentError, match="no map of 's001': too small"):
        maps.select(["s001"])
    with pytest.warns(LeftOutWarning, match=r"no maps of 65 of 130 images.*s001 \(too small\)"):
        check_same(read_maps(path), written.take(good))


@pytest.mark.parametrize("at", [40, 300, -2])
def test_a_flipped_bit_in_a_chunk_is_found(at: int, tmp_path: Path) -> None:
    many(3).write(tmp_path / "maps.zarr")
    file = tmp_path / "maps.zarr" / "full" / "c" / "0" / "0" / "0"
    content = bytearray(file.read_bytes())
    content[at] ^= 16
    file.write_bytes(content)
    with pytest.raises(
        MapFileError,
        match=r"array full of .* 's000' to 's002'\) .*damaged: .*; make the maps again by the command that made them",
    ):
        read_maps(tmp_path / "maps.zarr")


@pytest.mark.parametrize("name", ["source", "reason", "split", "scores", "field_step"])
@pytest.mark.parametrize("cut", [False, True])
def test_damaged_tables_are_named_with_what_to_do(name: str, cut: bool, tmp_path: Path) -> None:
    many(3).write(tmp_path / "maps.zarr")
    (file,) = (one for one in (tmp_path / "maps.zarr" / name / "c").rglob("*") if one.is_file())
    if cut:
        file.write_bytes(file.read_bytes()[:-5])
    else:
        file.unlink()
    with pytest.raises(
        MapFileError,
        match=rf"array {name} of .*maps.zarr .*damaged: .*; make the maps again by the command that made them "
        r"\(attnxai maps, with --overwrite\)$",
    ):
        read_map_chunks(tmp_path / "maps.zarr")


def test_stores_that_are_unfinished_or_not_whole_are_said_to_be_that(tmp_path: Path) -> None:
    store = tmp_path / "maps.zarr"
    store.mkdir()
    with pytest.raises(
        MapFileError, match=r"maps.zarr is an unfinished or damaged store.*make the"
    ):
        read_maps(store)
    store.rmdir()
    many(3).write(store)
    (store / "zarr.json").unlink()
    with pytest.raises(MapFileError, match=r"maps.zarr is .* damaged store: it has no zarr.json"):
        read_maps(store)
    partial = store.rename(tmp_path / "maps.zarr.partial")
    for path, words in (
        (store, "is unfinished: there is only maps.zarr.partial"),
        (partial, "is an unfinished store"),
    ):
        with pytest.raises(MapFileError, match=f"{words}; run the same attnxai maps command again"):
            read_maps(path)


def test_groups_that_earlier_versions_wrote_are_read(tmp_path: Path) -> None:
    """One chunk a source, the layers in a group of their own, and all the rest in the header."""
    written = stack()
    root = zarr.create_group(
        store=str(tmp_path / "maps.zarr"), zarr_format=3, attributes={"attnxai": header_of(written)}
    )
    for name, values in arrays_of(written).items():
        array = root.create_array(
            name, shape=values.shape, dtype=values.dtype, chunks=(1, *values.shape[1:]), fill_value=0,
            config={"write_empty_chunks": True},
        )  # fmt: skip
        array[:] = values
    check_same(read_maps(tmp_path / "maps.zarr"), written)
    maps = read_map_chunks(tmp_path / "maps.zarr")
    check_same(maps.read(1, 3), written.take([1, 2]))
    file = tmp_path / "maps.zarr" / "zarr.json"
    metadata = json.loads(file.read_text(encoding="utf-8"))
    metadata["attributes"]["attnxai"]["format_version"] = 3
    file.write_text(json.dumps(metadata), encoding="utf-8")
    with pytest.raises(MapFileError, match="format attnxai-maps 3"):
        read_maps(tmp_path / "maps.zarr")


def test_maps_of_other_programs_have_no_chunks(tmp_path: Path) -> None:
    np.savez(tmp_path / "maps.npz", cam=np.ones((2, 4, 4)), sources=np.array(["a", "b"]))
    with pytest.raises(OptionError, match="was not written by attnxai"):
        read_map_chunks(tmp_path / "maps.npz")
