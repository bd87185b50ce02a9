"""Sources that are held out of training."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS

from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage, SourceSet
from attnxai.errors import AnnotationError
from attnxai.training.held_out import read_held_out


def _image(source: str, ra: float) -> SourceImage:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, 10.0]
    wcs.wcs.crpix = [75.5, 75.5]
    wcs.wcs.cdelt = [-0.0005, 0.0005]
    pixels = np.zeros((150, 150), np.float32)
    pixels[75, 75] = 1.0
    return SourceImage(source=source, pixels=pixels, grid=PixelGrid(shape=(150, 150), wcs=wcs))


@pytest.fixture(scope="module")
def images() -> SourceSet:
    return SourceSet(_image(f"J{i}", 100.0 + i) for i in range(5))


def test_ids_of_a_list(tmp_path, images) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("\ufeffJ1\n\n  J3.fits.gz \nfolder/J4.png\nJ99\n", encoding="utf-8")
    assert read_held_out(file, images) == {"J1", "J3", "J4"}


def test_sources_of_an_annotation_table(tmp_path, images) -> None:
    file = tmp_path / "table.csv"
    file.write_text(
        "source,annotator,shape,x,y,label\n"
        "J0,ann,point,10,10,core\n"
        "J2.fits,ann,point,12,10,core\n"
        "J2.fits,bob,point,12,10,core\n"
    )
    assert read_held_out(file, images) == {"J0", "J2"}


def test_sources_of_the_catalogue_by_position(tmp_path, images) -> None:
    file = tmp_path / "catalogue.csv"
    file.write_text(
        "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,ang_extent,cl,training\n"
        "1,F1,2,2,103.0005;102.9995,10.0;10.0,20,0.9,1\n"
        "2,F2,2,2,50.0;50.001,-10.0;-10.0,20,0.9,1\n"
    )
    assert read_held_out(file, images) == {"J3"}


def test_nothing_that_matches_is_an_error(tmp_path, images) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("X1\nX2\n")
    with pytest.raises(AnnotationError, match=r"none of the 2 sources in .*ids\.txt"):
        read_held_out(file, images)
    file.write_text("")
    with pytest.raises(AnnotationError, match="none of the 0 sources"):
        read_held_out(file, images)


def test_a_missing_file_is_an_error(tmp_path, images) -> None:
    with pytest.raises(AnnotationError, match=r"none\.txt .*does not exist"):
        read_held_out(tmp_path / "none.txt", images)


def test_a_file_that_is_no_text_is_an_error(tmp_path, images) -> None:
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04\xff\xfe\x80")
    with pytest.raises(AnnotationError, match=r"model\.pt .*is not UTF-8 text"):
        read_held_out(tmp_path / "model.pt", images)
