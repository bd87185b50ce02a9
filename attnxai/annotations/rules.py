"""The criterion of Fanaroff & Riley (1974) as an annotator: a rule, not a person.

Fanaroff & Riley (1974, MNRAS 167, 31P) divide the distance between the regions of highest brightness on opposite sides
of the central galaxy by the total extent of the source up to the lowest contour. Sources with a ratio below 0.5 are of
class I, those above of class II. A compact component on the galaxy is not taken into account.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from attnxai.annotations.annotation_set import MADE_BY, RULE_KIND, Annotation, AnnotationSet
from attnxai.annotations.shapes import Label, Shape, ShapeKind
from attnxai.data.sigma_clipping import sigma_clipped_deviation
from attnxai.data.wording import counted, first_of
from attnxai.errors import ImageError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.grid import FilePixels
    from attnxai.data.images import SourceImage

RULE_NAME = "Fanaroff-Riley rule"
"""Name of the rule as an annotator."""

CLIP_SIGMA = 3.0
PEAK_OVER_CLIP = 5.0 / 3.0
"""Islands whose peak is below so many times the clip are noise: five standard deviations, for a clip at three."""

MIN_ISLAND_BEAMS = 0.5
"""Islands of a smaller area are noise, in areas of the beam: a point source of five standard deviations has as much."""

FIRST_BEAM_ARCSEC = 5.4
RADIUS_ARCSEC = 60.0
BOUNDARY = 0.5

_Position = tuple[float, float]


class Undecided(enum.StrEnum):
    """Why the rule states no class."""

    NO_EMISSION = "no emission near the centre"
    NO_CORE = "several islands without a core"
    ONE_REGION = "one region"
    AT_EDGE = "emission reaches the edge"
    AT_BOUNDARY = "ratio of exactly 0.5"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FRDecision:
    """What the rule says of one source.

    Positions are pixels (x, y) of the image, counted from 0.

    Parameters
    ----------
    source : str
        Id of the source.
    class_name : str or None
        ``FR I`` or ``FR II``; None where the rule cannot decide.
    reason : Undecided or None
        Why it cannot.
    ratio : float
        Distance between the two brightest regions over the extent; NaN without two regions. For several islands without
        a core it is about the centre of the image.
    margin : float
        How far from 0.5 the ratio still lies if the distance between the regions is off by half a beam towards it:
        negative where half a beam changes the class. NaN without a ratio.
    core : (float, float) or None
        Peak within a beam of the centre, if there is one.
    regions : tuple of (float, float)
        The brightest region and the brightest on the opposite side: two positions, or fewer where there are none.
    ends : tuple of (float, float)
        The two pixels with emission that are farthest from each other; empty without emission.
    extent_arcsec : float
        Their distance; 0 without emission.
    n_islands : int
        Islands of the source.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> pixels = np.zeros((9, 31), np.uint8)
    >>> pixels[4, 15] = 200  # a core and nothing else
    >>> found = attnxai.annotations.fr_class(attnxai.data.from_array(pixels, source="s1", pixel_scale_arcsec=1.8))
    >>> found.class_name, str(found.reason)
    (None, 'one region')
    """

    source: str
    class_name: str | None
    reason: Undecided | None
    ratio: float = math.nan
    margin: float = math.nan
    core: _Position | None = None
    regions: tuple[_Position, ...] = ()
    ends: tuple[_Position, ...] = ()
    extent_arcsec: float = 0.0
    n_islands: int = 0


def fr_class(
    image: SourceImage,
    *,
    beam_arcsec: float | None = None,
    radius_arcsec: float = RADIUS_ARCSEC,
) -> FRDecision:
    """Apply the Fanaroff-Riley criterion to an image of one source, which lies at its centre.

    1. Emission is what lies at or above the clip: in prepared images all that is not 0, in others three times the
       sigma-clipped standard deviation. Pixels that touch, also at corners, are an island.
    2. Islands belong to the source if they come within ``radius_arcsec`` of the centre, cover half the area of the beam
       (5 pixels of FIRST) and have a peak of at least 5/3 of the lowest emission in the image (five standard deviations).
    3. The extent is the largest distance between the centres of two pixels of the source.
    4. The core is the peak nearest to the centre, if it lies within a beam of it. It is left out: an unresolved
       component of its height is subtracted, and only pixels that are more than a beam away from it and still above the
       clip are taken. Without a core, regions are peaks.
    5. The first region is the brightest pixel, the second the brightest of those seen from the core (or else the
       centre of the image) at more than 90 degrees from the first. Positions of peaks are refined by a parabola
       through the logarithm of the brightness.

    Parameters
    ----------
    image : SourceImage
        With a pixel scale.
    beam_arcsec : float, optional
        FWHM of the beam. Left out, the major axis of the image's own beam, or the 5.4 arcsec of the FIRST survey where
        it states none.
    radius_arcsec : float
        How near to the centre the islands of the source come.

    Returns
    -------
    FRDecision

    Raises
    ------
    ImageError
        If the image has no pixel scale.
    OptionError
        If the beam or the radius is not above 0.

    Examples
    --------
    >>> import attnxai
    >>> pixels = np.zeros((9, 31), np.uint8)
    >>> pixels[4, 3:28] = 20  # a bridge
    >>> pixels[4, [4, 15, 26]] = 200, 90, 180  # hotspots and a core
    >>> found = fr_class(attnxai.data.from_array(pixels, source="a", pixel_scale_arcsec=1.8))
    >>> found.class_name, round(found.ratio, 2), found.core
    ('FR II', 0.92, (15.0, 4.0))
    """
    for name, value in (("beam_arcsec", beam_arcsec), ("radius_arcsec", radius_arcsec)):
        if value is not None and not 0 < value < math.inf:
            raise OptionError(f"{name} has to be above 0, got {value}")
    scale = image.grid.pixel_scale_arcsec
    if scale is None:
        raise ImageError(
            f"image {image.path or image.source} states no pixel scale, which the Fanaroff-Riley rule needs; pass "
            "pixel_scale_arcsec"
        )
    if beam_arcsec is None:
        beam_arcsec = image.beam_arcsec[0] if image.beam_arcsec else FIRST_BEAM_ARCSEC
    beam = beam_arcsec / scale
    bright = _above_clip(image)
    middle = (np.array(image.shape) - 1) / 2
    belongs, n_islands = _islands_of_source(bright, middle, beam, radius_arcsec / scale)
    if not n_islands:
        return FRDecision(source=image.source, class_name=None, reason=Undecided.NO_EMISSION)
    values = np.where(belongs, bright, 0.0)
    clip = float(bright[bright > 0].min())
    core, regions = _core_and_regions(values, middle, beam, clip)
    ends = _farthest_pixels(belongs)
    extent = math.dist(*ends)
    ratio = math.dist(*regions) / extent if len(regions) == 2 else math.nan
    reason = None
    if core is None and n_islands > 1:
        reason = Undecided.NO_CORE
    elif len(regions) < 2:
        reason = Undecided.ONE_REGION
    elif _reaches_edge(belongs, image):
        reason = Undecided.AT_EDGE
    elif ratio == BOUNDARY:
        reason = Undecided.AT_BOUNDARY
    return FRDecision(
        source=image.source,
        class_name=None if reason else ("FR I" if ratio < BOUNDARY else "FR II"),
        reason=reason,
        ratio=ratio,
        margin=abs(ratio - BOUNDARY) - beam / 2 / extent if len(regions) == 2 else math.nan,
        core=None if core is None else _x_y(core),
        regions=tuple(map(_x_y, regions)),
        ends=tuple(map(_x_y, ends)),
        extent_arcsec=extent * scale,
        n_islands=n_islands,
    )


def fr_annotations(
    images: Iterable[SourceImage],
    *,
    beam_arcsec: float | None = None,
    radius_arcsec: float = RADIUS_ARCSEC,
    on_step: Callable[[], None] = lambda: None,
) -> AnnotationSet:
    """The rule as an annotator: points at the core and the two brightest regions of every source.

    Regions are labelled ``hotspot`` in an FR II, ``jet`` in an FR I, and ``other`` where the rule cannot decide. What it
    says of a source stands in further columns: ``rule_class``, ``rule_ratio``, ``rule_margin``, ``rule_reason`` and
    ``rule_extent``, the two ends. The class of the source is not set, so that it cannot be taken for a person's.

    Parameters
    ----------
    images : iterable of SourceImage
        Images with a pixel scale.
    beam_arcsec, radius_arcsec
        As for :func:`fr_class`.
    on_step : callable
        Called after every image.

    Returns
    -------
    AnnotationSet
        Whose ``kind`` and column ``made_by`` say that a rule made it.

    Raises
    ------
    AnnotationError
        If no image shows emission near its centre.
    ImageError, OptionError
        As for :func:`fr_class`.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[-2:])
    >>> found = attnxai.annotations.fr_annotations(images)
    >>> found.annotators, [annotation.label.value for annotation in found.annotations[:3]]
    (('Fanaroff-Riley rule',), ['core', 'hotspot', 'hotspot'])
    """
    annotations: list[Annotation] = []
    empty: list[str] = []
    reasons: collections.Counter[str] = collections.Counter()
    n_images = 0
    for image in images:
        n_images += 1
        found = fr_class(image, beam_arcsec=beam_arcsec, radius_arcsec=radius_arcsec)
        marks = _marks(found, image.grid.file_pixels)
        annotations += marks
        if not marks:
            empty.append(found.source)
        if found.reason:
            reasons[found.reason] += 1
        on_step()
    notices = []
    if reasons:
        why = ", ".join(f"{reason} ({n})" for reason, n in reasons.most_common())
        notices.append(
            f"The rule states no class for {reasons.total()} of {counted(n_images, 'source')}: {why}."
        )
    if empty:
        notices.append(
            f"{counted(len(empty), 'source has', 'sources have')} no mark, as nothing near the centre is above the clip: "
            f"{first_of(empty, 5)}."
        )
    return AnnotationSet(
        annotations=tuple(annotations),
        kind=RULE_KIND,
        n_rows=len(annotations),
        notices=tuple(notices),
    )


def _marks(found: FRDecision, file_pixels: FilePixels | None) -> list[Annotation]:
    """Points in pixels of the file, as annotations in pixels are, with what the rule says of the source."""
    in_file = file_pixels.from_grid if file_pixels else lambda x, y: (x, y)
    labels = {"FR I": Label.JET, "FR II": Label.HOTSPOT}
    label = labels.get(found.class_name or "", Label.OTHER)
    places = [] if found.core is None else [(Label.CORE, found.core)]
    places += [(label, place) for place in found.regions]
    says = {
        MADE_BY: "rule",
        "rule_class": found.class_name or "",
        "rule_ratio": _decimals(found.ratio, 3),
        "rule_margin": _decimals(found.margin, 3),
        "rule_reason": found.reason or "",
        "rule_extent": "; ".join("{:.0f} {:.0f}".format(*in_file(*end)) for end in found.ends),
    }
    return [
        Annotation(
            source=found.source,
            annotator=RULE_NAME,
            shape=Shape(kind=ShapeKind.POINT, x=round(x, 2), y=round(y, 2)),
            label=name,
            other=says,
        )
        for name, place in places
        for x, y in [in_file(*place)]
    ]


def _decimals(value: float, n_decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:.{n_decimals}f}"


def _x_y(place: NDArray[np.float64]) -> _Position:
    return float(place[1]), float(place[0])


def _above_clip(image: SourceImage) -> NDArray[np.float64]:
    """Brightness with 0 below the clip and where nothing was observed."""
    pixels = np.asarray(image.pixels, float)
    observed = np.ones(image.shape, bool) if image.footprint is None else image.footprint
    clip = 0.0
    if not image.prepared:
        clip = CLIP_SIGMA * sigma_clipped_deviation(pixels[observed])
    return np.where(observed & (pixels > 0) & (pixels >= clip), pixels, 0.0)


def _islands_of_source(
    bright: NDArray[np.float64], middle: NDArray[np.float64], beam: float, radius: float
) -> tuple[NDArray[np.bool_], int]:
    """Pixels of the islands that belong to the source, and how many islands there are."""
    from skimage.measure import label, regionprops

    islands = label(bright > 0, connectivity=2)  # type: ignore[no-untyped-call]
    parts = regionprops(islands, intensity_image=bright)  # type: ignore[no-untyped-call]
    if not parts:
        return np.zeros(bright.shape, bool), 0
    faintest = PEAK_OVER_CLIP * bright[bright > 0].min()
    smallest = round(MIN_ISLAND_BEAMS * math.pi / (4 * math.log(2)) * beam**2)
    notable = [part for part in parts if part.intensity_max >= faintest and part.area >= smallest]
    distance = _distances(bright.shape, middle)
    kept = [
        part.label
        for part in notable or parts  # in an image without anything brighter all of them count
        if distance[tuple(part.coords.T)].min() <= radius
    ]
    return np.isin(islands, kept), len(kept)


def _distances(shape: tuple[int, ...], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of every pixel from a position (row, column)."""
    return np.asarray(np.hypot(*(np.indices(shape) - place[:, None, None])))


def _core_and_regions(
    values: NDArray[np.float64], middle: NDArray[np.float64], beam: float, clip: float
) -> tuple[NDArray[np.float64] | None, list[NDArray[np.float64]]]:
    """Positions (row, column) of the core, if there is one, and of the brightest regions on opposite sides of it."""
    from scipy import ndimage

    is_peak = (values > 0) & (values == ndimage.maximum_filter(values, 3, mode="constant"))
    near = []
    for pixel in np.argwhere(is_peak & (_distances(values.shape, middle) <= beam + 1)):
        place, height = _refine(values, *pixel)
        if (distance := math.dist(place, middle)) <= beam:
            near.append((distance, -height, place))
    core, origin, left, candidates = None, middle, values, is_peak
    if near:
        _, minus_height, core = min(near, key=lambda one: one[:2])
        origin, distances = core, _distances(values.shape, core)
        left = values + minus_height * np.exp(-4 * math.log(2) * (distances / beam) ** 2)
        candidates = (values > 0) & (distances > beam) & (left >= clip)
    offsets = np.indices(values.shape) - origin[:, None, None]
    regions: list[NDArray[np.float64]] = []
    while candidates.any() and len(regions) < 2:
        found, _ = _refine(left, *_brightest(left, candidates, offsets))
        regions.append(found)
        candidates = candidates & (np.tensordot(found - origin, offsets, 1) < 0)
    return core, regions


def _brightest(
    values: NDArray[np.float64], where: NDArray[np.bool_], offsets: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The brightest pixel; of several, as 8 bits have them, that with the brightest neighbours, then the farthest out."""
    places = np.argwhere(where & (values == values[where].max()))
    padded = np.pad(values, 1)

    def rank(place: NDArray[np.int64]) -> tuple[float, float]:
        row, column = place
        about = float(padded[row : row + 3, column : column + 3].sum())
        return round(about, 6), round(float(np.hypot(*offsets[:, row, column])), 6)

    return np.asarray(max(places, key=rank))


def _refine(
    values: NDArray[np.float64], row: int, column: int
) -> tuple[NDArray[np.float64], float]:
    """Position and height of a peak between pixels, exact for a Gaussian; any other pixel stays where it is."""
    place, height = np.array([row, column], float), math.log(values[row, column])
    for axis, size in enumerate(values.shape):
        at = int(place[axis])
        if not 0 < at < size - 1:
            continue
        before, after = (
            values[(row + step, column) if axis == 0 else (row, column + step)] for step in (-1, 1)
        )
        if min(before, after) <= 0 or max(before, after) > values[row, column]:
            continue
        low, high = math.log(before), math.log(after)
        curvature = low + high - 2 * math.log(values[row, column])
        if curvature < 0:
            place[axis] += 0.5 * (low - high) / curvature
            height -= (low - high) ** 2 / (8 * curvature)
    return place, math.exp(height)


def _farthest_pixels(belongs: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """The two pixels (row, column) of a mask that are farthest apart."""
    rows, columns = np.nonzero(belongs)
    outermost = np.zeros_like(belongs)
    for row in np.unique(rows):  # only the first and last pixel of a row can be an end
        outermost[row, columns[rows == row][[0, -1]]] = True
    places = np.argwhere(outermost).astype(float)
    longest, ends = -1.0, [places[0], places[0]]
    for place in places:
        squares = ((places - place) ** 2).sum(axis=1)
        if squares.max() > longest:
            longest, ends = float(squares.max()), [place, places[squares.argmax()]]
    return ends


def _reaches_edge(belongs: NDArray[np.bool_], image: SourceImage) -> bool:
    """Whether emission lies beside the border of the image or pixels that were not observed."""
    from scipy import ndimage

    observed = np.ones(image.shape, bool) if image.footprint is None else image.footprint
    return bool((belongs & ~ndimage.binary_erosion(observed, np.ones((3, 3)))).any())
