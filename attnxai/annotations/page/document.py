"""Writing the annotation page."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import importlib.resources
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.page.order import ask_order, parse_repeats
from attnxai.annotations.page.pictures import Picture, pack
from attnxai.annotations.page.sky import LARGEST_ERROR_PIXELS, sky_polynomials
from attnxai.data.classes import canonical_class
from attnxai.data.images import source_id
from attnxai.data.wording import first_of, is_text, printable
from attnxai.errors import ImageError, OptionError
from attnxai.jobs.files import write_file

if TYPE_CHECKING:
    from attnxai.data.images import SourceImage

CLASSES = ("FR I", "FR II", "hybrid")
"""Classes that annotators can choose from, besides "unsure"."""
_MOST_PIXELS = 4096 * 4096  # of a canvas, in some browsers
_LONGEST = 100
TOOLS = (
    ("select", "V", "Select, move and resize", "M5 3l10 6-4.6 1.2L8 15z"),
    ("point", "P", "Point", "M10 3v5M10 12v5M3 10h5M12 10h5"),
    ("box", "B", "Box", "M3.5 5.5h13v9h-13z"),
    ("ellipse", "E", "Ellipse", "M2.5 10a7.5 4.7 0 1 0 15 0 7.5 4.7 0 1 0-15 0"),
    ("circle", "C", "Circle", "M3.5 10a6.5 6.5 0 1 0 13 0 6.5 6.5 0 1 0-13 0"),
    ("polygon", "G", "Polygon", "M4 7l6-4 7 5-3 8-8 1z"),
    ("line", "L", "Line", "M3 16l5-9 4 5 5-8"),
    (
        "pan",
        "H",
        "Pan",
        "M10 3v14M3 10h14M8 5l2-2 2 2M8 15l2 2 2-2M5 8l-2 2 2 2M15 8l2 2-2 2",
    ),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PageSummary:
    """What was written: the images, how often one is shown, the size of the file, and what is to be known about it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:2])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     summary = attnxai.annotations.write_annotation_page(images, Path(folder) / "page.html", repeats=1, rng=0)
    ...
    >>> summary.n_images, summary.n_looks
    (2, 3)
    """

    n_images: int
    n_looks: int
    n_bytes: int
    notes: tuple[str, ...] = ()


def write_annotation_page(
    images: Sequence[SourceImage],
    path: str | Path,
    *,
    title: str = "Annotation of radio galaxies",
    classes: Sequence[str] = CLASSES,
    blind: bool = False,
    shuffle: bool = False,
    repeats: int | str = 0,
    rng: np.random.Generator | int = 0,
) -> PageSummary:
    """Write a page on which annotators mark images, and from which they download an annotation table.

    Parameters
    ----------
    images : sequence of SourceImage
        With different ids.
    path : path
        The HTML file; replaced if it exists.
    title : str
        Title of the page.
    classes : sequence of str
        Classes to choose from; "unsure" is always one more.
    blind : bool
        Show random names instead of ids, and no sky positions. The ids are in the file, and in the table.
    shuffle : bool
        Show the images in random order.
    repeats : int or str
        How many images to show a second time, or a share such as ``"10%"``; what is marked then has ``round`` 2 in the table.
        Names are random then, as with ``blind``.
    rng : numpy.random.Generator or int
        Source of the order, of the repeats and of the random names.

    Returns
    -------
    PageSummary

    Raises
    ------
    ImageError
        If there is no image, or one is too large, or has an id that a table cannot hold.
    OptionError
        If classes or repeats cannot be used.

    Examples
    --------
    >>> import attnxai, tempfile, os
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_annotation_page(images, os.path.join(folder, "annotate.html"), repeats=1)
    >>> written.n_images, written.n_looks
    (2, 3)
    """
    _check_images(images)
    n_repeats = parse_repeats(str(repeats), len(images))
    # whoever recognises an image by its name remembers what they marked
    blind = blind or n_repeats > 0
    names = [image.source for image in images]
    order = ask_order(
        names, shuffle=shuffle, blind=blind, n_repeats=n_repeats, rng=np.random.default_rng(rng)
    )
    pictures = [pack(image) for image in images]
    described = [_described(*both) for both in zip(images, pictures, strict=True)]
    study: dict[str, Any] = {
        "classes": _checked_classes(classes),
        "blind": blind,
        "entries": [entry._asdict() for entry in order],
        "images": described,
    }
    content = _json(study) + "".join(picture.text for picture in pictures)
    study["id"] = hashlib.sha256(content.encode()).hexdigest()[:24]
    data = _render(title, study, pictures).encode()
    write_file(path, data)
    return PageSummary(
        n_images=len(images), n_looks=len(order), n_bytes=len(data), notes=_notes(images, described)
    )


def _check_images(images: Sequence[SourceImage]) -> None:
    if not images:
        raise ImageError("there are no images to annotate; name a folder or files of images")
    for image in images:
        rows, columns = image.shape
        if rows * columns > _MOST_PIXELS:
            raise ImageError(
                f"image {image.path or image.source} has {columns} x {rows} pixels; browsers show "
                f"{_MOST_PIXELS:,} at most, so cut the source out"
            )
        if image.grid.file_pixels is not None and sky_polynomials(image.grid) is None:
            raise ImageError(
                f"image {image.path or image.source} has pixels that are not square, and coordinates that vary "
                "too much for sky positions; give a smaller cutout"
            )
        # a table takes off blanks, folders and extensions
        if source_id(printable(image.source).strip()) != image.source or "\n" in image.source:
            raise ImageError(
                f"the source id {printable(image.source)!r} would change in an annotation table; rename "
                f"the image {printable(image.path or '')} without control characters, blanks at the ends and a "
                "second extension"
            )


def _checked_classes(classes: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(canonical_class(name.strip()) for name in classes))
    for name in found:
        if not name or len(name) > _LONGEST or not is_text(name) or printable(name) != name:
            raise OptionError(f"class {name[:60]!r} should be a name of 1 to {_LONGEST} characters")
    return [name for name in found if name != "unsure"]


def _described(image: SourceImage, picture: Picture) -> dict[str, Any]:
    rows, columns = image.shape
    return {
        "source": image.source,
        "rows": rows,
        "columns": columns,
        "row_zero": str(image.grid.row_zero),
        "scale_arcsec": image.grid.pixel_scale_arcsec,
        "sky": sky_polynomials(image.grid),
        **{name: getattr(picture, name) for name in ("zero", "step", "top", "low", "high")},
    }


def _notes(images: Sequence[SourceImage], described: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    notes = []
    pixels = [image.source for image in images if image.grid.wcs is None]
    if pixels:
        notes.append(
            f"{len(pixels)} of {len(images)} images have no celestial coordinates; marks on them are "
            "written in pixels"
        )
    odd = [
        image.source
        for image, facts in zip(images, described, strict=True)
        if image.grid.wcs is not None and facts["sky"] is None
    ]
    if odd:
        notes.append(
            f"the coordinates of {len(odd)} of {len(images)} images vary too much for sky positions "
            f"right to {LARGEST_ERROR_PIXELS} pixels, so marks on them are written in pixels: "
            f"{first_of([printable(name) for name in odd], 5)}"
        )
    return tuple(notes)


def _json(value: Any) -> str:
    """JSON that can stand within an element of a page."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _render(title: str, study: dict[str, Any], pictures: Sequence[Picture]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    from attnxai import __version__

    if not title.strip() or len(title) > _LONGEST or not is_text(title):
        raise OptionError(f"title {title[:60]!a} should have 1 to {_LONGEST} characters")
    environment = Environment(
        loader=PackageLoader("attnxai.annotations.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    script, style = (_part(name) for name in ("page.js", "page.css"))
    n = len(study["images"])
    text: str = environment.get_template("page.html").render(
        title=printable(title.strip()),
        version=__version__,
        introduction=f"{n} image{'s' if n > 1 else ''} to annotate. It takes no account and no network: your answers stay "
        "in this browser until you download them as a table.",
        n_entries=len(study["entries"]),
        tools=[dict(zip(("name", "key", "words", "path"), tool, strict=True)) for tool in TOOLS],
        study=Markup(_json(study)),  # noqa: S704 -- escaped there
        pictures=[picture.text for picture in pictures],
        script=Markup(script),  # noqa: S704 -- ours
        style=Markup(style),  # noqa: S704 -- ours
        script_hash=_hash(script),
        style_hash=_hash(style),
    )
    return text


def _part(name: str) -> str:
    return (importlib.resources.files("attnxai.annotations.page") / name).read_text("utf-8")


def _hash(text: str) -> str:
    """Source of a script or style for the content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
