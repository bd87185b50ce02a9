"""Code of others is named with its module, distribution and file."""

from __future__ import annotations

import functools
import hashlib
import types
from pathlib import Path

import numpy as np
import scipy.ndimage

import attnxai
from attnxai.data.origin import origin_of


def test_code_of_this_package_has_none():
    assert origin_of(attnxai.metrics.nss) == origin_of(attnxai.nulls.NullModel) == {}


def test_code_of_others_is_found_again():
    found = origin_of(scipy.ndimage.gaussian_filter)
    assert found["distribution"] == f"scipy {scipy.__version__}"
    source = Path(scipy.ndimage._filters.__file__)
    assert (found["module"], found["file"]) == ("scipy.ndimage._filters", source.name)
    mine = origin_of(test_code_of_this_package_has_none)
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    assert mine["module"] == __name__
    assert (mine["file"], mine["sha256"]) == (Path(__file__).name, digest)
    assert origin_of(functools.partial(np.sum))["module"] == "functools"


def test_a_module_without_a_file_is_named():
    function = types.FunctionType((lambda: 0).__code__, {"__name__": "a notebook"})
    function.__module__ = "notebook_cell"
    expected = {"module": "notebook_cell", "distribution": None, "file": None, "sha256": None}
    assert origin_of(function) == expected
