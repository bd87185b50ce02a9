"""The table of the metrics, as it stands in the documentation.

``python -m attnxai.agreement.metrics.table docs/agreement.md`` writes it anew.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

from attnxai.agreement.metrics import DEFAULT_METRICS, METRICS, Metric
from attnxai.errors import OptionError
from attnxai.models.markdown import table

BEGIN, END = "<!-- metrics:begin -->", "<!-- metrics:end -->"


def metrics_markdown() -> str:
    """A table of all metrics, the default ones first."""
    metrics = [METRICS[name] for name in dict.fromkeys((*DEFAULT_METRICS, *METRICS))]
    rows = [
        [
            f"`{metric.name}`",
            metric.formula or metric.meaning,
            str(metric.target),
            metric.chance_formula or f"{metric.chance:g}",
            _span(metric),
        ]
        for metric in metrics
    ]
    return "\n".join(table(["Name", "Formula", "Target", "By chance", "Range"], rows))


def _span(metric: Metric) -> str:
    low, high = metric.bounds
    span = f"{low:g} to {high:g}" if low > -math.inf else f"up to {high:g}"
    if high == math.inf:
        span = "any" if low == -math.inf else f"{low:g} and above"
    return f"{span}, in {metric.unit}" if metric.unit else span


def with_metrics(page: str) -> str:
    """A page with the table between its marks.

    Raises
    ------
    OptionError
        If the page does not have both marks, once and in their order.
    """
    made = f"{BEGIN}\n\n{metrics_markdown()}\n\n{END}"
    changed, n = re.subn(f"{BEGIN}.*?{END}", lambda _: made, page, flags=re.DOTALL)
    if n != 1:
        raise OptionError(f"the page needs the lines {BEGIN} and {END}, once and in this order")
    return changed


def main() -> None:
    """Write the table into the page that is named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m attnxai.agreement.metrics.table docs/agreement.md")
    page = Path(sys.argv[1])
    page.write_text(with_metrics(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
