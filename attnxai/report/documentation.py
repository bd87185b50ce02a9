"""Parts of the documentation that the package writes: the table of metrics, and the cards of shipped models.

``python -m attnxai.report.documentation docs`` writes them anew into ``agreement.md`` and ``zoo.md``.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.errors import OptionError
from attnxai.metrics import DEFAULT_METRICS, METRICS
from attnxai.models.cards import ACCURACY, TEST, VALIDATION
from attnxai.models.zoo import shipped_cards
from attnxai.report.model_card import card_markdown, percent
from attnxai.report.tables.text import markdown_rows, markdown_text
from attnxai.statistics.formats import format_number

if TYPE_CHECKING:
    from attnxai.metrics import Metric
    from attnxai.models.cards import ModelCard


def metrics_markdown() -> str:
    """A table of all metrics, the default ones first."""
    metrics = [METRICS[name] for name in dict.fromkeys((*DEFAULT_METRICS, *METRICS))]
    rows = [
        [
            f"`{metric.name}`",
            (metric.formula or metric.meaning).replace("|", "\\|"),
            str(metric.target),
            metric.chance_formula or f"{metric.chance:g}",
            _range(metric),
        ]
        for metric in metrics
    ]
    return markdown_rows([["Name", "Formula", "Target", "By chance", "Range"], *rows])


def _range(metric: Metric) -> str:
    low, high = metric.bounds
    span = f"{low:g} to {high:g}" if low > -math.inf else f"up to {high:g}"
    if high == math.inf:
        span = "any" if low == -math.inf else f"{low:g} and above"
    return f"{span}, in {metric.unit}" if metric.unit else span


def zoo_markdown(cards: Mapping[str, ModelCard]) -> str:
    """A table of all shipped models, and the card of each."""

    def accuracy(card: ModelCard, part: str) -> str:
        found = card.measured(part, ACCURACY)
        return "not measured" if found is None else percent(found)

    head = [
        "Name",
        "Group",
        "Parameters",
        "Seed",
        "Validation accuracy, %",
        "Test accuracy, %",
        "kB",
    ]
    rows = [
        [
            f"[{markdown_text(name)}](#{markdown_text(name)})",
            markdown_text(card.group),
            format_number(card.n_parameters, 0),
            "not recorded" if card.seed is None else str(card.seed),
            accuracy(card, VALIDATION),
            accuracy(card, TEST),
            format_number(card.file_bytes / 1e3, 0),
        ]
        for name, card in cards.items()
    ]
    total = f"Together {sum(card.file_bytes for card in cards.values()) / 1e6:.2f} MB."
    sections = [card_markdown(card, level=3) for card in cards.values()]
    return "\n".join([markdown_rows([head, *rows]), "", total, "", *sections])


def with_part(page: str, name: str, text: str) -> str:
    """A page with a text between its marks ``<!-- name:begin -->`` and ``<!-- name:end -->``."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    marked = f"{begin}\n\n{text.rstrip()}\n\n{end}"
    changed, n = re.subn(f"{begin}.*?{end}", lambda _: marked, page, flags=re.DOTALL)
    if n != 1 or page.count(begin) != 1 or page.count(end) != 1:
        raise OptionError(f"the page needs the lines {begin} and {end}, once and in this order")
    return changed


PARTS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "agreement.md": ("metrics", metrics_markdown),
    "zoo.md": ("cards", lambda: zoo_markdown(shipped_cards())),
}
"""By page, the name of the part and what writes it."""


def main() -> None:
    """Write the parts into the pages of the folder that is named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m attnxai.report.documentation docs")
    for name, (part, written) in PARTS.items():
        page = Path(sys.argv[1]) / name
        page.write_text(with_part(page.read_text(encoding="utf-8"), part, written()), "utf-8")


if __name__ == "__main__":
    main()
