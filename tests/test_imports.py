"""Imports point one way, and importing the package is light."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import attnxai

PACKAGE = Path(attnxai.__file__).parent
# a subpackage may import from those further left only; those of one step do not see each other
ORDER = {
    "errors": 0,
    "presenters": 0,
    "jobs": 0.5,
    "statistics": 0.5,
    "data": 1,
    "annotations": 2,
    "models": 3,
    "training": 4,
    "classification": 4,
    "explanations": 4,
    "alignment": 5,
    "metrics": 5.3,
    "nulls": 5.6,
    "agreement": 6,
    "validation": 7,
    "planning": 7,
    "audit": 7,
    "study": 8,
    "report": 9,
    "cli": 10,
}
TORCH_SUBPACKAGES = {"models", "training", "classification", "explanations", "audit", "study"}


def modules():
    return sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.stem in ORDER)


def subpackage_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imported_names(path):
    """Full names of modules that a module imports, and of what it imports from the package itself."""
    return list(_imported_names(path))


def _imported_names(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "attnxai":
                yield from (f"attnxai.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_left(path):
    subpackage = subpackage_of(path)
    earlier = [name for name, step in ORDER.items() if step < ORDER[subpackage]]
    for name in imported_names(path):
        parts = name.split(".")
        if parts[0] == "attnxai" and len(parts) > 1:
            other = parts[1]
            if other != "__version__":
                assert other == subpackage or ORDER[other] < ORDER[subpackage], (
                    f"{path.relative_to(PACKAGE)} imports {name}, but {subpackage} may import from "
                    f"{', '.join(earlier)} only"
                )


def test_results_look_up_their_presenters_in_one_place():
    """The one exception to the direction of imports: presenters name functions of the report as text."""
    naming = [
        str(path.relative_to(PACKAGE))
        for path in modules()
        if ORDER[subpackage_of(path)] < ORDER["report"]
        and any(
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.startswith("attnxai.report")
            for node in ast.walk(tree_of(path))
        )
    ]
    assert naming == ["presenters.py"]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_torch_stays_in_its_subpackages(path):
    if subpackage_of(path) not in TORCH_SUBPACKAGES | {"cli"}:
        heavy = {"torch", "e2cnn", "captum"}
        found = heavy & {name.split(".")[0] for name in imported_names(path)}
        assert not found, (
            f"{path.relative_to(PACKAGE)} imports {', '.join(found)}, which only "
            f"{', '.join(sorted(TORCH_SUBPACKAGES))} and cli may"
        )


def registers(path):
    """Whether a decorator of a module registers something when the module is imported."""
    decorators = [
        decorator
        for node in tree_of(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        for decorator in node.decorator_list
    ]
    called = (ast.unparse(one.func if isinstance(one, ast.Call) else one) for one in decorators)
    return any(name.split(".")[-1].startswith("register_") for name in called)


def test_modules_that_register_something_are_imported():
    imported = set()
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ImportFrom):
                imported |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    for path in filter(registers, modules()):
        name = ".".join(("attnxai", *path.relative_to(PACKAGE).with_suffix("").parts))
        assert name in imported, (
            f"attnxai/{path.relative_to(PACKAGE)} registers something, but nothing imports it; import it as "
            "docs/contributing.md says, mostly in the __init__.py beside it"
        )


HEAVY = (
    *("torch", "scipy", "matplotlib", "pandas", "astropy", "skimage", "sklearn", "captum", "e2cnn"),
    *("zarr", "xarray", "dask", "distributed", "h5py", "numba", "PIL", "pyarrow", "openpyxl"),
)


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("attnxai", (*HEAVY, "numpy", "typer", "rich")),
        ("attnxai.cli.main", HEAVY),
        (
            "attnxai.agreement.comparison, attnxai.report.document, attnxai.cli.networks",
            ("torch",),
        ),
        (
            "attnxai.explanations.files.formats, attnxai.audit.evidence_location_statistics",
            ("torch",),
        ),
        (
            "attnxai.classification.metrics, attnxai.classification.temperature",
            ("torch", "matplotlib", "pandas"),
        ),
    ],
)
def test_heavy_libraries_are_imported_when_needed(modules, heavy):
    code = f"import sys, {modules}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_no_help_imports_a_heavy_library():
    code = (
        "import sys, typer\n"
        "from attnxai.cli.main import app\n"
        "def show(command, words):\n"
        "    app([*words, '--help'], standalone_mode=False)\n"
        "    for name, one in getattr(command, 'commands', {}).items():\n"
        "        show(one, [*words, name])\n"
        "show(typer.main.get_command(app), [])\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.count("Usage: ") > 20
    assert done.stdout.splitlines()[-1] == "[]"


def cpu_seconds(*arguments):
    """CPU time of a new Python."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True, timeout=120)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


@pytest.mark.skipif(sys.platform == "win32", reason="has no CPU time of ended processes")
def test_help_takes_little_more_than_what_it_is_made_with():
    made_with = "import typer, rich.console, rich.progress, rich.table, numpy"
    turns = [(cpu_seconds("-m", "attnxai", "--help"), cpu_seconds("-c", made_with)) for _ in "123"]
    help_seconds, least = (min(some) for some in zip(*turns, strict=True))
    assert help_seconds < 2.5 * least


def namespaces():
    return {
        name: getattr(attnxai, name)
        for name in attnxai.__all__
        if inspect.ismodule(getattr(attnxai, name))
    }


def test_every_namespace_can_be_imported():
    """``from attnxai.metrics import nss`` works, not the attribute alone."""
    for name, module in namespaces().items():
        assert importlib.import_module(f"attnxai.{name}") is module


def test_public_names_exist():
    for name in attnxai.__all__:
        assert getattr(attnxai, name) is not None
    assert set(attnxai.__all__) == set(dir(attnxai))
    for module in namespaces().values():
        for name in getattr(module, "__all__", ()):
            assert getattr(module, name) is not None, (module, name)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = attnxai.nonsense


def test_every_subpackage_that_users_need_is_a_namespace():
    subpackages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert subpackages - set(namespaces()) == {"cli", "jobs"}


def test_two_dozen_verbs_and_nouns_stand_at_the_top():
    assert len(set(attnxai.__all__) - set(namespaces())) <= 26
