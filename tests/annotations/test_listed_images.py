"""Images of annotated sources in lists, patterns and arrays, as maps are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from attnxai.annotations.inputs import read_inputs
from attnxai.errors import AnnotationError

CUBE = np.random.default_rng(0).random((4, 20, 24)).astype(np.float32)
HEADER = "source,annotator,class,shape,frame,x,y,radius"


def written(path: Path) -> None:
    (path / "cutouts").mkdir()
    for i in range(4):
        np.save(path / "cutouts" / f"J{i}.npy", CUBE[i])
    root = zarr.create_group(str(path / "cube.zarr"))
    root.create_array("images", data=CUBE, chunks=(3, 20, 24))
    names = root.create_array("source", shape=(4,), dtype=str)
    names[:] = np.array([f"J{i}" for i in range(4)], dtype=object)
    (path / "list.txt").write_text(
        "cutouts/J3.npy\ncutouts/J1.npy\ncutouts/J0.npy\n", encoding="utf-8"
    )
    rows = [f"J{i},Ann,FR I,circle,pixel,10,9,3" for i in (3, 1)]
    (path / "marks.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


@pytest.mark.filterwarnings("ignore:.*is taken for 4 images")
@pytest.mark.parametrize(
    "name", ["cutouts", "cutouts/*.npy", "list.txt", "cube.zarr", "cube.zarr::images"]
)
def test_images_of_annotated_sources_are_found(tmp_path: Path, name: str) -> None:
    written(tmp_path)
    found = read_inputs(tmp_path / "marks.csv", str(tmp_path / name), pixel_scale_arcsec=1.8)
    assert found.images.sources == ("J1", "J3")
    for image, pixels in zip(found.images, CUBE[[1, 3]], strict=True):
        np.testing.assert_array_equal(image.pixels, pixels)
        assert image.grid.pixel_scale_arcsec == 1.8
    (tmp_path / "labels.csv").write_text("source,class\nJ1,FR II\n", encoding="utf-8")
    found = read_inputs(
        tmp_path / "marks.csv", str(tmp_path / name), class_table=tmp_path / "labels.csv"
    )
    assert [image.class_name for image in found.images] == ["FR II", None]


def test_a_list_of_other_images_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "list.txt").write_text("cutouts/J0.npy\ncutouts/J2.npy\n", encoding="utf-8")
    with pytest.raises(AnnotationError, match=r"none of the 2 sources .* is among the 2 images of"):
        read_inputs(tmp_path / "marks.csv", str(tmp_path / "list.txt"))
