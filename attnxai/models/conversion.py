"""Any model file that can be read, as a file of this package; and positions of what a model was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.data.positions import positions_of
from attnxai.data.wording import counted
from attnxai.errors import CheckpointError
from attnxai.jobs.files import free_path, output_file
from attnxai.models.architectures import bases_to_keep
from attnxai.models.checkpoints import load_model, save_model

if TYPE_CHECKING:
    from attnxai.data.images import SourceImage
    from attnxai.models.model import AttentionModel


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What was written.

    ``kept_bases`` names the layers whose bases are in the file, as they cannot be made again. Of ``n_seen`` sources that the
    model was trained or validated on, the file holds ``n_positions`` positions.
    """

    path: Path
    name: str
    sha256: str
    kept_bases: tuple[str, ...]
    n_seen: int = 0
    n_positions: int = 0


def with_positions(model: AttentionModel, images: Sequence[SourceImage]) -> AttentionModel:
    """The same model with the positions of the sources that it was trained and validated on.

    Parameters
    ----------
    model : AttentionModel
        A model with a training record.
    images : sequence of SourceImage
        Images that it was trained and validated on, others among them, with celestial coordinates. Sources without an
        image, or whose image has no coordinates, have no position.

    Returns
    -------
    AttentionModel

    Raises
    ------
    CheckpointError
        If the model has no training record, none of its sources has a position, or an image is not the one that the
        model was trained on.

    Examples
    --------
    >>> import attnxai
    >>> model = attnxai.load_model("d8")
    >>> model.training.n_positions, model.training.n_sources
    (996, 997)
    """
    record = model.training
    if record is None:
        raise CheckpointError(
            f"the model {model.name} has no training record, so that positions of its training sources cannot be added"
        )
    by_id = {image.source: image for image in images}
    positions: dict[str, tuple[tuple[float, float] | None, ...]] = {}
    for part in ("train", "validation"):
        sources, prints = (
            getattr(record, f"{part}_{name}") for name in ("sources", "fingerprints")
        )
        known = [source for source in sources if source in by_id]
        for source, fingerprint in zip(sources, prints, strict=False):
            if source in by_id:
                seen = model.preprocessing.view(by_id[source]).fingerprint()
                if seen != fingerprint:
                    raise CheckpointError(
                        f"the image {by_id[source].path or source} is not the one of {source} that {model.name} was "
                        "trained or validated on: its pixels differ; give the images of the training"
                    )
        found = dict(zip(known, positions_of([by_id[source] for source in known]), strict=True))
        positions[f"{part}_positions"] = tuple(found.get(source) for source in sources)
    training = dataclasses.replace(record, **positions)  # type: ignore[arg-type]  # checked there
    if not training.n_positions:
        raise CheckpointError(
            f"none of the {counted(record.n_sources, 'source')} that {model.name} was trained or validated on has an image with "
            f"celestial coordinates among the {counted(len(by_id), 'image')}; give the images of the training"
        )
    return dataclasses.replace(model, training=training)


def convert_model(
    source: str | Path,
    output: str | Path,
    *,
    images: Sequence[SourceImage] | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Write a model of this package from any model file that can be read.

    Weights, preprocessing, notes, training record and temperature stay as they are, and so do the
    scores. Filter bases are left out where they follow from group and kernel, to 1e-6.

    Parameters
    ----------
    source : path
        A model file, a published checkpoint, or the name of a shipped model.
    output : path
        The file to write.
    images : sequence of SourceImage, optional
        The images of the training, to add the positions of its sources; see :func:`with_positions`.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Conversion

    Raises
    ------
    CheckpointError
        If the source cannot be read, or positions cannot be added.
    OptionError
        If the output is not a ``.pt`` file, or exists and is not to be replaced.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import attnxai
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = attnxai.models.convert_model("d8.pt", Path(folder) / "copy.pt")
    ...
    >>> done.name, len(done.kept_bases)
    ('D8', 0)
    """
    with output_file(Path(output), extensions=(".pt",), overwrite=overwrite, option="output"):
        model = load_model(source)
        note = f"Converted from {Path(model.path).name} (sha256 {model.sha256})."
        if images is not None:
            model = with_positions(model, images)
        path = free_path(Path(output), overwrite=overwrite)
        sha256 = save_model(dataclasses.replace(model, notes=(*model.notes, note)), path)
    record = model.training
    return Conversion(
        path=path,
        name=model.name,
        sha256=sha256,
        kept_bases=tuple(bases_to_keep(model.network)),
        n_seen=record.n_sources if record is not None else 0,
        n_positions=record.n_positions if record is not None else 0,
    )
