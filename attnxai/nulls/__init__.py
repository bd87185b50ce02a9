"""Null hypotheses: what agreement would be expected if maps were not paired with their own annotations.

Every null is a class that is registered under its name in :data:`NULLS`. :func:`register_null` adds another.
"""

from attnxai.nulls.draws import NullDraws, draw_choices, usable_sources
from attnxai.nulls.footprints import emission_footprint
from attnxai.nulls.moran import MoranSurrogates
from attnxai.nulls.null_model import NULLS, NullModel, register_null
from attnxai.nulls.p_values import Alternative, NullTest, run_null_test
from attnxai.nulls.phase import PhaseSurrogates
from attnxai.nulls.rotation import GridSymmetries, Rotation
from attnxai.nulls.shift import ToroidalShift, shifted_values
from attnxai.nulls.source_permutation import SourcePermutation
from attnxai.nulls.strata import combine_strata, quantile_strata
from attnxai.nulls.surrogates import SampledSurrogateNull, SurrogateNull
from attnxai.nulls.variogram import VariogramSurrogates

__all__ = [
    "NULLS",
    "Alternative",
    "GridSymmetries",
    "MoranSurrogates",
    "NullDraws",
    "NullModel",
    "NullTest",
    "PhaseSurrogates",
    "Rotation",
    "SampledSurrogateNull",
    "SourcePermutation",
    "SurrogateNull",
    "ToroidalShift",
    "VariogramSurrogates",
    "combine_strata",
    "draw_choices",
    "emission_footprint",
    "quantile_strata",
    "register_null",
    "run_null_test",
    "shifted_values",
    "usable_sources",
]
