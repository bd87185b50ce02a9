"""Maps as they stand in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from attnxai.data.wording import listed


def name_of_map(explanation: str) -> str:
    """Words for a map: ``Gate 2``, ``The mean of the gates``, or its own name."""
    if explanation == "mean":
        return "The mean of the gates"
    if explanation.startswith("gate") and explanation[4:].isdigit():
        return f"Gate {explanation[4:]}"
    return explanation


def in_sentence(name: str) -> str:
    """Words for a map within a sentence: ``gate 2``, ``the mean of the gates``."""
    return f"{name[0].lower()}{name[1:]}" if name.startswith(("The ", "Gate ")) else name


def names_of_maps(explanations: Sequence[str]) -> str:
    """Words for several maps: ``Gates 2 and 3``, ``Gate 1 and the mean of the gates``."""
    numbers = [name[4:] for name in explanations if name_of_map(name) == f"Gate {name[4:]}"]
    words = [f"{'Gate' if len(numbers) == 1 else 'Gates'} {listed(numbers)}"] if numbers else []
    for name in explanations:
        if name_of_map(name) != f"Gate {name[4:]}":
            word = name_of_map(name)
            words.append(word.replace("The", "the", 1) if words and name == "mean" else word)
    return listed(words)
