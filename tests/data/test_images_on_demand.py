"""Images whose pixels are read when they are asked for are those that are held, and are not held."""

from __future__ import annotations

import dataclasses
import pickle
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from attnxai.data import images_on_demand
from attnxai.data.grids_on_demand import GridOnDemand
from attnxai.data.image_files import read_images
from attnxai.data.image_list import list_images
from attnxai.data.images import SourceImage, SourceSet
from attnxai.data.images_on_demand import ImageOnDemand
from attnxai.data.independence import find_copies
from attnxai.errors import AssumptionWarning, ImageError

SIDE = 40
RNG = np.random.default_rng(0)
CARDS = {
    "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL2": 20.0, "CRPIX1": 20.5, "CRPIX2": 20.5,
    "CDELT1": -0.0005, "CDELT2": 0.0005, "BMAJ": 0.0015, "BMIN": 0.0015, "BPA": 0.0,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images with and without places, beams, blank pixels and classes; the last is the first one turned."""
    for i in range(6):
        pixels = RNG.normal(size=(SIDE, SIDE)).astype(np.float32)
        if i == 2:
            pixels[:5] = np.nan
        if i == 3:
            np.save(tmp_path / "g3.npy", (pixels * 20).astype(np.uint8))
            continue
        header = fits.Header({**CARDS, "CRVAL1": 10.0 + i} if i != 4 else {})
        fits.PrimaryHDU(pixels, header).writeto(tmp_path / f"g{i}.fits")
    np.save(tmp_path / "g6.npy", np.rot90(fits.getdata(tmp_path / "g0.fits")))
    (tmp_path / "labels.csv").write_text("source,class\ng0,FR I\ng5,FR II\n", encoding="utf-8")
    return tmp_path


def read_both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[SourceSet, SourceSet]:
    held = read_images(folder, fill_blank=True)
    monkeypatch.setattr(images_on_demand, "MOST_HELD", 0)
    return held, read_images(folder, fill_blank=True)


def same(held: SourceImage, read: SourceImage) -> None:
    for field in dataclasses.fields(SourceImage):
        first, second = getattr(held, field.name), getattr(read, field.name)
        if field.name == "grid":
            for part in ("shape", "pixel_scale_arcsec", "row_zero"):
                assert getattr(first, part) == getattr(second, part)
            assert (first.wcs is None) == (second.wcs is None)
            if first.wcs is not None:
                assert first.wcs.to_header() == second.wcs.to_header()
        elif isinstance(first, np.ndarray):
            np.testing.assert_array_equal(first, second)
            assert first.dtype == second.dtype
            assert not second.flags.writeable
        else:
            assert first == second, field.name
    assert held.sha256() == read.sha256()


def test_images_are_the_same_whether_held_or_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, read = read_both(folder, monkeypatch)
    assert all(isinstance(image, ImageOnDemand) for image in read)
    on_sky = [type(image.grid) for image in read if image.grid.wcs is not None]
    assert on_sky == 4 * [GridOnDemand]
    for first, second in zip(held, read, strict=True):
        same(first, second)
        same(first, pickle.loads(pickle.dumps(second)))  # noqa: S301
        same(
            first.with_facts(class_name="x", pad=True), second.with_facts(class_name="x", pad=True)
        )
        made = dataclasses.replace(second, class_name="y")
        assert type(made) is SourceImage
        same(dataclasses.replace(first, class_name="y"), made)
    assert held.sha256() == read.sha256()
    assert [image.class_name for image in read] == ["FR I", None, None, None, None, "FR II", None]
    assert find_copies(read).others == find_copies(held).others == {"g0": ("g6",)}
    assert repr(read["g4"]).startswith("ImageOnDemand(source='g4', 40 x 40 pixels, path=")


def test_the_first_of_a_set_are_held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_on_demand, "MOST_HELD", 3 * 4 * SIDE**2)
    read = read_images(folder, fill_blank=True)
    assert [isinstance(image, ImageOnDemand) for image in read] == 3 * [False] + 4 * [True]


def test_images_of_arrays_are_read_again_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cube = RNG.random((5, 12, 14)).astype(np.float32)
    np.save(tmp_path / "cube.npy", cube)
    monkeypatch.setattr(images_on_demand, "MOST_HELD", 0)
    with pytest.warns(AssumptionWarning, match="5 images of sources"):
        listed = list_images(tmp_path / "cube.npy")
    read = listed.read(listed.sources[3:0:-1])
    assert all(isinstance(image, ImageOnDemand) for image in read)
    for image, expected in zip(read, cube[3:0:-1], strict=True):
        np.testing.assert_array_equal(image.pixels, expected)
    np.save(tmp_path / "cube.npy", cube[::-1])
    images_on_demand._read_again.cache_clear()
    with pytest.raises(ImageError, match=r"image .*cube.npy\[3\] has other pixels than when"):
        read[0].pixels.sum()


@pytest.mark.parametrize("fault", ["changed", "cut", "gone"])
def test_images_that_are_not_the_same_any_more_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    _, read = read_both(folder, monkeypatch)
    file = folder / "g1.fits"
    if fault == "changed":
        with fits.open(file, mode="update") as hdus:
            hdus[0].data[3, 4] += 1
    elif fault == "cut":
        file.write_bytes(file.read_bytes()[:4000])
    else:
        file.unlink()
    with pytest.raises(ImageError, match=r"g1\.fits") as caught:
        read["g1"].pixels.sum()
    if fault == "changed":
        assert "has other pixels than when it was first read" in str(caught.value)
    np.testing.assert_array_equal(read["g0"].pixels.shape, (SIDE, SIDE))  # the others are there


def test_notes_are_given_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_on_demand, "MOST_HELD", 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read = read_images(folder, fill_blank=True, match_beam=True)
    assert len(caught) == 2
    assert "2 images (g4.fits, g6.npy): not smoothed to the beam" in str(caught[1].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(image.pixels.size for image in read)


def test_few_images_are_in_memory_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side, n = 200, 60
    for i in range(n):
        np.save(tmp_path / f"g{i:02d}.npy", RNG.random((side, side)).astype(np.float32))
    monkeypatch.setattr(images_on_demand, "MOST_HELD", 0)

    def peak(work: Any) -> Any:
        tracemalloc.start()
        try:
            found = work()
            return found, tracemalloc.get_traced_memory()[1] / (4 * side**2)
        finally:
            tracemalloc.stop()

    find_copies(read_images(tmp_path)[:2])  # what it imports is not counted
    images, n_images = peak(lambda: read_images(tmp_path))
    assert n_images < 12  # one is read, copied and packed for its hash
    total, n_images = peak(lambda: sum(float(image.pixels.mean()) for image in images))
    assert total == pytest.approx(n / 2, rel=0.02)
    assert n_images < 20
    _, n_images = peak(lambda: find_copies(images))
    assert n_images < 20
