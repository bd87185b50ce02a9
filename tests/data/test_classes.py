from __future__ import annotations

import pytest

from attnxai.data.classes import canonical_class, ordered_classes


@pytest.mark.parametrize("name", ["FR I", "FRI", "fri", "FR1", "fr-1", "FR_I", " Fr I ", "FR  1"])
def test_every_spelling_of_fr1_is_the_same(name: str) -> None:
    assert canonical_class(name) == "FR I"


@pytest.mark.parametrize("name", ["FR II", "FRII", "frii", "FR2", "fr-ii", "FR_2", "\tfr 2"])
def test_every_spelling_of_fr2_is_the_same(name: str) -> None:
    assert canonical_class(name) == "FR II"


@pytest.mark.parametrize("name", ["hybrid", "FR III", "FR 0", "FR I/II", "WAT", "FR", "FR 12", ""])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert canonical_class(name) == name


def test_spaces_around_other_names_go() -> None:
    assert canonical_class("  bent tail ") == "bent tail"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["FR II", "FR I"], ("FR I", "FR II")),
        (["hybrid", "FR II", "hybrid", "FR I"], ("FR I", "FR II", "hybrid")),
        (["hybrid", "FR II"], ("FR II", "hybrid")),
        (["WAT", "FR II", "FR I"], ("FR I", "FR II", "WAT")),
        (["hybrid", "FR II", "compact"], ("FR II", "compact", "hybrid")),
        ([], ()),
    ],
)
def test_order_of_classes(names: list[str], expected: tuple[str, ...]) -> None:
    assert ordered_classes(names) == expected
    assert ordered_classes(reversed(names)) == expected
