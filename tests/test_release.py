"""What a release states: no placeholder is left in it, and its files agree."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
VALUES = {
    "REPOSITORY_URL": "https://git.invalid/radio/attnxai",
    "DOCUMENTATION_URL": "https://docs.invalid/attnxai",
    "CONTACT_EMAIL": "maintainers@mail.invalid",
    "RELEASE_DATE": "2031-02-28",
    "CONDA_MAINTAINER": "some-one",
    "PAPER_DATE": "1 March 2031",
    "ACKNOWLEDGEMENTS": "There was no funding.",
    "AI_DISCLOSURE": "Described here.",
    "SDIST_SHA256": "0123456789abcdef" * 4,
    "ZENODO_DOI": "10.5281/zenodo.1",
}
AUTHORS = [
    ("Ada B.", "de Vries", "0000-0002-1825-0097", "Institute of Radio, Country"),
    ("Chloé", "O'Neil", "0000-0001-5109-3700", "Other Institute, Country"),
]


def loaded():
    found = importlib.util.spec_from_file_location("release_check", ROOT / "release" / "check.py")
    module = importlib.util.module_from_spec(found)
    sys.modules["release_check"] = module
    found.loader.exec_module(module)
    return module


check = loaded()
HERE = check.Project(ROOT)
only_unfilled = pytest.mark.skipif(
    any(HERE.before.values()), reason="the placeholders of this project are filled in"
)


def written(root, values, authors=AUTHORS):
    """Write the file of placeholders with these values."""
    lines = ["[before]", *(f"{name} = {json.dumps(values[name])}" for name in HERE.before)]
    lines += ["[after]", *(f"{name} = {json.dumps(values[name])}" for name in HERE.after)]
    for author in authors:
        pairs = zip(check.AUTHOR_PLACEHOLDERS, author, strict=True)
        lines += ["[[authors]]", *(f"{name} = {json.dumps(value)}" for name, value in pairs)]
    (root / check.PROJECT).write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def copied(tmp_path):
    """A copy of what the check reads, with all values given but not filled in."""
    others = ("attnxai/__init__.py", check.CHANGELOG, check.PROJECT)
    for file in {*check.FILES, *others}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    changed(tmp_path, check.CHANGELOG, ", unreleased", ", 2031-02-28")
    written(tmp_path, VALUES)
    return tmp_path


@pytest.fixture
def released(copied):
    """The same with all values filled in."""
    check.main(["--fill"], root=copied)
    return copied


def changed(root, file, old, new):
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new), encoding="utf-8")


# --- this project ----------------------------------------------------------------------------------


def test_files_agree_on_version_title_licence_authors_and_requirements():
    assert list(check.disagreements(HERE)) == []
    assert list(check.misshapen(HERE)) == []


def test_placeholders_are_named_where_their_values_belong_and_nowhere_else():
    known = {*check.PLACEHOLDERS, *check.AUTHOR_PLACEHOLDERS}
    assert {name for name, _, _ in HERE.placeholders()} == known
    for name, placeholder, value in HERE.placeholders():
        for file in placeholder.files:
            assert value in HERE.text(file) if value else name in HERE.text(file), (name, file)
    read = [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), *ROOT.glob("*.cff"), *ROOT.glob("*.yml")]
    for folder in ("docs", "attnxai", ".github", "release", "examples", "reference_annotations"):
        read += [
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix in {".md", ".py", ".yml", ".yaml", ".bib", ".html", ".ipynb", ".rst"}
        ]
    for path in read:
        file = path.relative_to(ROOT).as_posix()
        if file not in {*check.FILES, "release/check.py"}:
            text = path.read_text(encoding="utf-8")
            assert not [name for name in known if name in text], file


@only_unfilled
def test_a_release_is_refused_while_anything_is_empty(capsys):
    assert check.main([]) == 1
    text = capsys.readouterr().out
    for name in (*HERE.before, *check.AUTHOR_PLACEHOLDERS):
        assert f"- {name} in release/project.toml is empty; it has to be " in text
    assert "docs/changelog.md has 'unreleased' as the date of" in text
    assert "ZENODO_DOI" not in text
    assert check.main(["--published"]) == 1
    assert "- ZENODO_DOI in release/project.toml is empty" in capsys.readouterr().out


def test_nothing_is_published_without_the_check():
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    for name, permission in {"publish": "id-token", "archive": "contents"}.items():
        assert jobs[name]["permissions"] == {permission: "write"}
        needed = [name]
        while "needs" in jobs[needed[-1]]:
            needed.append(jobs[needed[-1]]["needs"])
        assert needed[-3:] == ["install", "build", "check"]
    assert any("release/check.py --tag" in step.get("run", "") for step in jobs["check"]["steps"])


# --- filling in ------------------------------------------------------------------------------------


@only_unfilled
def test_values_are_filled_in(released, capsys):
    tag = f"v{HERE.version}"
    assert check.main(["--tag", tag, "--published"], root=released) == 0
    assert capsys.readouterr().out.endswith(f"{HERE.version} can be released\n")
    project = check.Project(released)
    citation = project.yaml("CITATION.cff")
    assert citation["doi"] == VALUES["ZENODO_DOI"]
    assert citation["repository-code"] == VALUES["REPOSITORY_URL"]
    assert [one.get("given-names") for one in citation["authors"]] == ["Ada B.", "Chloé", None]
    assert citation["authors"][1]["orcid"] == "https://orcid.org/0000-0001-5109-3700"
    pyproject = tomllib.loads(project.text("pyproject.toml"))["project"]
    assert pyproject["urls"]["Issues"] == f"{VALUES['REPOSITORY_URL']}/issues"
    assert pyproject["maintainers"][0]["email"] == VALUES["CONTACT_EMAIL"]
    assert [one["affiliation"] for one in json.loads(project.text(".zenodo.json"))["creators"]] == [
        author[3] for author in AUTHORS
    ]
    paper = project.yaml("release/paper.md")
    assert [one["affiliation"] for one in paper["authors"]] == ["1", "2"]
    assert [(one["index"], one["name"]) for one in paper["affiliations"]] == [
        ("1", AUTHORS[0][3]),
        ("2", AUTHORS[1][3]),
    ]
    # a second time changes nothing
    before = {file: project.text(file) for file in check.FILES}
    check.main(["--fill"], root=released)
    assert capsys.readouterr().out == "filled in: nothing\n"
    assert {file: project.text(file) for file in check.FILES} == before


@only_unfilled
def test_what_exists_only_after_the_upload_may_be_empty_before(copied):
    written(copied, {**VALUES, "ZENODO_DOI": "", "SDIST_SHA256": ""})
    assert check.main(["--fill"], root=copied) == 0
    assert check.main([], root=copied) == 0
    assert "doi" not in check.Project(copied).yaml("CITATION.cff")
    assert check.main(["--published"], root=copied) == 1


def test_placeholders_that_the_file_lacks_are_empty(copied, capsys):
    (copied / check.PROJECT).write_text("[before]\n[after]\n", encoding="utf-8")
    assert check.main([], root=copied) == 1
    text = capsys.readouterr().out
    for name in ("REPOSITORY_URL", "AUTHOR_ORCID"):
        assert f"- {name} in release/project.toml is empty" in text


@only_unfilled
def test_values_that_are_not_filled_in_are_named(copied, capsys):
    assert check.main([], root=copied) == 1
    text = capsys.readouterr().out
    assert "CITATION.cff still names RELEASE_DATE: run python release/check.py --fill" in text
    assert "release/paper.md still names AUTHOR_ORCID" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPOSITORY_URL", "http://git.invalid/attnxai"),
        ("REPOSITORY_URL", "https://git.invalid/attnxai/"),
        ("DOCUMENTATION_URL", "tbd"),
        ("CONTACT_EMAIL", "maintainers"),
        ("RELEASE_DATE", "1 March 2031"),
        ("CONDA_MAINTAINER", "@someone"),
        ("PAPER_DATE", "2031-03-01"),
        ("ACKNOWLEDGEMENTS", 'We thank "him".'),
        ("AI_DISCLOSURE", "One.\nTwo."),
        ("SDIST_SHA256", "abc"),
        ("ZENODO_DOI", "10.5281/zenodo.NUMBER"),
        ("AUTHOR_ORCID", "0000-0002-1825-0098"),
    ],
)
def test_values_of_another_form_are_refused(copied, capsys, name, value):
    orcid = value if name == "AUTHOR_ORCID" else AUTHORS[0][2]
    written(copied, {**VALUES, name: value}, [(*AUTHORS[0][:2], orcid, AUTHORS[0][3])])
    before = check.Project(copied).text("CITATION.cff")
    for arguments in ([], ["--fill"]):
        assert check.main(arguments, root=copied) == 1
        refused = f"- {name} in release/project.toml is {value!r}; it has to be "
        assert refused in capsys.readouterr().out
    assert check.Project(copied).text("CITATION.cff") == before


V = HERE.version


@only_unfilled
@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("attnxai/__init__.py", V, "9.9.9", f"the version is '9.9.9', but '{V}' in CITATION.cff"),
        ("docs/changelog.md", f"## {V},", "## 9.9.9,", "but '9.9.9' in docs/changelog.md"),
        ("CITATION.cff", f"version: {V}", "version: 9.9.9", "but '9.9.9' in CITATION.cff"),
        (".zenodo.json", f'"version": "{V}"', '"version": "9.9.9"', "but '9.9.9' in .zenodo.json"),
        ("release/recipe.yaml", f'"{V}"', '"9.9.9"', "but '9.9.9' in release/recipe.yaml"),
        ("release/paper.md", f"version {V}", "version 9.9.9", "but '9.9.9' in release/paper.md"),
        (".zenodo.json", "statistical agreement", "agreement", "the title is"),
        ("release/recipe.yaml", "license: BSD-3-Clause", "license: MIT", "the licence is"),
        ("release/recipe.yaml", "torch >=2.13", "torch >=1", "'pytorch >=2.13' is missing from"),
        (
            "pyproject.toml",
            '  "zarr>=3.1.6",\n',
            "",
            "'zarr >=3.1.6' is only in release/recipe.yaml",
        ),
        ("pyproject.toml", '">=3.11"', '">=3.12"', "the oldest Python is '3.12', but '3.11' in"),
        ("CITATION.cff", "2031-02-28", "2031-02-27", "RELEASE_DATE is 2031-02-28, but 2031-02-27"),
        ("docs/changelog.md", ", 2031-02-28", ", 2031-02-27", "has the date 2031-02-27, and"),
        ("docs/changelog.md", ", 2031-02-28", ", soon", "has 'soon' as the date of"),
        ("release/paper.md", "O'Neil", "Neil", "release/paper.md has other authors than"),
        ("CITATION.cff", "Chloé", "C.", "CITATION.cff has other authors than"),
        (".zenodo.json", "-3700", "-3701", ".zenodo.json does not state AUTHOR_ORCID"),
        (".github/SECURITY.md", "maintainers@", "nobody@", "does not state CONTACT_EMAIL"),
    ],
)
def test_files_that_do_not_agree_are_refused(released, capsys, file, old, new, sentence):
    changed(released, file, old, new)
    assert check.main([], root=released) == 1
    assert sentence in capsys.readouterr().out


@only_unfilled
def test_a_tag_of_another_version_is_refused(released, capsys):
    assert check.main(["--tag", "v9.9.9"], root=released) == 1
    assert f"the tag is v9.9.9; version {V} needs the tag v{V}" in capsys.readouterr().out


# --- the paper -------------------------------------------------------------------------------------


def paper():
    return HERE.text("release/paper.md").split("\n---\n", 1)[1]


def test_the_paper_has_the_sections_and_the_length_that_joss_asks_for():
    assert re.findall(r"^# (.+)$", paper(), re.MULTILINE) == [
        "Summary",
        "Statement of need",
        "State of the field",
        "Software design",
        "Research impact statement",
        "AI usage disclosure",
        "Acknowledgements",
        "References",
    ]
    assert 750 <= len(paper().split()) <= 1000


def test_what_the_paper_cites_is_what_it_lists():
    entries = re.split(r"^@", HERE.text("release/paper.bib"), flags=re.MULTILINE)[1:]
    keys = {re.match(r"\w+\{(\w+),", entry)[1] for entry in entries}
    assert len(keys) == len(entries)
    assert set(re.findall(r"@(\w+)", paper())) == keys
    for entry in entries:
        assert re.search(
            r"^  (doi = \{10\.\d+/\S+\}|url = \{https?://\S+\}),?$", entry, re.MULTILINE
        )


def test_numbers_of_the_paper_stand_in_the_documentation():
    pages = HERE.text("docs/explanation/real_data.md") + HERE.text("docs/explanation/validation.md")
    text = re.sub(r"\[?@\w+|version [\d.]+|D8|FR I+", "", paper())
    numbers = re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w])", text)
    assert len(numbers) > 10
    assert not [one for one in numbers if not re.search(rf"(?<![\d.]){one}(?![\d]|\.\d)", pages)]
