"""The numbers of a report as tables, in parts."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from attnxai.data.csv_table import write_frame, write_frames
from attnxai.report import summary
from attnxai.report.summary import per_source_frames


@pytest.mark.parametrize("at_a_time", [1, 5, 16])
@pytest.mark.parametrize("metrics", [("nss", "auc"), ("nss",)])
def test_the_table_of_sources_is_the_same_in_any_parts(
    two, monkeypatch, tmp_path, metrics, at_a_time
):
    """Also where the second model lacks a metric of the first."""
    monkeypatch.setattr(summary, "_SOURCES_AT_A_TIME", at_a_time)
    first, second = two.parts
    assert first.result.metrics == ("nss", "auc")
    fewer = dataclasses.replace(second.result, metrics=metrics)
    content = dataclasses.replace(two, parts=(first, dataclasses.replace(second, result=fewer)))
    frames = list(per_source_frames(content))
    assert len(frames) == 2 * -(-16 // at_a_time)
    write_frames(frames, tmp_path / "parts.csv")
    whole = [part.result.per_source_frame() for part in content.parts]
    for frame, part in zip(whole, content.parts, strict=True):
        frame.insert(0, "model", part.name)
    write_frame(pd.concat(whole), tmp_path / "whole.csv")
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
