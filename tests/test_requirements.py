"""What is imported is declared, what is declared is imported, and the versions that are tested are in their bounds."""

from __future__ import annotations

import ast
import functools
import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# modules whose distribution has another name
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn"}
DISTRIBUTIONS |= {"yaml": "pyyaml", "markdown_it": "markdown-it-py"}
NOT_IMPORTED = {
    "mypy": "a program that make lint runs",
    "pandas-stubs": "types for mypy",
    "pytest-xdist": "a plug-in of pytest, which make test uses by -n",
    "repo-review": "a program that make lint runs",
    "ruff": "a program that make lint runs",
    "sp-repo-review": "the rules of repo-review",
}
SCRIPTS = ("tests", "benchmarks", "release", "conftest.py", "attnxai", "examples")


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras):
    """Names of the distributions that the package, or some extras of it, require."""
    options = PROJECT["optional-dependencies"]
    required = (
        [one for extra in extras for one in options[extra]] if extras else PROJECT["dependencies"]
    )
    names = {canonical(re.match(r"[\w.-]+", one)[0]) for one in required}
    return names - {PROJECT["name"]}


RUN_TIME = [extra for extra in PROJECT["optional-dependencies"] if extra not in {"test", "docs"}]
OPTIONAL = declared(*RUN_TIME) if RUN_TIME else set()


@functools.cache
def imported_modules(file):
    """First parts of the names of modules that a file imports, those that are imported by name as well."""
    return list(dict.fromkeys(_imported_modules(file)))


def _imported_modules(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", ""))
            in {"import_module", "importorskip"}
            and isinstance(node.args[0], ast.Constant)
        ):
            names = [node.args[0].value]
        else:
            continue
        yield from (name.split(".")[0] for name in names)


def imported(*places):
    """Distributions that the files of some folders import, each with the first file that does."""
    found = {}
    for place in places:
        path = ROOT / place
        files = [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.pyi")])
        assert files, place
        own = {PROJECT["name"], "tests", *(one.stem for one in path.glob("*.py"))}
        for file in files:
            if "build" in file.parts or "generated" in file.parts:
                continue
            for name in imported_modules(file):
                if name not in sys.stdlib_module_names and name not in own:
                    found.setdefault(
                        canonical(DISTRIBUTIONS.get(name, name)), str(file.relative_to(ROOT))
                    )
    return found


def script(name):
    """A module of the folder release, which may import those beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "release")
        return importlib.import_module(name)


def sphinx_extensions():
    """Distributions whose modules the configuration of the documentation names: extensions, and the theme."""
    tree = ast.parse((ROOT / "docs" / "conf.py").read_text(encoding="utf-8"))
    return {
        canonical(node.value.split(".")[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value
    }


@pytest.mark.parametrize(
    ("places", "allowed"),
    [
        (["attnxai"], declared() | OPTIONAL),
        (
            ["tests", "benchmarks", "release", "conftest.py"],
            declared() | declared("test") | OPTIONAL,
        ),
        (["examples", "docs"], declared() | declared("docs") | OPTIONAL),
    ],
    ids=["package", "tests", "docs"],
)
def test_what_is_imported_is_declared(places, allowed):
    undeclared = {name: file for name, file in imported(*places).items() if name not in allowed}
    assert not undeclared, f"imported, but not in pyproject.toml: {undeclared}"


def test_what_is_declared_is_imported():
    used = set(imported("attnxai"))
    assert declared() <= used, f"nothing imports {sorted(declared() - used)}"
    assert used | set(NOT_IMPORTED) >= OPTIONAL, f"nothing imports {sorted(OPTIONAL - used)}"
    tested = set(imported(*SCRIPTS)) | set(NOT_IMPORTED)
    assert declared("test") <= tested, f"nothing imports {sorted(declared('test') - tested)}"
    shown = set(imported("docs", "examples")) | sphinx_extensions()
    assert declared("docs") <= shown, f"nothing imports {sorted(declared('docs') - shown)}"


def test_exceptions_are_needed():
    every = declared() | declared(*PROJECT["optional-dependencies"])
    assert set(NOT_IMPORTED) <= every
    assert not set(NOT_IMPORTED) & set(imported(*SCRIPTS))


def test_no_requirement_stands_twice():
    assert not declared() & declared(*PROJECT["optional-dependencies"])


def test_every_requirement_has_its_tested_version():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tested = dict(line.lower().split("==") for line in lines if "==" in line)
    pinned = {canonical(name) for name in tested}
    assert declared() | declared(*PROJECT["optional-dependencies"]) <= pinned


def test_the_oldest_versions_are_those_of_the_requirements(tmp_path):
    oldest = script("oldest")
    pinned = dict(line.split("==") for line in oldest.lowest())
    assert {canonical(name) for name in pinned} == declared() | declared("test") | OPTIONAL
    project = 'name = "a"\ndependencies = ["numpy>=2,<4", "rich[extra] >= 13.7"]\n'
    extras = '[project.optional-dependencies]\nmore = ["a[test]"]\ntest = ["dask[array]>=1.2rc1"]\ndocs = ["x"]\n'
    (tmp_path / "pyproject.toml").write_text(f"[project]\n{project}{extras}")
    assert list(oldest.lowest(tmp_path)) == ["numpy==2", "rich==13.7", "dask==1.2rc1"]
    (tmp_path / "pyproject.toml").write_text(
        f"[project]\n{project}{extras.replace('>=1.2rc1', '')}"
    )
    with pytest.raises(
        SystemExit, match=r"'dask\[array\]' in pyproject.toml states no lowest version"
    ):
        list(oldest.lowest(tmp_path))


def padded(version):
    numbers = [int(part) for part in re.match(r"[\d.]*\d", version)[0].split(".")]
    return numbers + [0] * (4 - len(numbers))


def test_bounds_are_versions_that_were_tested():
    """A bound that is lowered, and a requirement that is added, need another run of make oldest."""
    module = script("tested_versions")
    table = module.tested_versions(module.PAGE.read_text(encoding="utf-8"))
    bounds = dict(line.split("==") for line in script("oldest").lowest())
    shown = {canonical(name) for name in table} - {canonical(module.DATE), "python"}
    assert shown == declared() | OPTIONAL
    for name, versions in table.items():
        if name in bounds:
            assert padded(versions["lowest"]) == padded(bounds[name]), name
            assert padded(versions["newest"]) >= padded(versions["lowest"]), name


def test_versions_are_written_into_their_column():
    module = script("tested_versions")
    begin, end = "before\n\n<!-- versions:begin -->\n\n", "\n\n<!-- versions:end -->\n\nafter\n"
    head = "| Package | Lowest tested | Newest tested |\n| --- | --- | --- |"
    page = module.with_versions(f"{begin}{head}{end}", "lowest", {"numpy": "2.0", "rich": "14.3"})
    assert page == f"{begin}{head}\n| numpy | 2.0 | not tested |\n| rich | 14.3 | not tested |{end}"
    page = module.with_versions(page, "newest", {"numpy": "2.4", "zarr": "3.2"})
    assert page == f"{begin}{head}\n| numpy | 2.0 | 2.4 |\n| zarr | not tested | 3.2 |{end}"
    with pytest.raises(SystemExit, match="lacks its table of versions"):
        module.tested_versions("no table")
    assert set(module.installed()) == {module.DATE, module.PYTHON} | {
        name for name in module.installed() if canonical(name) in declared() | OPTIONAL
    }
