"""What agreement would be expected without any link between map and annotation."""

from attnxai.agreement.nulls.base import NullDraws, NullModel, NullTest, run_null_test
from attnxai.agreement.nulls.source_permutation import SourcePermutation

__all__ = ["NullDraws", "NullModel", "NullTest", "SourcePermutation", "run_null_test"]
