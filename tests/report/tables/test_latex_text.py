"""Names, captions and labels in LaTeX."""

from __future__ import annotations

import pytest

from attnxai.errors import OptionError
from attnxai.report.tables.latex import check_caption, check_label, escape
from tests.report.tables.latex_reader import check_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("d8_best.pt", r"d8\_best.pt"),
        ("a & b", r"a \& b"),
        ("50 %", r"50 \%"),
        ("{x}$#", r"\{x\}\$\#"),
        ("C:\\models", r"C:\textbackslash{}models"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
        ("p<0.05|x", r"p\textless{}0.05\textbar{}x"),
        ("--best ---", r"-{}-best -{}-{}-"),
        ("`x''", r"\textasciigrave{}x'{}'"),
        ("brightness at 3.6″", "brightness at 3.6$''$"),
        ("“M⊙” ≈ 1", r"``M$\odot$'' $\approx$ 1"),
        ("Spearman ρ", r"Spearman $\rho$"),
        ("−1", "$-$1"),
        ("N\u0308", "N\u0308"),
        ("é", "é"),
        ("  two\nlines\t", "two lines"),
        ("5\N{NO-BREAK SPACE}Jy", "5~Jy"),
    ],
)
def test_names_are_printed_as_they_are(text, expected):
    assert escape(text) == expected
    if expected != text:
        check_text(escape(text))


def test_letters_of_other_scripts_are_left():
    assert escape("天文_1") == r"天文\_1"


@pytest.mark.parametrize(
    "caption",
    [
        "",
        r"Spearman's $\rho_s$ of 50\,\% of the sources \& more",
        r"As in Table~\ref{tab:my_table} and \citep[e.g.][]{key_2020}, d8\_best",
        r"In \(x_1\), \textbf{bold {nested}}",
    ],
)
def test_captions_that_are_sound(caption):
    check_caption(caption)


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("50 % of them", r"% starts a comment, so write \\%"),
        ("A & B", r"& ends a cell, so write \\&"),
        ("d8_best", r"so write \\_"),
        ("open {", "braces do not match"),
        ("}{", "braces do not match"),
        ("$x", "dollar signs do not match"),
        ("two\n\nparagraphs", "empty line"),
        ("end\\", "ends in a backslash"),
        (r"escaped brace \{x}", "braces do not match"),
    ],
)
def test_captions_that_would_break_a_table(caption, reason):
    with pytest.raises(OptionError, match=reason):
        check_caption(caption)


def test_labels():
    check_label("tab:agreement_nss-1")
    for wrong in ("", "a}", "a b", "50%", "a\\b"):
        with pytest.raises(OptionError, match="letters, digits and"):
            check_label(wrong)
