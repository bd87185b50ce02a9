"""The audits of a model's maps, and any of them in one run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from attnxai import presenters
from attnxai.audit.evidence_location import evidence_location
from attnxai.audit.folder import read_audit
from attnxai.audit.given_maps import MapOrigin, maps_of_model, sources_with_maps
from attnxai.audit.images import group_for_audit
from attnxai.audit.own_maps import (
    located_methods,
    of_methods,
    own_class_means,
    own_faithfulness,
    own_map_agreement,
    own_methods,
    own_rotations,
)
from attnxai.audit.randomisation import weight_randomisation
from attnxai.audit.stability import noise_stability
from attnxai.data.emission import MIN_ISLAND_PIXELS
from attnxai.data.images import SourceImage
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import listed, unknown_name
from attnxai.errors import OptionError
from attnxai.explanations.explaining import explanation_method
from attnxai.explanations.files.map_chunks import MapChunks
from attnxai.explanations.inputs import model_provenance
from attnxai.explanations.stack import MapStack, Split
from attnxai.models.device_memory import in_memory
from attnxai.models.model import AttentionModel

if TYPE_CHECKING:
    import pandas as pd


class AuditResult(Protocol):
    """What an audit finds."""

    @property
    def passes(self) -> bool | None:
        """Whether nothing failed; None where the audit has no rule, or it could not be applied."""

    def summary(self) -> str:
        """What was found in plain words, a sentence a line; the first answers the question of the title."""

    def to_frame(self) -> pd.DataFrame:
        """A row for every number, under documented names."""

    def to_record(self) -> dict[str, Any]:
        """Plain values under documented names."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One of the audits.

    Parameters
    ----------
    name : str
        Its name on the command line and in files.
    title : str
        Its heading, which says what it asks.
    function : callable
        ``function(model, images, *, rng, on_step) -> AuditResult``. ``rng`` is a :class:`numpy.random.Generator`,
        ``on_step`` is called with the number of finished steps and of all, or None. One that ``takes_maps`` has an
        argument ``maps`` as well: a :class:`~attnxai.explanations.MapChunks` of the model's maps to audit, or None.
    takes_maps : bool
        Whether it is of maps that may be given; else it explains with the model's own methods.

    Examples
    --------
    >>> import attnxai
    >>> audit = attnxai.audit.AUDITS["evidence_location"]
    >>> audit.title
    'Where does the evidence come from?'
    """

    name: str
    title: str
    function: Callable[..., AuditResult]
    takes_maps: bool = False


FIRST = "evidence_location"
"""The audit that every report of a comparison holds."""

FULL = "full"
"""What stands for all audits, in place of a folder."""

AUDITS: Mapping[str, Audit] = {
    audit.name: audit
    for audit in (
        Audit(
            name=FIRST,
            title="Where does the evidence come from?",
            function=evidence_location,
            takes_maps=True,
        ),
        Audit(
            name="faithfulness",
            title="Does the prediction rest on what the maps show?",
            function=own_faithfulness,
            takes_maps=True,
        ),
        Audit(
            name="weight_randomisation",
            title="Do the maps depend on what was learned?",
            function=of_methods(weight_randomisation),
        ),
        Audit(
            name="noise_stability",
            title="Are predictions and maps stable under noise?",
            function=of_methods(noise_stability),
        ),
        Audit(
            name="rotations",
            title="Do predictions and maps follow rotations?",
            function=of_methods(own_rotations),
        ),
        Audit(
            name="map_agreement",
            title="Do the maps agree with each other?",
            function=own_map_agreement,
            takes_maps=True,
        ),
        Audit(
            name="class_means",
            title="What do the maps of each class have in common?",
            function=own_class_means,
            takes_maps=True,
        ),
    )
}
"""All audits by name, in the order in which they are shown."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelAudit:
    """Audits of one model on some images.

    Parameters
    ----------
    model : mapping
        Name, file, SHA-256 and training of the model, as plain values.
    group : str
        How the model used the images: held-out ones if there were any, else those of which nothing is known, those of its
        validation or of its training.
    n_images : int
        Images of this group.
    images_name : str
        What they are called.
    results : mapping of str to AuditResult
        What each audit found, by its name.
    seed : int or None
        Seed of every audit; None where a generator was given.
    maps : MapOrigin
        Where the maps come from.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources[:4]])
    >>> found = attnxai.audit.run_audits(attnxai.load_model("c1.pt"), images, ["evidence_location"], rng=0)
    >>> found.n_images, list(found.results), found.seed
    (4, ['evidence_location'], 0)
    """

    model: Mapping[str, Any]
    group: str
    n_images: int
    images_name: str
    results: Mapping[str, AuditResult]
    seed: int | None
    maps: MapOrigin = MapOrigin()  # noqa: RUF009 -- it is frozen

    __repr__ = short_repr
    _repr_html_ = presenters.repr_html
    write_report = presenters.write_report

    @property
    def passes(self) -> bool | None:
        """Whether no audit failed; None where none could tell."""
        found = [result.passes for result in self.results.values()]
        if False in found:
            return False
        return True if True in found else None

    def titled(self) -> list[tuple[str, str, AuditResult]]:
        """Name, title and result of every audit."""
        return [(name, AUDITS[name].title, result) for name, result in self.results.items()]

    def summary(self) -> str:
        """What every audit found, in plain words."""
        found = [f"{title}\n{result.summary()}" for _, title, result in self.titled()]
        return "\n\n".join([*found, f"Maps: {self.about_maps()}"])

    def about_maps(self, names: Iterable[str] | None = None) -> str:
        """Where the maps come from, of all audits or of some."""
        chosen = [AUDITS[name] for name in (self.results if names is None else names)]
        anew = [audit.name for audit in chosen if not audit.takes_maps]
        if not self.maps.is_given or not anew:
            return self.maps.sentence()
        if len(anew) == len(chosen):
            return "made anew, by the model's own methods."
        which = (
            f"The audit {anew[0]} explains"
            if len(anew) == 1
            else f"The audits {listed(anew)} explain"
        )
        return f"{self.maps.sentence()} {which} anew, by the model's own methods."

    def to_frame(self) -> pd.DataFrame:
        """The numbers of all audits, a row each, with the name of the audit in the first column."""
        import pandas as pd

        frames = []
        for name, result in self.results.items():
            frame = result.to_frame()
            frame.insert(0, "audit", name)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def to_record(self) -> dict[str, Any]:
        """Plain values under documented names."""
        return {
            "model": dict(self.model),
            "images": {"name": self.images_name, "group": self.group, "n": self.n_images},
            "maps": self.maps.to_record(),
            "seed": self.seed,
            "passes": self.passes,
            "audits": {
                name: {
                    **result.to_record(),
                    "title": title,
                    "passes": result.passes,
                    # which a report that this audit joins shows beside maps of its own
                    "summary": [
                        *result.summary().splitlines(),
                        *([f"Maps: {self.about_maps([name])}"] if self.maps.is_given else []),
                    ],
                }
                for name, title, result in self.titled()
            },
        }


def run_audits(
    model: AttentionModel,
    images: Sequence[SourceImage],
    names: Sequence[str] | None = None,
    *,
    maps: MapStack | MapChunks | None = None,
    rng: np.random.Generator | int = 0,
    images_name: str = "",
    min_island_pixels: int = MIN_ISLAND_PIXELS,
    on_step: Callable[[str, int, int], None] | None = None,
) -> ModelAudit:
    """Audit the maps of a model.

    Parameters
    ----------
    model : AttentionModel
        The model; its mode, device and hooks are the same afterwards.
    images : sequence of SourceImage
        The images, with their classes as far as they are known. Of images that the model used differently only one group
        counts, see :class:`ModelAudit`.
    names : sequence of str, optional
        Which audits, by the names in :data:`AUDITS`; all when left out.
    maps : MapStack or MapChunks, optional
        Maps of the images by this model, of any explanation methods, such as
        :func:`~attnxai.explanations.read_map_chunks` reads. Audits of maps are of these and not of those that the
        model's own methods make; ``weight_randomisation``, ``noise_stability`` and ``rotations`` have to explain changed
        networks and images, and keep the model's own methods. Images are audited in the order of their maps, and those that had no maps for a reason are
        left out.
    rng : numpy.random.Generator or int
        Source of randomness. Given a seed, every audit starts from it, so that its numbers do not depend on which
        others are run.
    images_name : str
        What to call the images.
    min_island_pixels : int
        For the first audit, :func:`evidence_location`: smaller islands above the clip are noise.
    on_step : callable, optional
        Called with the title of an audit and the numbers of its finished and of all steps.

    Returns
    -------
    ModelAudit

    Raises
    ------
    OptionError
        If an audit is unknown or given twice, there are no images, ``min_island_pixels`` is below 1, or no audit
        takes the maps that are given.
    AlignmentError
        If the maps are of another model or field, or an image has no map without a reason.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> files = annotations.image_files()
    >>> images = attnxai.read_images([files[name] for name in annotations.sources[:8]])
    >>> found = attnxai.audit.run_audits(attnxai.load_model("d8.pt"), images, ["evidence_location"])
    >>> list(found.results)
    ['evidence_location']
    """
    chosen = chosen_audits(names)
    if not images:
        raise OptionError("there are no images to audit a model on")
    images_name = images_name or getattr(images, "origin", "")
    given = None
    if maps is not None:
        if not any(audit.takes_maps for audit in chosen):
            raise OptionError(
                f"maps are given, and {listed([audit.name for audit in chosen])} would not use them; leave the maps out"
            )
        given = maps_of_model(model, maps)
        by_source = {image.source: image for image in images}
        images = [by_source[source] for source in sources_with_maps(list(by_source), given)]
    group, images = group_for_audit(model, images)
    if given is None:
        methods = own_methods(model)
        if [audit.name for audit in chosen] == [FIRST]:
            methods = located_methods(model)
        origin = MapOrigin(explanations={name: explanation_method(name).title for name in methods})
    else:
        origin = MapOrigin.of(given, len(images))
        # by the model's own record, also where the maps do not state how it used the sources
        splits = (Split(group),) * len(images)
        given = given.restricted_to([image.source for image in images], splits=splits)
    results = {}
    for audit in chosen:
        step = None if on_step is None else _named(on_step, audit.title)
        if step is not None:
            step(0, 1)  # the time of an audit of one step counts from here
        options: dict[str, Any] = {"maps": given} if audit.takes_maps else {}
        if audit.name == FIRST:
            options["min_island_pixels"] = min_island_pixels
        run = functools.partial(audit.function, model, images, on_step=step, **options)
        results[audit.name] = in_memory(
            model.network,
            lambda run=run: run(rng=np.random.default_rng(rng)),  # type: ignore[misc]
        )
    return ModelAudit(
        model={"name": model.name, **model_provenance(model)},
        n_images=len(images),
        group=group,
        images_name=images_name,
        results=results,
        seed=rng if isinstance(rng, int) else None,
        maps=origin,
    )


def audits_for_report(
    given: Sequence[str], models: Mapping[str, AttentionModel]
) -> tuple[bool, dict[str, dict[str, Any]]]:
    """What ``--audit`` of a comparison asks for: whether to run all audits, and the records of folders by model."""
    hashes = {name: model.sha256 for name, model in models.items()}
    joined: dict[str, dict[str, Any]] = {name: {} for name in models}
    for folder in given:
        if folder.lower() != FULL:
            name, found = read_audit(folder, hashes)
            joined[name] |= {key: one for key, one in found.items() if key != FIRST}
    return FULL in map(str.lower, given), joined


def further_audits(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    rng: np.random.Generator | int,
    on_step: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Records of all audits but the first, which every report of a comparison makes itself."""
    names = [name for name in AUDITS if name != FIRST]
    found: dict[str, Any] = run_audits(model, images, names, rng=rng, on_step=on_step).to_record()
    return dict(found["audits"])


def chosen_audits(names: Sequence[str] | None) -> list[Audit]:
    """The audits that are named, in the order of :data:`AUDITS`; all if none is, or an error that lists them."""
    if names is None:
        return list(AUDITS.values())
    if unknown := [name for name in names if name not in AUDITS]:
        raise OptionError(unknown_name("audit", unknown, sorted(AUDITS)))
    if not names or len(set(names)) < len(names):
        raise OptionError(
            f"audits have to be one or more different ones, got {', '.join(names) or 'none'}"
        )
    return [audit for audit in AUDITS.values() if audit.name in names]


def _named(on_step: Callable[[str, int, int], None], title: str) -> Callable[[int, int], None]:
    return lambda n_done, n: on_step(title, n_done, n)
