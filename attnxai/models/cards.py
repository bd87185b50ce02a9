"""Model cards: what a model was trained on, how, and how well it does, beside its file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from attnxai.presenters import MARKDOWN, presenter_of
from attnxai.statistics.interval import Interval

VALIDATION = "validation"
TEST = "test"
ACCURACY = "accuracy"
P_IF_CALIBRATED = "p, if calibrated"
SYMMETRY_ERRORS = ("symmetry error of scores", "symmetry error of maps")

# these stand in a row of their own
_NAMED_SETTINGS = ("seed", "validation_share")


def measured(
    value: float | None, low: float | None = None, high: float | None = None, n_images: int = 0
) -> Interval:
    """A number of a card; None or NaN where there is no interval or no number."""
    value, low, high = (
        math.nan if number is None or not math.isfinite(number) else float(number)
        for number in (value, low, high)
    )
    return Interval(value=value, low=low, high=high, n_units=n_images, unit="image")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PartMetrics:
    """How a model does on one part of the data; ``values`` holds an interval over images for each metric."""

    n_images: int
    n_by_class: Mapping[str, int]
    values: Mapping[str, Interval]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Everything that a user of a model file should know about it.

    Parameters
    ----------
    name, architecture, group : str
        The model, the form of its network and its symmetry group.
    fields : tuple of int
        Feature fields in each block.
    n_parameters, file_bytes : int
        Trained numbers, and the size of the file.
    sha256 : str
        Hash of the file.
    size : int
        Side of the field that the network sees, in pixels.
    pixel_scale_arcsec : float
        Side of one of these pixels.
    binning : int
        The network sees means of this many by this many pixels.
    normalisation, layer_order : str
        Of its gates and layers; empty for networks without.
    class_names : tuple of str
        Classes in the order of the scores.
    data, data_licence, data_sha256 : str
        What it was trained on, under which terms, and the hash of these images.
    n_train, n_validation : int
        Images trained and validated on.
    n_held_out : int or None
        Other images of the same data outside its test split, neither trained nor validated on; None
        where this is not known.
    seed : int or None
        Of the training, the split included; None where it is not recorded.
    settings : mapping of str to plain values
        Options of the training, the share of images validated on among them.
    epoch, n_epochs : int or None
        Epoch whose weights were kept, counted from 1, and epochs trained.
    command : str
        The command that repeats the training.
    versions : mapping of str to str
        Libraries that trained it.
    temperature : float
        Divides the scores before they become probabilities.
    notes : tuple of str
        What the file says about itself.
    measured_on : str
        Name of the data that the metrics were measured on.
    n_bootstrap : int
        Resamples behind the intervals.
    level : float
        Confidence level of the intervals.
    parts : mapping of str to PartMetrics
        Metrics on ``validation``, on ``test``, and on parts of these.

    Examples
    --------
    >>> import attnxai
    >>> card = attnxai.models.read_card(attnxai.models.shipped_models()["d8"].with_suffix(".card.json"))
    >>> card.group, card.n_train, card.class_names
    ('D8', 798, ('FR I', 'FR II'))
    """

    name: str
    architecture: str
    group: str
    fields: tuple[int, ...]
    n_parameters: int
    file_bytes: int
    sha256: str
    size: int
    pixel_scale_arcsec: float
    binning: int
    normalisation: str
    layer_order: str
    class_names: tuple[str, ...]
    data: str
    data_licence: str
    data_sha256: str
    n_train: int
    n_validation: int
    n_held_out: int | None
    seed: int | None
    settings: Mapping[str, float | str | bool]
    epoch: int | None
    n_epochs: int | None
    command: str
    versions: Mapping[str, str]
    temperature: float
    notes: tuple[str, ...]
    measured_on: str
    n_bootstrap: int
    level: float
    parts: Mapping[str, PartMetrics]

    def measured(self, part: str, metric: str) -> Interval | None:
        """One number of one part, if the card has it."""
        found = self.parts.get(part)
        return found.values.get(metric) if found is not None else None

    def facts(self) -> dict[str, str]:
        """What the model is and how it was trained, as plain text; the command is left out."""
        settings = (
            f"{name.replace('_', ' ')} {_setting(value)}"
            for name, value in self.settings.items()
            if name not in _NAMED_SETTINGS
        )
        unknown = "not recorded"
        epoch = unknown
        if self.epoch is not None:
            epoch = f"{self.epoch}" + (f" of {self.n_epochs}" if self.n_epochs is not None else "")
        facts = {
            "Network": f"{self.architecture.replace('_', ' ')}, {self.group}",
            "Fields in each block": ", ".join(map(str, self.fields)),
            "Normalisation of gates": self.normalisation or "no gates",
            "Order of layers": self.layer_order.replace("_", ", "),
            "Parameters": f"{self.n_parameters:,}",
            "Field": f"{self.size} x {self.size} pixels of {self.pixel_scale_arcsec:g} arcsec"
            + (f", seen in means of {self.binning} x {self.binning}" if self.binning > 1 else ""),
            "Classes": ", ".join(self.class_names),
            "Data": self.data or unknown,
            "Licence of the data": self.data_licence or unknown,
            "sha256 of the data": self.data_sha256 or unknown,
            "Split": self._split(),
            "Seed": str(self.seed) if self.seed is not None else unknown,
            "Settings": ", ".join(settings) or unknown,
            "Epoch kept": epoch,
            "Libraries": ", ".join(f"{k} {v}" for k, v in self.versions.items()) or unknown,
            "Temperature": "1" if self.temperature == 1.0 else f"{self.temperature:.3f}",
            "File": f"{self.file_bytes / 1e3:,.0f} kB",
            "sha256 of the file": self.sha256,
        }
        return facts | ({"Notes": " ".join(self.notes)} if self.notes else {})

    def _split(self) -> str:
        validated = f"{self.n_validation} validated on"
        share = self.settings.get("validation_share")
        if isinstance(share, float) and self.seed is not None:
            validated += f" ({100 * share:.3g} % of each class, drawn with seed {self.seed})"
        held_out = "others not known" if self.n_held_out is None else f"{self.n_held_out} held out"
        return f"{self.n_train} images trained on, {validated}, {held_out}"

    def remarks(self) -> str:
        """What a reader of the metrics has to know, as plain text."""
        if not self.parts:
            return "Nothing was measured."
        text = (
            f"In brackets: {100 * self.level:g} % intervals over images ({self.n_bootstrap:,} resamples; "
            "Wilson's for the accuracy), which do not include the variation between trainings."
        )
        if VALIDATION in self.parts:
            text += (
                " The epoch was chosen on the validation images"
                + (" and the temperature was fitted to them" if self.temperature != 1.0 else "")
                + (" (see the notes)" if self.temperature != 1.0 and self.notes else "")
                + ", so these numbers are slightly better than on new images."
            )
        if TEST in self.parts:
            text += " The test images were used neither in training nor to choose the epoch."
        return text

    def to_markdown(self, level: int = 2) -> str:
        """The card as a Markdown section.

        Parameters
        ----------
        level : int
            Of its heading.
        """
        text: str = presenter_of(self, MARKDOWN)(self, level)
        return text


def _setting(value: float | str | bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
