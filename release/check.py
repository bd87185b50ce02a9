"""Refuse a release while something that it states does not exist, or while its files do not agree.

python release/check.py               list what is missing; the exit code is 1 if anything is
python release/check.py --tag v1.2.3  also compare the tag with the version
python release/check.py --published   also ask for what exists only after the upload
python release/check.py --fill        write the values of release/project.toml into the files that name them
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = "release/project.toml"
CHANGELOG = "docs/changelog.md"
RECIPE = "release/recipe.yaml"
PAPER = "release/paper.md"
CITATION = "CITATION.cff"
REFERENCES = "attnxai/report/references.bib"
ZENODO = ".zenodo.json"
SECURITY = ".github/SECURITY.md"
LINKS = ".github/ISSUE_TEMPLATE/config.yml"

CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
"""Packages that conda-forge has under another name than PyPI."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """What a placeholder stands for, the form of its value, and the files that name it."""

    form: str
    meaning: str
    files: tuple[str, ...]


_URL = r"https://[\w-]+(\.[\w-]+)+(/[\w.~-]+)*"
PLACEHOLDERS = {
    "REPOSITORY_URL": Placeholder(
        form=_URL,
        meaning="an address that begins with https:// and does not end with a slash",
        files=("pyproject.toml", CITATION, RECIPE, SECURITY, LINKS),
    ),
    "DOCUMENTATION_URL": Placeholder(
        form=_URL,
        meaning="an address that begins with https:// and does not end with a slash",
        files=("pyproject.toml", RECIPE, LINKS),
    ),
    "CONTACT_EMAIL": Placeholder(
        form=r"[^\s@<>]+@[\w-]+(\.[\w-]+)+",
        meaning="an e-mail address",
        files=("pyproject.toml", SECURITY, ".github/CODE_OF_CONDUCT.md"),
    ),
    "RELEASE_DATE": Placeholder(
        form=r"\d{4}-\d\d-\d\d", meaning="a date such as 2000-12-31", files=(CITATION,)
    ),
    "CONDA_MAINTAINER": Placeholder(
        form=r"[A-Za-z\d]+(-[A-Za-z\d]+)*", meaning="a GitHub account", files=(RECIPE,)
    ),
    "PAPER_DATE": Placeholder(
        form=r"[1-3]?\d [A-Z][a-z]+ \d{4}",
        meaning="a date such as 31 December 2000",
        files=(PAPER,),
    ),
    "ACKNOWLEDGEMENTS": Placeholder(form=r".+\.", meaning="a sentence", files=(PAPER,)),
    "AI_DISCLOSURE": Placeholder(form=r".+\.", meaning="a sentence", files=(PAPER,)),
    "SDIST_SHA256": Placeholder(form=r"[\da-f]{64}", meaning="64 hex digits", files=(RECIPE,)),
    "ZENODO_DOI": Placeholder(
        form=r"10\.5281/zenodo\.\d+",
        meaning="10.5281/zenodo. and a number",
        files=(CITATION, REFERENCES),
    ),
}
_AUTHORED = (CITATION, ZENODO, PAPER)
AUTHOR_PLACEHOLDERS = {
    "AUTHOR_GIVEN_NAMES": Placeholder(form=r".+", meaning="a name", files=_AUTHORED),
    "AUTHOR_FAMILY_NAMES": Placeholder(form=r".+", meaning="a name", files=_AUTHORED),
    "AUTHOR_ORCID": Placeholder(
        form=r"(\d{4}-){3}\d{3}[\dX]", meaning="an ORCID whose last digit fits", files=_AUTHORED
    ),
    "AUTHOR_AFFILIATION": Placeholder(
        form=r".+", meaning="an institute and its country", files=_AUTHORED
    ),
}
FILES = sorted(
    {
        file
        for placeholder in (*PLACEHOLDERS.values(), *AUTHOR_PLACEHOLDERS.values())
        for file in placeholder.files
    }
)


class Project:
    """The files of a project that state who and where it is; `root` is the folder with pyproject.toml."""

    def __init__(self, root: Path) -> None:
        self.root = root
        given = tomllib.loads(self.text(PROJECT))
        self.before: Mapping[str, str] = given["before"]
        self.after: Mapping[str, str] = given["after"]
        # without a table of an author there is one who is not known yet
        self.authors: list[Mapping[str, str]] = given.get("authors") or [{}]

    def text(self, file: str) -> str:
        """The content of a file, named by its path in the project."""
        return (self.root / file).read_text(encoding="utf-8")

    def yaml(self, file: str) -> Any:
        """The content of a YAML file, or of the YAML at the head of a page."""
        text = self.text(file)
        return yaml.safe_load(text.split("\n---\n")[0] if file.endswith(".md") else text)

    def placeholders(self) -> Iterator[tuple[str, Placeholder, str]]:
        """Every placeholder with its value, those of authors once for each author."""
        for name, placeholder in PLACEHOLDERS.items():
            yield name, placeholder, self.values[name]
        for author in self.authors:
            for name, placeholder in AUTHOR_PLACEHOLDERS.items():
                yield name, placeholder, author.get(name, "")

    @property
    def values(self) -> dict[str, str]:
        """The value of each placeholder but those of authors, empty where it is not filled in."""
        return {**dict.fromkeys(PLACEHOLDERS, ""), **self.before, **self.after}

    @property
    def version(self) -> str:
        """The version of the package."""
        found = re.search(r'^__version__ = "(.+)"$', self.text("attnxai/__init__.py"), re.MULTILINE)
        return found[1] if found else "unknown"

    @property
    def persons(self) -> list[tuple[str, str, str]]:
        """Family names, given names and ORCID of the authors."""
        return [
            (
                one.get("AUTHOR_FAMILY_NAMES", ""),
                one.get("AUTHOR_GIVEN_NAMES", ""),
                one.get("AUTHOR_ORCID", ""),
            )
            for one in self.authors
        ]


def unfilled(project: Project, *, published: bool = False) -> Iterator[str]:
    """Placeholders that are empty, and those whose value the files that name them do not state."""
    for name, placeholder, value in project.placeholders():
        if not value:
            if published or name not in project.after:
                yield f"{name} in {PROJECT} is empty; it has to be {placeholder.meaning}"
            continue
        for file in placeholder.files:
            text = project.text(file)
            if _named(name).search(text):
                yield f"{file} still names {name}: run python release/check.py --fill"
            elif value not in text:
                yield f"{file} does not state {name}, {value!r}: write it where the old value stands"


def misshapen(project: Project) -> Iterator[str]:
    """Values that cannot be what their placeholders stand for, or that would break a file."""
    for name, placeholder, value in project.placeholders():
        fits = re.fullmatch(placeholder.form, value) and not re.search(r'["\\\x00-\x1f]', value)
        if value and (not fits or (name == "AUTHOR_ORCID" and _orcid_digit(value) != value[-1])):
            yield f"{name} in {PROJECT} is {value!r}; it has to be {placeholder.meaning}"


def _named(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b{name}\b")


def _orcid_digit(orcid: str) -> str:
    """The last digit that the others require (ISO 7064 MOD 11-2)."""
    total = 0
    for digit in orcid.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11]


def unreleased(project: Project, *, tag: str | None = None) -> Iterator[str]:
    """What the changelog and the tag of a release lack."""
    headings = re.findall(r"^## (\S+), (.+)$", project.text(CHANGELOG), re.MULTILINE)
    date = project.values["RELEASE_DATE"]
    for version, when in headings:
        try:
            dt.date.fromisoformat(when)
        except ValueError:
            yield f"{CHANGELOG} has {when!r} as the date of {version}; it has to be as 2000-12-31"
    if headings and date and headings[0][1] != date:
        yield f"{CHANGELOG} has the date {headings[0][1]}, and {PROJECT} the RELEASE_DATE {date}"
    if tag is not None and tag != f"v{project.version}":
        yield f"the tag is {tag}; version {project.version} needs the tag v{project.version}"


def disagreements(project: Project) -> Iterator[str]:
    """Files that state another version, title, licence, author or requirement than others do."""
    pyproject = tomllib.loads(project.text("pyproject.toml"))["project"]
    citation, recipe = project.yaml(CITATION), project.yaml(RECIPE)
    archive, paper = json.loads(project.text(ZENODO)), project.yaml(PAPER)
    headings = re.findall(r"^## (\S+),", project.text(CHANGELOG), re.MULTILINE)
    stated = re.findall(r"\bversion (\d+\.\d+\.\d+)\b", project.text(PAPER))
    wanted = {
        "version": (
            project.version,
            {
                CHANGELOG: headings[0] if headings else None,
                CITATION: citation.get("version"),
                RECIPE: recipe["context"].get("version"),
                ZENODO: archive.get("version"),
                PAPER: stated[0] if len(stated) == 1 else stated,
            },
        ),
        "title": (
            citation.get("title"),
            {ZENODO: archive.get("title"), PAPER: paper.get("title")},
        ),
        "licence": (
            pyproject["license"],
            {
                CITATION: citation.get("license"),
                RECIPE: recipe["about"].get("license"),
                ZENODO: archive.get("license"),
            },
        ),
        "oldest Python": (
            pyproject["requires-python"].removeprefix(">="),
            {RECIPE: recipe["context"].get("python_min")},
        ),
    }
    for what, (value, others) in wanted.items():
        for file, other in others.items():
            if other != value:
                yield f"the {what} is {value!r}, but {other!r} in {file}"
    yield from _other_requirements(pyproject["dependencies"], recipe["requirements"]["run"])
    date = project.values["RELEASE_DATE"]
    if date and str(citation.get("date-released")) != date:
        yield f"RELEASE_DATE is {date}, but {citation.get('date-released')} in {CITATION}"
    if all(all(person) for person in project.persons):
        yield from _other_authors(project, citation, archive, paper)


def _other_requirements(dependencies: list[str], run: list[str]) -> Iterator[str]:
    """Requirements of the package that the recipe lacks, and those that only the recipe has."""
    wanted = {"python >=${{ python_min }}"}
    for dependency in dependencies:
        name, bounds = re.fullmatch(r"([\w.-]+)(.*)", dependency).groups()  # type: ignore[union-attr]
        wanted.add(f"{CONDA_NAMES.get(name, name)} {bounds}".strip())
    for one in sorted(wanted ^ {str(requirement) for requirement in run}):
        where = f"missing from {RECIPE}" if one in wanted else f"only in {RECIPE}"
        yield f"the requirement {one!r} is {where}"


def _other_authors(project: Project, citation: Any, archive: Any, paper: Any) -> Iterator[str]:
    """Files whose authors are not those of the project, in their order."""
    found = {
        CITATION: [
            (
                one["family-names"],
                one["given-names"],
                str(one.get("orcid")).removeprefix("https://orcid.org/"),
            )
            for one in citation["authors"]
            if "family-names" in one
        ],
        ZENODO: [
            (*one["name"].split(", ", maxsplit=1), one.get("orcid")) for one in archive["creators"]
        ],
        PAPER: [
            (one.get("surname"), one.get("given-names"), one.get("orcid"))
            for one in paper["authors"]
        ],
    }
    for file, persons in found.items():
        if persons != project.persons:
            names = ", ".join(f"{person[1]} {person[0]}" for person in persons)
            yield f"{file} has other authors than {PROJECT}: {names or 'none'}"


def fill(project: Project) -> list[str]:
    """Write all values into the files that name them, and return these files.

    Lines that name a placeholder of an author are repeated for each, as many lines as follow one another. A line
    that was a comment because of its placeholder takes effect.
    """
    values = {name: project.values[name] for name in PLACEHOLDERS if project.values[name]}
    known = all(author.get(name) for author in project.authors for name in AUTHOR_PLACEHOLDERS)
    authors = project.authors if known else []
    changed = []
    for file in FILES:
        old = project.text(file)
        new = _filled(old, values, authors, between="," if file.endswith(".json") else "")
        if new != old:
            (project.root / file).write_text(new, encoding="utf-8")
            changed.append(file)
    return changed


def _filled(
    text: str, values: Mapping[str, str], authors: list[Mapping[str, str]], between: str
) -> str:
    of_author = re.compile(rf"\b({'|'.join(AUTHOR_PLACEHOLDERS)}|AUTHOR_NUMBER)\b")
    lines: list[str] = []
    block: list[str] = []
    for line in [*text.split("\n"), None]:
        if line is not None and authors and of_author.search(line):
            block.append(line)
            continue
        for number, author in enumerate(authors if block else (), start=1):
            numbered = {**author, "AUTHOR_NUMBER": str(number)}
            lines += [_replaced(one, numbered) for one in block]
            lines[-1] += between if number < len(authors) else ""
        block = []
        if line is not None:
            lines.append(_replaced(line, values))
    return "\n".join(lines)


def _replaced(line: str, values: Mapping[str, str]) -> str:
    names = [name for name in values if _named(name).search(line)]
    for name in names:
        line = _named(name).sub(lambda _, name=name: values[name], line)  # type: ignore[misc]
    return re.sub(r"^(\s*)# ", r"\1", line) if names else line


def problems(project: Project, *, tag: str | None = None, published: bool = False) -> list[str]:
    """Everything that stands against a release, one sentence each."""
    return [
        *misshapen(project),
        *unfilled(project, published=published),
        *unreleased(project, tag=tag),
        *disagreements(project),
    ]


def main(arguments: list[str] | None = None, *, root: Path = ROOT) -> int:
    """Check or fill, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tag", help="tag of the release, such as v1.2.3")
    parser.add_argument("--published", action="store_true")
    parser.add_argument("--fill", action="store_true")
    options = parser.parse_args(arguments)
    project = Project(root)
    if options.fill and not (wrong := list(misshapen(project))):
        changed = fill(project)
        sys.stdout.write(f"filled in: {', '.join(changed) or 'nothing'}\n")
        return 0
    if not options.fill:
        wrong = problems(project, tag=options.tag, published=options.published)
    sys.stdout.write("".join(f"- {one}\n" for one in wrong))
    sys.stdout.write(
        f"{len(wrong)} problems\n" if wrong else f"{project.version} can be released\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
