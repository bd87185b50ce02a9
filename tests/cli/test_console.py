"""Progress where there is no terminal: lines in a log."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from attnxai.cli import compare
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


def test_work_that_is_resumed_has_lines_now_and_then(monkeypatch, clock):
    """However many chunks or blocks there are in half a minute; what an earlier run has finished comes first."""
    stream = io.StringIO()
    made = consoles.SafeConsole(file=stream, soft_wrap=True, width=100, _environ={})
    monkeypatch.setattr(consoles, "stderr", made)
    monkeypatch.setattr(consoles, "time", SimpleNamespace(monotonic=clock.monotonic))
    with consoles.progress() as begin:
        show = begin.resumed("Maps", "image")
        for n_done in range(100, 401):
            show(n_done, 400)
            clock.now += 0.25
        show(400, 400)  # where the last chunk is computed, and then written
        slow = begin.resumed("Experiments", "block")
        for n_done in range(4):
            slow(n_done, 3)
            clock.now += 25
    assert stream.getvalue().splitlines() == [
        "Maps: 100 of 400 images are finished already",
        "Maps: 220 of 400 images (55 %), 4 a second, about 45 s left",
        "Maps: 340 of 400 images (85 %), 4 a second, about 15 s left",
        "Maps: 75.0 s",
        "Experiments: 1 of 3 blocks (33 %), 25 s, about 50 s left",
        "Experiments: 75.0 s",
    ]


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
