"""The data set itself, where ATTNXAI_DATA says that it lies."""

from __future__ import annotations

import collections
import os
from pathlib import Path

import numpy as np
import pytest

from attnxai.data.classes import Confidence
from attnxai.data.image_files import read_image
from attnxai.data.images import SourceSet
from attnxai.data.mirabest import DATA_DIR_VARIABLE, read_mirabest
from attnxai.data.sky import pixel_to_sky, sky_to_pixel
from attnxai.models.preprocessing import Preprocessing

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def root() -> Path:
    folder = os.environ.get(DATA_DIR_VARIABLE)
    if not folder:
        pytest.skip(f"{DATA_DIR_VARIABLE} does not say where the real data lie")
    if not (Path(folder) / "mirabest").is_dir():
        pytest.skip(f"{DATA_DIR_VARIABLE} ({folder}) holds no folder mirabest")
    return Path(folder)


@pytest.fixture(scope="module")
def images(root: Path) -> SourceSet:
    return read_mirabest(root, hybrids=True)


def test_numbers_are_the_published_ones(root: Path, images: SourceSet) -> None:
    assert len(images) == 1256
    counts = collections.Counter((image.class_name, image.split) for image in images)
    of_class = collections.Counter(image.class_name for image in images)
    assert of_class == {"FR I": 591, "FR II": 631, "hybrid": 34}
    assert counts["FR I", "train"] + counts["FR II", "train"] == 1069
    assert counts["FR I", "test"] + counts["FR II", "test"] == 153
    binary = read_mirabest(root)
    assert binary.sources == tuple(i.source for i in images if i.class_name != "hybrid")


# counted by the digits of the codes with which the file names begin
COUNTS = {
    Confidence.CONFIDENT: {"FR I": 397, "FR II": 436, "hybrid": 19},
    Confidence.UNCERTAIN: {"FR I": 194, "FR II": 195, "hybrid": 15},
}


@pytest.mark.parametrize("confidence", list(COUNTS))
def test_numbers_of_each_confidence(root: Path, images: SourceSet, confidence: Confidence) -> None:
    part = read_mirabest(root, hybrids=True, confidence=confidence)
    assert collections.Counter(image.class_name for image in part) == COUNTS[confidence]
    digit = {Confidence.CONFIDENT: "0", Confidence.UNCERTAIN: "1"}[confidence]
    assert part.sources == tuple(source for source in images.sources if source[1] == digit)
    binary = read_mirabest(root, confidence=confidence)
    n_train = sum(image.split == "train" for image in binary)
    expected = {Confidence.CONFIDENT: (729, 104), Confidence.UNCERTAIN: (340, 49)}[confidence]
    assert (n_train, len(binary) - n_train) == expected


def test_one_image_has_no_coordinates(images: SourceSet) -> None:
    assert sum(image.grid.wcs is None for image in images) == 1


def test_row_0_is_south_and_column_0_east(images: SourceSet) -> None:
    for image in images:
        if image.grid.wcs is None:
            continue
        ra, dec = pixel_to_sky(image.grid.wcs, [0.0, 74.5, 149.0], [74.5, 0.0, 74.5])
        centre_ra, centre_dec = image.grid.wcs.wcs.crval
        assert dec[1] < centre_dec
        # compared as angles, so that right ascension 0 does no harm
        assert (ra[0] - centre_ra + 180) % 360 > 180 > (ra[2] - centre_ra + 180) % 360


def test_images_are_eight_bit_and_mostly_empty(images: SourceSet) -> None:
    stack = np.stack([image.pixels for image in images])
    assert stack.shape == (1256, 150, 150)
    assert stack.min() == 0
    assert (stack.max(axis=(1, 2)) == 255).all()
    np.testing.assert_array_equal(stack, np.round(stack))
    assert (stack == 0).mean() == pytest.approx(0.98, abs=0.01)
    assert all(image.prepared for image in images)


def cutouts() -> list[str]:
    folder = Path(os.environ.get(DATA_DIR_VARIABLE, "")) / "mirabest_fits"
    if not os.environ.get(DATA_DIR_VARIABLE) or not folder.is_dir():
        return ["no cutouts"]
    return sorted(file.name for file in folder.glob("*.fits.gz"))


@pytest.mark.parametrize("name", cutouts())
def test_fits_cutouts_become_the_published_images(root: Path, images: SourceSet, name: str) -> None:
    cutout = read_image(root / "mirabest_fits" / name)
    published = images[cutout.source]
    assert cutout.shape == (300, 300)
    assert not cutout.prepared
    view = Preprocessing().view(cutout)
    np.testing.assert_array_equal(np.round(view.brightness * 255), published.pixels)
    np.testing.assert_allclose(view.brightness * 255, published.pixels, atol=1e-4)
    # what is published passes unchanged, and both lie on the same part of the sky
    np.testing.assert_array_equal(Preprocessing().view(published).brightness, view.brightness)
    x, y = view.transform.to_outer(np.array([0.0, 149.0]), np.array([0.0, 149.0]))
    found_x, found_y = sky_to_pixel(
        cutout.grid.wcs, *pixel_to_sky(published.grid.wcs, [0, 149], [0, 149])
    )
    np.testing.assert_allclose([found_x, found_y], [x, y], atol=0.1)


def test_there_are_24_cutouts(root: Path) -> None:
    assert len(list((root / "mirabest_fits").glob("*.fits.gz"))) == 24
