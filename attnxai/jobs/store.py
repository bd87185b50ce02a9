"""Results of finished jobs, kept in a file so that a later run can use them."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attnxai.errors import AttnxaiWarning, OptionError
from attnxai.jobs.files import named_faults, write_file

FORMAT = "attnxai-job-results"
FORMAT_VERSION = 1


class ResultStore:
    """Results of finished jobs, a line of JSON each in a file that is made with the first result.

    Every line holds its own checksum. A line that an interruption has cut short is removed when the store
    is opened; so is a damaged one, with a warning, and the job counts as unfinished. A file that holds
    something else, or results of another ``identity`` (such as a seed and a version), is refused. One
    process at a time may have the store open; :func:`~attnxai.jobs.output_folder.claimed_folder` sees to
    that.

    A job with large results writes them to a file of its own and returns its name and checksum.
    """

    def __init__(self, file: Path, *, identity: Mapping[str, Any]) -> None:
        self._file = file
        self._results: dict[str, Any] = {}
        self._header = {"format": FORMAT, "format_version": FORMAT_VERSION, **identity}
        self._begun = file.exists() and file.stat().st_size > 0
        if self._begun:
            self._read()

    def _read(self) -> None:
        file = self._file
        with file.open(encoding="utf-8", errors="replace", newline="\n") as opened:
            first, *lines = opened
        self._check(_parsed(first))
        kept, n_damaged = [first], 0
        for line in lines:
            content = _parsed(line)
            job, result = content.get("job"), content.get("result")
            if not line.endswith("\n"):  # an interruption has cut it short
                continue
            if isinstance(job, str) and content.get("sha256") == _checksum(job, result):
                self._results[job] = result
                kept.append(line)
            else:
                n_damaged += 1
        if n_damaged:
            warnings.warn(
                f"{file} has {n_damaged} damaged {'line' if n_damaged == 1 else 'lines'}; the jobs are run "
                "again",
                AttnxaiWarning,
                stacklevel=3,
            )
        if len(kept) <= len(lines):
            write_file(file, "".join(kept))

    def _check(self, found: Mapping[str, Any]) -> None:
        header = self._header
        if found.get("format") != FORMAT:
            raise OptionError(f"{self._file} holds no results of jobs; name another output")
        for name in (*header, *found):
            if found.get(name) != header.get(name):
                raise OptionError(
                    f"the results in {self._file} were made with {name} {found.get(name)}, not "
                    f"{header.get(name)}; give the same {name}, or another output"
                )

    @property
    def results(self) -> Mapping[str, Any]:
        """Results by the names of their jobs."""
        return MappingProxyType(self._results)

    def add(self, job: str, result: Any) -> None:
        """Store the result of a job, which has to be serialisable as JSON, in place of an earlier one."""
        content = {"job": job, "result": result, "sha256": _checksum(job, result)}
        line = json.dumps(content) + "\n"
        if not self._begun:
            write_file(self._file, f"{json.dumps(self._header)}\n{line}")
            self._begun = True
        else:
            with named_faults(self._file), self._file.open("a", encoding="utf-8") as file:
                file.write(line)
        self._results[job] = result


def _checksum(job: str, result: Any) -> str:
    return hashlib.sha256(json.dumps([job, result]).encode()).hexdigest()[:16]


def _parsed(line: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
