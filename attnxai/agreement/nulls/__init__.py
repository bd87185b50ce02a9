"""What agreement would be expected without any link between map and annotation."""

from attnxai.agreement.nulls.base import (
    Alternative,
    NullDraws,
    NullModel,
    NullTest,
    draw_choices,
    run_null_test,
    usable_sources,
)
from attnxai.agreement.nulls.diagnosis import rejections_with_pairing_broken
from attnxai.agreement.nulls.footprints import emission_footprint
from attnxai.agreement.nulls.moran import MoranSurrogates
from attnxai.agreement.nulls.phase import PhaseSurrogates
from attnxai.agreement.nulls.registry import NULLS, NullChoice
from attnxai.agreement.nulls.rotation import GridSymmetries, RotationAngles
from attnxai.agreement.nulls.shift import ToroidalShift, shifted_values
from attnxai.agreement.nulls.source_permutation import SourcePermutation
from attnxai.agreement.nulls.strata import combine_strata, quantile_strata
from attnxai.agreement.nulls.variogram import VariogramSurrogates

__all__ = [
    "NULLS",
    "Alternative",
    "GridSymmetries",
    "MoranSurrogates",
    "NullChoice",
    "NullDraws",
    "NullModel",
    "NullTest",
    "PhaseSurrogates",
    "RotationAngles",
    "SourcePermutation",
    "ToroidalShift",
    "VariogramSurrogates",
    "combine_strata",
    "draw_choices",
    "emission_footprint",
    "quantile_strata",
    "rejections_with_pairing_broken",
    "run_null_test",
    "shifted_values",
    "usable_sources",
]
