"""What files are said to be."""

from __future__ import annotations

import pytest

from attnxai.data.foreign_content import describe_content


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b'{"a": 1}', "a JSON text"),
        (b'[\n  {"a": 1}]', "a JSON text"),
        (b"[-1.5, 2]", "a JSON text"),
        (b"[null, true]", "a JSON text"),
        (b"[]", "a JSON text"),
        (b"[build-system]\nrequires = []\n", "a text"),
        (b"[section]\nkey = value\n", "a text"),
    ],
)
def test_a_section_of_a_configuration_is_no_json(head, kind):
    assert describe_content(head) == kind
