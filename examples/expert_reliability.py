"""How far three radio astronomers agree on the same hundred fields, in several measures.

    python examples/expert_reliability.py expert_sample.csv

The table belongs to the analysis release of the Radio Galaxy Zoo project and does not ship with attnxai.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attnxai import METRICS
from attnxai.agreement.noise_ceiling import (
    IntraclassForm,
    Measurement,
    alpha_interval,
    intraclass_correlations,
    mark_properties,
    noise_ceilings,
    region_agreement,
)
from attnxai.annotations.rgz_experts import (
    FIELD_ARCSEC,
    HOST_GRID,
    RADIO_GRID,
    ExpertRow,
    RowKind,
    last_looks,
    parse_expert_sample,
)

Source = tuple[list[tuple[float, ...]], list[tuple[float, ...]]]


class ExpertSample:
    """Sources of every expert and field: lists of (boxes, hosts), with rows of the expert's last look."""

    def __init__(self, rows: Sequence[ExpertRow]) -> None:
        self.sources: dict[tuple[str, str], list[Source]] = {}
        for key, looked in last_looks(rows).items():
            boxes: dict[int, list[tuple[float, ...]]] = {}
            hosts: dict[int, list[tuple[float, ...]]] = {}
            for row in looked:
                if row.values:
                    kind = boxes if row.kind is RowKind.BOX else hosts
                    kind.setdefault(row.number, []).append(row.values)
            self.sources[key] = [
                (list(dict.fromkeys(boxes[number])), hosts.get(number, []))
                for number in sorted(boxes)
            ]
        self.experts = sorted({expert for expert, _ in self.sources})
        self.fields = sorted({field for _, field in self.sources})
        self.present = np.array(
            [[(e, f) in self.sources for f in self.fields] for e in self.experts]
        )

    def central(self, expert: str, field: str) -> Source | None:
        """The source with the box nearest to the centre of the field; None without any."""

        def distance(source: Source) -> float:
            middle = RADIO_GRID + 1
            return min(
                float(np.hypot(x0 + x1 - middle, y0 + y1 - middle)) for x0, x1, y0, y1 in source[0]
            )

        return min(self.sources.get((expert, field), []), key=distance, default=None)

    def numbers(self) -> dict[str, Any]:
        """Numbers of each expert and field, arrays of shape (n_experts, n_fields).

        Numbers of sources and components of the field; of the central source the number of components,
        whether a host was seen, and its place from the centre of the field in arcsec. NaN where the
        expert did not look, or there is none.
        """
        names = ("sources", "components", "central components", "host seen", "host x", "host y")
        found = {name: np.full(self.present.shape, np.nan) for name in names}
        for row, column in np.argwhere(self.present):
            key = self.experts[row], self.fields[column]
            found["sources"][row, column] = len(self.sources[key])
            boxes = {box for source in self.sources[key] for box in source[0]}
            found["components"][row, column] = len(boxes)
            if (central := self.central(*key)) is not None:
                found["central components"][row, column] = len(central[0])
                found["host seen"][row, column] = bool(central[1])
                for name, place in zip(("host x", "host y"), (central[1] or [()])[0], strict=False):
                    offset = place - (HOST_GRID + 1) / 2
                    found[name][row, column] = offset * FIELD_ARCSEC / HOST_GRID
        return found

    def masks(self) -> Any:
        """Pixels inside the boxes of the central source, shape (n_experts, n_fields, 132, 132)."""
        masks = np.zeros((*self.present.shape, RADIO_GRID, RADIO_GRID), dtype=bool)
        position = np.arange(1, RADIO_GRID + 1)
        for row, column in np.argwhere(self.present):
            central = self.central(self.experts[row], self.fields[column])
            for x0, x1, y0, y1 in central[0] if central else ():
                in_x, in_y = (
                    (position >= low) & (position <= high) for low, high in ((x0, x1), (y0, y1))
                )
                masks[row, column] |= in_y[:, None] & in_x
        return masks

    def pair_ratings(self) -> tuple[Any, list[str]]:
        """Whether each expert put two components into one source, and the field of each pair.

        Pairs are those of the boxes that any expert used in the field. 1 for together, 0 for apart or not
        used, NaN where the expert did not look; shape (n_experts, n_pairs).
        """
        ratings, fields = [], []
        for field in self.fields:
            groups = {
                expert: [set(boxes) for boxes, _ in self.sources[expert, field]]
                for expert in self.experts
                if (expert, field) in self.sources
            }
            boxes = sorted(set().union(*itertools.chain(*groups.values())))
            for pair in itertools.combinations(boxes, 2):
                ratings.append(
                    [
                        any(set(pair) <= group for group in groups[e]) if e in groups else np.nan
                        for e in self.experts
                    ]
                )
                fields.append(field)
        return np.array(ratings, dtype=float).reshape(-1, len(self.experts)).T, fields


def show(name: str, found: Any) -> None:
    """One line with a value and its interval."""
    print(f"{name}: {found.value:.3f} [{found.low:.3f}, {found.high:.3f}], n = {found.n_units}")


def main(path: str) -> None:
    """All numbers of a sample."""
    sample = ExpertSample(parse_expert_sample(Path(path).read_text(encoding="utf-8"), path=path))
    numbers, masks = sample.numbers(), sample.masks()
    marked = sample.present & masks.any(axis=(2, 3))
    marks = mark_properties(masks, marked, pixel_scale_arcsec=FIELD_ARCSEC / RADIO_GRID)
    together, fields = sample.pair_ratings()
    show("components together", alpha_interval(together, Measurement.NOMINAL, groups=fields))
    show("host seen", alpha_interval(numbers["host seen"], Measurement.NOMINAL))
    for name in ("sources", "components", "central components"):
        show(name, alpha_interval(numbers[name], Measurement.RATIO))
    lengths = {name: marks[name] for name in ("area", "length", "along_x", "diagonal")}
    lengths |= {name: numbers[name] for name in ("host x", "host y")}
    for name, values in lengths.items():
        show(name, alpha_interval(values, Measurement.INTERVAL))
        show("  ICC2", intraclass_correlations(values)[IntraclassForm.ICC2].interval)
    several = marked & np.isin(sample.fields, fields)
    for name, used in (("all fields", marked), ("fields with several components", several)):
        for measure in ("iou", "dice"):
            found = region_agreement(masks, used, measure=measure)
            show(f"{measure}, {name}", found.observed)
            print(
                f"  chance {found.chance:.3f}, beyond {found.beyond_chance:.3f}, p = {found.p_value:.4f}"
            )
    valid = np.ones(masks.shape[1:], dtype=bool)
    metrics = [METRICS[name] for name in ("nss", "auc", "spearman", "iou")]
    for ceiling in noise_ceilings(metrics, masks.astype(float), masks, several, valid).values():
        show(f"{ceiling.metric}, lower", ceiling.lower)
        show(f"{ceiling.metric}, upper", ceiling.upper)


if __name__ == "__main__":
    main(sys.argv[1])
