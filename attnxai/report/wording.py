"""How groups of sources, metrics and maps are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attnxai.agreement.results import ALL
from attnxai.data.wording import listed
from attnxai.explanations.labels import LABELS
from attnxai.explanations.stack import BRIGHTNESS, CENTRE_BIAS, EMISSION
from attnxai.statistics.formats import format_effective, value_range

if TYPE_CHECKING:
    from attnxai.statistics.interval import Interval

_GROUPS = {
    "held-out": ("held-out source", "held-out sources"),
    "training": ("source that the model was trained on", "sources that the model was trained on"),
    "validation": (
        "source that the model was validated on",
        "sources that the model was validated on",
    ),
    "unknown": (
        "source (whether the model was trained on it is not known)",
        "sources (whether the model was trained on them is not known)",
    ),
    ALL: ("source, held-out or not", "sources, held-out or not"),
}
_PROPER_NAMES = ("Spearman",)
_SHORT_GROUPS = {"unknown": "not known if trained on"}


def capitalised(text: str) -> str:
    """A text with a capital letter at its beginning."""
    return f"{text[:1].upper()}{text[1:]}"


def group_phrase(group: str, n: int = 2) -> str:
    """Words for a group of n sources."""
    one, several = _GROUPS[group]
    return one if n == 1 else several


def group_name(group: str) -> str:
    """Few words for a group of sources."""
    return _SHORT_GROUPS.get(group, group)


def n_words(intervals: Iterable[Interval]) -> str:
    """Numbers of sources as one number or a range, with the effective numbers of weighted ones.

    Zeros, of values that there are not, are left out.

    Examples
    --------
    >>> from attnxai.statistics.interval import Interval
    >>> n_words([Interval(value=0.4, n_units=n) for n in (40, 28, 0)])
    '28 to 40'
    >>> n_words([Interval(value=0.4, n_units=40, n_effective=31.2)])
    '40 (n_eff = 31.2)'
    """
    found = [interval for interval in intervals if interval.n_units]
    effective = [i.n_effective for i in found if i.n_effective is not None]
    text = value_range([i.n_units for i in found] or [0], 0)
    return f"{text} (n_eff = {value_range(effective, 1)})" if effective else text


def n_beside(interval: Interval, n: int) -> str:
    """The number of sources that a value rests on, to stand beside it where it is another than ``n``.

    Examples
    --------
    >>> from attnxai.statistics.interval import Interval
    >>> n_beside(Interval(value=0.4, n_units=28), 40), n_beside(Interval(value=0.4, n_units=40), 40)
    ('n = 28', '')
    """
    if interval.n_units in (0, n):
        return ""
    effective = format_effective(interval.n_effective)
    return ", ".join(filter(None, [f"n = {interval.n_units:,}", effective]))


def in_brackets(interval: Interval) -> str:
    """The effective number of weighted sources, to follow their number; empty where all weigh the same."""
    effective = format_effective(interval.n_effective)
    return f" ({effective})" if effective else ""


def mean_word(intervals: Iterable[Interval]) -> str:
    """``weighted mean`` where some sources weigh more than others, else ``mean``."""
    return "weighted mean" if are_weighted(intervals) else "mean"


def weighted_label(label: str, intervals: Iterable[Interval]) -> str:
    """A metric as it stands inside a sentence, with ``weighted mean`` before it where sources are weighted."""
    return f"weighted mean {label}" if are_weighted(intervals) else label


def are_weighted(intervals: Iterable[Interval]) -> bool:
    """Whether some sources weigh more than others."""
    return any(interval.n_effective is not None for interval in intervals)


def strata_words(strata: Sequence[str]) -> str:
    """What sources share across which annotations are permuted."""
    return listed(list(strata))


def in_sentence(label: str) -> str:
    """Label of a metric as it stands inside a sentence: names and abbreviations keep their capitals."""
    first = label.split(maxsplit=1)[0]
    if label[0] == "\u2212" or first in _PROPER_NAMES or first[1:] != first[1:].lower():
        return label
    return label[0].lower() + label[1:]


def name_of_map(explanation: str) -> str:
    """Words for a map: ``Gate 2``, ``The mean of the gates``, ``Grad-CAM of layer4``, or its own name.

    Examples
    --------
    >>> name_of_map("evidence relative gate2"), name_of_map("mean magnitude")
    ('Evidence of gate 2 relative to empty sky', 'The mean of the gate magnitudes')
    """
    words = _plain_name(explanation)
    return explanation if words is None else capitalised(words)


def map_in_sentence(explanation: str) -> str:
    """Words for a map within a sentence: ``gate 2``, ``the mean of the gates``."""
    return _plain_name(explanation) or explanation


def label_of_map(explanation: str) -> str:
    """Words for a map or baseline in a table or figure: ``Gate 2``, ``Mean of the gates``, ``centre bias``."""
    if explanation.startswith((BRIGHTNESS, EMISSION, CENTRE_BIAS)):
        return explanation
    return capitalised(map_in_sentence(explanation).removeprefix("the "))


def method_of_map(explanation: str) -> str:
    """The explanation method that a map comes from, as far as its name tells; maps of one method stand together."""
    gate = _GATE.fullmatch(explanation)
    if gate:
        return f"gates{gate[3]}"
    evidence = _EVIDENCE.fullmatch(explanation)
    if evidence:
        return f"evidence{evidence[1]}"
    method, _, _ = explanation.partition(" ")
    return method if method in LABELS else explanation


_GATE = re.compile(r"(gate(\d+)|mean)( centred| magnitude|)")
_EVIDENCE = re.compile(r"evidence( relative| magnitude|)(?: gate(\d+))?")
_MEANS = {"": "gates", " centred": "centred gates", " magnitude": "gate magnitudes"}


def _plain_name(explanation: str) -> str | None:
    """Plain words for the maps of methods that are known here; None for others."""
    gate = _GATE.fullmatch(explanation)
    if gate:
        if gate[2] is None:
            of_gates = _MEANS[gate[3]]
            return f"the mean of the {of_gates}"
        return f"gate {gate[2]}{gate[3]}"
    evidence = _EVIDENCE.fullmatch(explanation)
    if evidence:
        of = f" of gate {evidence[2]}" if evidence[2] else ""
        if evidence[1] == " magnitude":
            return f"magnitude of the evidence{of}"
        return f"evidence{of}{' relative to empty sky' if evidence[1] else ''}"
    method, _, layer = explanation.partition(" ")
    if method in LABELS:
        return f"{LABELS[method]}{f' of {layer}' if layer else ''}"
    return None


def names_of_maps(explanations: Sequence[str]) -> str:
    """Words for several maps within a sentence: ``gates 2 and 3``, ``gate 1 and the mean of the gates``."""
    gates = [name for name in explanations if name_of_map(name) == f"Gate {name[4:]}"]
    words = (
        [f"gate{'s' * (len(gates) > 1)} {listed([name[4:] for name in gates])}"] if gates else []
    )
    words += [map_in_sentence(name) for name in explanations if name not in gates]
    return listed(words)
