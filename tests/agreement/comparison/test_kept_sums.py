"""A comparison in blocks that was interrupted goes on, with the numbers of an undisturbed one."""

from __future__ import annotations

import dataclasses
import errno
import functools
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import attnxai
from attnxai.agreement.comparison import ComparisonSettings, kept_sums
from attnxai.agreement.comparison.comparing import compare_pairs
from attnxai.agreement.comparison.gathering import PairsInMemory
from attnxai.agreement.comparison.kept_sums import KeptSum
from attnxai.annotations.shapes import Label
from attnxai.errors import AttnxaiWarning
from attnxai.jobs import kept_values, plugins
from attnxai.jobs.signed_pickles import write_signed
from attnxai.metrics import register_metric
from attnxai.nulls import SurrogateNull, register_null
from tests.builders import made_up
from tests.registries import names_free

SETTINGS = ComparisonSettings(
    metrics=("nss", "shuffled_auc"), n_permutations=99, n_bootstrap=100, most_together=50
)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(kept_sums, "_EVERY_S", 0.0)
    monkeypatch.setattr(kept_sums, "_MOST_OF_TIME", 1e9)


class Text:
    def __init__(self):
        self.text = ""

    def add(self, found):
        self.text += found


def made_of(blocks):
    return [functools.partial(tuple, parts) for parts in blocks]


def test_results_are_added_in_the_order_of_blocks_as_soon_as_those_before_are_there():
    kept = KeptSum(Text(), made_of([(n,) for n in range(5)]))
    seen = []
    for number in (2, 0, 1, 4, 3):
        kept.add(number, str(number))
        seen.append(kept.sum.text)
    assert seen == ["", "0", "012", "012", "01234"]


def test_a_sum_goes_on_while_its_blocks_are_the_same(tmp_path, monkeypatch):
    blocks = [("a",), ("b",), ("c",), ("d",)]
    first = KeptSum(Text(), made_of(blocks), tmp_path)
    for number in (0, 1, 3):
        first.add(number, str(number))
    again = KeptSum(Text(), made_of(blocks), tmp_path)
    assert (again.n_added, again.sum.text) == (2, "01")
    again.add(2, "2")
    again.add(3, "3")
    assert KeptSum(Text(), made_of(blocks), tmp_path).sum.text == "0123"
    assert KeptSum(Text(), made_of([("x",), *blocks[1:]]), tmp_path).n_added == 0
    for other in ([("a",), ("x",), ("c",), ("d",)], blocks[:3]):
        with pytest.warns(AttnxaiWarning, match="is of other inputs or versions"):
            assert KeptSum(Text(), made_of(other), tmp_path).n_added == 0
    monkeypatch.setattr(kept_sums, "_versions", lambda: "other")
    with pytest.warns(AttnxaiWarning, match="is of other inputs or versions"):
        assert KeptSum(Text(), made_of(blocks), tmp_path).n_added == 0
    (file,) = tmp_path.glob("*.kept")
    file.write_bytes(b"something else")
    with pytest.warns(AttnxaiWarning, match=r"\.kept is damaged, or of another user; its"):
        assert KeptSum(Text(), made_of(blocks), tmp_path).n_added == 0


class Halves:
    """Even results add up, and odd ones are kept as they are."""

    def __init__(self):
        self.total = 0

    def add(self, found):
        if found % 2:
            return found
        self.total += found
        return None


def test_what_does_not_add_up_is_kept_beside_the_sum(tmp_path):
    blocks = made_of([(n,) for n in range(8)])
    whole = KeptSum(Halves(), blocks)
    for number in (1, 0, 2, 5, 4, 3, 7, 6):
        whole.add(number, number)
    assert (whole.sum.total, list(whole.values)) == (12, [1, 3, 5, 7])
    first = KeptSum(Halves(), blocks, tmp_path)
    assert list(first.values) == []
    for number in (1, 0, 2, 3):
        first.add(number, number)
    first.close()
    again = KeptSum(Halves(), blocks, tmp_path)
    assert (again.n_added, again.sum.total, list(again.values)) == (4, 2, [1, 3])
    for number in (4, 5, 6, 7):
        again.add(number, number)
    assert (again.sum.total, list(again.values)) == (12, [1, 3, 5, 7])
    again.close()
    with pytest.raises(ValueError, match="closed file"):
        list(again.values)
    (file,) = tmp_path.glob("*.values")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.warns(AttnxaiWarning, match=r"\.kept is without its values; its comparison"):
        anew = KeptSum(Halves(), blocks, tmp_path)
    assert (anew.n_added, anew.sum.total, list(anew.values)) == (0, 0, [])
    for number in range(8):
        anew.add(number, number)
    assert (anew.sum.total, list(anew.values)) == (12, [1, 3, 5, 7])


def test_values_wait_in_memory_where_the_disk_is_full(tmp_path, monkeypatch):
    blocks = made_of([(n,) for n in range(8)])
    kept = KeptSum(Halves(), blocks, tmp_path)
    kept.add(0, 0)
    kept.add(1, 1)
    fault = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(kept_values._SignedFile, "_write", lambda *_: (_ for _ in ()).throw(fault))
    kept.add(2, 2)
    with pytest.warns(AttnxaiWarning, match=r"cannot be used \(No space left on device\); if"):
        kept.add(3, 3)
    for number in range(4, 8):
        kept.add(number, number)
    assert (kept.sum.total, list(kept.values)) == (12, [1, 3, 5, 7])
    kept.close()
    monkeypatch.undo()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    again = KeptSum(Halves(), blocks, tmp_path)
    assert (again.n_added, again.sum.total, list(again.values)) == (3, 2, [1])


def test_sums_that_cannot_be_kept_are_added_all_the_same(tmp_path):
    (tmp_path / "state").write_text("a file where the folder of the key should be")
    kept = KeptSum(Text(), made_of([("a",), ("b",)]), tmp_path)
    with pytest.warns(
        AttnxaiWarning, match=r"cannot be used \(Not a directory\); if this .*it begins anew"
    ):
        kept.add(0, "0")
    kept.add(1, "1")  # without a second warning
    assert kept.sum.text == "01"


def test_what_cannot_be_pickled_is_compared_all_the_same(tmp_path):
    with pytest.warns(AttnxaiWarning, match=r"cannot be used \(.*lambda.*it begins anew"):
        kept = KeptSum(Text(), made_of([(lambda: 1,)]), tmp_path)
    kept.add(0, "0")
    assert kept.sum.text == "0"
    assert not list(tmp_path.glob("*.kept"))


def test_little_time_is_spent_on_keeping(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_sums, "_EVERY_S", 60.0)
    now = 0.0
    written = []
    monkeypatch.setattr(kept_sums.time, "monotonic", lambda: now)

    def write(path, value):
        nonlocal now
        written.append(now)
        now += 5

    monkeypatch.setattr(kept_sums, "write_signed", write)
    monkeypatch.setattr(kept_sums, "_MOST_OF_TIME", 0.02)
    kept = KeptSum(Text(), made_of([(n,) for n in range(50)]), tmp_path)
    for n in range(50):
        now += 10
        kept.add(n, "x")
    assert written == [60, 315]  # 5 s of every 250


def compared(folder, n_workers=1, stop_at=None, seed=0, **changes):
    """A comparison of two blocks with two labels, and its steps; interrupted at one of these."""
    maps, marks, images = made_up(n_sources=70, agreement=0.3, side=20)
    labels = (Label.CORE, Label.LOBE)
    marks = dataclasses.replace(
        marks,
        annotations=tuple(
            dataclasses.replace(a, label=labels[i // 2 % 2])
            for i, a in enumerate(marks.annotations)
        ),
    )
    steps = []

    def on_step(n, n_all):
        steps.append(n)
        if n == stop_at:
            raise KeyboardInterrupt

    try:
        result = attnxai.compare(
            dataclasses.replace(maps, **changes),
            marks,
            images,
            settings=SETTINGS,
            rng=seed,
            n_workers=n_workers,
            resume_folder=folder,
            on_step=on_step,
        )
    except KeyboardInterrupt:
        return steps, None
    return steps, json.dumps(result.to_record())


@pytest.mark.parametrize("stop_at", [1, 4, 6, 8])
def test_an_interrupted_comparison_goes_on_and_gives_the_same(stop_at, tmp_path):
    """Two blocks of all marks and one of each label, first for their totals and then for their values."""
    n_blocks = 8
    whole, expected = compared(None)
    assert max(whole) > n_blocks
    assert compared(tmp_path / "kept", stop_at=stop_at) == (list(range(1, stop_at + 1)), None)
    steps, found = compared(tmp_path / "kept")
    assert steps == sorted({min(stop_at, n_blocks // 2), *range(stop_at, max(whole) + 1)})
    assert found == expected
    # finished sums are used as well
    assert compared(tmp_path / "kept")[1] == expected


def test_other_maps_or_seeds_begin_anew(tmp_path):
    compared(tmp_path / "kept", stop_at=4)
    steps, found = compared(tmp_path / "kept", seed=1)
    assert steps == compared(None, seed=1)[0]
    assert found == compared(None, seed=1)[1]


def test_what_no_later_run_could_use_is_removed(tmp_path, monkeypatch):
    """In the first minute there are values, but no sum."""
    monkeypatch.setattr(kept_sums, "_EVERY_S", 60.0)
    compared(tmp_path / "kept", stop_at=6)
    assert not (tmp_path / "kept").exists()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "of the user").write_text("")
    compared(tmp_path / "kept", stop_at=6)
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["of the user"]


def test_files_are_closed_when_they_are_read(tmp_path, monkeypatch):
    """One for all marks and one for each label; else a folder with them cannot be removed everywhere."""
    closed = []
    close = KeptSum.close
    monkeypatch.setattr(KeptSum, "close", lambda kept: closed.append(kept) or close(kept))
    compared(tmp_path / "kept")
    assert len(closed) == len({id(kept) for kept in closed}) == 3


def test_values_that_are_not_on_the_disk_are_not_counted_on(tmp_path, monkeypatch):
    kept = KeptSum(Halves(), made_of([(n,) for n in range(8)]), tmp_path)
    kept.add(0, 0)
    fault = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(kept_values.os, "fsync", lambda _: (_ for _ in ()).throw(fault))
    with pytest.warns(AttnxaiWarning, match=r"cannot be used \(No space left on device\); if"):
        kept.add(1, 1)
    kept.add(2, 2)
    kept.close()
    again = KeptSum(Halves(), made_of([(n,) for n in range(8)]), tmp_path)
    assert (again.n_added, again.sum.total, list(again.values)) == (1, 0, [])


def test_sums_of_another_version_begin_anew(tmp_path):
    blocks = made_of([(n,) for n in range(8)])
    kept = KeptSum(Halves(), blocks, tmp_path)
    kept.add(0, 0)
    (file,) = tmp_path.glob("*.kept")
    write_signed(file, (1, "digest", Halves()))
    with pytest.warns(
        AttnxaiWarning, match="is of other inputs or versions; its comparison begins"
    ):
        assert KeptSum(Halves(), blocks, tmp_path).n_added == 0


def register_within_a_function():
    @register_metric(
        label="Mean on marks",
        meaning="mean of the map on marked pixels",
        target="mask",
        chance_of=lambda targets: np.zeros(len(targets)),
        chance_formula="0",
    )
    def mean_of_marked(maps, targets):
        """Mean of the map on marked pixels."""
        return maps.values @ targets.values.T / targets.values.sum(axis=1)

    @register_null
    class Turned(SurrogateNull):
        """Reflect maps about the vertical axis."""

        name = "turned_over"
        label = "reflection of maps"
        question = "Does the map agree better than its mirror image?"
        assumes = "Left and right are alike."

        def surrogates(self, map, where, rng):
            used = where & where[:, ::-1]
            return used, np.stack([map[used], map[:, ::-1][used]])


@pytest.mark.parametrize(
    "options", [{"metrics": ("nss", "mean_of_marked")}, {"nulls": ("turned_over",)}]
)
def test_metrics_and_nulls_made_within_functions_are_compared_in_blocks(options):
    """They cannot be pickled, nor can what is found with them."""
    maps, marks, images = made_up(n_sources=70, agreement=0.3, side=20)
    with names_free("mean_of_marked", "turned_over"):
        register_within_a_function()
        settings = dataclasses.replace(SETTINGS, **{"metrics": ("nss",), **options})
        found = attnxai.compare(maps, marks, images, settings=settings)
        together = dataclasses.replace(settings, most_together=500)
        expected = attnxai.compare(maps, marks, images, settings=together)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-12)
    assert found.metrics == expected.metrics
    assert [len(e.further) for e in found.estimates] == [len(e.further) for e in expected.estimates]


def test_few_blocks_are_made_at_a_time(monkeypatch):
    made = []
    block = PairsInMemory.block

    def counted(pairs, positions):
        made.append(positions.size)
        return block(pairs, positions)

    monkeypatch.setattr(PairsInMemory, "block", counted)
    maps, marks, images = made_up(n_sources=150, agreement=0.3, side=20)
    pairs = attnxai.align(maps, marks, images)
    n_made = []
    compare_pairs(pairs, settings=SETTINGS, on_step=lambda *_: n_made.append(len(made)))
    assert n_made[:6] == [1, 2, 3, 4, 5, 6]


def test_with_plugins_nothing_is_kept(tmp_path, monkeypatch):
    """Their code, or that of what they import, may have changed."""
    monkeypatch.setattr(plugins, "LOADED", ["json"])
    compared(tmp_path / "kept", stop_at=4)
    assert not (tmp_path / "kept").exists()


DIGEST = """
import sys
import numpy as np
from attnxai.jobs.signed_pickles import sha256_of_pickles
from attnxai.alignment.on_demand import PairsOnDemand
from tests.builders import made_up
import dataclasses
maps, marks, images = made_up(n_sources=12, side=20)
marks = dataclasses.replace(marks, repeats=marks.annotations[:12])
pairs = PairsOnDemand.of(maps, marks, images, fwhm_arcsec=5.4, use_source_weights=False)
print(sha256_of_pickles(("", pairs.block(np.arange(10)))))
"""


def test_blocks_have_one_hash_in_every_process():
    """Also with later looks, of whose images the grids are sent."""
    found = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.slow
def test_it_goes_on_in_other_processes(tmp_path):
    compared(tmp_path / "kept", n_workers=2, stop_at=4)
    steps, found = compared(tmp_path / "kept", n_workers=2)
    assert steps[0] > 1
    assert found == compared(None)[1]
