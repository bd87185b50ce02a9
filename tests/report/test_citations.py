"""Citations of the methods text: known, escaped, and the same in every form."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from attnxai.explanations import EXPLANATIONS
from attnxai.metrics import METRICS
from attnxai.nulls import NULLS
from attnxai.report import methods
from attnxai.report.citations import (
    all_references,
    as_latex,
    as_markdown,
    as_plain,
    bibliography,
    cite,
    cited_by,
    find_reference,
)
from attnxai.report.methods import methods_text
from attnxai.report.sentences.say import SENTENCES
from tests.report.several import content_of
from tests.report.tables.latex_reader import check_text

ROOT_ENTRY = re.compile(r"@(\w+)\{(\w+),\n((?:  \w+ = \{.*\},?\n)+)\}\n")
TEXT = "Of a_b.pt, by NSS [@Peters2005; @Nili2014] in 95 % (n = 3, as usual [@Holm1979])."


def test_every_form_has_the_same_citations():
    assert as_plain(TEXT) == (
        "Of a_b.pt, by NSS (Peters et al. 2005, Nili et al. 2014) in 95 % (n = 3, as usual, Holm 1979)."
    )
    assert as_markdown(TEXT) == TEXT.replace("_", r"\_")
    assert as_latex(TEXT) == (
        r"Of a\_b.pt, by NSS~\citep{Peters2005,Nili2014} in 95\,\% (n = 3, as usual, \citealp{Holm1979})."
    )
    assert [one.key for one in cited_by(TEXT * 2)] == ["Peters2005", "Nili2014", "Holm1979"]


@pytest.mark.parametrize(
    "name", ["x [@Nobody]", r"\input{a}", "a--b*c_[d](e) $x$ <b> @f & #", "[@"]
)
def test_names_are_no_markup(name):
    text = f"Maps of {name} with NSS [@Peters2005]."
    check_text(re.sub(r"\\citep\{Peters2005\}", "", as_latex(text)))
    assert r"\input" not in as_latex(text)
    assert as_plain(text) == f"Maps of {name} with NSS (Peters et al. 2005)."
    marked = as_markdown(text).replace("[@Peters2005]", "")
    assert not re.search(r"(?<!\\)[*_\[\]$<>@&#`]|--", marked)
    assert re.sub(r"\\(.)", r"\1", marked) == f"Maps of {name} with NSS ."


def test_all_that_can_be_cited_has_an_entry():
    keys = set(re.findall(r"@(\w+)", " ".join(SENTENCES.values())))
    for table in (methods._OF_METRICS, methods._OF_NULLS, methods._OF_CORRECTIONS):
        keys |= {key for found in table.values() for key in found}
    assert keys <= set(all_references())
    assert set(methods._OF_METRICS) <= set(METRICS)
    assert set(methods._OF_NULLS) <= set(NULLS)
    named = [words for method in EXPLANATIONS.values() for words in method.references]
    found = {words: find_reference(words) for words in named if "Author" not in words}
    assert [words for words, one in found.items() if one is None] == []
    for words, one in found.items():
        assert words.startswith(one.label), words


JOURNALS = ("MiraBest2023", "FRDEEP2019")


def test_entries_are_complete_and_addresses_are_theirs():
    entries = bibliography(all_references().values(), version="1.2_3")
    assert "".join(match[0] for match in ROOT_ENTRY.finditer(entries)).count("@") == len(
        all_references()
    )
    for kind, key, body in ROOT_ENTRY.findall(entries):
        fields = dict(re.findall(r"  (\w+) = \{(.*)\},?\n", body))
        assert {"author", "title"} <= set(fields), key
        assert ("year" in fields) == (key != "attnxai")
        assert body.count("{") == body.count("}")
        assert "#" not in body, "a placeholder is no field"
        if kind in ("article", "inproceedings"):
            assert {"journal", "booktitle"} & set(fields), key
        if eprint := fields.get("eprint"):
            assert fields["doi"] == f"10.48550/arXiv.{eprint}" or key in JOURNALS
        if doi := fields.get("doi"):
            assert re.fullmatch(r"10\.\d{4,5}/\S+", doi), key
    assert r"note = {version 1.2\_3}" in entries
    labels = [one.label for one in all_references().values()]
    assert len(set(labels)) == len(labels)
    assert {"Bowles et al. 2021a", "Bowles et al. 2021b", "Schütt et al. 2023"} <= set(labels)


def test_files_of_a_report(good):
    made = methods_text(content_of(good, contrasts=False))
    files = made.files()
    assert set(files) == {"methods.txt", "methods.md", "methods.tex", "references.bib"}
    keys = {one.key for one in made.references}
    assert {"attnxai", "Peters2005", "Holm1979"} <= keys
    in_latex = re.findall(r"\\cite(?:p|alp)\{([\w,]+)\}", files["methods.tex"])
    assert {key for found in in_latex for key in found.split(",")} == keys
    assert set(re.findall(r"[\[ ]@(\w+)", files["methods.md"])) == keys
    assert {match[1] for match in ROOT_ENTRY.findall(files["references.bib"])} == keys
    note, body = files["methods.tex"].splitlines()
    assert note == r"% needs \usepackage{natbib}; entries are in references.bib"
    check_text(re.sub(r"\\cite(?:p|alp)\{[\w,]+\}", "", body))
    assert cite() == ""


@pytest.mark.skipif(
    shutil.which("pdflatex") is None or shutil.which("bibtex") is None, reason="needs LaTeX"
)
def test_latex_takes_it(good, tmp_path):
    for name, text in methods_text(content_of(good, contrasts=False)).files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage{natbib}\\begin{document}\\input{methods}"
        "\\bibliographystyle{plainnat}\\bibliography{references}\\end{document}",
        encoding="utf-8",
    )
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"]
    for command in (latex, ["bibtex", "paper"], latex, latex):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    assert "undefined" not in done.stdout
