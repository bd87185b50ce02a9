"""Progress where there is no terminal: lines in a log."""

from __future__ import annotations

import functools
import io
from types import SimpleNamespace

import pytest

from attnxai.cli import compare, maps, validate
from attnxai.cli import console as consoles


class Clock:
    """Seconds that pass only when the test says so."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(consoles, "time", SimpleNamespace(monotonic=found.monotonic))
    return found


def lines_of(monkeypatch, clock, *, terminal=False, quiet=False):
    """What is printed while a stage takes 12 s, and a hundred steps take 2 s each."""
    stream = io.StringIO()
    made = consoles.SafeConsole(
        file=stream, soft_wrap=True, force_terminal=terminal, width=100, _environ={}
    )
    monkeypatch.setattr(consoles, "stderr", made)
    with consoles.verbosity(quiet=quiet, verbose=False):
        with consoles.stage("Reading"):
            clock.now += 12
        with consoles.stage("Starting"):
            clock.now += 1
        with consoles.progress() as begin:
            step = begin("d8.pt: agreement")
            for n_done in range(1, 101):
                clock.now += 2
                step(n_done, 100)
    return stream.getvalue().splitlines()


def test_without_a_terminal_there_are_lines_now_and_then(monkeypatch, clock):
    assert lines_of(monkeypatch, clock) == [
        "Reading: 12.0 s",
        "d8.pt: agreement: 15 of 100 (15 %)",
        "d8.pt: agreement: 30 of 100 (30 %)",
        "d8.pt: agreement: 45 of 100 (45 %)",
        "d8.pt: agreement: 60 of 100 (60 %)",
        "d8.pt: agreement: 75 of 100 (75 %)",
        "d8.pt: agreement: 90 of 100 (90 %)",
        "d8.pt: agreement: 200.0 s",
    ]


def test_quiet_is_silent_and_a_terminal_has_a_bar(monkeypatch, clock):
    assert lines_of(monkeypatch, clock, quiet=True) == []
    assert not any(" (15 %)" in line for line in lines_of(monkeypatch, clock, terminal=True))


@pytest.mark.parametrize("module", [maps, validate])
def test_chunks_and_blocks_have_lines_now_and_then(module, monkeypatch, clock):
    """However many of them there are in half a minute."""
    stream = io.StringIO()
    made = consoles.SafeConsole(file=stream, soft_wrap=True, width=100, _environ={})
    for one in (consoles, module):
        monkeypatch.setattr(one, "stderr", made)
        monkeypatch.setattr(one, "time", SimpleNamespace(monotonic=clock.monotonic))
    with consoles.progress() as begin:
        if module is maps:
            show = functools.partial(maps._Board().show, begin.bar, n_all=400, n_kept=100)
            show(n_done=100)
        else:
            show = functools.partial(validate._Board(begin.bar).show, total=400)
        for n_done in range(100, 401):
            show(n_done) if module is validate else show(n_done=n_done)
            clock.now += 0.25
        if module is maps:  # where the last chunk is computed, and then written
            show(n_done=400)
    first, *middle, last = stream.getvalue().splitlines()
    assert "100 of 400" in first
    assert "finished already" in first
    assert [line.split(" (")[0].split(" im")[0].split(" bl")[0] for line in middle] == [
        "220 of 400",
        "340 of 400",
    ]
    assert "about 45 s left" in middle[0]
    assert last == ("Maps: 75.0 s" if module is maps else "Blocks of experiments: 75.0 s")


def test_a_resumed_comparison_says_what_is_finished_already(monkeypatch):
    """These steps come at once: totals of blocks, or their values, or both."""
    stream = io.StringIO()
    made = consoles.SafeConsole(file=stream, soft_wrap=True, width=100, _environ={})
    for one in (consoles, compare):
        monkeypatch.setattr(one, "stderr", made)
    with consoles.progress() as begin:
        for steps in ([1, 2, 3, 4, 5], [1, 2, 3, 1002, 1003], [1000, 1300, 1301]):
            step = compare._telling_kept("d8.pt: agreement", begin)
            for n_done in steps:
                step(n_done, 2003)
    assert stream.getvalue().splitlines() == [
        f"d8.pt: agreement: {n} of 2,003 steps are finished already"
        for n in ("999", "1,000", "300")
    ]
