"""From the image of a source to what a network was trained on: field, clipping, scaling."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import hashlib
import math
import numbers
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from attnxai.data.grid import GridTransform
from attnxai.data.images import assume
from attnxai.data.plain_values import checked_fields, to_plain
from attnxai.data.regridding import MARGIN, OBSERVED
from attnxai.data.short_repr import short_repr
from attnxai.data.sigma_clipping import sigma_clipped_deviation
from attnxai.data.smoothing import kernel_covariance, smoothed
from attnxai.errors import ImageError, SpecificationError
from attnxai.statistics.formats import format_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage

# Pixel scales closer than this are the same: resampling would only blur.
_SAME_SCALE = 0.01
# Of any number of a preprocessing.
_LARGEST = 1e9
# Memory grows with the square of the field; that of a published network has 150 pixels.
_LARGEST_SIZE = 2048
# Pixel scales and deviations below this are not allowed: what is divided by them overflows.
_SMALLEST = 1e-6


class Assumed(NamedTuple):
    """What was assumed to bring an image to a network's field: its pixel scale, and blank sky on some pixels."""

    scale: bool
    n_padded: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkView:
    """What a network sees of an image, on its input grid of (size, size) pixels.

    ``brightness`` lies in [0, 1], before standardisation. ``assumed`` says whether the image states no pixel scale, so that
    the model's own was taken, and how many pixels lie beyond it.
    """

    brightness: NDArray[np.float32]
    transform: GridTransform
    footprint: NDArray[np.bool_]
    assumed: Assumed

    __repr__ = short_repr

    def fingerprint(self) -> str:
        """First 16 digits of a SHA-256 of the brightness in 256 steps, by which an image is known under any name.

        Copies of an image have the same one if the network sees the same pixels of them: whatever their format and margin,
        prepared or in survey brightness. Turned, mirrored and shifted ones have not.
        """
        steps = np.rint(self.brightness * 255.0).astype(np.uint8)
        digest = hashlib.sha256(repr(steps.shape).encode())
        digest.update(steps.tobytes())
        return digest.hexdigest()[:16]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """The rule by which images became the network's training data.

    Survey brightness is clipped at ``clip_sigma`` times the sigma-clipped standard deviation of the
    whole cutout, cropped (or resampled) to ``scaling_size`` pixels of ``pixel_scale_arcsec``, scaled to its
    maximum in 256 steps, and cropped to ``size`` pixels; 8-bit images have been through this already and are only
    cropped. Both are then standardised by ``mean`` and ``deviation``.

    Parameters
    ----------
    size : int
        Side of the network's input in pixels.
    pixel_scale_arcsec : float
        Side of an input pixel.
    clip_sigma : float
        Pixels below this many standard deviations become 0.
    mean, deviation : float
        Of pixel values in [0, 1] over the training images.
    scaling_size : int, optional
        Side of the field whose maximum becomes 1, where it is larger than ``size``: that of the prepared images of which
        the network sees the inner part. Cutouts that do not cover it are scaled to the maximum of what they cover.
    beam_arcsec : float, optional
        Full width at half maximum of the beam of the training images; None where it is not known.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> image = attnxai.data.from_array(np.eye(64), source="s1", pixel_scale_arcsec=1.8)
    >>> seen = attnxai.models.Preprocessing(size=48).view(image)
    >>> seen.brightness.shape
    (48, 48)
    """

    size: int = 150
    pixel_scale_arcsec: float = 1.8
    clip_sigma: float = 3.0
    mean: float = 0.0
    deviation: float = 1.0
    scaling_size: int | None = None
    beam_arcsec: float | None = None

    def __post_init__(self) -> None:
        scaling_size = self.size if self.scaling_size is None else self.scaling_size
        beam = 1.0 if self.beam_arcsec is None else self.beam_arcsec
        values = (
            self.size, self.pixel_scale_arcsec, self.clip_sigma, self.mean, self.deviation, scaling_size, beam
        )  # fmt: skip
        sides = self.size, scaling_size
        if not (
            all(isinstance(n, numbers.Real) for n in values)
            and all(isinstance(n, numbers.Integral) for n in sides)
        ):
            raise SpecificationError(
                f"preprocessing needs numbers, and whole ones for size and scaling_size, got {self}"
            )
        if not all(abs(value) <= _LARGEST for value in values):
            raise SpecificationError(
                f"preprocessing needs finite numbers of at most {_LARGEST:g}, got {self}"
            )
        if (
            not 8 <= self.size <= scaling_size <= _LARGEST_SIZE
            or min(self.pixel_scale_arcsec, self.deviation, beam) < _SMALLEST
            or self.clip_sigma < 0
        ):
            raise SpecificationError(
                f"preprocessing needs a size from 8 to {_LARGEST_SIZE}, a scaling_size from there to {_LARGEST_SIZE}, a "
                f"positive pixel scale, beam and deviation ({_SMALLEST:g} or more), and a clip_sigma that is not negative, got "
                f"{self}"
            )

    def view(self, image: SourceImage) -> NetworkView:
        """Bring an image to the network's input grid.

        Raises
        ------
        ImageError
            If the image does not cover the network's field and is not to be padded, nothing in it is above the noise, or
            it is said to be prepared and has values outside 0 to 255.
        """
        scale = image.grid.pixel_scale_arcsec
        step = self.pixel_scale_arcsec / scale if scale is not None else 1.0
        if abs(step - 1.0) < _SAME_SCALE:
            step = 1.0
        self._check_field(image, step)
        scaled = self._scaled_side(image, step)
        brightness, footprint = brightness_on_field(
            image,
            _in_the_middle(image, scaled, step),
            (scaled, scaled),
            clip_sigma=self.clip_sigma,
            beam_arcsec=self.beam_arcsec,
        )
        margin = (scaled - self.size) // 2
        seen = slice(margin, margin + self.size)
        brightness = brightness[seen, seen]
        if margin and not image.prepared and not brightness.any():
            raise _nothing_above_noise(image, self.clip_sigma, brightness.shape)
        transform = _in_the_middle(image, self.size, step)
        beyond = beyond_image(image, transform, brightness.shape)
        return NetworkView(
            brightness=brightness,
            transform=transform,
            footprint=footprint[seen, seen],
            assumed=Assumed(scale=scale is None, n_padded=int(np.count_nonzero(beyond))),
        )

    def _scaled_side(self, image: SourceImage, step: float) -> int:
        """Side of the field that is scaled, as far as the image covers it, about the middle of what the network sees."""
        if self.scaling_size is None or image.prepared:
            return self.size
        covered = int((min(image.shape) + 0.5) / step)
        margin = (min(self.scaling_size, covered) - self.size) // 2
        return self.size + 2 * max(margin, 0)

    def _check_field(self, image: SourceImage, step: float) -> None:
        needed = math.ceil(self.size * step - 0.5)
        field = _in_the_middle(image, self.size, step)
        # the corners of resampled images may lie beyond those of the file
        is_covered = min(image.shape) >= needed and (
            image.grid.file_pixels is None or not beyond_image(image, field, (self.size,) * 2).any()
        )
        if image.pad or is_covered:
            return
        rows, columns = image.shape
        scale = image.grid.pixel_scale_arcsec
        unit = f" of {scale:.3g} arcsec" if scale is not None else ""
        skew = (
            "all of them within the file"
            if min(rows, columns) >= needed
            else f"{needed} x {needed}"
        )
        raise ImageError(
            f"image {image.path or image.source} has {rows} x {columns} pixels{unit}, but the "
            f"network sees {self.size} x {self.size} pixels of {self.pixel_scale_arcsec:g} arcsec, "
            f"for which it needs at least {skew}; give a larger cutout, or pass pad=True to have what "
            "is missing seen as blank sky and left out of every number"
        )

    def standardise(self, brightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """Subtract the training mean and divide by the training deviation."""
        return ((brightness - self.mean) / self.deviation).astype(np.float32)

    def to_dict(self) -> dict[str, float]:
        """Plain values that a checkpoint can hold; without the beam where it is not known, as in earlier files."""
        values = to_plain(self)
        if self.beam_arcsec is None:
            del values["beam_arcsec"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Rebuild from plain values, refusing what is unknown or missing."""
        if isinstance(values, Mapping):
            # may be left out, as in Python
            values = {"scaling_size": None, "beam_arcsec": None, **values}
        return cls(**checked_fields(cls, values, "the preprocessing", all_needed=True))


class AssumedOfParts:
    """What was assumed of images that come to a network's field in several parts, to be told once of all."""

    def __init__(self) -> None:
        self._assumed: dict[str, Assumed] = {}
        self._match_beam = False
        self._preprocessing: Preprocessing | None = None

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Keep what is assumed within the block instead of warning of it."""
        token = _PARTS.set(self)
        try:
            yield
        finally:
            _PARTS.reset(token)

    def add(
        self,
        preprocessing: Preprocessing,
        images: Sequence[SourceImage],
        assumed: Sequence[Assumed],
    ) -> None:
        """Take in what was assumed of some images."""
        self._preprocessing = preprocessing
        self._assumed |= {image.source: one for image, one in zip(images, assumed, strict=True)}
        self._match_beam |= any(image.match_beam for image in images)

    def warn(self) -> None:
        """Warn of what was assumed of all images."""
        if self._preprocessing is not None:
            _warn(self._preprocessing, list(self._assumed.values()), match_beam=self._match_beam)


_PARTS: contextvars.ContextVar[AssumedOfParts | None] = contextvars.ContextVar(
    "what was assumed of parts", default=None
)


def warn_of_assumed(
    preprocessing: Preprocessing, images: Sequence[SourceImage], assumed: Sequence[Assumed]
) -> None:
    """Warn of what was assumed of images to bring them to a network's field; silent where there is nothing."""
    parts = _PARTS.get()
    if parts is not None:
        parts.add(preprocessing, images, assumed)
        return
    _warn(preprocessing, assumed, match_beam=any(image.match_beam for image in images))


def _warn(preprocessing: Preprocessing, assumed: Sequence[Assumed], *, match_beam: bool) -> None:
    n_images = len(assumed)
    if n_scales := sum(one.scale for one in assumed):
        assume(
            f"{n_scales} of {n_images} images state no pixel scale; they are taken to have the model's "
            f"{preprocessing.pixel_scale_arcsec:g} arcsec a pixel; state it with pixel_scale_arcsec",
            stacklevel=5,
        )
    if padded := [one.n_padded for one in assumed if one.n_padded]:
        share = sum(padded) / (len(padded) * preprocessing.size**2)
        assume(
            f"{len(padded)} of {n_images} images do not cover the network's field; {format_share(share)} of theirs is padded "
            "as blank sky and counts in no number",
            stacklevel=5,
        )
    if preprocessing.beam_arcsec is None and match_beam:
        assume(
            "the model states no beam of its training images, so that match_beam changes nothing",
            stacklevel=5,
        )


def _in_the_middle(image: SourceImage, side: int, step: float) -> GridTransform:
    """A square field of pixels of ``step`` pixels of the image, in its middle."""
    rows, columns = image.shape
    if step == 1.0:
        top, left = (rows - side) // 2, (columns - side) // 2
        return GridTransform(origin_x=float(left), origin_y=float(top))
    half = step * (side - 1) / 2
    return GridTransform(
        step=step, origin_x=(columns - 1) / 2 - half, origin_y=(rows - 1) / 2 - half
    )


def brightness_on_field(
    image: SourceImage,
    transform: GridTransform,
    shape: tuple[int, int],
    *,
    clip_sigma: float,
    beam_arcsec: float | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Brightness of an image in [0, 1], clipped and scaled, on a field that lies on it, and which pixels were observed.

    Pixels of the field beyond the image were not observed, and are 0. Images with ``match_beam`` are smoothed to a beam of
    ``beam_arcsec``.

    Raises
    ------
    ImageError
        If nothing on the field is above the noise, or the image is said to be prepared and has values outside 0 to 255.
    """
    top, left = int(transform.origin_y), int(transform.origin_x)
    window = (slice(top, top + shape[0]), slice(left, left + shape[1]))
    is_crop = transform == GridTransform(origin_x=left, origin_y=top) and min(top, left) >= 0
    kernel = kernel_on_field(image, transform.step, beam_arcsec)
    if is_crop and image.pixels[window].shape == shape and not kernel.any():
        pixels = np.asarray(image.pixels, dtype=np.float64)
        field = pixels[window]
        footprint = ~beyond_image(image, transform, shape)
        if image.footprint is not None:
            footprint &= image.footprint[window]
    else:
        pixels = smoothed(image, kernel)
        field, footprint = _resample(image, pixels, transform, shape)
    brightness = _scaled(image, pixels, field, clip_sigma)
    return brightness.astype(np.float32), footprint


def kernel_on_field(
    image: SourceImage, step: float, beam_arcsec: float | None
) -> NDArray[np.float64]:
    """Covariance of the Gaussian with which an image is smoothed before it is sampled in steps, for a training beam."""
    return kernel_covariance(
        image, step=step, beam_arcsec=beam_arcsec if image.match_beam else None
    )


def beyond_image(
    image: SourceImage, transform: GridTransform, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Pixels of a field that lie beyond its image: the padding."""
    rows, columns = (np.arange(n, dtype=np.float64) for n in shape)
    x, y = transform.to_outer(columns, rows)
    margin = 0.0 if image.pad else MARGIN
    return ~image.grid.covers(x[None, :], y[:, None], margin=margin)


def _resample(
    image: SourceImage,
    pixels: NDArray[np.float64],
    transform: GridTransform,
    shape: tuple[int, int],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Bilinear samples on a field."""
    from scipy.ndimage import map_coordinates

    rows, columns = (np.arange(n, dtype=np.float64) for n in shape)
    x, y = transform.to_outer(columns, rows)
    coordinates = np.meshgrid(y, x, indexing="ij")
    field = map_coordinates(pixels, coordinates, order=1, mode="nearest")
    footprint = ~beyond_image(image, transform, shape)
    field[~footprint] = 0.0
    if image.footprint is not None:
        observed = image.footprint.astype(np.float64)
        footprint &= map_coordinates(observed, coordinates, order=1, mode="nearest") > OBSERVED
    return field, footprint


def _scaled(
    image: SourceImage,
    cutout: NDArray[np.float64],
    field: NDArray[np.float64],
    clip_sigma: float,
) -> NDArray[np.float64]:
    if image.prepared:
        # of the image as it was given: smoothing lowers its peak
        low, high = float(image.pixels.min()), float(image.pixels.max())
        if low < 0.0 or high > 255.0:
            raise ImageError(
                f"image {image.path or image.source} is said to be prepared, but its values run "
                f"from {low:g} to {high:g}; prepared images have values from 0 to 255 or 0 to 1, "
                "anything else is survey brightness"
            )
        return field / (255.0 if high > 1.0 else 1.0)
    sigma = sigma_clipped_deviation(cutout if image.footprint is None else cutout[image.footprint])
    clipped = np.where(field < clip_sigma * sigma, 0.0, field)
    peak = clipped.max()
    if peak <= 0 or clipped.min() == peak:
        raise _nothing_above_noise(image, clip_sigma, field.shape)
    return np.asarray(np.floor(255.0 * clipped / peak) / 255.0)


def _nothing_above_noise(
    image: SourceImage, clip_sigma: float, shape: tuple[int, ...]
) -> ImageError:
    """What an image is refused with that is empty within a field."""
    return ImageError(
        f"image {image.path or image.source} shows nothing above {clip_sigma:g} times its noise within the field of "
        f"{shape[0]} x {shape[1]} pixels"
    )


FIRST_PREPROCESSING = Preprocessing(mean=0.0031, deviation=0.0350, beam_arcsec=5.4)
"""The published standardisation of MiraBest pixels for equivariant networks."""

SYMMETRIC_RANGE = Preprocessing(mean=0.5, deviation=0.5, beam_arcsec=5.4)
"""Inputs scaled to [-1, 1], as for the published attention-gated CNNs."""
