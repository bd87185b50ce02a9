"""Share work among processes that use one thread each and do not outlive the one that started them."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_PARENT_GONE = 130
_AHEAD = 4  # items a worker, so that none waits for work


def map_unordered(
    function: Callable[[Item], Result], items: Sequence[Item], *, n_workers: int
) -> Iterator[tuple[Item, Result]]:
    """Apply a function to items, in processes of their own if there is more than one worker.

    Parameters
    ----------
    function : callable
        A function of a module.
    items : sequence
        What it is applied to.
    n_workers : int
        Processes; with 1 everything is done in this one, in order.

    Yields
    ------
    item
        An item, as its result comes.
    result
        The result.

    Examples
    --------
    >>> list(map_unordered(abs, [-1, 2], n_workers=1))
    [(-1, 1), (2, 2)]
    """
    n_workers = min(n_workers, len(items))
    if n_workers <= 1:
        for item in items:
            yield item, function(item)
        return
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    waiting = iter(items)
    with _single_threaded():
        pool = ProcessPoolExecutor(n_workers, mp_context=context, initializer=_begin)
        running: dict[Future[Result], Item] = {}
        try:
            while True:
                for item in itertools.islice(waiting, _AHEAD * n_workers - len(running)):
                    running[pool.submit(function, item)] = item
                if not running:
                    break
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(done), done.result()
            pool.shutdown()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
            raise


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    """Start processes whose libraries read these variables when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin() -> None:
    """Leave interruptions to the process that started this one, and end when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(_PARENT_GONE)

        threading.Thread(target=follow, daemon=True).start()
