"""One target a source of what several annotators marked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from attnxai.alignment.rasterise import leave_one_out_mean
from attnxai.annotations.consensus import ConsensusRule, consensus_of
from attnxai.data.wording import counted
from attnxai.explanations.stack import CENTRE_BIAS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.alignment.pairs import AlignedPairs


def with_consensus(pairs: AlignedPairs, rule: ConsensusRule | str) -> AlignedPairs:
    """The same with the consensus of each source's annotators in place of them, as of one annotator.

    Parameters
    ----------
    pairs : AlignedPairs
        Maps and annotations on one field.
    rule : ConsensusRule or str
        How annotators are combined (:func:`attnxai.annotations.consensus_of`). A source that one annotator marked has
        that annotator's marks.

    Returns
    -------
    AlignedPairs
        ``density`` is the consensus: 1 or 0 for the union and the majority, the probability for STAPLE, the mean
        density. ``mask`` is where the density of the first two is 1 and STAPLE's above 0.5; for the mean it is as many pixels as
        annotators marked on average, those of the highest density. The centre bias is that of the consensus, and later looks
        are left out.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:2])
    >>> images = attnxai.read_images(list(annotations.image_files().values()))
    >>> maps = attnxai.attention_maps(attnxai.load_model("d8.pt"), images)
    >>> pairs = with_consensus(attnxai.align(maps, annotations, images), "majority")
    >>> pairs.annotators, pairs.mask.shape[:2]
    (('majority of 3 annotators',), (1, 2))
    """
    rule = ConsensusRule(rule)
    density = np.zeros((1, *pairs.density.shape[1:]), np.float32)
    mask = np.zeros(density.shape, bool)
    for source, present in enumerate(pairs.present.T):
        marked, drawn = pairs.mask[present, source], pairs.density[present, source]
        if rule is ConsensusRule.STAPLE and len(marked) == 1:
            density[0, source] = mask[0, source] = marked[0]
        elif len(marked):
            density[0, source] = found = consensus_of(marked, drawn, rule)
            mask[0, source] = (
                _largest(found, round(float(marked.sum(axis=(1, 2)).mean())))
                if rule is ConsensusRule.MEAN
                else found > 0.5
            )
    present = np.asarray(pairs.present.any(axis=0))[None]
    name = "STAPLE estimate" if rule is ConsensusRule.STAPLE else str(rule)
    centre_bias = leave_one_out_mean(density, present)
    for array in (density, mask, present, centre_bias):
        array.setflags(write=False)
    return dataclasses.replace(
        pairs,
        annotators=(f"{name} of {counted(len(pairs.annotators), 'annotator')}",),
        density=density,
        mask=mask,
        present=present,
        baselines={**pairs.baselines, CENTRE_BIAS: centre_bias},
        looks=(),
    )


def _largest(density: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    """So many pixels of the highest density, of those above 0; ties by row, then by column."""
    mask = np.zeros(density.shape, bool)
    order = np.argsort(-density, axis=None, kind="stable")[:n]
    mask.flat[order] = density.flat[order] > 0
    return mask
