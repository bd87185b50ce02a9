"""Made-up runs of a study, whose epochs, accuracy and agreement depend on the group as asked for."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from attnxai.models.specification import Preset, SymmetryGroup
from attnxai.study.data import DataRequest
from attnxai.study.matching import Equal
from attnxai.study.measurement import MeasureOn, StudyRun
from attnxai.study.plan import MeasureSettings, StudyPlan
from attnxai.study.results import DataFacts, StudyResult
from attnxai.training.settings import TrainingSettings

GROUPS = ("C1", "C4", "C8", "C16", "D4", "D8", "D16")
CLASSES = ("FR I", "FR II")


def history(losses):
    """One entry an epoch with the validation losses that are given."""
    return run("C1", 0, losses).history


def run(group, seed, losses, values=None, agreement=None, sources=(), seconds=10.0):
    """One run with little in it."""
    made = StudyRun.from_losses(
        group, seed, losses, {"accuracy": 0.8, **(values or {})}, n_train=800, n_images=198
    )
    history = [dataclasses.replace(e, seconds=seconds * (e.epoch + 1)) for e in made.history]
    measurement = dataclasses.replace(
        made.measurement, sources=tuple(sources), agreement=agreement or {}
    )
    return dataclasses.replace(made, history=tuple(history), measurement=measurement)


def made_runs(
    groups=GROUPS,
    *,
    n_seeds=5,
    epochs=14,
    seed=0,
    faster=0.02,
    better=0.008,
    nearer=0.1,
    annotated=True,
):
    """Runs in which every doubling of the group's size adds something to its numbers."""
    rng = np.random.default_rng(seed)
    offsets = rng.normal(0, 0.02, n_seeds)
    sources = tuple(f"source_{i:02d}" for i in range(20))
    runs = []
    for group in groups:
        doublings = math.log2(SymmetryGroup.from_name(group).size)
        for index in range(n_seeds):
            rate = 0.10 + faster * doublings
            noise = rng.normal(0, 0.012, epochs) + offsets[index]
            losses = 0.25 + 0.44 * np.exp(-rate * np.arange(epochs)) + noise
            accuracy = 0.86 + better * doublings + offsets[index] + rng.normal(0, 0.005)
            values = {
                "accuracy": accuracy,
                "f1:FR I": accuracy - 0.01,
                "f1:FR II": accuracy + 0.01,
                "auc": accuracy + 0.05,
                "ece": 0.06 + rng.normal(0, 0.01),
                "ece_scaled": 0.04 + rng.normal(0, 0.01),
                "prediction_consistency": 0.9 + 0.012 * doublings + rng.normal(0, 0.005),
                "attention_consistency": 0.6 + 0.05 * doublings + rng.normal(0, 0.02),
            }
            agreement = {
                f"{metric}:{name}": tuple(
                    scale * (1 + nearer * doublings + rng.normal(0, 0.3, len(sources)))
                )
                for metric, scale in (("nss", 1.0), ("spearman", 0.2))
                for name in ("gate1", "gate2", "gate3", "mean")
            }
            runs.append(
                run(
                    group,
                    index,
                    losses,
                    values,
                    agreement if annotated else {},
                    sources if annotated else (),
                    seconds=30 + 10 * doublings,
                )
            )
    return runs


def made_result(
    runs=None,
    *,
    equal=Equal.CHANNELS,
    measure_on=MeasureOn.VALIDATION,
    annotations="what made-up people marked",
    name="made-up images",
    fixed_validation=False,
    **options,
):
    """A study of made-up runs, with small networks."""
    runs = made_runs() if runs is None else runs
    baseline = Preset.PAPER.specification("C1", fields=(2, 2, 4, 4), kernel_size=3, gate_channels=2)
    plan = StudyPlan(
        groups=tuple(sorted({r.group for r in runs})),
        seeds=tuple(sorted({r.seed for r in runs})),
        specification=baseline,
        preset=Preset.PAPER,
        equal=equal,
        measuring=MeasureSettings(measure_on=measure_on),
        data=DataRequest(),
        **{"settings": TrainingSettings(epochs=14), **options},
    )
    return StudyResult.of(
        plan,
        runs,
        DataFacts(
            name=name,
            citation="A. Nobody (2024)",
            licence="CC0",
            sha256="ab" * 32,
            class_names=CLASSES,
            n_train=800,
            n_validation=198,
            n_test=153,
            n_held_out=20,
            annotations=annotations,
            n_annotators=1,
            fixed_validation=fixed_validation,
        ),
        command="attnxai study --output study",
    )
