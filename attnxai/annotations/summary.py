"""What annotations hold, counted for each annotator."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from attnxai.annotations.annotation_set import AnnotationSet


def summarise_annotations(annotations: AnnotationSet) -> pd.DataFrame:
    """Count the marks of every annotator.

    Parameters
    ----------
    annotations : AnnotationSet
        From :func:`attnxai.read_annotations`.

    Returns
    -------
    DataFrame
        A row for each annotator, with the columns ``annotator``, ``n_sources``, ``n_marks``, ``n_marks_again`` (of second and
        further looks at a source), and texts such as "core 12, lobe 24": ``labels``, ``shapes``, ``frames`` and ``classes``
        (of sources).

    Examples
    --------
    >>> import attnxai
    >>> summary = summarise_annotations(attnxai.read_annotations("expert.csv"))
    >>> summary["n_marks"].to_list()
    [174, 160, 164]
    """
    import pandas as pd

    rows = []
    for name in annotations.annotators:
        own = [a for a in annotations.annotations if a.annotator == name]
        classes = annotations.annotator_classes.get(name, {}).values()
        rows.append(
            {
                "annotator": name,
                "n_sources": len({a.source for a in own}),
                "n_marks": len(own),
                "n_marks_again": sum(a.round > 1 for a in own),
                "labels": _counts(a.label for a in own),
                "shapes": _counts(a.shape.kind for a in own),
                "frames": _counts(a.shape.frame for a in own),
                "classes": _counts(classes),
            }
        )
    return pd.DataFrame(rows)


def _counts(words: Iterable[str]) -> str:
    found = sorted(collections.Counter(map(str, words)).items())
    return ", ".join(f"{word} {n}" for word, n in found)
