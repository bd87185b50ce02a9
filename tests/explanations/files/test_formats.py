"""Maps in files: what is read is what was written, in every format."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai
from attnxai.errors import AlignmentError, ImageError, MapFileError, OptionError
from attnxai.explanations.files.formats import map_output, open_maps, read_maps
from attnxai.explanations.stack import MapStack
from tests.explanations.files.skies import images, stack

NAMES = ("maps.npz", "maps.fits", "maps.zarr", "maps")
"""One output of every format; that without an ending is a folder of FITS files."""


def check_same(found: MapStack, written: MapStack) -> None:
    for field in dataclasses.fields(MapStack):
        a, b = getattr(found, field.name), getattr(written, field.name)
        if field.name == "layers":
            assert list(a) == list(b)
            for name in a:
                assert a[name].dtype == b[name].dtype
                assert a[name].tobytes() == b[name].tobytes(), name
        elif isinstance(b, np.ndarray):
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes(), field.name
        elif field.name == "means":
            assert a == written.named_means
        else:
            assert a == b, field.name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("with_images", [True, False], ids=["sky", "no sky"])
def test_what_is_read_is_what_was_written(name: str, with_images: bool, tmp_path: Path) -> None:
    written = stack()
    written.write(tmp_path / name, images() if with_images else None)
    check_same(read_maps(tmp_path / name), written)


def extreme() -> np.ndarray:
    values = np.zeros((4, 8, 8), np.float32)
    values[:, 0] = np.array([1e-45, -0.0, 3.4e38, -1e-38, 1 / 3, -1, np.pi, 1e10], np.float32)
    return values


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "changes",
    [
        {"scores": None, "class_names": ()},
        {"means": {}},
        {"means": None},
        {"sources": ("a/b", "../c", "ünï", "A/B")},
        {"layers": {"gate1": extreme(), "grad cam 3.6″": np.ones((4, 34, 34))}},
    ],
    ids=["no scores", "no means", "all layers", "odd names", "extreme and double"],
)
def test_every_kind_of_stack_survives(name: str, changes: dict[str, Any], tmp_path: Path) -> None:
    written = stack(**changes)
    written.write(tmp_path / name)
    check_same(read_maps(tmp_path / name), written)
    outside = set(tmp_path.iterdir()) - {tmp_path / name}
    assert not outside


@pytest.mark.parametrize("name", NAMES)
def test_files_are_the_same_in_every_run(name: str, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        stack().write(tmp_path / folder / name, images())
    assert open_maps(tmp_path / "a" / name).sha256 == open_maps(tmp_path / "b" / name).sha256


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    stack().write(tmp_path / "maps.npz")
    content = (tmp_path / "maps.npz").read_bytes()
    found = open_maps(tmp_path / "maps.npz")
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.provenance == {
        "maps_file": "maps.npz",
        "maps_sha256": found.sha256,
        "maps_model": "d4.pt",
    }


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_only_replaced_when_asked(name: str, tmp_path: Path) -> None:
    stack().write(tmp_path / name)
    with pytest.raises(OptionError, match="pass overwrite=True"):
        stack().write(tmp_path / name)
    other = stack(2)
    other.write(tmp_path / name, overwrite=True)
    check_same(read_maps(tmp_path / name), other)


@pytest.mark.parametrize("name", ["maps.zarr", "maps"])
def test_folders_with_other_files_are_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OptionError, match="holds other files than a map folder"):
        stack().write(tmp_path / name, overwrite=True)
    assert [path.name for path in (tmp_path / name).iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_of_maps_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="provenance has to consist of text"):
        stack(provenance={"when": object()}).write(tmp_path / name)
    assert not list(tmp_path.rglob("*"))
    with pytest.raises(OptionError, match="provenance has to consist of text"):
        stack(provenance={"when": float("nan")}).write(tmp_path / name)


def test_an_unknown_ending_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with (
        pytest.raises(
            OptionError, match=r"--output '.*maps.h5' should end in one of .npz, .fits, .zarr"
        ),
        map_output(tmp_path / "maps.h5"),
    ):
        pass


@pytest.mark.parametrize("name", NAMES)
def test_maps_of_some_sources_are_read_in_the_order_of_the_images(name, tmp_path: Path) -> None:
    written = stack()
    written.write(tmp_path / name, images())
    some = [images()[2], images()[0]]
    check_same(read_maps(tmp_path / name, some), written.select(("J2+4", "J0+4")))
    stranger = dataclasses.replace(images()[0], source="other")
    with pytest.raises(
        AlignmentError, match="has no maps of 1 of 2 images: other; it has maps of 4"
    ):
        read_maps(tmp_path / name, [stranger, images()[1]])
    assert read_maps(tmp_path / name, model_name="mine").model_name == "mine"
    with pytest.raises(OptionError, match="states itself what its network saw"):
        read_maps(tmp_path / name, some, splits="held-out")


def test_what_is_no_file_of_maps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MapFileError, match="does not exist"):
        read_maps(tmp_path / "maps.npz")
    (tmp_path / "maps.npz").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(MapFileError, match=r"is a NumPy array \(NPY\), which is not read"):
        read_maps(tmp_path / "maps.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MapFileError, match="holds no FITS files"):
        read_maps(tmp_path / "empty")


def test_npz_opens_without_attnxai(tmp_path: Path) -> None:
    written = stack()
    written.write(tmp_path / "maps.npz")
    with np.load(tmp_path / "maps.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["layers/gate1"], written.layers["gate1"])
        np.testing.assert_array_equal(file["brightness"], written.brightness)
        assert json.loads(file["header.json"])["sources"] == list(written.sources)


def test_the_names_at_the_top(tmp_path: Path) -> None:
    stack().write(tmp_path / "maps.npz")
    assert attnxai.read_maps(tmp_path / "maps.npz").sources == stack().sources
    (tmp_path / "cut.fits").write_bytes(b"SIMPLE  =")
    with pytest.raises((MapFileError, ImageError), match=r"file of maps .*cut\.fits is truncated"):
        attnxai.read_maps(tmp_path / "cut.fits")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_parameters": "many"}, "n_parameters of the provenance of .* should be a whole number"),
        ({"notes": "one"}, "notes of the provenance of .* should be a list of texts"),
        (
            {"explanations": [{"name": "gates"}]},
            "an explanation in the provenance of .* lacks title",
        ),
        ({"explanations": ["gates"]}, "an explanation in .* is a str, not a dictionary"),
        ({"code": {"module": "a"}}, "the code in the provenance of .* lacks distribution, file"),
        (
            {"explanations": [{"name": "a", "title": "b", "module": 3}]},
            "an explanation in .* lacks distribution",
        ),
        (
            {"explanations": [{"name": "a", "title": "b", "references": "c"}]},
            "references of an explanation in .* should be a list of texts",
        ),
    ],
)
def test_what_reports_print_has_the_right_type(changes, message, tmp_path: Path) -> None:
    stack(provenance={**stack().provenance, **changes}).write(tmp_path / "maps.npz")
    with pytest.raises(MapFileError, match=message):
        read_maps(tmp_path / "maps.npz")
