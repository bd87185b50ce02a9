"""Every sentence of the report is in one table, is used, and is filled."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

import attnxai
from attnxai.report.sentences.say import SENTENCES, say
from attnxai.statistics.interval import Interval, no_interval

REPORT = Path(attnxai.__file__).parent / "report"


def calls():
    """Key patterns and names of fields of every call of ``say``, with where it is."""
    for path in sorted(REPORT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "say":
                fields = {keyword.arg for keyword in node.keywords}
                for pattern in patterns(node.args[0]):
                    yield pattern, fields, f"{path.name}:{node.lineno}"


def patterns(key):
    """Regular expressions of the keys that an expression can give."""
    if isinstance(key, ast.IfExp):
        return [*patterns(key.body), *patterns(key.orelse)]
    if isinstance(key, ast.Constant):
        return [re.escape(key.value)]
    assert isinstance(key, ast.JoinedStr), ast.unparse(key)
    parts = [
        re.escape(part.value) if isinstance(part, ast.Constant) else r"[\w -]+"
        for part in key.values
    ]
    return ["".join(parts)]


def fields_of(template):
    found = set()
    for _, name, spec, _ in string.Formatter().parse(template):
        if name is not None:
            found |= {name, *fields_of(spec or "")}
    return found


def test_every_key_that_is_said_is_in_the_table_and_filled():
    for pattern, given, where in calls():
        keys = [key for key in SENTENCES if re.fullmatch(pattern, key)]
        assert keys, (pattern, where)
        if None in given:  # fields handed on as a mapping
            continue
        for key in keys:
            assert fields_of(SENTENCES[key]) <= given, (key, where)


def test_no_sentence_is_left_unsaid():
    every = [pattern for pattern, _, _ in calls()]
    unsaid = [key for key in SENTENCES if not any(re.fullmatch(p, key) for p in every)]
    assert unsaid == []


@pytest.mark.parametrize("key", SENTENCES)
def test_every_sentence_reads_well(key):
    template = SENTENCES[key]
    numbers = re.findall(r"\{(\w+):[^~{}]*[a-z][^{}]*\}|\{(\w+):~", template)
    counts = {name for pair in numbers for name in pair if name} | {
        name for name in fields_of(template) if name == "n" or name.startswith("n_")
    }
    decimals = set(re.findall(r"\{(\w+):[.%p]", template))
    for count in (1, 2):
        fields = dict.fromkeys(fields_of(template), "words")
        fields |= dict.fromkeys(counts, count) | dict.fromkeys(decimals, 0.25)
        text = say(key, **fields)
        assert not re.search(r"[{}]|  |\.\.", text), text
        assert text.count("(") == text.count(")")


def test_counts_take_their_forms():
    assert "The 1 held-out source;" in say("caution.others", n=1, n_others=2).replace("the", "The")
    assert "1,234 held-out sources; 2 more" in say("caution.others", n=1234, n_others=2)
    assert "this source." in say("caution.group.validation", n=1)
    assert "these 3 sources." in say("caution.group.validation", n=3)


def test_values_are_written_with_their_intervals():
    known = Interval(value=0.25, low=-0.125, high=0.5, n_units=12)
    assert say("ceiling.shared", metric="NSS", value=known, n=12) == (
        " (NSS 0.25 [−0.12, 0.50] over the 12 sources that two or more annotated)"
    )
    assert say("at_all.by", value=no_interval(0.25, 3)) == " (by 0.25)"


def test_p_values_and_shares_have_one_form():
    assert say("own.lower", p=0.0004).startswith(
        " It is lower than under nearly all permutations (p = 0.0004 on the lower side"
    )
    assert "25 % of 20 tests" in say("further.rate", within="", share=0.25, n=20)
