"""Nothing in the package unpickles or evaluates what a file holds, unless the same user has signed it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import attnxai

PACKAGE = Path(attnxai.__file__).parent
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
# what a process and those that it has started, or the workers of its cluster, send each other
EXCEPTED = {"jobs/worker.py", "jobs/dask_jobs.py"}
# what nobody but the user could have written: tests of both in tests/jobs have files of strangers
EXCEPTED |= {"jobs/signed_pickles.py", "jobs/kept_values.py"}
CALLS = {"torch.load", "pd.read_pickle", "pandas.read_pickle", "eval", "exec", "torch.jit.load"}


def uses(source: str) -> list[str]:
    """Names of modules and functions that can run what a file holds."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            allowed = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name in CALLS or allowed.get("allow_pickle", "False") != "False":
                found.append(name)
    return found


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_no_module_unpickles(path: Path) -> None:
    found = uses(path.read_text(encoding="utf-8"))
    assert bool(found) == (path.relative_to(PACKAGE).as_posix() in EXCEPTED), found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import pickle as p, os",
        "from pickle import loads",
        "torch.load(file, weights_only=True)",
        "np.load(file, allow_pickle=True)",
        "eval(text)",
    ],
)
def test_it_would_be_found(source: str) -> None:
    assert len(uses(source)) == 1
