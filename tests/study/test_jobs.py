"""Jobs run side by side, tell how far they are, and never outlive the study."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from attnxai.errors import JobError
from attnxai.study.jobs import Job, run_jobs

WAIT = "import sys, time; time.sleep(60)"


def job(tmp_path, name, code):
    return Job(name=name, arguments=("-c", code), log=tmp_path / "logs" / f"{name}.log")


def telling(**message):
    return f"print({json.dumps(json.dumps(message))})"


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def wait_until(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_events_and_logs(tmp_path):
    code = "; ".join(
        [
            "import sys",
            telling(kind="training", done=2, total=5),
            "print('not json')",
            telling(kind="epoch", done=1, total=2, text="loss 0.5"),
            "print('to the log', file=sys.stderr)",
        ]
    )
    events = []
    run_jobs([job(tmp_path, "C4", code)], on_event=events.append)
    assert [event.kind for event in events] == ["started", "training", "epoch", "finished"]
    assert (events[1].done, events[1].total, events[2].text) == (2, 5, "loss 0.5")
    assert (tmp_path / "logs" / "C4.log").read_text() == "to the log\n"
    run_jobs([job(tmp_path, "C4", code)])
    assert (tmp_path / "logs" / "C4.log").read_text() == "to the log\n" * 2


def test_never_more_than_asked_for_at_a_time(tmp_path):
    running, most = set(), 0

    def follow(event):
        nonlocal most
        (running.add if event.kind == "started" else running.discard)(event.job)
        most = max(most, len(running))

    jobs = [job(tmp_path, f"job{i}", "import time; time.sleep(0.2)") for i in range(5)]
    run_jobs(jobs, n_jobs=2, on_event=follow)
    assert most == 2
    assert not running


def test_threads_are_handed_on(tmp_path):
    out = tmp_path / "threads"
    code = f"import os; open({str(out)!r}, 'w').write(os.environ['OMP_NUM_THREADS'])"
    run_jobs([job(tmp_path, "a", code)], threads=3)
    assert out.read_text() == "3"


def test_a_failed_job_does_not_stop_the_others(tmp_path):
    done = tmp_path / "done"
    jobs = [
        job(tmp_path, "bad", f"import sys; {telling(kind='error', text='the images are gone')}; sys.exit(2)"),
        job(tmp_path, "good", f"open({str(done)!r}, 'w')"),
    ]  # fmt: skip
    events = []
    with pytest.raises(
        JobError, match=r"bad was not finished: the images are gone\. Its log is"
    ) as caught:
        run_jobs(jobs, on_event=events.append)
    assert "bad.log" in str(caught.value)
    assert "same command again" in str(caught.value)
    assert done.exists()
    kinds = {(event.job, event.kind) for event in events}
    assert {("bad", "failed"), ("good", "finished")} <= kinds


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("raise ValueError('a fault')", "code 1 .ValueError: a fault"),
        ("import sys; sys.exit(3)", "code 3 .no message"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9, as happens when memory"),
    ],
)  # fmt: skip
def test_jobs_that_end_without_a_word(tmp_path, code, text):
    with pytest.raises(JobError, match=text):
        run_jobs([job(tmp_path, "bad", code)])


def test_several_failures_are_counted(tmp_path):
    jobs = [job(tmp_path, name, "raise SystemExit(1)") for name in ("a", "b", "c")]
    with pytest.raises(JobError, match="3 of 3 jobs failed"):
        run_jobs(jobs)


def test_an_interruption_ends_running_jobs(tmp_path):
    pid_file = tmp_path / "pid"
    tell = f"{telling(kind='measuring')[:-1]}, flush=True)"
    code = f"import os; open({str(pid_file)!r}, 'w').write(str(os.getpid())); {tell}; {WAIT}"

    def interrupt(event):
        if event.kind == "measuring":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs([job(tmp_path, "a", code)], on_event=interrupt)
    assert not is_running(int(pid_file.read_text()))


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks at processes through /proc")
def test_jobs_end_when_the_study_is_killed(tmp_path):
    pid_file = tmp_path / "pid"
    child = (
        "import os, time\n"
        "from attnxai.study.worker import _end_with_parent\n"
        "_end_with_parent()\n"
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    parent = (
        "from pathlib import Path\n"
        "from attnxai.study.jobs import Job, run_jobs\n"
        f"run_jobs([Job(name='a', arguments=('-c', {child!r}), log=Path({str(tmp_path / 'log')!r}))])\n"
    )
    study = subprocess.Popen([sys.executable, "-c", parent])
    wait_until(lambda: pid_file.exists() and pid_file.read_text())
    pid = int(pid_file.read_text())
    assert is_running(pid)
    study.send_signal(signal.SIGKILL)
    study.wait()
    wait_until(lambda: not is_running(pid), 10)
