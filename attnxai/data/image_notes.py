"""Notes about what was assumed of image files, one for all files that need the same."""

from __future__ import annotations

import contextlib
import contextvars
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.wording import counted, first_of
from attnxai.errors import AssumptionWarning, ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attnxai.data.images import SourceImage

_collected: contextvars.ContextVar[dict[str, list[str]] | None] = contextvars.ContextVar(
    "notes about images", default=None
)


def note(text: str, file: str | Path) -> None:
    """Warn of what was assumed of an image file, or have :func:`grouped_notes` do it."""
    collected = _collected.get()
    if collected is None:
        warnings.warn(f"image {file}: {text}", AssumptionWarning, stacklevel=3)
    else:
        collected.setdefault(text, []).append(str(file))


@contextlib.contextmanager
def grouped_notes() -> Iterator[None]:
    """Warn once of what is assumed of several images in the block, with their number and the first of them."""
    if _collected.get() is not None:
        yield
        return
    collected: dict[str, list[str]] = {}
    token = _collected.set(collected)
    try:
        yield
    finally:
        _collected.reset(token)
    for text, files in collected.items():
        start = f"image {files[0]}"
        if len(files) > 1:
            start = f"{counted(len(files), 'image')} ({first_of([Path(f).name for f in files], 3)})"
        warnings.warn(f"{start}: {text}", AssumptionWarning, stacklevel=4)


def noted_beam(image: SourceImage) -> SourceImage:
    """The same image, with a note where it cannot be smoothed to another beam as it should be."""
    if image.match_beam:
        reason = ""
        if image.prepared:
            reason = "it is prepared, so that its faint emission was clipped"
        elif image.beam_arcsec is None:
            reason = "it states no beam"
        elif image.grid.pixel_scale_arcsec is None:
            reason = "it states no pixel scale"
        if reason:
            note(
                f"not smoothed to the beam of the training images, since {reason}",
                image.path or image.source,
            )
    return image


def collect_images(readers: Iterable[Any]) -> list[SourceImage]:
    """Call every reader, and report all failures together, and what was assumed of several images once."""
    images, errors = [], []
    with grouped_notes():
        for reader in readers:
            try:
                images.append(reader())
            except ImageError as error:
                errors.append(str(error))
    if len(errors) == 1:
        raise ImageError(errors[0])
    if errors:
        raise ImageError(
            f"{len(errors)} images cannot be used:\n  " + first_of(errors, separator="\n  ")
        )
    return images
