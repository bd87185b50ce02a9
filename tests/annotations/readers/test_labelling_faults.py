"""What files of labelling tools hold that cannot be used as it is: said and counted, never passed over in silence."""

from __future__ import annotations

import base64
import csv
import io
import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from attnxai.annotations import AnnotationSet, pixel_outlines
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError

Read = Callable[..., AnnotationSet]
MakeImage = Callable[..., SourceImage]
IMAGE = {"id": 7, "file_name": "g1.png", "width": 50, "height": 40}
BOX = {"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 1, 3, 3]}
RECTANGLE = {"label": "lobe", "points": [[1, 1], [4, 4]], "shape_type": "rectangle"}


def coco(*annotations: Any, images: Any = (IMAGE,), **others: Any) -> bytes:
    lobe = {"id": 1, "name": "lobe", "keypoints": ["core", "hotspot"]}
    content = {"images": list(images), "annotations": annotations, "categories": [lobe]}
    return json.dumps(content | others).encode()


def labelme(*shapes: Any, **others: Any) -> bytes:
    size = {"imageHeight": 40, "imageWidth": 50, "imageData": None}
    return json.dumps(
        {"version": "5", "flags": {}, "shapes": shapes, "imagePath": "g1.png", **size, **others}
    ).encode()


def zooniverse(*marks: Any) -> bytes:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["user_name", "metadata", "annotations", "subject_data", "subject_ids"])
    size = {"subject_dimensions": [{"naturalWidth": 50, "naturalHeight": 40}]}
    drawn = [{"task": "T0", "value": list(marks)}]
    cells = [json.dumps(cell) for cell in (size, drawn, {"9": {"Filename": "g1.png"}})]
    table.writerow(["eve", *cells, 9])
    return text.getvalue().encode()


def png(mask: np.ndarray) -> str:
    written = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(written, format="PNG")
    return base64.b64encode(written.getvalue()).decode()


def test_turns_of_both_front_ends_of_the_zooniverse(read: Read, make_image: MakeImage) -> None:
    """An ellipse that leans up to the right: -30 degrees clockwise for the newer one, 30 the other way for the older."""
    common = {"frame": 0, "rx": 9, "ry": 3}
    older = {**common, "tool": 0, "x": 20, "y": 20, "angle": 30}
    newer = {**common, "toolIndex": 0, "toolType": "ellipse", "x_center": 20, "y_center": 20}
    found = read(zooniverse(older, {**newer, "angle": -30}), images=[make_image("g1")])
    assert [a.shape.angle for a in found.annotations] == pytest.approx([30, 30])


@pytest.mark.parametrize(
    "mark",
    [
        {"x": 20, "width": 9},
        {"y": 20},
        {"toolType": "fan", "x": 1, "y": 2, "radius": 9, "rotation": 3, "spread": 9},
        {"toolType": "triangle", "x": 1, "y": 2, "r": 9, "angle": 3},
    ],
)
def test_tools_of_the_zooniverse_that_are_not_read(read: Read, mark: dict[str, Any]) -> None:
    tool = {"toolIndex": 0, "frame": 0}
    with pytest.raises(
        AnnotationError, match=r"left out: drawn with a tool that is not read \(1\)"
    ):
        read(zooniverse({**tool, **mark}))


def test_keypoints_that_nobody_placed_are_counted(read: Read) -> None:
    found = read(coco({**BOX, "keypoints": [3, 4, 2, 0, 0, 0]}))
    assert "1 keypoint of visibility 0, which nobody placed, is left out." in found.notices
    assert [a.shape.kind for a in found.annotations] == ["box", "point"]


def test_images_of_coco(read: Read, make_image: MakeImage) -> None:
    two = coco(BOX, images=[IMAGE, {**IMAGE, "id": 8, "file_name": "g2.png"}])
    assert "1 image of the file has no annotations." in read(two).notices
    with pytest.raises(AnnotationError, match=r"'g1\.png' and 'more/g1\.png' would be one source"):
        read(coco(BOX, images=[IMAGE, {**IMAGE, "id": 8, "file_name": "more/g1.png"}]))
    scaled = read(
        coco(BOX, images=[{**IMAGE, "width": 100, "height": 80}]), images=[make_image("g1")]
    )
    assert any("to which marks are scaled" in notice for notice in scaled.notices)
    assert scaled.annotations[0].shape.width == 1.5


def test_labelme_files_named_after_their_image(tmp_path: Any, make_image: MakeImage) -> None:
    import attnxai

    path = tmp_path / "g1.json"
    flags = {"good": True, "bad": False, "FRII": True, "hybrid": False}
    path.write_bytes(labelme(RECTANGLE, imagePath="IMG_1.png", flags=flags))
    found = attnxai.read_annotations(path, [make_image("g1")])
    assert found.sources == ("g1",)
    assert "Flags of the image are not used: good." in found.notices
    assert found.classes == {"g1": "FR II"}
    assert list(found.annotator_classes.values()) == [found.classes]
    path.write_bytes(labelme(RECTANGLE, imagePath="IMG_1.png", flags={"FRI": True, "FRII": True}))
    found = attnxai.read_annotations(path, [make_image("g1")])
    assert "Flags of the image are not used: FRI, FRII." in found.notices
    assert found.classes == {}


@pytest.mark.parametrize(
    "name",
    [
        *("g1.jpg", "a/g1.fits.png", "0a1b2c3d-g1.png", "0a1b2c3d-g1.jpeg"),
        "g1_png.rf.8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d.jpg",
    ],
)
def test_pictures_of_other_names(read: Read, make_image: MakeImage, name: str) -> None:
    content = coco(BOX, images=[{**IMAGE, "file_name": name}])
    found = read(content, images=[make_image("g1"), make_image("g2")])
    assert found.sources == ("g1",)
    assert any("Pictures are taken for images of the same name" in note for note in found.notices)
    with pytest.raises(AnnotationError, match=r"the file names '.*', and the images are 'g2'$"):
        read(content, images=[make_image("g2")])


def test_coco_without_categories(read: Read) -> None:
    boxes = [BOX, {**BOX, "category_id": None, "segmentation": [[]]}]
    found = read(coco(*boxes, categories=[]))
    assert [(a.label, a.shape.kind) for a in found.annotations] == [("other", "box")] * 2


def bomb() -> str:
    """A PNG of a few kB that claims 100,000 x 100,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + crc

    side = (100_000).to_bytes(4, "big")
    head = chunk(b"IHDR", side + side + bytes([8, 0, 0, 0, 0]))
    data = chunk(b"IDAT", zlib.compress(bytes(1_000_000)))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")).decode()


MASK = {"label": "lobe", "points": [[1, 1], [2, 2]], "shape_type": "mask"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (coco({**BOX, "category_id": 99}), "annotation 1: its category_id '99' is that of no cat"),
        (labelme({**MASK, "mask": png(np.ones((9, 9)))}), "9 x 9 pixels, but there are 2 x 2"),
        (labelme({**MASK, "mask": png(np.zeros((2, 2)))}), "shape 1: its mask is empty"),
        (labelme({**MASK, "mask": bomb()}), "its mask is not a PNG picture of numbers"),
        (b'{"_via_settings": {}, "_via_img_metadata": {"a": 5}}', "has no list of regions"),
        (
            b'{"_via_settings": {}, "_via_img_metadata": {"a": {"regions": 5}}}',
            "has no list of regions",
        ),
    ],
)
def test_faults(read: Read, content: bytes, fault: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        read(content)
    assert fault in str(caught.value)


def test_masks_of_too_many_areas(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_outlines, "MOST_OUTLINES", 3)
    runs = {"size": [40, 50], "counts": [1] * 10 + [1990]}
    with pytest.raises(AnnotationError, match="annotation 1: of its mask, it has 5 areas"):
        read(coco({**BOX, "segmentation": runs}))
