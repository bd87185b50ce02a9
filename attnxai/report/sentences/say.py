"""Fill the sentences that the report chooses by rule.

Each module beside this one holds the sentences of one part of the page; the rules that choose among them are in the
modules of the report. A field is written in braces, its form after a colon:

- ``{name}``: a text, a whole number, or an interval (its value and, in brackets, its ends);
- ``{x:.2}``: a number with two decimals;
- ``{p:p}``: a p-value, as ``p = 0.0004``;
- ``{share:%}``: a share, in per cent;
- ``{n:source}`` or ``{n:source is|sources are}``: a count and what is counted, as ``5 sources``; of an interval
  that of its sources, with their effective number where they are weighted;
- ``{n:~is|are}``: one of two forms by a count that is not printed.
"""

from __future__ import annotations

import string
from typing import Any

from attnxai.report.sentences.answers import ANSWERS
from attnxai.report.sentences.audit import AUDIT
from attnxai.report.sentences.captions import CAPTIONS
from attnxai.report.sentences.cautions import CAUTIONS
from attnxai.report.sentences.methods import METHODS
from attnxai.report.sentences.page import PAGE
from attnxai.report.sentences.verdict import VERDICT
from attnxai.report.wording import in_brackets
from attnxai.statistics.formats import format_number, format_share, p_equals, with_interval

SENTENCES: dict[str, str] = {
    **VERDICT,
    **ANSWERS,
    **AUDIT,
    **CAUTIONS,
    **PAGE,
    **CAPTIONS,
    **METHODS,
}


class _Fields(string.Formatter):
    """Format fields of sentences: numbers, p-values, intervals, counts and words that follow a count."""

    def format_field(self, value: Any, spec: str) -> str:
        effective = ""
        if hasattr(value, "known"):
            if not spec:
                return with_interval(value)
            value, effective = value.n_units, in_brackets(value)
        if spec == "p":
            return p_equals(value)
        if spec == "%":
            return format_share(value)
        if spec.startswith("."):
            return format_number(value, int(spec[1:]))
        if spec.startswith("~"):
            one, several = spec[1:].split("|")
            return one if value == 1 else several
        if spec:
            one, _, several = spec.partition("|")
            return f"{value:,} {one if value == 1 else several or one + 's'}{effective}"
        return f"{value:,}" if isinstance(value, int) else str(value)


def say(key: str, **fields: Any) -> str:
    """Fill the sentence of a finding."""
    return _Fields().vformat(SENTENCES[key], (), fields)
