"""NPZ files and Zarr groups of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from attnxai.data.grid import GridTransform
from attnxai.errors import AlignmentError, AssumptionWarning, MapFileError
from attnxai.explanations.files.formats import read_maps
from tests.explanations.files.skies import SHAPE, images

IMAGES = images()
MAPS = np.random.default_rng(9).random((4, *SHAPE))


def save_npz(path: Path, sources: Any = None, **arrays: Any) -> Path:
    if sources is not None:
        arrays["sources"] = np.array(sources)
    np.savez_compressed(path / "maps.npz", **arrays)
    return path / "maps.npz"


def save_zarr(path: Path, sources: Any = None, **arrays: Any) -> Path:
    attributes = {} if sources is None else {"sources": list(sources)}
    group = zarr.create_group(str(path / "maps.zarr"), attributes=attributes)
    for name, values in arrays.items():
        group.create_array(name, data=np.asarray(values))
    return path / "maps.zarr"


SAVERS = pytest.mark.parametrize("save", [save_npz, save_zarr])


@SAVERS
def test_layers_with_the_ids_of_their_sources(save: Any, tmp_path: Path) -> None:
    order = [2, 0, 3, 1]
    names = [IMAGES.sources[i] for i in order]
    path = save(tmp_path, names, cam=MAPS[order], coarse=MAPS[order][:, ::4, ::4])
    with pytest.warns(
        AssumptionWarning, match="'coarse' have 10 x 11 pixels and the images 40 x 44"
    ):
        found = read_maps(path, IMAGES)
    assert sorted(found.layers) == ["cam", "coarse"]
    np.testing.assert_array_equal(found.layers["cam"], MAPS)
    assert found.layers["cam"].dtype == np.float64
    assert found.geometry["coarse"] == GridTransform(step=4.0, origin_x=1.5, origin_y=1.5)
    with pytest.warns(AssumptionWarning, match="'coarse'"):
        assert read_maps(path, IMAGES[1:3]).sources == IMAGES.sources[1:3]


@SAVERS
def test_single_maps_under_the_ids_of_their_sources(save: Any, tmp_path: Path) -> None:
    path = save(tmp_path, **dict(zip(IMAGES.sources, MAPS, strict=True)))
    np.testing.assert_array_equal(read_maps(path, IMAGES).layers["map"], MAPS)


@SAVERS
@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"cam": MAPS}, MapFileError, "does not say which map is of which source: add an array"),
        ({"cam": MAPS, "J0+4": MAPS[0]}, MapFileError, "two axes, such as 'J0.4', and with three"),
        ({"cam": MAPS, "sources": IMAGES.sources[:3]}, MapFileError, "has 4 maps 'cam' and 3 sources"),
        ({"cam": MAPS[:2], "sources": ["J0+4"] * 2}, MapFileError, "repeats the id 'J0.4' in 'sources'"),
        ({"cam": MAPS[0, 0]}, MapFileError, r"holds the array 'cam' of shape \(44,\); maps are"),
        ({"cam": MAPS[:, 0], "sources": IMAGES.sources}, MapFileError, r"\(n_sources, height, width\)"),
        ({}, MapFileError, "holds no maps"),
        ({"J0+4": MAPS[0]}, AlignmentError, "has no maps of 3 of 4 images: J1.4, J2.4, J3.4"),
        ({"cam": np.zeros_like(MAPS), "sources": IMAGES.sources}, AlignmentError, "are constant"),
        ({"cam": MAPS[:, 1:], "sources": IMAGES.sources}, AlignmentError, "39 x 44 pixels, which"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(save, arrays, error, message, tmp_path: Path) -> None:
    arrays = dict(arrays)
    path = save(tmp_path, arrays.pop("sources", None), **arrays)
    with pytest.raises(error, match=message):
        read_maps(path, IMAGES)


def test_arrays_of_objects_and_of_other_kinds_are_refused(tmp_path: Path) -> None:
    for values, words in (
        (np.array([{}, None]), "holds object values of shape .*; maps are arrays of real numbers"),
        (np.full((4, 3, 3), "x"), "holds <U1 values"),
        (np.ones((4, 3, 3), complex), "holds complex128 values"),
    ):
        np.savez(tmp_path / "maps.npz", cam=values)
        with pytest.raises(MapFileError, match=f"the array cam of file of maps .*{words}"):
            read_maps(tmp_path / "maps.npz", IMAGES)
    with pytest.raises(MapFileError, match=r"the array sources .* should hold names, as text"):
        read_maps(save_npz(tmp_path, [1, 2, 3, 4], cam=MAPS), IMAGES)


def test_an_array_and_an_old_group_of_zarr_are_refused(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "array.zarr"), data=MAPS)
    with pytest.raises(MapFileError, match="is an array; maps are a group of arrays"):
        read_maps(tmp_path / "array.zarr", IMAGES)
    zarr.create_group(str(tmp_path / "old.zarr"), zarr_format=2)
    with pytest.raises(MapFileError, match="is of version 2; write it in version 3"):
        read_maps(tmp_path / "old.zarr", IMAGES)


def test_a_name_that_is_almost_sources_is_pointed_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "maps.npz", cam=MAPS, source=np.array(IMAGES.sources))
    with pytest.raises(MapFileError, match=r"array 'sources' \(did you mean sources\?\)"):
        read_maps(tmp_path / "maps.npz", IMAGES)
