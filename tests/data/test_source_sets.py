"""Images in memory, and sets of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from attnxai.data.grid import PixelGrid
from attnxai.data.images import (
    SourceImage,
    SourceSet,
    from_array,
)
from attnxai.errors import ImageError

SHAPE = (12, 17)


def image_of(pixels: Any, source: str = "a", **values: Any) -> SourceImage:
    return SourceImage(
        source=source, pixels=pixels, grid=PixelGrid(shape=np.shape(pixels)), **values
    )


class TestSourceImage:
    @pytest.mark.parametrize("value", [0.0, -2.5, 255])
    def test_constant(self, value: float) -> None:
        with pytest.raises(ImageError, match=f"image a is constant .{value:g} everywhere"):
            image_of(np.full(SHAPE, value))

    @pytest.mark.parametrize("source", ["", " ", None, 3])
    def test_an_image_has_a_source(self, source: Any, pixels: Any) -> None:
        with pytest.raises(ImageError, match=f"has to be a name, got {source!r}"):
            image_of(pixels, source=source)

    def test_ids_are_text(self, pixels: Any) -> None:
        with pytest.raises(ImageError, match=r"'a\\udcff' is not valid text; rename"):
            image_of(pixels, source="a\udcff")

    def test_too_large_for_32_bits_is_infinite(self) -> None:
        with pytest.raises(ImageError, match="1 of 4 pixels that are NaN or infinite"):
            image_of(np.array([[1.0, 1e200], [2.0, 3.0]]))

    def test_arrays_are_read_only_copies(self, pixels: Any) -> None:
        footprint = np.ones(SHAPE, bool)
        before = pixels.copy()
        image = image_of(pixels, footprint=footprint)
        with pytest.raises(ValueError, match="read-only"):
            image.pixels[0, 0] = 1
        assert image.footprint is not None
        with pytest.raises(ValueError, match="read-only"):
            image.footprint[0, 0] = False
        assert pixels.flags.writeable
        assert footprint.flags.writeable
        pixels[0, 0] += 1
        footprint[0, 0] = False
        np.testing.assert_array_equal(image.pixels, before)
        assert image.footprint.all()

    def test_fields_cannot_be_replaced(self, pixels: Any) -> None:
        with pytest.raises(AttributeError):
            image_of(pixels).source = "b"  # type: ignore[misc]

    def test_shape_and_grid_have_to_fit(self, pixels: Any) -> None:
        grid = PixelGrid(shape=(17, 12))
        with pytest.raises(ImageError, match=r"has shape \(12, 17\), but its grid \(17, 12\)"):
            SourceImage(source="a", pixels=pixels, grid=grid)

    def test_number_of_axes(self) -> None:
        with pytest.raises(ImageError, match="image a has 3 axes; an image has two"):
            SourceImage(
                source="a", pixels=np.zeros((2, 3, 4), np.float32), grid=PixelGrid(shape=(3, 4))
            )

    def test_footprint_has_to_fit(self, pixels: Any) -> None:
        with pytest.raises(ImageError, match=r"but its footprint \(3, 3\)"):
            image_of(pixels, footprint=np.ones((3, 3), bool))

    def test_footprint_must_not_be_empty(self, pixels: Any) -> None:
        with pytest.raises(ImageError, match="empty footprint"):
            image_of(pixels, footprint=np.zeros(SHAPE, bool))

    def test_error_names_the_file_where_there_is_one(self) -> None:
        with pytest.raises(ImageError, match=r"image x/a\.png is constant"):
            image_of(np.zeros(SHAPE), path="x/a.png")

    def test_hash_depends_on_pixels_and_shape_alone(self, pixels: Any) -> None:
        reference = image_of(pixels).sha256()
        assert image_of(pixels.astype(">f8"), "b", class_name="FR I").sha256() == reference
        assert image_of(pixels[::-1]).sha256() != reference
        assert image_of(pixels.reshape(17, 12)).sha256() != reference
        changed = pixels.copy()
        changed[0, 0] = np.nextafter(changed[0, 0], np.float32(10))
        assert image_of(changed).sha256() != reference


class TestFromArray:
    def test_array_is_neither_kept_nor_changed(self, pixels: Any) -> None:
        before = pixels.copy()
        image = from_array(pixels, source="a", pixel_scale_arcsec=1.5, class_name="FR I")
        pixels[0, 0] += 1
        np.testing.assert_array_equal(image.pixels, before)
        assert image.grid.pixel_scale_arcsec == 1.5
        assert image.class_name == "FR I"
        assert not image.prepared

    def test_8_bits_are_prepared(self) -> None:
        values = np.arange(12, dtype=np.uint8).reshape(3, 4)
        assert from_array(values, source="a").prepared
        assert not from_array(values, source="a", prepared=False).prepared

    @pytest.mark.parametrize("shape", [(4,), (2, 3, 4), (0, 4)])
    def test_other_shapes_are_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ImageError, match=r"image a has shape .*; an image has two axes"):
            from_array(np.ones(shape), source="a")


class TestSourceSet:
    @pytest.fixture
    def three(self, pixels: Any) -> SourceSet:
        return SourceSet([image_of(pixels + i, s) for i, s in enumerate("bac")], origin="memory")

    def test_order_and_access(self, three: SourceSet) -> None:
        assert three.sources == ("b", "a", "c")
        assert [image.source for image in three] == ["b", "a", "c"]
        assert len(three) == 3
        assert three[1].source == "a"
        assert three["c"] is three[2]
        assert three[1:].sources == ("a", "c")
        assert three[1:].origin == "memory"
        names: list[object] = ["a", "d"]
        assert [name in three for name in names] == [True, False]
        assert three[0] in three
        assert repr(three) == "SourceSet(3 images from memory)"

    def test_selection_is_in_the_order_asked_for(self, three: SourceSet) -> None:
        chosen = three.select(["c", "b"])
        assert chosen.sources == ("c", "b")
        assert chosen["c"] is three["c"]

    def test_hash_does_not_depend_on_the_order(self, three: SourceSet, pixels: Any) -> None:
        assert three.select(["a", "b", "c"]).sha256() == three.sha256()
        assert three.select(["a", "b"]).sha256() != three.sha256()
        renamed = SourceSet([image_of(pixels + i, s) for i, s in enumerate("bad")])
        assert renamed.sha256() != three.sha256()

    def test_ids_are_distinct(self, pixels: Any) -> None:
        with pytest.raises(ImageError, match=r"two images have the source id 'a': x/a\.png and"):
            SourceSet([image_of(pixels, path="x/a.png"), image_of(pixels, path="y/a.fits")])
