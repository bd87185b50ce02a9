"""Run jobs on the workers of a Dask cluster, which may be on other machines.

A job is sent as bytes for a function of this module, so that the scheduler imports nothing heavy, and a worker refuses
a job of another version before it reads it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import hashlib
import importlib.metadata
import itertools
import logging
import os
import pickle
import queue
import secrets
import socket
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from attnxai.errors import AttnxaiError, AttnxaiWarning, JobError, OptionError
from attnxai.jobs.plugins import LOADED, load_plugins
from attnxai.jobs.worker import EventKind, Job, JobEvent, Outcome, perform, sendable

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_S, _LOOK_EVERY_S = 5.0, 1.0
_JOBS_A_WORKER = 2  # one that runs, and one that waits for it
_TIMES = 4  # that a job may lose all workers that it was sent to
_WITH_PORT = ("tcp", "tls", "ucx", "ws", "wss")
_LAST_PORT = 65535
_NUMERICAL = ("numpy", "torch", "numba")
_plugin_sha256: dict[str, str] = {}


def in_cluster(
    jobs: Sequence[Job], tell: Callable[[JobEvent], None], scheduler: str, threads: int
) -> Generator[tuple[Job, Outcome]]:
    """Run jobs on the workers of a scheduler, two at a time for each; outcomes in the order in which they come.

    A job whose worker is lost is run by another one, and so is one that was given to a worker that has joined meanwhile and
    differs from this machine. Jobs report no progress.
    """
    with _connected(scheduler) as client, contextlib.closing(_Watch(client, scheduler)) as watch:
        waiting = list(reversed(jobs))
        running: dict[str, _Sent] = {}
        done: queue.SimpleQueue[str] = queue.SimpleQueue()
        n_lost: Counter[str] = Counter()
        numbers = itertools.count()
        same = _what_has_to_be_the_same(threads)
        while waiting or running:
            while waiting and len(running) < watch.n_at_once:
                job = waiting.pop()
                key, workers = f"{watch.prefix}-{next(numbers)}", watch.only()
                with warnings.catch_warnings():  # images that are in memory travel with their jobs
                    warnings.filterwarnings("ignore", "Sending large graph")
                    future = client.submit(
                        run_here, same, pickle.dumps(job), key=key, pure=False, workers=workers
                    )
                running[key] = _Sent(future, job, workers)
                tell(JobEvent(job=job.name, kind=EventKind.STARTED))
                future.add_done_callback(lambda future: done.put(future.key))
            with contextlib.suppress(queue.Empty):
                sent = running.pop(done.get(timeout=_LOOK_EVERY_S), None)
                if sent is not None:
                    try:
                        outcome = _outcome(sent.future, scheduler)
                    except _UnfitWorkerError as error:
                        watch.leave_out(error)
                        waiting.append(sent.job)
                    else:
                        yield sent.job, outcome
                del sent  # so that the cluster forgets it
            watch.look()
            for key in [key for key, sent in running.items() if watch.has_lost(sent.workers)]:
                job = running.pop(key).job
                n_lost[job.name] += 1
                if n_lost[job.name] == _TIMES:
                    yield (
                        job,
                        Outcome(
                            error=JobError(
                                f"all workers that it was sent to were lost, {_TIMES} times"
                            )
                        ),
                    )
                else:
                    waiting.append(job)


class _Sent(NamedTuple):
    """A job that was sent, and the workers that alone may run it, where others differ from this machine."""

    future: Future
    job: Job
    workers: list[str] | None


class _UnfitWorkerError(OptionError):
    """A worker, named by its address, that differs from the machine of the command, and in what."""

    def __init__(self, address: str, difference: str) -> None:
        super().__init__(address, difference)
        self.address, self.difference = address, difference

    def __str__(self) -> str:
        return f"worker {self.address} {self.difference}"


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    """A client of a scheduler; what Dask itself says of lost connections is said by errors of this module."""
    try:
        from distributed import Client, __version__
    except ImportError as error:
        raise OptionError(
            f"scheduler {scheduler!r} needs the package distributed; install it by pip install distributed"
        ) from error
    with _without_logs("distributed"), contextlib.ExitStack() as stack:
        try:
            # in a thread, since this one may have a loop of its own, as in notebooks
            with concurrent.futures.ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, _reach(scheduler)).result()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of versions that differ, which are checked below
                client = Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
            stack.callback(_close, client)
            there = client.get_versions()["scheduler"]["packages"]["distributed"]
        except (OSError, ValueError) as error:
            raise OptionError(
                f"no Dask scheduler answers at {scheduler!r}{_fault_of(scheduler)}; give the address that dask scheduler "
                "prints, such as tcp://host:8786, and see that it runs and that this machine reaches it"
            ) from error
        if there != __version__:
            raise OptionError(
                f"the scheduler at {scheduler} has distributed {there}, and this machine {__version__}; install the same "
                "version on both, since others may not understand each other"
            )
        yield client


def _fault_of(address: str) -> str:
    """What is wrong with an address, as far as it tells by itself."""
    from distributed.comm.registry import backends

    protocol, separator, place = address.rpartition("://")
    if separator and protocol not in backends:
        return f", whose protocol is {protocol}:// in place of tcp:// or tls://"
    if separator and protocol not in _WITH_PORT:
        return ""
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal():
        return ", which names no port"
    if not 0 < int(port) <= _LAST_PORT:
        return f", whose port is not between 1 and {_LAST_PORT}"
    try:
        socket.getaddrinfo(host.strip("[]"), port)
    except (OSError, UnicodeError):
        return f", and the name {host} is unknown here"
    return ""


def _close(client: Client) -> None:
    with contextlib.suppress(Exception):  # which goes on trying where a connection was lost
        client.close(timeout=_CONNECT_S)


async def _reach(scheduler: str) -> None:
    """See that a scheduler answers: a client waits without end for one that accepts a connection and is silent."""
    from distributed import Security
    from distributed.comm import connect

    options = Security().get_connection_args("client")
    comm = await asyncio.wait_for(connect(scheduler, **options), _CONNECT_S)
    await comm.close()


@contextlib.contextmanager
def _without_logs(name: str) -> Iterator[None]:
    def refused(_: logging.LogRecord) -> bool:
        return False

    handlers = list(logging.getLogger(name).handlers)
    for handler in handlers:
        handler.addFilter(refused)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(refused)


class _Watch:
    """What happens to the workers of a cluster while jobs run."""

    def __init__(self, client: Client, scheduler: str) -> None:
        self.prefix = f"attnxai-{secrets.token_hex(8)}"
        self._workers: set[str] = set()
        self._at_begin: set[str] = set()
        self._unfit: set[str] = set()
        self._client, self._scheduler = client, scheduler
        self._next, self._said_none, self._said_lost = 0.0, False, False
        self._lost: queue.SimpleQueue[str] = queue.SimpleQueue()
        client.subscribe_topic("all", self._on_event)
        self.look()

    def _on_event(self, event: tuple[float, Any]) -> None:
        content = event[1]
        if isinstance(content, dict) and content.get("action") == "remove-worker":
            keys: Iterable[Any] = content.get("processing-tasks") or ()
            if any(str(key).startswith(self.prefix) for key in keys):
                self._lost.put(str(content.get("worker")))

    def close(self) -> None:
        """Ask for no more events."""
        with contextlib.suppress(Exception):  # where the connection was lost
            self._client.unsubscribe_topic("all")

    @property
    def n_at_once(self) -> int:
        """How many jobs to send: some for the first worker as well, unless one was there that differs."""
        return _JOBS_A_WORKER * max(len(self._workers), 0 if self._unfit else 1)

    def only(self) -> list[str] | None:
        """The workers that alone may run jobs, where others are known to differ."""
        return sorted(self._workers) if self._unfit and self._workers else None

    def has_lost(self, workers: Sequence[str] | None) -> bool:
        """Whether none of these workers is there any more, but others are."""
        return workers is not None and bool(self._workers) and self._workers.isdisjoint(workers)

    def leave_out(self, error: _UnfitWorkerError) -> None:
        """Send no more jobs to a worker that has joined meanwhile, and say so once; with no other the error is raised."""
        is_new = error.address not in self._unfit
        self._unfit.add(error.address)
        self._find()
        if error.address in self._at_begin or not self._workers:
            raise error
        if is_new:
            _warn(f"{error}. This worker gets no jobs; the others go on")

    def look(self) -> None:
        """See which workers there are, and say, once each, that one was lost or that there is none."""
        if not self._said_lost and not self._lost.empty():
            self._said_lost = True
            _warn(
                f"worker {self._lost.get()} was lost, or has left the cluster; what it had begun is run by others"
            )
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOK_EVERY_S
        found = self._find()
        if not self._workers and not self._said_none:
            which = " that may run them" if found else ""
            _warn(
                f"the cluster at {self._scheduler} has no workers{which}; jobs wait until one joins it"
            )
        self._said_none = not self._workers

    def _find(self) -> set[str]:
        """All workers of the cluster, of which those that may run jobs are remembered."""
        try:
            found = set(self._client.nthreads())
        except Exception as error:
            raise _lost_connection(self._scheduler) from error
        self._workers = found - self._unfit
        self._at_begin = self._at_begin or found
        return found


def _warn(text: str) -> None:
    warnings.warn(text, AttnxaiWarning, stacklevel=4)


def _lost_connection(scheduler: str) -> JobError:
    return JobError(
        f"the connection to the scheduler at {scheduler} was lost. Run the same command again, with the address of a running "
        "scheduler, to resume"
    )


def _outcome(future: Future, scheduler: str) -> Outcome:
    from distributed import KilledWorker

    if future.cancelled():
        raise _lost_connection(scheduler)
    try:
        outcome = future.result()
    except KilledWorker as error:
        n = error.allowed_failures + 1
        return Outcome(
            error=JobError(
                f"{n} workers that had it ended, the last of them {error.last_worker.address}, as happens when memory runs "
                "out; their logs say why"
            )
        )
    except AttnxaiError:  # a worker refuses jobs of this run
        raise
    except Exception as error:
        if future.cancelled():
            raise _lost_connection(scheduler) from error
        from attnxai import __version__

        raise OptionError(
            f"the cluster at {scheduler} cannot run jobs of attnxai {__version__} ({type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'no message'}); install this version, with the same versions of "
            "Python and distributed, where its scheduler and its workers run"
        ) from error
    return cast("Outcome", outcome)


def _what_has_to_be_the_same(threads: int) -> dict[str, Any]:
    """Plain values, which every version can read."""
    return {
        "versions": _versions(),
        "threads": str(threads),
        "plugins": {place: _sha256_of_plugin(place) for place in LOADED},
        "folder": str(Path.cwd()),
    }


def _versions() -> dict[str, str]:
    """Versions on which bytes of results depend."""
    from attnxai import __version__

    return {"attnxai": __version__} | {name: _version_of(name) for name in _NUMERICAL}


@functools.cache
def _version_of(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _sha256_of_plugin(place: str) -> str:
    """Hash of the file of a plug-in."""
    module = sys.modules.get(place)
    file = place if module is None else getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


def run_here(same: dict[str, Any], job: bytes) -> Outcome:
    """Run a job in a worker of a cluster, in the folder in which the command runs.

    Raises
    ------
    OptionError
        If something differs from the machine of the command, or jobs would share this process.
    """
    from distributed import get_worker

    worker = get_worker()
    here = worker.address
    for name, version in _versions().items():
        if version != same["versions"].get(name):
            raise _UnfitWorkerError(
                here,
                f"has {name} {version}, and this machine {same['versions'].get(name)}; install the same version on "
                "both, since results may differ",
            )
    if worker.state.nthreads != 1:
        raise _UnfitWorkerError(
            here,
            f"has {worker.state.nthreads} threads, and jobs need a process each; start workers by dask worker "
            "--nthreads 1 --nworkers N",
        )
    if os.environ.get("OMP_NUM_THREADS") != same["threads"]:
        raise _UnfitWorkerError(
            here,
            f"computes with OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', '')}; start it with "
            f"OMP_NUM_THREADS={same['threads']}, since there is a worker for each core",
        )
    if not os.access(same["folder"], os.R_OK | os.X_OK):
        raise _UnfitWorkerError(
            here,
            f"cannot open the folder {same['folder']}, in which this command runs; all machines have to see it, and "
            "the files that it uses, under the same path",
        )
    with contextlib.chdir(same["folder"]):
        _load(same["plugins"], here)
        return sendable(perform(pickle.loads(job), lambda _: None))  # noqa: S301 -- from this cluster


def _load(plugins: Mapping[str, str], here: str) -> None:
    """Load plug-ins, and refuse one that has another content than where the command runs, or had when it was loaded."""
    for place, sha256 in plugins.items():
        try:
            load_plugins([place])
        except OptionError as error:
            raise _UnfitWorkerError(here, f"cannot load a plug-in: {error}") from error
        if _plugin_sha256.setdefault(place, _sha256_of_plugin(place)) != sha256:
            raise _UnfitWorkerError(
                here, f"has loaded another version of plug-in {place}; restart the workers"
            )
