"""What a specification admits, and what it says about the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from attnxai.errors import SpecificationError
from attnxai.models.specification import (
    Aggregation,
    Architecture,
    FeatureSum,
    LayerOrder,
    ModelSpec,
    Normalisation,
    Padding,
    SymmetryGroup,
    compact_spec,
    paper_spec,
)


def other_than_default() -> ModelSpec:
    return ModelSpec(
        architecture=Architecture.EQUIVARIANT_ATTENTION,
        group="D8",
        fields=(1, 2, 3, 4),
        convolutions=(2, 1, 2, 1),
        kernel_size=7,
        gate_channels=5,
        n_gates=2,
        normalisation=Normalisation.SOFTMAX,
        aggregation=Aggregation.DEEP_SUPERVISION,
        layer_order=LayerOrder.CONV_NORM_RELU,
        padding=Padding.NONE,
        feature_sum=FeatureSum.MEAN,
        convolution_bias=False,
        disc=False,
        n_classes=3,
        dropout=0.25,
        extremes_over_batch=True,
    )


def without_gates(**changes: Any) -> ModelSpec:
    settings: dict[str, Any] = {
        "architecture": Architecture.ATTENTION_GATE_CNN,
        "n_gates": 0,
        "aggregation": Aggregation.CONCATENATED,
        "padding": Padding.NONE,
    }
    return ModelSpec(**(settings | changes))


@pytest.mark.parametrize(
    "spec",
    [
        other_than_default(),
        compact_spec("D16"),
        compact_spec("C2", normalisation="emission", binning=3),
        paper_spec("C8"),
        paper_spec("C8", published_form=True),
        ModelSpec(architecture=Architecture.ATTENTION_GATE_CNN, convolution_bias=True),
        without_gates(),
    ],
)
def test_round_trip_through_plain_values(spec) -> None:
    values = spec.to_dict()
    assert ModelSpec.from_dict(values) == spec
    plain = (str, int, float, bool, list)
    assert all(type(value) in plain for value in values.values())
    # what came later is written only where it says something: earlier versions refuse unknown names
    later = {
        "extremes_over_batch": spec.extremes_over_batch,
        "binning": spec.binning > 1,
        "min_island_pixels": spec.min_island_pixels > 1,
    }
    names = {field.name for field in dataclasses.fields(ModelSpec)}
    assert set(values) == {name for name in names if later.get(name, True)}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"min_island_pixels": 0}, "min_island_pixels has to be 1 to"),
        ({"normalisation": "sigmoid"}, "min_island_pixels belongs to the normalisation emission"),
    ],
)
def test_small_islands_belong_to_gates_on_emission(changes, text) -> None:
    for spec in (compact_spec("C4"), paper_spec("C4", normalisation="emission")):
        assert spec.min_island_pixels == 5
        with pytest.raises(SpecificationError, match=text):
            dataclasses.replace(spec, **({"feature_sum": "sum"} | changes))
    assert compact_spec("C4", normalisation="range_norm").min_island_pixels == 1
    assert paper_spec("C4").min_island_pixels == 1


def test_defaults_fill_what_is_left_out_but_the_architecture() -> None:
    spec = ModelSpec.from_dict({"architecture": "equivariant_attention"})
    assert spec == ModelSpec(architecture=Architecture.EQUIVARIANT_ATTENTION)
    with pytest.raises(SpecificationError, match="the specification lacks architecture"):
        ModelSpec.from_dict({"group": "C4"})


def test_unknown_keys_are_named() -> None:
    values: dict[Any, Any] = {**other_than_default().to_dict(), "depth": 3, 4: 1}
    with pytest.raises(SpecificationError, match=r"holds 4, 'depth', which this version"):
        ModelSpec.from_dict(values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("group", 8),
        ("fields", [1, 2, 3.0, 4]),
        ("kernel_size", True),
        ("normalisation", 1),
        ("disc", "False"),
        ("dropout", "0.5"),
    ],
)
def test_wrong_types_are_refused_with_name_and_value(name, value) -> None:
    values = {**other_than_default().to_dict(), name: value}
    with pytest.raises(SpecificationError) as caught:
        ModelSpec.from_dict(values)
    assert str(caught.value).startswith(name)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("architecture", "attention_gate_cnn"),
        ("normalisation", "std_mean_norm"),
        ("aggregation", "deep_sup"),
        ("layer_order", "conv_norm_relu"),
        ("padding", "symmetric"),
        ("feature_sum", "mean"),
    ],
)
def test_unknown_choices_name_the_known_ones(name, known) -> None:
    values = {**other_than_default().to_dict(), name: "globals"}
    with pytest.raises(
        SpecificationError, match=f"^unknown {name} 'globals'.*; known values are .*{known}"
    ):
        ModelSpec.from_dict(values)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"fields": (1, 2, 3)}, "fields needs 4"),
        ({"fields": (1, 2, 3, 0)}, "fields needs 4"),
        ({"fields": (1, 2, 3, 2**70)}, "fields needs 4"),
        ({"convolutions": (1, -1, 1, 1)}, "convolutions needs 4"),
        ({"kernel_size": 4}, "kernel_size has to be 3, 5, 7 or 9, got 4"),
        ({"kernel_size": 1}, "kernel_size"),
        ({"n_gates": -1}, "n_gates has to be 0, 1, 2 or 3, got -1"),
        ({"n_gates": 4}, "n_gates"),
        ({"n_gates": 0}, "only an attention_gate_cnn can do without gates"),
        ({"gate_channels": 0}, "gate_channels"),
        ({"gate_channels": 10**12}, "gate_channels"),
        ({"n_classes": 1}, "n_classes"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
        ({"dropout": float("nan")}, "dropout"),
        ({"convolution_bias": True}, "no bias"),
        ({"architecture": Architecture.ATTENTION_GATE_CNN}, "no symmetry group, got D8"),
        ({"architecture": Architecture.STEERABLE_LENET}, "a ModelSpec describes the architectures"),
    ],
)
def test_values_out_of_range_are_refused(changes, text) -> None:
    with pytest.raises(SpecificationError, match=text):
        dataclasses.replace(other_than_default(), **changes)


@pytest.mark.parametrize(
    ("name", "order", "reflections", "size"),
    [("C1", 1, False, 1), ("d1", 1, True, 2), (" C16 ", 16, False, 16), ("D16", 16, True, 32)],
)
def test_groups_are_read_from_their_names(name, order, reflections, size) -> None:
    group = SymmetryGroup.from_name(name)
    assert (group.order, group.reflections, group.size) == (order, reflections, size)
    assert SymmetryGroup.from_name(group.name) == group
    assert compact_spec(name).group == name.strip().upper()


@pytest.mark.parametrize("name", ["", "C", "8", "E4", "C0", "D-1", "C4x", "CD4", "C100", "C 4"])
def test_unknown_groups_are_refused(name) -> None:
    with pytest.raises(SpecificationError, match="unknown group") as caught:
        ModelSpec(architecture=Architecture.EQUIVARIANT_ATTENTION, group=name)
    assert repr(name) in str(caught.value)


def test_groups_beyond_64_are_refused() -> None:
    with pytest.raises(SpecificationError, match="between 1 and 64"):
        SymmetryGroup.from_name("C65")


def test_gates_are_named_from_the_coarsest() -> None:
    assert other_than_default().gate_names == ("gate1", "gate2")


@pytest.mark.parametrize("group", ["C1", "C2", "C4", "C8", "D2", "D4", "D8", "C16"])
def test_compact_networks_of_all_groups_have_about_as_many_channels(group) -> None:
    spec = compact_spec(group)
    channels = [fields * spec.symmetry.size for fields in spec.fields]
    for n, low, high in zip(channels, (32, 32, 48, 64), (32, 32, 64, 64), strict=True):
        assert low <= n <= high
    assert spec.convolutions[0] == 1
    assert spec.gate_channels == 16
    assert spec.padding is Padding.SYMMETRIC


def test_paper_networks_have_the_published_widths() -> None:
    spec = paper_spec("D4")
    assert (spec.fields, spec.convolutions) == ((6, 16, 32, 64), (3, 3, 3, 2))
    assert (spec.kernel_size, spec.gate_channels, spec.n_gates) == (5, 64, 3)
    assert paper_spec("D4", kernel_size=9).kernel_size == 9


def test_the_published_form_differs_in_what_breaks_symmetry_alone() -> None:
    ours, published = paper_spec("D4").to_dict(), paper_spec("D4", published_form=True).to_dict()
    changed = {name: value for name, value in published.items() if ours.get(name) != value}
    assert changed == {"padding": "none", "extremes_over_batch": True}
    assert (ours["padding"], paper_spec("D4").extremes_over_batch) == ("symmetric", False)
    again = paper_spec("D4", published_form=True, padding=Padding.SYMMETRIC)
    assert again.padding is Padding.SYMMETRIC


def test_a_network_without_gates_has_no_names_of_gates() -> None:
    assert without_gates().gate_names == ()


@pytest.mark.parametrize(
    "changes", [{"aggregation": Aggregation.MEAN}, {"padding": Padding.SYMMETRIC}]
)
def test_without_gates_there_is_nothing_to_aggregate_or_to_pad(changes) -> None:
    with pytest.raises(SpecificationError, match="aggregation concat and the padding none"):
        without_gates(**changes)


def test_a_specification_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        compact_spec("C4").group = "C8"  # type: ignore[misc]


def test_what_emission_and_binning_need_is_said() -> None:
    with pytest.raises(SpecificationError, match="use the feature_sum sum"):
        compact_spec("C4", normalisation="emission", feature_sum="mean")
    with pytest.raises(SpecificationError, match="binning has to be 1 to 16, got 0"):
        compact_spec("C4", binning=0)
