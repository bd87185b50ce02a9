"""The elements of a symmetry group, and what they do to an image."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from attnxai.errors import OptionError
from attnxai.models.specification import SymmetryGroup

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Interpolation(enum.StrEnum):
    """How values between pixels are found."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


class Outside(enum.StrEnum):
    """What lies beyond the outermost pixels."""

    ZERO = "zeros"
    NEAREST = "border"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupElement:
    """A rotation, or a reflection followed by a rotation.

    The reflection swaps left and right (columns), as in e2cnn. Angles are in degrees, kept in [0, 360),
    counter-clockwise when row 0 is at the top, as in :func:`numpy.rot90`.

    Examples
    --------
    >>> GroupElement(rotation_deg=-90).name, GroupElement(rotation_deg=45, reflected=True).name
    ('270°', 'reflected, 45°')
    """

    rotation_deg: float
    reflected: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.rotation_deg):
            raise OptionError(f"an angle of rotation has to be finite, got {self.rotation_deg}")
        # twice, since a tiny negative angle becomes 360 itself
        object.__setattr__(self, "rotation_deg", float(self.rotation_deg) % 360.0 % 360.0)

    @property
    def name(self) -> str:
        """What to call it in tables."""
        angle = f"{self.rotation_deg:g}°"
        if not self.reflected:
            return angle
        return "reflected" if self.rotation_deg == 0.0 else f"reflected, {angle}"

    @property
    def on_grid(self) -> bool:
        """Whether it maps a square grid of pixels onto itself."""
        return self.rotation_deg % 90.0 == 0.0

    @property
    def inverse(self) -> GroupElement:
        """The element that undoes this one."""
        return self if self.reflected else GroupElement(rotation_deg=-self.rotation_deg)

    def belongs_to(self, symmetry: SymmetryGroup) -> bool:
        """Whether it is one of the elements of a group."""
        steps = self.rotation_deg * symmetry.order / 360.0
        return abs(steps - round(steps)) < 1e-9 and (symmetry.reflections or not self.reflected)

    @property
    def reverses(self) -> tuple[bool, bool]:
        """Whether an element on the grid reverses the order of the rows, and of the columns.

        Quarter turns transpose the image afterwards; the transposition does nothing else.
        """
        quarter_turns = round(self.rotation_deg / 90.0)
        return quarter_turns in (2, 3), self.reflected != (quarter_turns in (1, 2))

    def fits(self, shape: tuple[int, int], centre: tuple[float, float] | None = None) -> bool:
        """Whether it maps a grid of ``shape`` (rows, columns) about ``centre`` onto itself.

        An element that transposes fits square grids alone. An axis that is reversed has to have the centre in its
        middle.
        """
        if not self.on_grid:
            return False
        middle = middle_of(shape)
        place = middle if centre is None else centre
        transposes = self.rotation_deg % 180.0 != 0.0
        if transposes and (shape[0] != shape[1] or place[0] != place[1]):
            return False
        return all(
            at == half
            for at, half, turned in zip(place, middle, self.reverses, strict=True)
            if turned
        )


IDENTITY = GroupElement(rotation_deg=0.0)


def group_elements(symmetry: SymmetryGroup) -> tuple[GroupElement, ...]:
    """All elements of a group: rotations first, from the identity on, then reflections."""
    kinds = (False, True) if symmetry.reflections else (False,)
    return tuple(
        GroupElement(rotation_deg=360.0 * k / symmetry.order, reflected=reflected)
        for reflected in kinds
        for k in range(symmetry.order)
    )


def elements_outside(symmetry: SymmetryGroup) -> tuple[GroupElement, ...]:
    """Elements that a group lacks, to compare its own with: 45 and 90 degrees, and the reflection."""
    candidates = (
        GroupElement(rotation_deg=45.0),
        GroupElement(rotation_deg=90.0),
        GroupElement(rotation_deg=0.0, reflected=True),
    )
    return tuple(element for element in candidates if not element.belongs_to(symmetry))


def middle_of(shape: tuple[int, int]) -> tuple[float, float]:
    """Row and column of the middle of an image, which may lie between pixels."""
    return (shape[0] - 1) / 2, (shape[1] - 1) / 2


def transform_images(
    images: torch.Tensor,
    element: GroupElement,
    *,
    centre: tuple[float, float] | None = None,
    interpolation: Interpolation = Interpolation.BICUBIC,
    outside: Outside = Outside.ZERO,
) -> torch.Tensor:
    """Turn images (..., rows, columns) by an element about ``centre`` (their middle); the frame stays where it is.

    An element that maps the grid onto itself permutes pixels and changes no value. Any other is interpolated in float64,
    and what leaves the frame is lost.
    """
    rows, columns = images.shape[-2:]
    if element.fits((rows, columns), centre):
        flipped = images.flip(-1) if element.reflected else images
        return torch.rot90(flipped, round(element.rotation_deg / 90.0), (-2, -1)).clone()
    return rotate_images(
        images[None],
        [element.rotation_deg],
        reflected=element.reflected,
        centre=centre,
        interpolation=interpolation,
        outside=outside,
    )[0]


def rotate_images(
    images: torch.Tensor,
    angles_deg: ArrayLike,
    *,
    reflected: bool = False,
    centre: tuple[float, float] | None = None,
    interpolation: Interpolation = Interpolation.BICUBIC,
    outside: Outside = Outside.ZERO,
) -> torch.Tensor:
    """Rotate every one of n images (n, ..., rows, columns) by an angle of its own, always by interpolation."""
    if not images.is_floating_point():
        raise OptionError(f"only real numbers can be interpolated, got {images.dtype} pixels")
    rows, columns = images.shape[-2:]
    row, column = middle_of((rows, columns)) if centre is None else centre
    device = images.device
    angle = torch.tensor(np.asarray(angles_deg), dtype=torch.float64, device=device)[:, None, None]
    cosine, sine = torch.cos(torch.deg2rad(angle)), torch.sin(torch.deg2rad(angle))
    down = torch.arange(rows, dtype=torch.float64, device=device)[None, :, None] - row
    right = torch.arange(columns, dtype=torch.float64, device=device)[None, None, :] - column
    from_right = right * cosine - down * sine
    from_down = right * sine + down * cosine
    if reflected:
        from_right = -from_right
    # grid_sample counts from -1 to 1 over the outer edges of the pixels
    grid = torch.stack(
        [
            (2.0 * (from_right + column) + 1.0) / columns - 1.0,
            (2.0 * (from_down + row) + 1.0) / rows - 1.0,
        ],
        dim=-1,
    )
    sampled = functional.grid_sample(
        images.reshape(len(images), -1, rows, columns).double(),
        grid,
        mode=interpolation,
        padding_mode=outside,
        align_corners=False,
    )
    return sampled.reshape(images.shape).to(images.dtype)


def clipped_again(changed: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Images that were interpolated (n, ..., rows, columns), with 0 below half of the faintest pixel of each original.

    Interpolation spreads a pixel over its neighbours. With all that it leaves, single noise peaks would become islands, and
    emission would grow; at one half its rim keeps its place. Images that were not clipped, without a pixel at 0, stay as
    they are.
    """
    faintest = torch.where(images > 0, images, torch.inf).amin(dim=(-2, -1), keepdim=True)
    was_clipped = (images <= 0).any(dim=-1, keepdim=True).any(dim=-2, keepdim=True)
    return torch.where(was_clipped & (changed < faintest / 2), 0.0, changed)
