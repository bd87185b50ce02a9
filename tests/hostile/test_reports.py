"""Reports and plans that are read back: damaged JSON and tables are refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from attnxai.errors import OptionError
from attnxai.jobs.files import read_json
from attnxai.planning.pilot import pilot_effects, read_pilot
from attnxai.study.folder import StudyFolder
from tests.hostile.harness import EFFORTS, check_reader, fuzz
from tests.hostile.mutations import damaged
from tests.planning.pilot_report import write_pilot

WORDS = [
    *(
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"true",
        b"{}",
        b"[]",
        b'"x"',
        b"-",
        b"\\u",
    ),
    *(b"1e999", b"NaN", b"-Infinity", b"9" * 400, b'"\\ud800"', b'"\\u0000"', b"\xff", b"1e308"),
    *(b'"results"', b'"models"', b'"spreads"', b'"deviations"', b'"n_family"', b'"settings"'),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pilot")
    write_pilot(folder, n_sources=10, n_permutations=99, metrics=("nss",))
    return folder


@pytest.fixture
def restored(report: Path) -> Iterator[Path]:
    kept = {path: path.read_bytes() for path in report.iterdir()}
    yield report
    for path, content in kept.items():
        path.write_bytes(content)


def reads_pilot(report: Path, name: str) -> Callable[[Path], None]:
    """Put a file into the report and read that as a plan does."""

    def read(path: Path) -> None:
        (report / name).write_bytes(path.read_bytes())
        pilot_effects(report)
        pilot = read_pilot(report)
        assert np.isfinite(pilot.effect.value)
        assert pilot.n_sources >= 6
        repr(pilot)

    return read


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("name", ["summary.json", "per_source.csv"])
def test_pilots(restored: Path, effort: int, name: str) -> None:
    valid = [(restored / name).read_bytes()]
    if name == "summary.json":
        # what a plan reads, so that the damage is in it
        content = json.loads(valid[0])
        (model,) = content["models"]
        names = ("name", "verdict", "results")
        part = {key: content[key] for key in ("format", "settings")}
        valid = [json.dumps(part | {"models": [{key: model[key] for key in names}]}).encode()]
    files = damaged(valid, words=WORDS, text=True)
    fuzz(reads_pilot(restored, name), files, file_name="file", examples=60 * effort)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 1_000_000,
        b'{"a":' * 1_000_000,
        b'{"format": "attnxai-report", "models": [' + b"[" * 1_000_000,
        b'{"format": "attnxai-report", "models": [{"name": "\\ud800"}]}',
        b'{"format": "attnxai-report", "models": [{"name": 1e999}]}',
        b'{"format": "attnxai-report", "models": 7}',
        b'{"format": "attnxai-report", "models": ["x"]}',
        b'{"format": "attnxai-report", "models": [{"name": "x", "results": [1]}]}',
        b'{"format": "attnxai-report", "models": [{"name": "x", "results": {}, "verdict": 1}]}',
        b'{"format": ["attnxai-report"]}',
        b"9" * 100_000,
    ],
)
def test_summaries_that_no_report_has(restored: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    error = check_reader(reads_pilot(restored, "summary.json"), tmp_path / "file")
    assert isinstance(error, OptionError)
    assert str(restored) in str(error)


def test_annotators_who_share_no_sources(restored: Path, tmp_path: Path) -> None:
    """A table of N rows would be spread to N annotators times N sources."""
    header, first, *_ = (restored / "per_source.csv").read_text().splitlines()
    rows = []
    for i in range(20_000):
        cells = first.split(",")
        cells[1], cells[5] = f"s{i}", f"a{i}"
        rows.append(",".join(cells))
    assert header.split(",")[5] == "annotator"
    (tmp_path / "file").write_text("\n".join([header, *rows]))
    error = check_reader(reads_pilot(restored, "per_source.csv"), tmp_path / "file")
    assert "annotators who share no sources" in str(error)


@pytest.mark.parametrize("effort", EFFORTS)
def test_json(effort: int) -> None:
    def read(path: Path) -> None:
        try:
            content = read_json(path)
        except ValueError as error:
            raise OptionError(f"{path} is not valid JSON ({error})") from error
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()

    valid = [b'{"a": [1, 2.5e3, "x\\u00e9"], "b": {"c": null, "d": true}}', b"[]", b"1"]
    fuzz(read, damaged(valid, words=WORDS, text=True), file_name="a.json", examples=150 * effort)


@pytest.mark.parametrize("effort", EFFORTS)
def test_plans_of_studies(effort: int) -> None:
    """A folder whose plan cannot be read is not taken for one of a study."""

    def read(path: Path) -> None:
        StudyFolder(root=path.parent).plan()

    valid = [b'{"format": "attnxai-study", "format_version": 1, "labels_sha256": "00"}']
    fuzz(read, damaged(valid, words=WORDS, text=True), file_name="plan.json", examples=60 * effort)
