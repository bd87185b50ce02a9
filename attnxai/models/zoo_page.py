"""The cards of the models that ship, as they stand in the documentation.

``python -m attnxai.models.zoo_page docs/zoo.md`` writes them anew.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from attnxai.errors import OptionError
from attnxai.models.cards import ACCURACY, TEST, VALIDATION, ModelCard
from attnxai.models.markdown import escaped, table
from attnxai.models.zoo import shipped_cards

BEGIN = "<!-- cards:begin -->"
END = "<!-- cards:end -->"


def zoo_markdown(cards: Mapping[str, ModelCard]) -> str:
    """A table of all models, and the card of each.

    Parameters
    ----------
    cards : mapping of str to ModelCard
        As :func:`attnxai.models.zoo.shipped_cards` gives them.
    """

    def accuracy(card: ModelCard, part: str) -> str:
        measured = card.measured(part, ACCURACY)
        return measured.percent() if measured is not None else "not measured"

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
            f"[{escaped(name)}](#{escaped(name)})",
            escaped(card.group),
            f"{card.n_parameters:,}",
            str(card.seed) if card.seed is not None else "not recorded",
            accuracy(card, VALIDATION),
            accuracy(card, TEST),
            f"{card.file_bytes / 1e3:,.0f}",
        ]
        for name, card in cards.items()
    ]
    total = sum(card.file_bytes for card in cards.values())
    lines = [*table(head, rows), "", f"Together {total / 1e6:.2f} MB."]
    return "\n".join([*lines, "", *(card.to_markdown(level=3) for card in cards.values())])


def with_cards(page: str, cards: Mapping[str, ModelCard]) -> str:
    """A page with the cards between its marks.

    Raises
    ------
    OptionError
        If the page does not have both marks, each once and in their order.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if page.count(BEGIN) != 1 or rest.count(END) != 1 or END in before:
        raise OptionError(
            f"the page needs the lines {BEGIN} and {END}, each once and in this order"
        )
    return f"{before}{BEGIN}\n\n{zoo_markdown(cards)}\n{END}{after}"


def main() -> None:
    """Write the cards into the page that is named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m attnxai.models.zoo_page docs/zoo.md")
    page = Path(sys.argv[1])
    page.write_text(with_cards(page.read_text(encoding="utf-8"), shipped_cards()), encoding="utf-8")


if __name__ == "__main__":
    main()
