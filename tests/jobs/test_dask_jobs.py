"""Jobs in a Dask cluster: results, lost workers, and what is refused."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from attnxai.errors import AttnxaiWarning, JobError, OptionError
from attnxai.jobs import dask_jobs
from attnxai.jobs.plugins import LOADED, load_plugins
from attnxai.jobs.runner import run_jobs
from attnxai.jobs.worker import EventKind
from tests.jobs.test_runner import about_this_process, invert, jobs_of, refuse
from tests.processes import wait_for

distributed = pytest.importorskip("distributed")


ELSEWHERE = """
import sys, time
from pathlib import Path
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0")
    cluster.wait_for_workers(1)
    Path(sys.argv[1]).with_suffix(".part").write_text(cluster.scheduler_address)
    Path(sys.argv[1]).with_suffix(".part").rename(sys.argv[1])
    time.sleep(600)
"""


@pytest.fixture
def elsewhere(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start a cluster whose scheduler is another process as well: that process, and the address."""
    (tmp_path / "cluster.py").write_text(ELSEWHERE)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))

    def begin() -> tuple[Any, str]:
        process = start(tmp_path / "cluster.py", tmp_path / "address")
        process.wait_for((tmp_path / "address").exists, "the cluster")
        return process, (tmp_path / "address").read_text()

    return begin


def test_results_are_in_the_order_of_the_jobs(cluster: Any) -> None:
    kept: dict[str, Any] = {}
    events: list[Any] = []
    running = most = 0

    def follow(event: Any) -> None:
        nonlocal running, most
        events.append((event.job, event.kind))
        running += {EventKind.STARTED: 1, EventKind.FINISHED: -1}[event.kind]
        most = max(most, running)

    found = run_jobs(
        jobs_of(about_this_process, *range(30)),
        scheduler=cluster.scheduler_address,
        finished={"job1": "finished before"},
        on_event=follow,
        on_result=kept.__setitem__,
    )
    assert list(found) == [f"job{i}" for i in range(30)]
    assert found.pop("job1") == "finished before"
    assert found == kept
    assert [number for number, _, _ in found.values()] == [0, *range(2, 30)]
    processes = {process for _, process, _ in found.values()}
    assert os.getpid() not in processes
    assert len(processes) <= 2
    assert {threads for _, _, threads in found.values()} == {"1"}
    assert len(events) == 2 * 29
    assert most == 4  # two a worker, however many there are
    wait_for(lambda: not cluster.scheduler.tasks, "the end of what the cluster keeps")
    assert run_jobs([], scheduler=cluster.scheduler_address) == {}


def test_jobs_may_hold_images(cluster: Any) -> None:
    """Of which Dask warns, as an error of this test."""
    jobs = jobs_of(length, *[bytes(12_000_000)] * 2)
    assert set(run_jobs(jobs, scheduler=cluster.scheduler_address).values()) == {12_000_000}


def length(content: bytes, report: Any) -> int:
    return len(content)


def test_jobs_run_in_the_folder_of_the_command(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (found,) = run_jobs(jobs_of(current_folder, 0), scheduler=cluster.scheduler_address).values()
    assert found == str(tmp_path)
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path / "of another machine")
    with pytest.raises(OptionError, match=r"worker tcp.* cannot open the folder .*of another mach"):
        run_jobs(jobs_of(current_folder, 0), scheduler=cluster.scheduler_address)


def current_folder(_: Any, report: Any) -> str:
    return str(Path.cwd())


def test_failures_are_those_of_worker_processes(cluster: Any) -> None:
    address = cluster.scheduler_address
    with pytest.raises(JobError, match=r"job1 was not finished: no such map\. Run") as caught:
        run_jobs(jobs_of(refuse, "", "no such map"), scheduler=address)
    assert isinstance(caught.value.__cause__, OptionError)
    with pytest.raises(ZeroDivisionError) as fault:
        run_jobs(jobs_of(invert, 1, 0), scheduler=address)
    assert "in invert" in "".join(fault.value.__notes__)
    with pytest.raises(JobError, match="job0 was not finished: its result cannot be handed over"):
        run_jobs(jobs_of(unpicklable, 0), scheduler=address)
    with pytest.raises(JobError, match=r"2 of 3 jobs failed\. Run the same command again"):
        run_jobs(jobs_of(refuse, "a", "", "b"), scheduler=address, keep_going=True)
    with pytest.raises(OptionError, match="n_workers=2 is for processes of this machine"):
        run_jobs(jobs_of(invert, 1, 2), scheduler=address, n_workers=2)


def unpicklable(_: Any, report: Any) -> Any:
    return lambda: None


# --- lost workers and schedulers -------------------------------------------------------------------


def killed_at_first(place: str, report: Any) -> str:
    """End the process where this runs, but only once."""
    try:
        Path(place).mkdir()
    except FileExistsError:
        return "well"
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def test_the_job_of_a_lost_worker_is_run_by_another(cluster: Any, tmp_path: Path) -> None:
    places = [str(tmp_path / str(i)) for i in range(6)]
    for place in (places[0], *places[2:]):
        Path(place).mkdir()
    with pytest.warns(AttnxaiWarning, match=r"worker tcp://\S+ was lost, .* run by others") as said:
        found = run_jobs(jobs_of(killed_at_first, *places), scheduler=cluster.scheduler_address)
    assert len(said) == 1
    assert list(found.values()) == ["well"] * 6


def kill(_: Any, report: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_job_that_ends_every_worker_is_named(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 1)
    with warnings.catch_warnings():
        # of lost workers, whose news can come after the end, and that there is none while they start anew
        warnings.simplefilter("ignore", AttnxaiWarning)
        with pytest.raises(
            JobError,
            match=r"job0 was not finished: 2 workers that had it ended, the last .* tcp://",
        ):
            run_jobs(jobs_of(kill, 0), scheduler=cluster.scheduler_address)


def wait(place: str, report: Any) -> None:
    Path(place).touch()
    time.sleep(600)


def test_a_lost_scheduler_ends_the_run(elsewhere: Any, tmp_path: Path, capfd: Any) -> None:
    """And Dask prints nothing about it."""
    process, address = elsewhere()

    def lose(_: Any) -> None:
        process.wait_for((tmp_path / "running").exists, "the job")
        process.clear()

    started = time.monotonic()
    with pytest.raises(
        JobError,
        match=rf"connection to the scheduler at {address} was lost\. Run the same command "
        r"again, with the address of a running scheduler",
    ):
        run_jobs(jobs_of(wait, str(tmp_path / "running")), scheduler=address, on_event=lose)
    assert time.monotonic() - started < 60
    assert capfd.readouterr() == ("", "")


def test_an_interruption_frees_the_cluster(cluster: Any, tmp_path: Path) -> None:
    def interrupt(event: Any) -> None:
        if event.kind is EventKind.FINISHED:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(
            jobs_of(invert, *range(1, 9)), scheduler=cluster.scheduler_address, on_event=interrupt
        )
    wait_for(lambda: not cluster.scheduler.tasks, "the end of what the cluster keeps")
    assert run_jobs(jobs_of(invert, 4), scheduler=cluster.scheduler_address) == {"job0": 0.25}


def test_jobs_wait_for_the_first_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        with pytest.warns(AttnxaiWarning, match=r"at tcp://\S+ has no workers; jobs wait") as said:
            found = run_jobs(
                jobs_of(invert, 1, 2),
                scheduler=cluster.scheduler_address,
                on_event=lambda _: cluster.scale(1),
            )
        assert found == {"job0": 1.0, "job1": 0.5}
        assert len(said) == 1


# --- workers that differ and join meanwhile --------------------------------------------------------


def slowly(_: Any, report: Any) -> int:
    time.sleep(0.2)
    return os.getpid()


def with_two_threads(start: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that adds a worker to a cluster, where it stays without jobs of others."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))

    def join() -> Any:
        n = len(cluster.scheduler.workers)
        worker = start(
            *("-m", "distributed.cli.dask_worker", cluster.scheduler_address),
            *("--nthreads", "2", "--no-nanny", "--no-dashboard"),
        )
        worker.wait_for(lambda: len(cluster.scheduler.workers) > n, "the worker")
        return worker

    return join


def test_a_worker_that_joins_and_differs_gets_no_jobs(
    cluster: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the run goes on, unless it was there from the beginning."""
    join = with_two_threads(start, cluster, monkeypatch)
    joined: list[Any] = []

    def follow(event: Any) -> None:
        if event.kind is EventKind.FINISHED and not joined:
            joined.append(join())

    address = cluster.scheduler_address
    with pytest.warns(
        AttnxaiWarning, match=r"^worker tcp://\S+ has 2 threads, .*\. This worker gets no jobs"
    ) as said:
        found = run_jobs(jobs_of(slowly, *range(16)), scheduler=address, on_event=follow)
    assert len(said) == 1
    assert list(found) == [f"job{i}" for i in range(16)]
    assert joined[0].pid not in found.values()
    with pytest.raises(OptionError, match=r"^worker tcp://\S+ has 2 threads, and jobs need"):
        run_jobs(jobs_of(slowly, *range(16)), scheduler=address)
    n = len(cluster.scheduler.workers)
    joined[0].clear()
    wait_for(lambda: len(cluster.scheduler.workers) < n, "the end of the worker")


def test_jobs_of_lost_workers_are_sent_to_new_ones_though_one_differs(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that starts anew has another address."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    places = [str(tmp_path / str(i)) for i in range(12)]
    for place in (*places[:8], *places[9:]):
        Path(place).mkdir()
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        cluster.wait_for_workers(1)
        join = with_two_threads(start, cluster, monkeypatch)
        joined: list[Any] = []

        def follow(event: Any) -> None:
            if event.kind is EventKind.FINISHED and not joined:
                joined.append(join())

        with pytest.warns(AttnxaiWarning) as said:
            found = run_jobs(
                jobs_of(slowly_or_killed, *places),
                scheduler=cluster.scheduler_address,
                on_event=follow,
            )
        joined[0].clear()
    assert list(found.values()) == ["well"] * 12
    texts = [str(one.message) for one in said]
    assert sum("This worker gets no jobs" in text for text in texts) == 1
    assert sum("has no workers that may run them; jobs wait" in text for text in texts) <= 1
    assert sum("was lost, or has left" in text for text in texts) == 1


def slowly_or_killed(place: str, report: Any) -> str:
    time.sleep(0.2)
    return killed_at_first(place, report)


# --- what is refused -------------------------------------------------------------------------------


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_jobs, "_CONNECT_S", 0.5)
    with socket.socket() as silent:  # which accepts connections, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for address, fault in {
            f"tcp://127.0.0.1:{silent.getsockname()[1]}": "",
            "tcp://127.0.0.1:1": "",
            "127.0.0.1:1": "",
            "tcp://[::1]:1": "",
            "here": ", which names no port",
            "tcp://here": ", which names no port",
            "": ", which names no port",
            "tcp://127.0.0.1:99999": ", whose port is not between 1 and 65535",
            "http://127.0.0.1:8787": ", whose protocol is http:// in place of tcp:// or tls://",
            "tcp://no-such-host.invalid:8786": ", and the name no-such-host.invalid is unknown here",
        }.items():
            with pytest.raises(
                OptionError,
                match=f"^no Dask scheduler answers at {re.escape(repr(address) + fault)}; give",
            ):
                run_jobs(jobs_of(invert, 1), scheduler=address)


def test_distributed_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(OptionError, match="needs the package distributed; install it by pip inst"):
        run_jobs(jobs_of(invert, 1), scheduler="tcp://127.0.0.1:8786")


def test_versions_have_to_be_the_same(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("attnxai.__version__", "0.0.9")
        with pytest.raises(
            OptionError,
            match=r"^worker tcp\S+ has attnxai \d\S*, and this machine 0\.0\.9; install",
        ):
            run_jobs(jobs_of(invert, 1), scheduler=cluster.scheduler_address)
    with monkeypatch.context() as patch:
        other = {"scheduler": {"packages": {"distributed": "2020.1.0"}}}
        patch.setattr(distributed.Client, "get_versions", lambda _: other)
        with pytest.raises(OptionError, match=r"^the scheduler .* has distributed 2020\.1\.0, and"):
            run_jobs(jobs_of(invert, 1), scheduler=cluster.scheduler_address)
    found = {**dask_jobs._versions(), "torch": "1.0"}
    monkeypatch.setattr(dask_jobs, "_versions", lambda: found)
    with pytest.raises(OptionError, match=r"has torch \S+, and this machine 1\.0"):
        run_jobs(jobs_of(invert, 1), scheduler=cluster.scheduler_address)


def test_a_cluster_without_this_package(
    elsewhere: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other" / "attnxai").mkdir(parents=True)
    (tmp_path / "other" / "attnxai" / "__init__.py").write_text("__version__ = '0.0.1'")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "other"), *sys.path]))
    _, address = elsewhere()
    with pytest.raises(
        OptionError,
        match=rf"cluster at {address} cannot run jobs of attnxai .*; install this version",
    ):
        run_jobs(jobs_of(invert, 1), scheduler=address)


@pytest.mark.parametrize(
    ("n_threads", "n_numerical", "said"),
    [
        (
            8,
            "1",
            "has 8 threads, and jobs need a process each; start workers by dask worker --nthr",
        ),
        (1, "3", "computes with OMP_NUM_THREADS=3; start it with OMP_NUM_THREADS=1"),
    ],
)
def test_workers_have_one_thread(
    n_threads: int, n_numerical: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = SimpleNamespace(address="tcp://w:1", state=SimpleNamespace(nthreads=n_threads))
    monkeypatch.setattr(distributed, "get_worker", lambda: worker)
    monkeypatch.setenv("OMP_NUM_THREADS", n_numerical)
    with pytest.raises(OptionError, match=f"^worker tcp://w:1 {said}"):
        dask_jobs.run_here(dask_jobs._what_has_to_be_the_same(1), b"")


def of_plugin(_: Any, report: Any) -> Any:
    return sys.modules["plugin_for_dask"].VALUE


def test_plugins_are_those_of_the_command(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "plugin_for_dask.py"
    file.write_text("VALUE = 1")
    monkeypatch.setattr(dask_jobs, "LOADED", LOADED)
    load_plugins([str(file)])
    try:
        address = cluster.scheduler_address
        assert run_jobs(jobs_of(of_plugin, 0), scheduler=address) == {"job0": 1}
        file.write_text("VALUE = 2")
        with pytest.raises(OptionError, match=r"has loaded another version of plug-in .*; restart"):
            run_jobs(jobs_of(of_plugin, 0, 0, 0, 0), scheduler=address)
    finally:
        LOADED.remove(str(file))
        del sys.modules["plugin_for_dask"]
