"""Which images show the same source: copies by their pixels, sources by their position on the sky."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.images import key_of_pixels
from attnxai.data.positions import centres_of, chord, radii_of, unit_vectors
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted, first_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage

# Two pictures of one source are nearly proportional where either is bright; those of different sources are not.
_LEAST_CORRELATION = 0.5
# Share of pixels that are bright.
_BRIGHT = 0.002


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Copies:
    """Which of some images show a source that another one shows.

    Parameters
    ----------
    others : mapping of str to tuple of str
        For each source that several images show the id of the image that stands for it, and those of the others.
    by_position : frozenset of str
        Of the others those that are known by their position alone, as their pixels differ.
    notices : tuple of str
        Sentences about them for reports; empty where every image shows a source of its own.
    """

    others: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    by_position: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()

    __repr__ = short_repr

    @property
    def kept_for(self) -> dict[str, str]:
        """For each image that does not stand for its source the id of that which does."""
        return {other: kept for kept, others in self.others.items() for other in others}


def find_copies(images: Sequence[SourceImage], seen: Iterable[NDArray[np.float32]] = ()) -> Copies:
    """Find images that show the same source.

    Two images do if their pixels are equal, turned by quarter turns or mirrored ones included; if a network sees the
    same of them, in 256 steps; or if the centres of their fields are closer than
    :func:`~attnxai.data.positions.same_source_radius`. What is the same as a third one is the same. Images of one shape
    and scale at exactly one position that show different things have a placeholder for a position, which says nothing.

    Of the images of a source that with celestial coordinates stands for it, of several the first by its id.

    Parameters
    ----------
    images : sequence of SourceImage
        The images.
    seen : iterable of ndarray, shape (n_images, rows, columns)
        What networks see of the images, in [0, 1].

    Returns
    -------
    Copies

    Examples
    --------
    >>> from attnxai.data import from_array
    >>> y, x = np.mgrid[:16, :16]
    >>> images = [from_array(x * y + s * x, source=name) for name, s in (("b", 0), ("c", 1), ("a", 0))]
    >>> find_copies(images).others
    {'a': ('b',)}
    """
    n = len(images)
    edges = _equal([image.pixel_key() for image in images], lambda i: images[i].pixels)
    for brightness in seen:
        edges += _equal(
            [key_of_pixels(_in_steps(view)) for view in brightness],
            lambda i, seen=brightness: _in_steps(seen[i]),  # type: ignore[misc]
        )
    by_pixels = _labels(n, edges)
    near, placeholders = _near_pairs(images, by_pixels)
    labels = _labels(n, [*edges, *near])
    groups: dict[int, list[int]] = defaultdict(list)
    for i, label in enumerate(labels):
        groups[label].append(i)
    others: dict[str, tuple[str, ...]] = {}
    by_position: set[str] = set()
    for members in groups.values():
        if len(members) > 1:
            first, *rest = sorted(
                members, key=lambda i: (images[i].grid.wcs is None, images[i].source)
            )
            others[images[first].source] = tuple(images[i].source for i in rest)
            by_position.update(images[i].source for i in rest if by_pixels[i] != by_pixels[first])
    found = Copies(others=dict(sorted(others.items())), by_position=frozenset(by_position))
    return dataclasses.replace(found, notices=tuple(_notices(found, n, placeholders)))


def _notices(copies: Copies, n: int, placeholders: Sequence[str]) -> list[str]:
    notices = []
    if copies.others:
        again = copies.kept_for
        reasons = []
        if n_pixels := len(again) - len(copies.by_position):
            reasons.append(f"{n_pixels} by equal pixels")
        if copies.by_position:
            reasons.append(f"{len(copies.by_position)} by position")
        named = [f"{kept} (also {', '.join(names)})" for kept, names in copies.others.items()]
        notices.append(
            f"{len(again)} of {counted(n, 'image')} {'shows' if len(again) == 1 else 'show'} a source that another image "
            f"shows ({' and '.join(reasons)}); each source counts once: {first_of(named, separator='; ')}."
        )
    if placeholders:
        notices.append(
            f"{counted(len(placeholders), 'image')} state one and the same position but show different sources: "
            f"{first_of(placeholders)}; the position is taken for a placeholder, and their "
            "pixels alone say which of them are the same."
        )
    return notices


def _labels(n: int, edges: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    """Number of the group of each of n items, of which some are connected."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.array(edges, dtype=np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1])


def _in_steps(view: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.rint(view * 255.0), np.float32)


def _equal(
    keys: Sequence[object], picture: Callable[[int], NDArray[np.float32]]
) -> list[tuple[int, int]]:
    """Pairs of equal pictures, as they are or turned or mirrored: each with the first that it equals.

    Those with different keys are not looked at.
    """
    alike: dict[object, list[int]] = defaultdict(list)
    for i, key in enumerate(keys):
        alike[key].append(i)
    edges = []
    for members in alike.values():
        if len(members) == 1:
            continue
        firsts: dict[bytes, int] = {}
        for i in members:
            first = firsts.setdefault(_upright(picture(i)), i)
            if first != i:
                edges.append((first, i))
    return edges


def _upright(picture: NDArray[np.float32]) -> bytes:
    """A hash that is the same for a picture, its quarter turns and its mirror images."""
    values = np.asarray(picture, dtype="<f4") + np.float32(0)  # -0 and 0 are equal
    forms = [np.rot90(one, turns) for one in (values, values[:, ::-1]) for turns in range(4)]
    return min(hashlib.sha256(repr(f.shape).encode() + f.tobytes()).digest() for f in forms)


def _near_pairs(
    images: Sequence[SourceImage], by_pixels: NDArray[np.intp]
) -> tuple[list[tuple[int, int]], list[str]]:
    """Pairs of images whose fields lie within the radius, and images whose position is a placeholder."""
    from scipy.spatial import cKDTree

    centres = centres_of([image.grid for image in images])
    radius = radii_of(images)
    at: dict[tuple[float, float], list[int]] = defaultdict(list)
    for i, (ra, dec) in enumerate(centres.tolist()):
        if np.isfinite((ra, dec)).all():
            at[ra, dec].append(i)
    pairs: list[tuple[int, int]] = []
    placeholders: list[str] = []
    firsts: list[int] = []
    for members in at.values():
        first, *rest = members
        unlike = [i for i in rest if by_pixels[i] != by_pixels[first] and _differ(images, first, i)]
        if unlike:
            placeholders += [images[i].source for i in members]
            continue
        firsts.append(first)
        radius[first] = radius[members].max()
        pairs += [(first, i) for i in rest]
    if len(firsts) > 1:
        # positions once each, since pairs of images at one position may be too many to list
        points, limits = unit_vectors(centres[firsts]), chord(radius[firsts])
        close = cKDTree(points).query_pairs(limits.max(), output_type="ndarray")
        a, b = close[:, 0], close[:, 1]
        distance = np.linalg.norm(points[a] - points[b], axis=1)
        near = distance <= np.maximum(limits[a], limits[b])
        pairs += [(firsts[i], firsts[j]) for i, j in close[near].tolist()]
    return pairs, sorted(placeholders)


def _differ(images: Sequence[SourceImage], i: int, j: int) -> bool:
    """Whether two images of one grid show different things: what is bright in one is not in the other."""
    first, second = images[i], images[j]
    scales = first.grid.pixel_scale_arcsec, second.grid.pixel_scale_arcsec
    if first.shape != second.shape or scales[0] != scales[1]:
        return False
    a, b = (np.asarray(image.pixels, dtype=np.float64).ravel() for image in (first, second))
    n_bright = max(round(_BRIGHT * a.size), 8)
    bright = np.union1d(*(np.argsort(values)[-n_bright:] for values in (a, b)))
    if a[bright].std() == 0 or b[bright].std() == 0:
        return True
    return bool(np.corrcoef(a[bright], b[bright])[0, 1] < _LEAST_CORRELATION)
