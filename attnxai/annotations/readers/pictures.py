"""Shapes in the pixels of a picture, as labelling tools give them, as shapes in pixels of the image that it shows.

Such tools count y from the top, and from the edge of the first pixel: its centre is (0.5, 0.5).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.annotation_set import WEIGHT, expected_round
from attnxai.annotations.file_names import PICTURE_EXTENSIONS
from attnxai.annotations.naming import folded
from attnxai.annotations.pixel_outlines import trace_areas
from attnxai.annotations.shapes import Shape, ShapeKind
from attnxai.data.grid import RowZero
from attnxai.data.images import SourceImage, source_id
from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

    from attnxai.annotations.readers.marks import MarkList

ANNOTATOR_KEYS = ("annotator", "annotatorid", "user", "username", "createdby", "worker", "workerid")
"""What tools call the annotator, without case and punctuation."""
MOST_PIXELS = 2**24
"""Pixels that a picture may have."""


# endings that images here do not have, and what Roboflow and Label Studio make of the name of a file
_ENDING = re.compile("(?:" + "|".join(map(re.escape, PICTURE_EXTENSIONS)) + ")$", re.IGNORECASE)
_OF_ROBOFLOW = re.compile(r"_(?:png|jpe?g|tiff?|webp|bmp|fits?)\.rf\.\w+$", re.IGNORECASE)
_OF_LABEL_STUDIO = re.compile(r"[0-9a-f]{8}-(?=.)")


def ids_of_picture(name: str) -> list[str]:
    """Ids that a source may have whose picture has a name, the likeliest first.

    Examples
    --------
    >>> ids_of_picture("cutouts/g7.png"), ids_of_picture("g7.fits.jpg"), ids_of_picture("1a2b3c4d-g7.png")
    (['g7'], ['g7.fits.jpg', 'g7'], ['1a2b3c4d-g7', 'g7'])
    """
    found = [source_id(name)]
    while (shorter := source_id(_OF_ROBOFLOW.sub("", _ENDING.sub("", found[-1])))) != found[-1]:
        found.append(shorter)
    plain = [
        _OF_LABEL_STUDIO.sub("", known, count=1) for known in found if _OF_LABEL_STUDIO.match(known)
    ]
    return found + plain


class ShapeFault(ValueError):
    """What is wrong with a shape, in words that follow its number."""


class Picture:
    """A picture of a source; gives the arguments of :class:`~attnxai.annotations.Shape` for what is drawn on it.

    Parameters
    ----------
    marks : MarkList
        The marks of the file, which know the images.
    source : str
        Id of the source, or the name of its file.
    size : (float, float), optional
        Width and height in the picture's pixels; those of the image where the file does not state them.
    """

    def __init__(
        self, marks: MarkList, source: str, size: tuple[float, float] | None = None
    ) -> None:
        image = marks.image_for(source) if source else None
        if size is None:
            rows, columns = (1.0, 1.0) if image is None else image.grid.shape_of_file
            size = float(columns), float(rows)
        elif image is not None and size != image.grid.shape_of_file[::-1]:
            marks.note("Pictures are of other sizes than the images, to which marks are scaled.")
        x, y = marks.picture_to_pixels(
            source, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], width=size[0], height=size[1]
        )
        self._origin = np.array([x[0], y[0]])
        self._across = np.array([x[1] - x[0], y[1] - y[0]])
        self._down = np.array([x[2] - x[0], y[2] - y[0]])

    def places(self, points: ArrayLike) -> NDArray[np.float64]:
        """Positions (x, y), shape (n, 2), in pixels of the image."""
        try:
            given = np.array(points, dtype=np.float64).reshape(-1, 2)
        except (TypeError, ValueError, OverflowError):
            raise ShapeFault("its positions are not pairs of numbers") from None
        if not np.isfinite(given).all():
            raise ShapeFault("its positions are not finite")
        return np.asarray(self._origin + given[:, :1] * self._across + given[:, 1:] * self._down)

    def point(self, x: Any, y: Any) -> dict[str, Any]:
        """A point."""
        ((x, y),) = self.places([(number(x, "x"), number(y, "y"))]).tolist()
        return {"kind": ShapeKind.POINT, "x": x, "y": y}

    def polygon(self, points: ArrayLike) -> dict[str, Any]:
        """A polygon."""
        return {"kind": ShapeKind.POLYGON, "vertices": self.places(points).tolist()}

    def line(self, points: ArrayLike) -> dict[str, Any]:
        """A line."""
        return {"kind": ShapeKind.LINE, "vertices": self.places(points).tolist()}

    def box(self, x: Any, y: Any, width: Any, height: Any, angle: Any = 0.0) -> dict[str, Any]:
        """A box from its upper left corner, turned clockwise about its middle by an angle in degrees."""
        wide, high = number(width, "width"), number(height, "height")
        middle = number(x, "x") + wide / 2, number(y, "y") + high / 2
        return self._turned(ShapeKind.BOX, middle, (wide, high), number(angle, "angle"))

    def ellipse(self, x: Any, y: Any, rx: Any, ry: Any, angle: Any = 0.0) -> dict[str, Any]:
        """An ellipse from its centre and half axes, turned clockwise by an angle in degrees."""
        middle = number(x, "x"), number(y, "y")
        lengths = 2 * number(rx, "rx"), 2 * number(ry, "ry")
        return self._turned(ShapeKind.ELLIPSE, middle, lengths, number(angle, "angle"))

    def circle(self, x: Any, y: Any, radius: Any) -> dict[str, Any]:
        """A circle; where the picture is a little wider than the image, with the mean of both scales."""
        ((x, y),) = self.places([(number(x, "x"), number(y, "y"))]).tolist()
        scale = math.sqrt(abs(float(np.linalg.det(np.stack([self._across, self._down])))))
        return {"kind": ShapeKind.CIRCLE, "x": x, "y": y, "radius": number(radius, "r") * scale}

    def areas(
        self, mask: NDArray[Any], corner: tuple[float, float], name: str
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Outlines and holes of a mask, and their further fields; ``corner`` is the first pixel's, ``name`` is for groups."""
        try:
            areas = trace_areas(mask.astype(np.int64))
        except AnnotationError as error:
            raise ShapeFault(f"of its mask, {error}") from error
        middle = np.array(corner) + 0.5
        for n, area in enumerate(areas, start=1):
            group = {"group": f"{name}.{n}"} if area.holes else {}
            yield self.polygon(area.outline + middle), group
            for hole in area.holes:
                yield self.polygon(hole + middle), {**group, "operation": "subtract"}

    def _turned(
        self,
        kind: ShapeKind,
        middle: tuple[float, float],
        lengths: tuple[float, float],
        turn: float,
    ) -> dict[str, Any]:
        ((x, y),) = self.places([middle]).tolist()
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        along = cos * self._across + sin * self._down
        across = -sin * self._across + cos * self._down
        return {
            "kind": kind,
            "x": x,
            "y": y,
            "width": lengths[0] * math.hypot(*along),
            "height": lengths[1] * math.hypot(*across),
            "angle": math.degrees(math.atan2(along[1], along[0])),
        }


def stated_size(
    values: Mapping[str, Any], keys: tuple[str, str], of: str = ""
) -> tuple[float, float] | None:
    """Width and height of a picture by the keys of a JSON file, whose names follow ``of`` in a fault; None without."""
    if all(values.get(key) is None for key in keys):
        return None
    width, height = (number(values.get(key), f"{of}{key}") for key in keys)
    if min(width, height) < 1 or width * height > MOST_PIXELS:
        raise ShapeFault(
            f"its image has {width:,.0f} x {height:,.0f} pixels, from 1 to {MOST_PIXELS:,} can be used"
        )
    return width, height


def begins_object(head: bytes) -> bool:
    """Whether a file may be a JSON object."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def number(value: Any, name: str) -> float:
    """A number of a JSON file, also one that is kept as text."""
    if isinstance(value, str) and len(value) < 40:
        try:
            value = float(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise ShapeFault(f"its {name} is not a number")
    return float(value)


def pairs(xs: Any, ys: Any) -> list[tuple[Any, Any]]:
    """Positions from two lists."""
    if not (isinstance(xs, list) and isinstance(ys, list) and len(xs) == len(ys)):
        raise ShapeFault("its lists of x and y are not lists of one length")
    return list(zip(xs, ys, strict=True))


def text_of(value: Any) -> str:
    """A value of a JSON file as one word: text and numbers; empty for all else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def stated_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Annotator, group, round and weight of a mark, as far as a file states them under these names.

    The other way is :func:`~attnxai.annotations.writers.fields_to_state`.
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = folded(str(key))
        if name in ANNOTATOR_KEYS and text_of(value):
            found.setdefault("annotator", text_of(value))
        elif name == "group" and text_of(value):
            found["group"] = text_of(value)
        elif name == "round" and not expected_round(value):
            found["round"] = int(value)
        elif name == "weight" and not WEIGHT.expected(value):
            found["weight"] = float(value)
    return found


# writing


class PictureOf:
    """The other way: marks in pixels of an image as positions on its picture, whose first row is at the top."""

    def __init__(self, image: SourceImage) -> None:
        self.height, self.width = image.grid.shape_of_file
        self._upwards = image.grid.row_zero is not RowZero.TOP
        name = PurePath(image.path.replace("\\", "/")).name if image.path else ""
        self.name = name if name and source_id(name) == image.source else f"{image.source}.png"

    def places(self, points: Sequence[tuple[float, float]]) -> list[list[float]]:
        """Positions (x, y) on the picture."""
        return [[x + 0.5, (self.height - 0.5 - y) if self._upwards else y + 0.5] for x, y in points]

    def rows(self, pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Pixels of the image with the first row of the picture first."""
        return pixels[::-1] if self._upwards else pixels

    def turn(self, shape: Shape) -> float:
        """The angle of a shape, clockwise in degrees."""
        return -shape.angle if self._upwards else shape.angle
