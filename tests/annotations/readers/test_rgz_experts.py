"""Boxes and hosts of the expert sample on the sky, and which image they are of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.inputs import read_inputs
from attnxai.annotations.readers import read_annotations
from attnxai.annotations.readers.claran import parse_claran
from attnxai.annotations.readers.rgz_experts import field_centre, shapes_on_sky
from attnxai.annotations.rgz_experts import (
    COLUMNS,
    FIELD_ARCSEC,
    RowKind,
    last_looks,
    parse_expert_sample,
)
from attnxai.annotations.shapes import Frame, Label, ShapeKind
from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage
from attnxai.data.sky import pixel_to_sky, sky_to_pixel
from attnxai.errors import AnnotationError
from tests.data.skies import make_wcs

WriteTable = Callable[..., Path]
HEADER = ",".join(COLUMNS)
FIELD, OTHER = "FIRSTJ120000.0+300000", "FIRSTJ130000.0-010203"
LEFT, RIGHT, FAR = "60,64,65,68", "70,74,65,68", "100,110,100,110"
ROWS = (
    f"one,{FIELD},1,1,RADIO,{LEFT}",
    f"one,{FIELD},1,1,RADIO,{RIGHT}",
    f"one,{FIELD},1,1,RADIO,{RIGHT}",
    f"one,{FIELD},1,1,IR,212.5,222.5,,",
    f"one,{FIELD},1,2,RADIO,{FAR}",
    f"one,{FIELD},1,2,IR,-99.0,-99.0,,",
    f"two,{FIELD},0,0,NONE:1 nothing seen,,,,",
    f"two,{FIELD},1,1,RADIO,{LEFT}",
    f"one,{OTHER},1,1,RADIO,{FAR}",
    f"three,{OTHER},0,0,NONE:1 nothing seen,,,,",
)
CENTRES = {FIELD: (180.0, 30.0), OTHER: (195.0, -1.0341666666666667)}


@pytest.fixture
def sample(write_table: WriteTable) -> Path:
    return write_table(HEADER, *ROWS, name="experts.csv")


@pytest.fixture
def read(sample: Path, make_image: Callable[..., SourceImage]) -> AnnotationSet:
    images = [make_image("mine", 180.0, 30.0), make_image("elsewhere", 10.0)]
    return read_annotations(sample, images)


def check_sum(read: AnnotationSet) -> None:
    assert read.n_rows == len({a.line for a in read.annotations}) + sum(read.left_out.values())


def test_every_row_is_used_or_counted_by_reason(read: AnnotationSet) -> None:
    check_sum(read)
    assert read.n_rows == 10
    assert read.left_out == {
        "the expert looked at the field again later": 1,
        "the expert saw no source": 1,
        "the expert saw no host": 1,
        "the same box again in one source": 1,
        "no image within the match radius": 1,
    }
    assert [a.line for a in read.annotations] == [2, 3, 5, 6, 9]
    assert read.sources == ("mine",)
    assert read.annotators == ("one", "two")
    assert read.sha256
    assert read.path.endswith("experts.csv")


def test_shapes_on_the_sky(read: AnnotationSet) -> None:
    """North is up and east is left: what is right and below lies west and south."""
    (far,) = [a for a in read.annotations if a.other["source_number"] == "2"]
    assert (far.shape.kind, far.shape.frame, far.label) == (
        ShapeKind.BOX,
        Frame.ICRS,
        Label.SOURCE,
    )
    offset = (105 - 66.5) * FIELD_ARCSEC / 132
    assert far.shape.y == pytest.approx(30.0 - offset / 3600, abs=1e-5)
    assert far.shape.x == pytest.approx(180.0 - offset / 3600 / np.cos(np.radians(30)), abs=1e-4)
    # on an image with east left and north up, rows counted from the south
    wcs = make_wcs((100, 100), centre=(180.0, 30.0))
    centre = sky_to_pixel(wcs, 180.0, 30.0)
    x, y = sky_to_pixel(wcs, far.shape.x, far.shape.y)
    assert x > centre[0]
    assert y < centre[1]
    (host,) = [a for a in read.annotations if a.label is Label.HOST]
    assert (host.shape.kind, host.line) == (ShapeKind.POINT, 5)
    assert host.shape.y == pytest.approx(30.0 - 10 * FIELD_ARCSEC / 424 / 3600)


def test_offsets_as_astropy_makes_them(sample: Path) -> None:
    from astropy.coordinates import SkyCoord, SkyOffsetFrame

    rows = [row for row in parse_expert_sample(sample.read_text()) if row.kind is RowKind.BOX]
    for row, shape in zip(rows, shapes_on_sky(rows, CENTRES), strict=True):
        middle = (np.array(row.values[::2]) + row.values[1::2]) / 2 - 66.5
        right, down = middle * FIELD_ARCSEC / 132 / 3600
        frame = SkyOffsetFrame(origin=SkyCoord(*CENTRES[row.field], unit="deg"))
        place = SkyCoord(-right, -down, unit="deg", frame=frame).icrs
        assert (shape.x, shape.y) == pytest.approx((place.ra.deg, place.dec.deg), abs=1e-9)


def test_width_of_a_box_runs_east(
    write_table: WriteTable, make_image: Callable[..., SourceImage]
) -> None:
    path = write_table(HEADER, f"one,{FIELD},1,1,RADIO,46.5,86.5,61.5,71.5")
    (mark,) = read_annotations(path, [make_image("mine", 180.0, 30.0)]).annotations
    assert mark.shape.width == pytest.approx(40 * FIELD_ARCSEC / 132)
    assert mark.shape.height == pytest.approx(10 * FIELD_ARCSEC / 132)
    shape = (100, 100)
    grid = PixelGrid(shape=shape, wcs=make_wcs(shape, centre=(180.0, 30.0)))
    (region,) = mark.shape.on_pixels(grid).to_regions()
    box = region.bounding_box
    wide, high = box.ixmax - box.ixmin, box.iymax - box.iymin
    assert wide > 2.5 * high


class TestPositionsBesideTheSample:
    @pytest.fixture
    def image(self, make_image: Callable[..., SourceImage]) -> SourceImage:
        return make_image("mine", 120.0, 40.0)

    def test_go_before_the_names(self, sample: Path, image: SourceImage) -> None:
        table = f"first_id,ra,dec\n{FIELD},120.0,40.0\n{OTHER},10.0,10.0\n"
        sample.with_name("experts_positions.csv").write_text(table)
        read = read_annotations(sample, [image])
        assert read.sources == ("mine",)
        assert "Positions of the fields come from experts_positions.csv." in read.notices
        check_sum(read)
        x, y = pixel_to_sky(image.grid.wcs, 24.5, 19.5)
        assert np.hypot(read.annotations[0].shape.x - x, read.annotations[0].shape.y - y) < 0.02

    @pytest.mark.parametrize(
        ("table", "words"),
        [
            ("first_id,ra,dec\n", "has a header but no rows"),
            ("first_id,ra,dec\nx,1,1\n", "states no position of 2 of 2 fields, such as 'FIRST"),
            (f"first_id,ra\n{FIELD},1\n", "needs one column dec"),
            (
                f"first_id,ra,dec\n{FIELD},1,91\n",
                "line 2, column dec: '91' is not a declination from -90 to 90",
            ),
            (
                f"first_id,ra,dec\n{FIELD},nan,1\n",
                "line 2, column ra: 'nan' is not a right ascension from 0 to 360",
            ),
            (f"first_id,ra,dec\n{FIELD}\n", "line 2: 1 cell, but the header has 3"),
            (
                f"first_id,ra,dec\n{FIELD},1,1\n{FIELD},1,2\n",
                "line 3: the field '.*' has another position on an earlier line",
            ),
            ("", "is empty"),
        ],
    )
    def test_that_are_wrong(self, sample: Path, image: SourceImage, table: str, words: str) -> None:
        sample.with_name("experts_positions.csv").write_text(table)
        with pytest.raises(AnnotationError, match=words):
            read_annotations(sample, [image])


def test_names_without_a_position_are_refused() -> None:
    assert field_centre(OTHER) == pytest.approx(CENTRES[OTHER])
    with pytest.raises(AnnotationError, match="J2000"):
        field_centre("field 7")
    with pytest.raises(AnnotationError, match="no position on the sky"):
        field_centre("J990000.0+950000")


def test_no_field_near_an_image(sample: Path, make_image: Callable[..., SourceImage]) -> None:
    with pytest.raises(AnnotationError, match=r"none of the 2 fields of .* lies within 30 arcsec"):
        read_annotations(sample, [make_image("a", 10.0)])


def test_a_comparison_finds_its_images(sample: Path, tmp_path: Path) -> None:
    from astropy.io import fits

    (tmp_path / "images").mkdir()
    for name, centre in (("a", CENTRES[FIELD]), ("b", CENTRES[OTHER]), ("c", (10.0, 10.0))):
        pixels: Any = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)
        header = make_wcs((40, 50), centre=centre).to_header()
        fits.PrimaryHDU(pixels, header).writeto(tmp_path / "images" / f"{name}.fits")
    inputs = read_inputs(sample, tmp_path / "images")
    assert inputs.images.sources == inputs.annotations.sources == ("a", "b")
    with pytest.raises(
        AnnotationError, match=r"\(Radio Galaxy Zoo expert sample\) lists positions"
    ):
        read_inputs(sample)


@pytest.mark.shared_data
def test_real_boxes_lie_on_catalogued_components(shared_data: Path) -> None:
    """Another release gives the same components' sky positions: the orientation is right."""
    sample = parse_expert_sample((shared_data / "rgz" / "expert_sample.csv").read_text())
    looks = last_looks(sample)
    fields = {row.field for row in sample}
    assert (len({row.expert for row in sample}), len(fields), len(sample)) == (3, 100, 941)
    assert (len(looks), sum(len(rows) for rows in looks.values())) == (299, 940)
    catalogue = parse_claran((shared_data / "rgz" / "claran_full_catalogue.csv").read_text())
    ra = np.concatenate([source.ra for source in catalogue])
    dec = np.concatenate([source.dec for source in catalogue])
    rows = [row for row in sample if row.kind is RowKind.BOX]
    centres = {field: field_centre(field) for field in fields}
    distances, mirrored = [], []
    for row, shape in zip(rows, shapes_on_sky(rows, centres), strict=True):
        centre = centres[row.field]
        narrow = np.cos(np.radians(centre[1]))
        x, y = (ra - centre[0]) * narrow * 3600, (dec - centre[1]) * 3600
        near = np.hypot(x, y) < 80
        if near.any():
            east = (shape.x - centre[0]) * narrow * 3600
            north = (shape.y - centre[1]) * 3600
            distances.append(np.hypot(x[near] - east, y[near] - north).min())
            mirrored.append(np.hypot(x[near] + east, y[near] - north).min())
    assert len(distances) > 100
    assert np.median(distances) < 4
    assert np.median(mirrored) > 10
