"""Maps against annotations: the comparison that everything else serves."""

from attnxai.agreement.comparison.comparing import compare, compare_pairs
from attnxai.agreement.comparison.families import adjust_over_maps
from attnxai.agreement.comparison.settings import ComparisonSettings

__all__ = ["ComparisonSettings", "adjust_over_maps", "compare", "compare_pairs"]
