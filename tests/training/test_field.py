"""What a network trained on given images sees of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from attnxai.data.images import SourceSet, from_array
from attnxai.errors import AssumptionWarning, OptionError
from attnxai.training.field import field_of


def square(side: int, scale: float | None, name: str = "a", columns: int | None = None):
    pixels = np.zeros((side, columns or side))
    pixels[side // 2, side // 2] = 1.0
    return from_array(pixels, source=name, pixel_scale_arcsec=scale, prepared=True)


def field(*images, **options):
    return field_of(SourceSet(images), **options)


@pytest.mark.parametrize(
    ("side", "columns", "size"),
    [(150, None, 150), (300, None, 150), (151, None, 150), (101, None, 100), (64, 80, 64)],
)
def test_the_largest_even_field_up_to_the_published_one(side, columns, size) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = field(square(side, 1.8, columns=columns))
    assert (found.size, found.pixel_scale_arcsec) == (size, 1.8)
    found.view(square(side, 1.8, columns=columns))


@pytest.mark.parametrize(
    ("side", "binning", "size"), [(150, 3, 144), (300, 2, 144), (150, 5, 120), (101, 3, 100)]
)
def test_a_binned_field_is_divided_evenly_or_all_that_images_cover(side, binning, size) -> None:
    assert field(square(side, 1.8), binning=binning).size == size
    assert field(square(side, 1.8), size=50, binning=binning).size == 50


def test_prepared_images_were_scaled_by_all_of_their_pixels() -> None:
    assert field(square(150, 1.8), binning=3).scaling_size == 150
    assert field(square(150, 1.8)).scaling_size is None
    assert field(square(150, 1.8), square(150, 1.8, "b"), size=48).scaling_size == 150
    # of which the pixels were scaled differently, or nothing is known
    assert field(square(150, 1.8), square(160, 1.8, "b"), binning=3).scaling_size is None
    survey = from_array(np.eye(150), source="c", pixel_scale_arcsec=1.8, prepared=False)
    assert field(survey, binning=3).scaling_size is None
    assert field(survey, square(150, 1.8), binning=3).scaling_size == 150


def test_the_smallest_binned_field_is_said() -> None:
    assert field(square(24, 1.8), binning=3).size == 24
    message = (
        r"a field of 22 x 22 pixels; it needs 24 x 24 .* binning of 3 x 3 .* or a smaller binning"
    )
    with pytest.raises(OptionError, match=message):
        field(square(150, 1.8), size=22, binning=3)
    with pytest.raises(OptionError, match=r"a field of 20 x 20 pixels; it needs 24 x 24"):
        field(square(20, 1.8), binning=3)


def test_pixels_are_the_images_own() -> None:
    assert field(square(150, 15.0)).pixel_scale_arcsec == 15.0


def test_mixed_scales_are_brought_to_their_median_and_the_field_still_fits() -> None:
    images = [square(100, 1.0, "a"), square(100, 2.0, "b"), square(100, 4.0, "c")]
    with pytest.warns(AssumptionWarning, match=r"1 to 4 arcsec; all are resampled .* 2 arcsec"):
        found = field(*images)
    assert (found.size, found.pixel_scale_arcsec) == (50, 2.0)
    for image in images:
        assert found.view(image).brightness.shape == (50, 50)


def test_nearly_equal_scales_are_one() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        field(square(150, 1.8, "a"), square(150, 1.815, "b"))
    with pytest.warns(AssumptionWarning, match="all are resampled"):
        field(square(150, 1.8, "a"), square(150, 1.82, "b"))


def test_unknown_scales_are_assumed_aloud() -> None:
    with pytest.warns(AssumptionWarning, match=r"1\.8 arcsec, that of FIRST, is assumed"):
        assert field(square(150, None)).pixel_scale_arcsec == 1.8


def test_a_size_can_be_given_and_tiny_fields_are_refused() -> None:
    assert field(square(150, 1.8), size=80).size == 80
    with pytest.raises(OptionError, match=r"14 x 14 pixels; it needs 16 x 16"):
        field(square(15, 1.8))
