"""What is equal between groups: counts against built networks and torch's own counter."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from attnxai.models.network import AttentionNetwork
from attnxai.models.specification import Padding, Preset, compact_spec, paper_spec
from attnxai.study.matching import (
    Equal,
    count_operations,
    count_parameters,
    matched_spec,
    size_of,
    stated,
)


def small(group, **changes):
    return paper_spec(group, kernel_size=3, gate_channels=4, **changes)


@pytest.mark.parametrize(
    ("spec", "side"),
    [
        (small("C1", fields=(2, 3, 4, 5)), 150),
        (small("C4", fields=(1, 2, 2, 3)), 32),
        (small("D4", fields=(1, 1, 2, 2), n_gates=2), 150),
        (compact_spec("C8"), 40),
        (compact_spec("C4", binning=3), 140),
        (small("C4", fields=(1, 2, 2, 3), padding=Padding.NONE), 40),
        (small("C4", fields=(1, 2, 2, 3), padding=Padding.NONE), 47),
    ],
)
def test_operations_equal_torchs_count(spec, side):
    """Torch counts a multiply-add as two operations."""
    network = AttentionNetwork(spec).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 1, side, side))
    counts = {str(name).split(".")[1]: n for name, n in counter.get_flop_counts()["Global"].items()}
    assert count_operations(spec, side) == counts["convolution"] / 2


@pytest.mark.parametrize("spec", [compact_spec("C1"), compact_spec("D4"), small("C8")])
def test_parameters_are_those_of_the_built_network(spec):
    network = AttentionNetwork(spec, generator=torch.Generator().manual_seed(0))
    assert count_parameters(compact_spec("C1", fields=(1, 1, 1, 1), gate_channels=1)) == 135
    assert count_parameters(spec) == sum(p.numel() for p in network.parameters())
    size = size_of(spec)
    assert size.of(Equal.PARAMETERS) == count_parameters(spec)
    assert size.channels == spec.symmetry.size * sum(spec.fields)


@pytest.mark.parametrize("group", ["C1", "C4", "D8"])
def test_equal_channels_of_the_compact_preset_are_the_preset(group):
    baseline = compact_spec("C1", n_classes=3)
    match = matched_spec(baseline, group, Equal.CHANNELS)
    assert match.spec == compact_spec(group, n_classes=3)
    assert match.ratio == match.size.channels / size_of(baseline).channels


@pytest.mark.parametrize("equal", [Equal.PARAMETERS, Equal.OPERATIONS])
@pytest.mark.parametrize("group", ["C4", "D4"])
def test_counts_come_as_near_as_fields_allow(equal, group):
    baseline = small("C1", fields=(8, 16, 24, 32))
    match = matched_spec(baseline, group, equal, preset=Preset.PAPER)
    assert abs(match.ratio - 1) < 0.05
    assert match.size.of(equal) / size_of(baseline).of(equal) == match.ratio
    # one field less or more of all blocks is no nearer
    for step in (-1, 1):
        fields = tuple(max(1, n + step) for n in match.spec.fields)
        other = size_of(dataclasses.replace(match.spec, fields=fields)).of(equal)
        assert abs(other / size_of(baseline).of(equal) - 1) > abs(match.ratio - 1)
    assert dataclasses.replace(match.spec, group="C1", fields=baseline.fields) == baseline


def test_fields_and_channels_of_the_published_widths():
    baseline = small("C1")
    fields = matched_spec(baseline, "C4", Equal.FIELDS, preset=Preset.PAPER)
    assert fields.spec.fields == baseline.fields
    assert fields.ratio == 1.0
    assert fields.size.channels == 4 * size_of(baseline).channels
    channels = matched_spec(baseline, "C4", Equal.CHANNELS, preset=Preset.PAPER)
    assert channels.spec.fields == (2, 4, 8, 16)
    assert channels.ratio == pytest.approx(120 / 118)


@pytest.mark.parametrize("equal", Equal)
def test_the_baseline_is_itself(equal):
    baseline = small("C2", fields=(3, 3, 5, 7))
    match = matched_spec(baseline, "C2", equal, preset=Preset.PAPER)
    assert match.spec == baseline
    assert match.ratio == 1.0
    assert stated(equal)


def test_a_large_group_stops_at_one_field():
    baseline = small("C1", fields=(1, 1, 1, 1))
    match = matched_spec(baseline, "D4", Equal.OPERATIONS, preset=Preset.PAPER)
    assert match.spec.fields == (1, 1, 1, 1)
    assert match.ratio > 8
