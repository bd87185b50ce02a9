"""What a result was made from: versions, hashes, command and seed."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.wording import first_of

if TYPE_CHECKING:
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceSet
    from attnxai.explanations.files.map_chunks import MapChunks
    from attnxai.explanations.stack import MapStack

PACKAGES = (
    "attnxai",
    "numpy",
    "scipy",
    "pandas",
    "astropy",
    "regions",
    "torch",
    "numba",
    "e2cnn",
    "matplotlib",
    "seaborn",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Everything needed to repeat a result."""

    command: str
    seed: int | None
    models: tuple[Mapping[str, Any], ...]
    annotations: Mapping[str, Any]
    images: Mapping[str, Any]
    versions: Mapping[str, str]


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def describe(
    stacks: Sequence[MapStack | MapChunks],
    annotations: AnnotationSet,
    images: SourceSet,
    *,
    images_name: str,
    seed: int | None,
    command: str,
) -> Provenance:
    """Collect what a report says about where its numbers come from."""
    files = _hashes_of_files(annotations)
    return Provenance(
        command=command,
        seed=seed,
        models=tuple(
            {
                **maps.provenance,
                "name": maps.model_name,
                "pixel_scale_arcsec": maps.field_scale_arcsec,
                "field": list(maps.field_shape),
            }
            for maps in stacks
        ),
        annotations={
            "file": f"{len(files)} files: {first_of(list(files), 5)}"
            if files
            else Path(annotations.path).name,
            "sha256": annotations.sha256,
            "files": files,
            "kind": annotations.kind,
            "simulated": annotations.simulated,
            "annotators": list(annotations.annotators),
            "made_by_rule": list(annotations.rule_annotators),
            "labels_from": annotations.origins_of_labels(),
            "n_rows_read": annotations.n_rows,
            "n_rows_used": annotations.n_rows_used,
            "left_out": dict(annotations.left_out),
            "notices": list(annotations.notices),
        },
        images={
            "name": images_name,
            "n": len(images),
            "copies": {kept: list(others) for kept, others in annotations.copies.items()},
            "n_prepared": sum(image.prepared for image in images),
            "sha256": images.sha256(),
            "published_split": dict(
                Counter(image.split for image in images if image.split is not None)
            ),
        },
        versions=installed_versions(),
    )


def _hashes_of_files(annotations: AnnotationSet) -> dict[str, str]:
    """Hashes of several files by their paths from the folder that all lie in; empty for one file."""
    if not annotations.files:
        return {}
    folder = os.path.commonpath([Path(path).absolute().parent for path in annotations.files])
    return {
        Path(os.path.relpath(Path(path).absolute(), folder)).as_posix(): sha256
        for path, sha256 in annotations.files.items()
    }
