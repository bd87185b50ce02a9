"""Made-up results of every audit."""

from __future__ import annotations

import numpy as np

from attnxai.audit.between_maps import MapAgreement
from attnxai.audit.class_means import class_mean_maps
from attnxai.audit.faithfulness_result import Faithfulness
from attnxai.audit.rotations import rotation_audit
from attnxai.audit.stability import NoiseStability
from attnxai.statistics.bootstrap import bootstrap_counts
from tests.audit.test_class_means import made_up as sources
from tests.audit.test_randomisation import made_up as randomised
from tests.builders import simulated
from tests.models.builders import make_model
from tests.report.test_audit import GOOD, location

LAYERS = ("gate1", "gate2", "evidence")


def curves(n=12, layers=("gate1", "gate2")):
    """A map that is faithful and others that are not, by curves that are drawn."""
    rng = np.random.default_rng(0)
    tests = ("deletion", "insertion", "road")
    fractions = np.logspace(-3, 0, 7)
    values = np.full((3, 2 * len(layers) + 2, n, 7), 0.7)
    values = values + 0.02 * rng.standard_normal(values.shape)
    values[[0, 2], 0] -= np.linspace(0.1, 0.5, 7)
    values[1, 0] += 0.2
    return Faithfulness(
        model_name="d8",
        sources=tuple(f"s{i}" for i in range(n)),
        target="predicted class",
        tests=tests,
        layers=layers,
        fractions=fractions,
        probability=values,
        score=4 * values,
        ends=np.zeros((2, 2, n)),
        n_draws=1,
        counts=bootstrap_counts(n, 300, rng),
    )


def agreement(n=10, layers=LAYERS):
    rng = np.random.default_rng(0)
    values = rng.uniform(-0.2, 0.9, (2, len(layers), len(layers), n))
    values = (values + values.swapaxes(1, 2)) / 2
    return MapAgreement(
        model_name="d8",
        sources=tuple(f"s{i}" for i in range(n)),
        layers=layers,
        values=values,
        counts=bootstrap_counts(n, 200, rng),
    )


def stability(n=10, layers=LAYERS):
    rng = np.random.default_rng(1)
    return NoiseStability(
        model_name="d8",
        sources=tuple(f"s{i}" for i in range(n)),
        layers=layers,
        levels=np.full(n, 0.01),
        correlations=rng.uniform(0.5, 1.0, (3, len(layers), 2, n)),
        probability_changes=rng.uniform(0, 0.1, (2, n)),
        same_class=np.ones((2, n)),
        counts=bootstrap_counts(n, 200, rng),
    )


def audit_results(layers=None):
    """A result of each audit by its name, with ``layers`` where these can be chosen."""
    chosen = {} if layers is None else {"layers": layers}
    return {
        "evidence_location": location(GOOD),
        "faithfulness": curves(**chosen),
        "weight_randomisation": randomised(0.2, **chosen),
        "noise_stability": stability(**chosen),
        "rotations": rotation_audit(
            make_model(side=16), simulated(2, side=24), n_angles=2, n_bootstrap=20
        ),
        "map_agreement": agreement(**chosen),
        "class_means": class_mean_maps(*sources(4), n_bootstrap=20),
    }
