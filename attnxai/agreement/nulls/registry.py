"""Nulls by the names under which a comparison takes them, beside the exchange of sources."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from attnxai.agreement.nulls.moran import MoranSurrogates
from attnxai.agreement.nulls.phase import PhaseSurrogates
from attnxai.agreement.nulls.rotation import GridSymmetries, RotationAngles
from attnxai.agreement.nulls.shift import ToroidalShift
from attnxai.agreement.nulls.variogram import VariogramSurrogates

if TYPE_CHECKING:
    from attnxai.agreement.nulls.base import NullModel


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NullChoice:
    """A null with the settings that a comparison uses.

    Parameters
    ----------
    name : str
        Its name on the command line and in files.
    model : NullModel
        The null.
    within_emission : bool
        Whether it works on the source's own emission rather than on all valid pixels.
    """

    name: str
    model: NullModel
    within_emission: bool = False

    @property
    def label(self) -> str:
        """Its name in text and figures."""
        return self.model.name


NULLS: dict[str, NullChoice] = {
    choice.name: choice
    for choice in (
        NullChoice(name="symmetries", model=GridSymmetries()),
        NullChoice(name="rotation", model=RotationAngles()),
        NullChoice(name="shift", model=ToroidalShift()),
        NullChoice(name="phase", model=PhaseSurrogates()),
        NullChoice(name="variogram", model=VariogramSurrogates(), within_emission=True),
        NullChoice(name="moran", model=MoranSurrogates(), within_emission=True),
    )
}
