"""Plug-ins are imported by name or by path, alone, once, and in worker processes too."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from attnxai.data.origin import plugin_origins
from attnxai.errors import OptionError
from attnxai.jobs import plugins
from attnxai.jobs.runner import run_jobs
from attnxai.jobs.worker import Job


@pytest.fixture(autouse=True)
def forgotten(tmp_path, monkeypatch):
    """Leave no plug-in behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "LOADED", [])
    monkeypatch.setattr("attnxai.jobs.runner.LOADED", plugins.LOADED)
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if name.startswith("mine"):
            del sys.modules[name]


def load(name, text=None):
    if text is not None:
        Path(name).write_text(text, encoding="utf-8")
    plugins.load_plugins([name])


def test_a_file_is_run_once_and_finds_what_lies_beside_it(tmp_path, capsys):
    Path("mine_beside.py").write_text("y = 4\n")
    Path("json.py").write_text("1 / 0\n")  # which hides nothing
    text = "import dataclasses\n\n@dataclasses.dataclass\nclass A:\n    x: int = 3\nprint(A().x)\n"
    load("mine_file.py", text)
    load("./mine_file.py")
    assert capsys.readouterr().out == "3\n"
    assert [str(tmp_path / "mine_file.py")] == plugins.LOADED
    assert sys.modules["mine_file"].A.__module__ == "mine_file"
    load("mine_i.py", "import json\nimport mine_beside\ny = mine_beside.y\n")
    assert sys.modules["mine_i"].y == 4
    with pytest.raises(OptionError, match=r"No module named 'mine_j' \(line 2 of .*mine_k.py"):
        load("mine_k.py", "\nimport mine_j\n")
    assert "mine_k" not in sys.modules
    assert str(tmp_path) not in sys.path
    one, _ = plugin_origins()
    content = Path("mine_file.py").read_bytes()
    assert (one["module"], one["sha256"]) == ("mine_file", hashlib.sha256(content).hexdigest())


def test_a_file_that_python_cannot_load_is_refused(monkeypatch):
    monkeypatch.setattr("importlib.util.spec_from_file_location", lambda *_: None)
    message = (
        "plug-in mine_l.py cannot be imported: Python has no loader for files that end with .py"
    )
    with pytest.raises(OptionError, match=message):
        load("mine_l.py", "")


def test_a_module_is_found_as_python_finds_it(tmp_path, monkeypatch):
    Path("mine_package").mkdir()
    Path("mine_package/__init__.py").write_text("")
    Path("mine_package/inner.py").write_text("x = 1\n")
    for name, unknown in (("mine_package.inner", "mine_package"), ("mine-file", "mine-file")):
        with pytest.raises(OptionError, match=f"finds no module {unknown}; .* such as {unknown}.p"):
            load(name)
    monkeypatch.syspath_prepend(tmp_path)
    load("mine_package.inner")
    assert sys.modules["mine_package.inner"].x == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("mine.py", None, "plug-in mine.py does not exist or is not a file"),
        ("folder/mine", None, "folder/mine does not exist"),
        (
            "./mine.txt",
            "",
            "mine.txt should be a Python file whose name consists of letters, digits",
        ),
        ("mine-null.py", "", "mine-null.py should be a Python file"),
        ("json.py", "", "json.py has the name of another module, json; rename the file"),
        ("wave.py", "", "has the name of another module, wave"),
        ("__main__.py", "", "has the name of another module, __main__"),
        ("sys.py", "", "has the name of another module, sys"),
        (
            "mine.py",
            "\n1 / 0\n",
            r"cannot be imported: ZeroDivisionError: division by zero \(line 2 of ",
        ),
        ("mine.py", "a = (\n", r"cannot be imported: SyntaxError: '\(' was never closed"),
        ("mine.py", "raise SystemExit\n", r"cannot be imported: SystemExit \(line 1 of"),
        (
            "mine.py",
            "from attnxai.errors import OptionError\nraise OptionError('a metric needs a label')\n",
            r"plug-in mine.py cannot be imported: a metric needs a label \(line 2",
        ),
        ("", None, "cannot be imported: ValueError: Empty module name"),
    ],
)
def test_what_is_no_plugin_is_refused(name, text, message):
    with pytest.raises(OptionError, match=message):
        load(name, text)
    assert not plugins.LOADED


def about_plugin(name, report):
    return os.getpid(), sys.modules[name].x


@pytest.mark.parametrize("n_workers", [1, 2])
def test_jobs_find_it_in_their_process(n_workers):
    load("mine_jobs.py", "x = 5\n")
    jobs = [Job(name=n, function=about_plugin, argument="mine_jobs") for n in "ab"]
    for process, x in run_jobs(jobs, n_workers=n_workers).values():
        assert (process == os.getpid()) == (n_workers == 1)
        assert x == 5
