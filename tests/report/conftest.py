"""Reports that several files of tests read."""

from __future__ import annotations

import pytest

from tests.report.several import EVIL, content_of, part_of, random_maps


@pytest.fixture(scope="session")
def good():
    return part_of("good.pt")


@pytest.fixture(scope="session")
def two(good):
    """One model whose maps lie where annotators mark, and one with maps of other sources."""
    return content_of(good, part_of(EVIL, random_maps))
