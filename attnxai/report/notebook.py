"""What notebooks show of images, maps, annotations and results: small pictures and tables.

All is HTML with its pictures inside, without colours of its own but in pictures, so that it can be read in light and dark
notebooks. Names come from files and are escaped.
"""

from __future__ import annotations

import html
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.page.pictures import display_limits
from attnxai.data.short_repr import shown_name
from attnxai.data.wording import counted
from attnxai.presenters import TABLE, presenter_of
from attnxai.report.page import data_url
from attnxai.report.sky_view import SkyView, asinh_stretch
from attnxai.report.style import MAP_COLOURS, SIGNED_MAP_COLOURS
from attnxai.report.tables.study import reader_tables
from attnxai.report.tables.table import Table, count_column, text_column
from attnxai.report.tables.text import render_html
from attnxai.report.wording import label_of_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.model_comparison.comparison import Comparison
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.audit.audits import ModelAudit
    from attnxai.data.images import SourceImage, SourceSet
    from attnxai.explanations.stack import MapStack
    from attnxai.study.results import StudyResult

_LARGE, _SMALL = 160, 80
_MOST_IMAGES, _MOST_SOURCES, _MOST_MAPS = 8, 3, 6
_N_COLOURS = 64
_BLANK = (32, 48, 80)  # what the survey did not observe, as on contact sheets
_ANSWERS = {True: "passes", False: "fails", None: "not known"}


def image_html(image: SourceImage) -> str:
    """An image with its size, scale and beam."""
    rows, columns = image.grid.shape
    scale = image.grid.pixel_scale_arcsec
    facts = [
        image.class_name or "",
        image.survey,
        f"{columns} × {rows} pixels" + (f" of {scale:g}″" if scale else ""),
    ]
    if image.beam_arcsec is not None:
        major, minor, _ = image.beam_arcsec
        facts.append(f"beam {major:g}″ × {minor:g}″")
    known = SkyView.of(image.grid, image.grid.shape).known
    facts.append("north up, east left" if known else "orientation not known")
    return _figure(_sky(image, _LARGE), image.source, ", ".join(filter(None, facts)), _LARGE)


def images_html(images: SourceSet) -> str:
    """The first images of a set, and how many there are."""
    shown = "".join(
        _figure(_sky(image, _SMALL), image.source, image.class_name or "")
        for image in images[:_MOST_IMAGES]
    )
    origin = f" from {html.escape(shown_name(images.origin))}" if images.origin else ""
    head = f"<p>{counted(len(images), 'image')}{origin}{_of_first(len(images), _MOST_IMAGES)}</p>"
    return head + _row(shown)


def maps_html(maps: MapStack) -> str:
    """The maps of the first sources beside what the network saw, and the range of each map over all sources."""
    names = list(maps.layers)[:_MOST_MAPS]
    limits = {
        name: (float(maps.layers[name].min()), float(maps.layers[name].max())) for name in names
    }
    size = f"{counted(len(maps.layers), 'layer')} for {counted(len(maps.sources), 'source')}"
    more = _of_first(len(maps.sources), _MOST_SOURCES)
    parts = [f"<p>Maps of {html.escape(shown_name(maps.model_name))}: {size}{more}</p>"]
    for index, source in enumerate(maps.sources[:_MOST_SOURCES]):
        seen = np.where(maps.valid[index], asinh_stretch(maps.brightness[index]), np.nan)
        pictures = [
            _figure(_picture(seen, "gray", (0.0, 1.0), _SMALL), source, "what the network saw")
        ]
        for name in names:
            low, high = limits[name]
            values = np.asarray(maps.layers[name][index], dtype=np.float64)
            picture = _picture(values, *_colours(low, high), _SMALL)
            pictures.append(_figure(picture, label_of_map(name), f"{low:.3g} to {high:.3g}"))
        parts.append(_row("".join(pictures)))
    parts.append("<p>Arrays as they are stored, with their first row on top.</p>")
    return "".join(parts)


def annotations_html(annotations: AnnotationSet) -> str:
    """Sources, marks and labels of every annotator."""
    marks = Counter(mark.annotator for mark in annotations.annotations)
    sources = Counter(name for _, name in annotations.by_source_and_annotator())
    labels = {
        name: Counter(str(m.label) for m in annotations.annotations if m.annotator == name)
        for name in annotations.annotators
    }
    table = Table(
        columns=(
            text_column("Annotator", [shown_name(name) for name in annotations.annotators]),
            count_column("Sources", [sources[name] for name in annotations.annotators]),
            count_column("Marks", [marks[name] for name in annotations.annotators]),
            text_column(
                "Labels",
                [
                    ", ".join(f"{n} {label}" for label, n in labels[name].most_common())
                    for name in annotations.annotators
                ],
            ),
        )
    )
    head = f"{counted(len(annotations), 'mark')} on {counted(len(annotations.sources), 'source')}: {annotations.kind}"
    if annotations.left_out:
        head += f"; {sum(annotations.left_out.values()):,} rows are not used"
    return f"<p>{html.escape(head)}</p>{render_html(table)}"


def audit_html(audit: ModelAudit) -> str:
    """The answer of every audit."""
    titled = audit.titled()
    table = Table(
        columns=(
            text_column("Audit", [title for _, title, _ in titled]),
            text_column("Result", [_ANSWERS[result.passes] for _, _, result in titled]),
            text_column("Answer", [result.summary().splitlines()[0] for _, _, result in titled]),
        )
    )
    name = shown_name(audit.model.get("name", "model"))
    return f"<p>{html.escape(name)}, {counted(audit.n_images, 'image')} ({html.escape(audit.group)})</p>{render_html(table)}"


def comparison_html(comparison: Comparison) -> str:
    """The table of every model, and of the differences between them by the first metric."""
    parts = [
        f"<p>{html.escape(shown_name(result.model_name))}</p>"
        + render_html(presenter_of(result, TABLE)(result))
        for result in comparison.results
    ]
    parts += [render_html(presenter_of(one, TABLE)(one)) for one in comparison.contrasts[:1]]
    return "".join(parts)


def study_html(result: StudyResult) -> str:
    """The tables of a study's page."""
    return "".join(render_html(table) for table in reader_tables(result))


def _of_first(n: int, most: int) -> str:
    return f", of which the first {most} are shown" if n > most else ""


def _sky(image: SourceImage, side: int) -> str:
    """Pixels in the orientation of the sky, stretched as on the annotation page."""
    low, high = display_limits(image)
    shown = asinh_stretch(np.clip(image.pixels - low, 0.0, max(high - low, 1e-30)))
    if image.footprint is not None:
        shown = np.where(image.footprint, shown, np.nan)
    view = SkyView.of(image.grid, image.grid.shape)
    # the first row of a display is at its bottom, that of a picture on top
    return _picture(view.array(shown)[::-1], "gray", (0.0, 1.0), side)


def _colours(low: float, high: float) -> tuple[str, tuple[float, float]]:
    if low < 0:
        most = max(-low, high)
        return SIGNED_MAP_COLOURS, (-most, most)
    return MAP_COLOURS, (low, high)


def _picture(values: NDArray[Any], colours: str, limits: tuple[float, float], side: int) -> str:
    """A PNG picture as an address; its longer side has at most ``side`` pixels, and NaN is blank."""
    from matplotlib import colormaps
    from PIL import Image

    low, high = limits
    step = -(-max(values.shape) // side)
    rows, columns = (n // step * step for n in values.shape)
    # means of blocks; a block with a blank pixel is blank
    blocks = values[:rows, :columns].reshape(rows // step, step, columns // step, step)
    means = blocks.mean(axis=(1, 3))
    share = np.clip((means - low) / (high - low if high > low else 1.0), 0, 1)
    drawn = colormaps[colours](np.nan_to_num(share), bytes=True)[..., :3]
    drawn[np.isnan(means)] = _BLANK
    buffer = io.BytesIO()
    Image.fromarray(drawn).quantize(_N_COLOURS).save(buffer, format="PNG", optimize=True)
    return data_url(buffer.getvalue())


def _figure(picture: str, name: str, facts: str, side: int = _SMALL) -> str:
    name, facts = html.escape(shown_name(name)), html.escape(facts)
    more = f"<br><small>{facts}</small>" if facts else ""
    return (
        f'<figure style="margin: 0; max-width: {side + 60}px"><img src="{picture}" alt="{name}" width="{side}" '
        f'style="image-rendering: pixelated"><figcaption style="overflow-wrap: anywhere; font-size: 0.9em"><b>{name}</b>{more}</figcaption></figure>'
    )


def _row(figures: str) -> str:
    return f'<div style="display: flex; flex-wrap: wrap; gap: 0.7em">{figures}</div>'
