"""What a network sees of the images of each survey, and where that is far from what it was trained on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from attnxai.data.short_repr import short_repr
from attnxai.models.preprocessing import beyond_image
from attnxai.report.sentences.say import say
from attnxai.report.tables.table import Line, Piece, Table, Tone, text_table
from attnxai.statistics.formats import MISSING, format_share

if TYPE_CHECKING:
    from attnxai.data.grid import GridTransform
    from attnxai.data.images import SourceImage, SourceSet
    from attnxai.explanations.files.map_chunks import MapChunks
    from attnxai.explanations.stack import MapStack

# An image beyond one of these lies far from what a network was trained on. Training magnifies images by a factor of
# 1.1 at most, unless it is told otherwise.
MOST_RESAMPLING = 2.0
"""Beyond a factor of 2 half of the image's pixels have no counterpart of their own among the network's, or vice versa."""
MOST_BEAM = 1.5
"""With a beam 1.5 times as large, or small, an unresolved component covers more than twice the area, or less than half."""
MOST_UNSEEN = 0.2
"""Unknown share of the field: as much as the corners outside the disc in it, which is all that a network sees at any angle."""

# of scales and beams, which differ by less within a survey: beams do from field to field
_OF_ONE_SURVEY = 1.25
_MOST_ROWS = 12


class SeenImage(NamedTuple):
    """One image as a network sees it; what is not known is NaN.

    ``step`` is the number of its pixels along the side of a pixel of the network, ``blank`` and ``padded`` are shares of
    the field.
    """

    source: str
    survey: str
    scale_arcsec: float
    beam_arcsec: float
    step: float
    is_smoothed: bool
    blank: float
    padded: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurveyImages:
    """The images of one survey with one scale and beam.

    ``beam_arcsec`` is that of the training images of the network, NaN where it is not known.
    """

    survey: str
    images: tuple[SeenImage, ...]
    beam_arcsec: float

    __repr__ = short_repr

    def values(self, name: str) -> list[float]:
        """Finite values of all images by the name of a field."""
        return [v for image in self.images if math.isfinite(v := getattr(image, name))]

    def far_in_scale(self) -> list[SeenImage]:
        """Images with pixels of another size than the network's."""
        return [i for i in self.images if _is_far(i.step, MOST_RESAMPLING)]

    def far_in_beam(self) -> list[SeenImage]:
        """Images with another beam than the training images, also after smoothing."""
        return [
            i
            for i in self.images
            if _is_far(ratio := i.beam_arcsec / self.beam_arcsec, MOST_BEAM)
            and not (i.is_smoothed and ratio < 1)
        ]

    def mostly_unseen(self) -> list[SeenImage]:
        """Images with much blank or padded sky."""
        return [i for i in self.images if i.blank + i.padded > MOST_UNSEEN]

    def to_record(self) -> dict[str, Any]:
        """Plain values, as in ``summary.json``."""
        return {
            "survey": self.survey,
            "n": len(self.images),
            **{
                name: _ends(self.values(field))
                for name, field in (
                    ("pixel_scale_arcsec", "scale_arcsec"),
                    ("beam_arcsec", "beam_arcsec"),
                    ("pixels_per_network_pixel", "step"),
                    ("blank_share", "blank"),
                    ("padded_share", "padded"),
                )
            },
            "n_smoothed_to_beam": sum(image.is_smoothed for image in self.images),
            "n_far_in_scale": len(self.far_in_scale()),
            "n_far_in_beam": len(self.far_in_beam()),
            "n_mostly_unseen": len(self.mostly_unseen()),
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImagesBySurvey:
    """What models that see the same field see of all images, survey by survey.

    Parameters
    ----------
    models : tuple of str
        Names of the models.
    scale_arcsec : float
        Side of a pixel of their field.
    beam_arcsec : float
        Of their training images; NaN where it is not known.
    surveys : tuple of SurveyImages
        The surveys, that of most images first.
    """

    models: tuple[str, ...]
    scale_arcsec: float
    beam_arcsec: float
    surveys: tuple[SurveyImages, ...]

    __repr__ = short_repr

    def cautions(self) -> Iterator[str]:
        """A sentence for each way in which images of a survey lie far from the training images."""
        for survey in self.surveys:
            if far := survey.far_in_scale():
                step = float(np.median([image.step for image in far]))
                yield say(
                    f"caution.survey.scale.{'finer' if step > 1 else 'coarser'}",
                    images=_named(len(far), survey),
                    n=len(far),
                    scale=_arcsec([image.scale_arcsec for image in far]),
                    own=_arcsec([self.scale_arcsec]),
                    factor=max(step, 1 / step),
                )
            if far := survey.far_in_beam():
                ratio = float(np.median([i.beam_arcsec for i in far])) / self.beam_arcsec
                yield say(
                    f"caution.survey.beam.{'smaller' if ratio < 1 else 'larger'}",
                    images=_named(len(far), survey),
                    n=len(far),
                    beam=_arcsec([image.beam_arcsec for image in far]),
                    own=_arcsec([self.beam_arcsec]),
                    factor=max(ratio, 1 / ratio),
                )
            if unseen := survey.mostly_unseen():
                shares = [image.blank + image.padded for image in unseen]
                yield say(
                    "caution.survey.unseen",
                    images=_named(len(unseen), survey),
                    n=len(unseen),
                    most=MOST_UNSEEN,
                    share=max(shares),
                )

    def table(self, *, name_models: bool = False) -> Table:
        """A row for each survey."""
        rows = self.surveys
        known_beam = math.isfinite(self.beam_arcsec)
        cells: dict[str, list[str | tuple[Line, ...]]] = {
            "Images": [f"{len(row.images):,}" for row in rows],
            "Pixel": [_arcsec(row.values("scale_arcsec")) for row in rows],
            "Beam": [_marked(_arcsec(row.values("beam_arcsec")), self._beam(row)) for row in rows],
            "Resampling": [
                _marked(_steps(row), "far" if row.far_in_scale() else "") for row in rows
            ],
            "Blank": [_shares(row.values("blank")) for row in rows],
            "Padded": [_shares(row.values("padded")) for row in rows],
        }
        models = f" of {', '.join(self.models)}" if name_models else ""
        is_far = any(row.far_in_scale() or row.far_in_beam() for row in rows)
        limits = say("page.surveys.far", resampling=MOST_RESAMPLING, beam=MOST_BEAM)
        return text_table(
            {"Survey": [row.survey for row in rows]},
            cells,
            title="Images by survey",
            note=say(
                "page.surveys",
                models=models,
                scale=_arcsec([self.scale_arcsec]),
                beam=say("page.surveys.beam", beam=_arcsec([self.beam_arcsec]))
                if known_beam
                else "",
                far=limits if is_far else "",
            ),
        )

    def _beam(self, row: SurveyImages) -> str:
        n = sum(image.is_smoothed for image in row.images)
        if row.far_in_beam():
            return "far"
        return "" if not n else "matched" if n == len(row.images) else f"{n} matched"

    def to_record(self) -> dict[str, Any]:
        """Plain values, as in ``summary.json``."""
        return {
            "models": list(self.models),
            "pixel_scale_arcsec": self.scale_arcsec,
            "beam_arcsec": self.beam_arcsec if math.isfinite(self.beam_arcsec) else None,
            "surveys": [row.to_record() for row in self.surveys],
        }


def images_by_survey(
    stacks: Sequence[MapStack | MapChunks], images: SourceSet
) -> tuple[ImagesBySurvey, ...]:
    """What the networks of some maps see of the images, once for networks that see the same."""
    models: dict[tuple[Any, ...], list[MapStack | MapChunks]] = {}
    for stack in stacks:
        key = (
            stack.field_shape,
            stack.field_scale_arcsec,
            str(_training_beam(stack)),  # NaN as well
            stack.field,
            stack.sources,
        )
        models.setdefault(key, []).append(stack)
    return tuple(_of_field(same, images) for same in models.values())


def _training_beam(stack: MapStack | MapChunks) -> float:
    preprocessing = stack.provenance.get("preprocessing")
    beam = preprocessing.get("beam_arcsec") if isinstance(preprocessing, Mapping) else None
    # a file of maps holds what its author wrote
    is_beam = isinstance(beam, int | float) and math.isfinite(beam) and beam > 0
    return float(beam) if is_beam else math.nan  # type: ignore[arg-type]


def _of_field(stacks: Sequence[MapStack | MapChunks], images: SourceSet) -> ImagesBySurvey:
    first = stacks[0]
    beam = _training_beam(first)
    seen = [
        _seen(images[source], transform, first.field_shape, beam)
        for source, transform in zip(first.sources, first.field, strict=True)
    ]
    return ImagesBySurvey(
        models=tuple(stack.model_name for stack in stacks),
        scale_arcsec=first.field_scale_arcsec,
        beam_arcsec=beam,
        surveys=tuple(
            SurveyImages(survey=name, images=tuple(of_survey), beam_arcsec=beam)
            for name, of_survey in _grouped(seen)
        ),
    )


def _seen(
    image: SourceImage, transform: GridTransform, shape: tuple[int, int], beam_arcsec: float
) -> SeenImage:
    scale, beam = image.grid.pixel_scale_arcsec, image.beam_arcsec
    own_beam = math.nan if beam is None else math.sqrt(beam[0] * beam[1])
    beyond = beyond_image(image, transform, shape)
    blank = 0.0
    if image.footprint is not None:
        columns, rows = transform.to_outer(*(np.arange(n, dtype=np.float64) for n in shape[::-1]))
        at = [
            np.clip(np.rint(p), 0, n - 1).astype(int)
            for p, n in zip((rows, columns), image.shape, strict=True)
        ]
        blank = float((~image.footprint[np.ix_(*at)] & ~beyond).mean())
    can_match = image.match_beam and not image.prepared and scale is not None
    return SeenImage(
        source=image.source,
        survey=image.survey,
        scale_arcsec=math.nan if scale is None else scale,
        beam_arcsec=own_beam,
        step=math.nan if scale is None else transform.step,
        is_smoothed=can_match and own_beam < beam_arcsec,
        blank=blank,
        padded=float(beyond.mean()),
    )


def _grouped(seen: Sequence[SeenImage]) -> list[tuple[str, list[SeenImage]]]:
    """Images by survey, scale and beam, most of them first; beyond a dozen rows the others together."""
    groups: dict[tuple[str, int, int], list[SeenImage]] = {}
    of_name: dict[str, list[SeenImage]] = {}
    for image in seen:
        of_name.setdefault(image.survey, []).append(image)
    for name, own in of_name.items():
        scales = _clusters([image.scale_arcsec for image in own])
        beams = _clusters([image.beam_arcsec for image in own])
        for image, scale, beam in zip(own, scales, beams, strict=True):
            groups.setdefault((name, scale, beam), []).append(image)
    found = [(name or "not stated", images) for (name, _, _), images in groups.items()]
    found.sort(key=lambda group: -len(group[1]))
    if len(found) > _MOST_ROWS:
        rest = found[_MOST_ROWS - 1 :]
        others = [image for _, images in rest for image in images]
        found = [*found[: _MOST_ROWS - 1], (f"{len(rest)} others", others)]
    return found


def _clusters(values: Sequence[float]) -> list[int]:
    """Numbers of the groups of values that follow each other closely; of unknown ones the last."""
    numbers = [len(values)] * len(values)
    group, before = 0, math.nan
    for i in sorted((i for i, v in enumerate(values) if math.isfinite(v)), key=values.__getitem__):
        group += values[i] > before * _OF_ONE_SURVEY
        numbers[i], before = group, values[i]
    return numbers


def _is_far(ratio: float, most: float) -> bool:
    return ratio > most or ratio < 1 / most


def _named(n: int, survey: SurveyImages) -> str:
    """How many of the images of a survey, in words."""
    every = len(survey.images)
    return f"{n if n == every else f'{n} of {every}'} {'image' if every == 1 else 'images'} ({survey.survey})"


def _ends(values: Sequence[float]) -> dict[str, float] | None:
    """Lowest value, median and highest."""
    if not values:
        return None
    return {
        "lowest": float(min(values)),
        "median": float(np.median(values)),
        "highest": float(max(values)),
    }


def _range(values: Sequence[float], unit: str) -> str:
    """The median, or both ends where they differ by more than 1 %."""
    if not values:
        return MISSING
    low, high = min(values), max(values)
    if high <= 1.01 * low:
        return f"{float(np.median(values)):.3g}{unit}"
    return f"{low:.3g} to {high:.3g}{unit}"


def _arcsec(values: Sequence[float]) -> str:
    return _range(values, "″")


def _steps(row: SurveyImages) -> str:
    return _range(row.values("step"), "")


def _shares(values: Sequence[float]) -> str | tuple[Line, ...]:
    """Mean share, and the largest where it is another."""
    mean, most = float(np.mean(values)), max(values)
    if not most:
        return "0"
    text = format_share(mean)
    return text if most - min(values) < 0.01 else (text, f"up to {format_share(most)}")


def _marked(text: str, mark: str) -> str | tuple[Line, ...]:
    """Text with a mark below it, in the colour of a warning where it says that something is far off."""
    if not mark:
        return text
    return (text, (Piece(mark, Tone.WARNING if mark == "far" else Tone.PLAIN),))
