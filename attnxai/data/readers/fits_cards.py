"""Cards of FITS headers, read strictly: a card that is not valid is refused by name.

astropy and wcslib correct many faults silently: text in the place of a number becomes the default, and of two
cards with one keyword one is chosen. That would rescale or shift an image.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attnxai.data.wording import printable
from attnxai.errors import AttnxaiError

if TYPE_CHECKING:
    from astropy.io.fits import Header


class Cards:
    """The cards of one header; ``where`` names the file in errors, such as ``"image a.fits"``."""

    def __init__(self, header: Header, where: str, error: type[AttnxaiError]) -> None:
        self._header, self.where, self._error = header, where, error
        # most keywords that are asked for are not there, which astropy takes ten times as long to tell; those of
        # records have a name behind a point
        self._keywords = frozenset(name.partition(".")[0] for name in header)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._keywords

    def refuse(self, keyword: str, right: str = "", *, reason: str = "") -> AttnxaiError:
        """The error about a card: its keyword, its value, and what would be right or why it is not."""
        value = "missing"
        try:
            if keyword in self:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = self._header[keyword]
                    value = "empty" if found is None else repr(found)
        except Exception:  # noqa: BLE001 -- the value is what is wrong
            value = "unreadable"
        return self._fault(
            f"{keyword} is {value}" + (f": {reason}" if reason else f" but should be {right}")
        )

    def _fault(self, text: str) -> AttnxaiError:
        return self._error(f"{self.where} cannot be used: its card {text}")

    def _value(self, keyword: str, is_right: Callable[[Any], bool], right: str) -> Any:
        """Value of a card, None where there is no such card."""
        if keyword not in self:
            return None
        n = self._header.count(keyword)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                values = [self._header[keyword, i] for i in range(n)]
        except Exception as error:  # astropy's words for a card that it cannot parse vary
            raise self._fault(f"{keyword} is not valid FITS; correct its value") from error
        if any(value != values[0] for value in values[1:]):
            raise self._fault(
                f"{keyword} is there {n} times with different values; remove the wrong ones"
            )
        if not is_right(values[0]):
            raise self.refuse(keyword, right)
        return values[0]

    def number(
        self, keyword: str, *, low: float = -math.inf, high: float = math.inf
    ) -> float | None:
        """A finite number within limits; None where there is no such card."""

        def is_finite(value: Any) -> bool:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return is_number and math.isfinite(value)

        value = self._value(keyword, is_finite, "a finite number")
        if value is not None and not low <= value <= high:
            raise self.refuse(keyword, f"a number from {low:g} to {high:g}")
        return None if value is None else float(value)

    def whole(self, keyword: str, *, low: int, high: int) -> int | None:
        """A whole number within limits; None where there is no such card."""

        def is_right(value: Any) -> bool:
            return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

        value: int | None = self._value(keyword, is_right, f"a whole number from {low} to {high}")
        return value

    def required(self, keyword: str, right: str, *, low: int, high: int) -> int:
        """A whole number within limits that has to be there."""
        value = self.whole(keyword, low=low, high=high)
        if value is None:
            raise self.refuse(keyword, right)
        return value

    def flag(self, keyword: str) -> bool:
        """Whether there is such a card and it is true."""
        return self._value(keyword, lambda _: True, "") is True

    def text(self, keyword: str) -> str | None:
        """Text without spaces around it; None where there is no such card."""

        def is_right(value: Any) -> bool:
            return isinstance(value, str) and value.isascii() and value.isprintable()

        right = "text in quotation marks, of printable ASCII characters"
        value = self._value(keyword, is_right, right)
        return None if value is None else str(value).strip()

    def word(self, keyword: str) -> str:
        """Text to be shown or compared, short and printable; empty where there is no such card or it cannot be read."""
        if keyword not in self:
            return ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = self._header[keyword]
        except Exception:  # noqa: BLE001 -- astropy raises what it likes about a card that it cannot parse
            return ""
        return printable(value).strip()[:40] if isinstance(value, str) else ""
