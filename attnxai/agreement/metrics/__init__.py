"""How well a map agrees with what was marked: the metrics, and their values over stacks."""

from attnxai.agreement.metrics.evaluation import (
    agreement_matrices,
    agreement_tables,
    chance_values,
    leave_one_out_centre_bias,
    own_tables,
    own_values,
    reason_undefined,
)
from attnxai.agreement.metrics.metric import Metric, TargetKind
from attnxai.agreement.metrics.registry import (
    DEFAULT_METRICS,
    FAST_METRICS,
    METRICS,
    PRIMARY_METRIC,
)

__all__ = [
    "DEFAULT_METRICS",
    "FAST_METRICS",
    "METRICS",
    "PRIMARY_METRIC",
    "Metric",
    "TargetKind",
    "agreement_matrices",
    "agreement_tables",
    "chance_values",
    "leave_one_out_centre_bias",
    "own_tables",
    "own_values",
    "reason_undefined",
]
