"""What users read speaks the field's language.

Each pattern is a phrase that this package once had for a standard term. It is looked for in the documentation,
the messages, docstrings, comments and names of the package, its templates, the help of every command, and a
report. Where a word has an ordinary meaning as well, the pattern leaves that out.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import re
import tokenize
import warnings
from pathlib import Path

import pytest
import typer

import attnxai
from attnxai.cli.main import app
from tests.builders import made_up

PACKAGE = Path(attnxai.__file__).parent
ROOT = PACKAGE.parent

STANDARD_TERMS = {
    "permutation across sources": [r"exchang(e|es|ed|ing)\b(?! rates?\b)"],
    "annotators, inter-annotator agreement, noise ceiling": [
        r"\bpeople('s)?\b",
        r"(?<!annotators )(?<!annotators \()\bwho marked\b(?! (which|what))",
    ],
    "split: training, validation, held-out, unknown": [r"\bexposures?\b(?! times?\b)"],
    "pairing broken": [
        r"\bwithout (any )?link\b",
        r"\bbreaks? the link\b",
        r"\bunrelated pairings?\b",
    ],
    "miscalibrated null": [
        r"\bunsuited\b",
        r"\bnulls? (that )?(does not |do not )?suits?\b",
        r"\bsuits? (the|these|this) data\b",
    ],
    "surrogate maps": [
        r"\brearrang(e|es|ed|ing|ement|ements)\b",
        r"\bversions of (a|the|its|every) (source's )?map\b",
    ],
    "partial correlation controlling for brightness": [
        r"\b(given|beyond) (the )?brightness\b",
        r"\bheld fixed\b",
    ],
    "constant map": [r"\bwithout (any )?contrast\b"],
    "leave-one-out centre bias": [
        r"\bmarks of others\b",
        r"\bmarked on (all )?(the )?\*?other\*? sources\b",
    ],
    "run, evaluate hypotheses, progress": [
        r"\bcarr(y|ied|ies|ying) out\b",
        r"\bjudg(e|es|ed|ing)\b (the |all |each )?(claims?|hypothes[ei]s)\b",
        r"\btellers?\b",
    ],
    "attnxai validate": [r"attnxai calibrate\b"],
    "attnxai models temperature": [r"\bmodels calibrate\b"],
    "for its own source": [r"\bsource at hand\b"],
    "anti-correlated with": [r"\blook(s|ing)? away\b"],
    "distinguished": [
        r"\btold\b.{0,25}? apart\b",
        r"\btell(s|ing)?\b.{0,25}? apart\b",
        r"\b(reported|kept|keeps|keep|measured) apart\b",
    ],
    "accuracy, correct": [
        r"\bright class\b",
        r"\b(classified|predicted|images) (right|wrong)\b",
        r"\bright predictions?\b",
    ],
    "subpackage": [r"\brooms?\b(?! for\b)"],
    "false positive rate": [
        r"\blevels, coverages?\b",
        r"\blevels of (all|every|the|each) nulls?\b",
    ],
    "smallest attainable p-value": [
        r"\bp-values? (that )?could come out\b",
        r"\bsmallest possible\b",
    ],
    "extension of a file": [r"\b(without|folder and) endings?\b", r"\bknown endings\b"],
    "is not a, per, how well, needs, increase": [
        r"(?<!there )\b(is|are) no (?!longer\b|more\b|better\b|nearer\b|evidence\b|agreement\b|such\b)",
        r"\bone (row|line|source id) an? ",
        r"\bhow far (the )?(three )?(annotators|experts|volunteers) agreed?\b",
        r"\bit takes (two|three|\d+|\{)",
        r"\bask for more \(?--",
    ],
}
PATTERNS = [
    (term, re.compile(pattern, re.IGNORECASE))
    for term, patterns in STANDARD_TERMS.items()
    for pattern in patterns
]
NAMES = re.compile(
    r"exchang|rearrang|people|exposure|unsuited|teller|carry_out|judge|told_apart|look_away",
    re.IGNORECASE,
)
SEEDS = {"exchange", "exchange, pooled", "exchange within class", "rearranged", "given brightness"}
"""Words that seed random streams: they stay as they are, or all numbers change."""


def documents():
    pages = (ROOT / "docs").rglob("*.md")
    templates = (PACKAGE / "report" / "templates").iterdir()
    examples = (path for path in (ROOT / "examples").iterdir() if path.is_file())
    face = [*(ROOT / ".github").rglob("*.md"), *(ROOT / ".github" / "ISSUE_TEMPLATE").iterdir()]
    others = ("README.md", "reference_annotations/README.md", "docs/conf.py", "CITATION.cff")
    others += (".zenodo.json", "release/paper.md", "release/project.toml", "release/check.py")
    return sorted([*pages, *templates, *examples, *face, *(ROOT / name for name in others)])


def modules():
    return sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")])


def name_of(path):
    return str(path.relative_to(ROOT))


def found_in(text):
    flat = re.sub(r"\s+", " ", text)
    return [
        f"{flat[max(match.start() - 40, 0) : match.end() + 30]!r}: say {term!r}"
        for term, pattern in PATTERNS
        for match in pattern.finditer(flat)
    ]


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_documents_speak_the_language_of_the_field(path):
    found = found_in(path.read_text(encoding="utf-8"))
    assert not found, f"{name_of(path)} has {'; '.join(found)}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_messages_docstrings_comments_and_names_speak_it_too(path):
    text = path.read_text(encoding="utf-8")
    strings = [
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    comments = " ".join(t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT)
    found = [hit for one in {*strings, comments} - SEEDS for hit in found_in(one)]
    assert not found, f"{name_of(path)} has {'; '.join(found)}"
    assert not sorted(
        {t.string for t in tokens if t.type == tokenize.NAME and NAMES.search(t.string)}
    )


def helps():
    """The help of every command, by the words that lead to it."""
    found = {}

    def walk(command, context):
        found[context.command_path] = command.get_help(context)
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, typer.Context(inner, info_name=name, parent=context))

    command = typer.main.get_command(app)
    walk(command, typer.Context(command, info_name="attnxai"))
    return found


def test_help_speaks_it_too():
    texts = helps()
    assert {"attnxai", "attnxai compare", "attnxai models temperature"} <= texts.keys()
    assert not {name: found for name, text in texts.items() if (found := found_in(text))}


def test_a_report_speaks_it_too(tmp_path, monkeypatch):
    monkeypatch.setattr("attnxai.report.document._drawers", lambda content: [])
    maps, marks, images = made_up(n_sources=10)
    settings = attnxai.ComparisonSettings(
        n_permutations=19, n_bootstrap=100, nulls=("symmetries",), metrics=("nss", "auc")
    )
    stacks = [maps, dataclasses.replace(maps, model_name="another")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        comparison = attnxai.compare_models(stacks, marks, images, settings=settings)
        comparison.write_report(tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    text = re.sub(r"<(script|style|svg)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert "noise ceiling" in text.lower()
    assert not found_in(text)
    assert not found_in((tmp_path / "report" / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.card.json")), ids=name_of)
def test_cards_of_models_speak_it_too(path):
    assert not found_in(json.dumps(json.loads(path.read_text(encoding="utf-8"))))


def test_the_patterns_find_what_they_are_for():
    assert found_in("annotations are exchanged between sources")
    assert found_in("It looks away from what the experts\nmarked, as people do.")
    assert found_in("two models are told apart, and tells models of one group apart")
    assert not found_in("Annotations are permuted across sources; exchange rates do not matter.")
    assert not found_in("There is room for more than one annotator; sources are exchangeable.")
    assert NAMES.search("exchange_rates")
    assert not NAMES.search("permuted")
