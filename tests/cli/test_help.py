"""The help of a command: its options in groups, and messages about their values."""

from __future__ import annotations

import re

import pytest

from attnxai.cli.documentation import commands
from tests.cli.program import attnxai, refused


def groups_of(command):
    """Long names of the options in every group of the help."""
    found, group = {}, ""
    for line in attnxai(command, "--help", check=0).stdout.splitlines():
        if heading := re.fullmatch(r"(\w+):", line.strip()):
            group = heading[1]
        elif option := re.match(r" +(?:-\w, )?(--[\w-]+)", line):
            found.setdefault(group, []).append(option[1])
    return found


def test_options_of_compare_stand_in_the_group_of_what_they_are_about():
    """A new option is added here, in the order of the help."""
    groups = groups_of("compare")
    assert list(groups) == [
        *("Inputs", "Output", "Images", "Annotations", "Maps", "Statistics", "Machine", "General")
    ]
    assert groups["Images"] == [
        *("--pixel-scale-arcsec", "--fill-blank", "--prepared", "--hdu", "--plane"),
        *("--pad", "--match-beam"),
    ]
    assert groups["Annotations"] == [
        *("--label", "--merge-spellings", "--fwhm-arcsec"),
        *("--min-components", "--match-radius-arcsec"),
        *("--annotator", "--label-of", "--annotator-of", "--annotator-from", "--format"),
    ]
    assert groups["Maps"] == ["--explain", "--target", "--audit"]


@pytest.mark.parametrize("command", list(commands()))
def test_help_fits_80_columns_and_speaks_of_limits_in_words(command):
    shown = attnxai(*command.split(), "--help", check=0, width=80).stdout
    assert f"{command} [OPTIONS]" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert not re.search(r"[<>]|x<=|_names\}", shown)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compare", "--n-permutations", "0"), "'--n-permutations': 0 should be 1 or more"),
        (("compare", "--seed", "1.5"), "'--seed': '1.5' should be a whole number"),
        (("compare", "--fwhm-arcsec", "wide"), "'--fwhm-arcsec': 'wide' should be a number"),
        (("plan", "--level", "0.7"), "'--level': 0.7 should be 0.5 or less"),
        (
            ("train", "--preset", "papr"),
            "'--preset': 'papr' is not one of 'compact', 'paper' (did you mean paper?)",
        ),
    ],
)
def test_values_that_options_cannot_take(arguments, words):
    refused(attnxai(*arguments), words)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ["--images", *(f"cutouts/{i}.fits" for i in range(9)), "--model", "c1.pt"],
            "got 9 (cutouts/0.fits, cutouts/1.fits, cutouts/2.fits and 6 more); give a pattern in quotes",
        ),
        (["--annotations", "a.reg", "b.reg"], "in quotes, as in --annotations '*.reg'"),
        (["--images", "c/1.fits", "c/2.fits"], "as in --images 'c/*.fits'"),
        (["--model", "a.pt", "b.pt"], "got 2 (a.pt, b.pt); repeat the option for each"),
        (["--seed", "1", "2"], "--seed takes one value, got 2 (1, 2); give one"),
        (list("abcde"), "unexpected extra argument(s) (a b c and 2 more)"),
    ],
)
def test_the_names_of_an_unquoted_pattern_are_few_and_the_option_is_named(given, message) -> None:
    done = attnxai("compare", *given, *(() if "--annotations" in given else ("--annotations", "m")))
    assert done.returncode == 2
    assert message in done.words
