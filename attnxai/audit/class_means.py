"""Class means of maps over sources that are turned to one position angle, as in Bowles et al. (2021, arXiv 2111.04742)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.audit.class_shares import GivenClasses, class_of_each
from attnxai.audit.class_sums import BRIGHTNESS, ClassSums, sum_classes
from attnxai.audit.source_means import position_of
from attnxai.data.emission import MIN_ISLAND_PIXELS
from attnxai.data.short_repr import ArrayResult
from attnxai.data.wording import counted, listed
from attnxai.errors import OptionError
from attnxai.explanations.files.map_chunks import in_chunks
from attnxai.statistics.bootstrap import mean_interval
from attnxai.statistics.formats import with_interval
from attnxai.statistics.resamples import resamples_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from attnxai.explanations.files.map_chunks import ChunkedMaps
    from attnxai.explanations.stack import MapStack
    from attnxai.statistics.interval import Interval
    from attnxai.statistics.resamples import Counts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Profiles(ArrayResult):
    """Mean profiles over the sources of a class, with the ends of their intervals.

    Parameters
    ----------
    radial : ndarray, shape (3, n_radii)
        Mean and ends of the interval of the mean over a ring about the middle of the field.
    angular : ndarray, shape (3, n_angles)
        The same in sectors about it, within the reach of each source.
    along_axis : Interval
        Mean within 45 degrees of either end of the major axis, less the mean elsewhere, within the reach of each
        source.
    """

    radial: NDArray[np.float64]
    angular: NDArray[np.float64]
    along_axis: Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ClassMeanMaps(ArrayResult):
    """Means of images and maps of each class, and profiles.

    Sources are turned about the middle of the field so that the major axis of their emission lies along the rows and
    their brighter side points to increasing columns. Only the disc that every rotation keeps counts.

    Parameters
    ----------
    model_name, group : str
        The model and its symmetry group.
    classes : tuple of str
        The classes.
    n_sources : mapping of str to int
        Sources of each.
    n_left_out : int
        Sources without a class, without emission, or too round to have a direction.
    layers : tuple of str
        The maps, and ``brightness``.
    pixel_scale_arcsec : float
        Side of a pixel of the field.
    means : ndarray, shape (n_layers, n_classes, rows, columns)
        Mean maps and, last, mean brightness; NaN outside the disc.
    radii : ndarray, shape (n_radii,)
        Middle of each ring in pixels.
    angles_deg : ndarray, shape (n_angles,)
        Middle of each sector, from the brighter end of the major axis towards increasing rows.
    profiles : mapping of (str, str) to Profiles
        By map and class.
    n_predicted : int
        Sources whose class was not known, so that the predicted class stands for it.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:2])
    >>> maps = attnxai.maps_from_arrays(images, [one.pixels for one in images], model_name="pixels")
    >>> found = attnxai.audit.class_mean_maps(maps, ["FR I", "FR II"], n_bootstrap=100)
    >>> found.layers, found.mean_of("map", "FR I").shape
    (('map', 'brightness'), (160, 160))
    """

    model_name: str
    group: str
    classes: tuple[str, ...]
    n_sources: Mapping[str, int]
    n_left_out: int
    layers: tuple[str, ...]
    pixel_scale_arcsec: float
    means: NDArray[np.float64]
    radii: NDArray[np.float64]
    angles_deg: NDArray[np.float64]
    profiles: Mapping[tuple[str, str], Profiles]
    n_predicted: int = 0

    plot = presenters.plot

    @property
    def passes(self) -> None:
        """None: means are looked at, and pass or fail by no rule."""

    @property
    def maps(self) -> tuple[str, ...]:
        """The layers without the brightness."""
        return self.layers[:-1]

    def mean_of(self, layer: str, class_name: str) -> NDArray[np.float64]:
        """Mean of a map over the sources of a class, shape (rows, columns)."""
        index = position_of("map", layer, self.layers)
        return np.asarray(self.means[index, position_of("class", class_name, self.classes)])

    def to_frame(self) -> pd.DataFrame:
        """The profiles as a table: a row for every map, class, and ring or sector."""
        import pandas as pd

        frames = []
        for (layer, class_name), found in self.profiles.items():
            for name, place, values in (
                ("radial", self.radii * self.pixel_scale_arcsec, found.radial),
                ("angular", self.angles_deg, found.angular),
            ):
                frames.append(
                    pd.DataFrame(
                        {
                            "map": layer,
                            "class": class_name,
                            "profile": name,
                            "place": place,
                            "value": values[0],
                            "ci_low": values[1],
                            "ci_high": values[2],
                        }
                    )
                )
        return pd.concat(frames, ignore_index=True)

    def to_record(self) -> dict[str, Any]:
        """Plain values for JSON; None where there is no interval."""
        return {
            "model": self.model_name,
            "group": self.group,
            "n_sources": dict(self.n_sources),
            "n_left_out": self.n_left_out,
            "n_predicted": self.n_predicted,
            "along_axis": {
                layer: {
                    name: self.profiles[layer, name].along_axis.to_record() for name in self.classes
                }
                for layer in self.layers
            },
        }

    def summary(self) -> str:
        """Of how many sources the means are, and how maps follow their axes."""
        counts = listed([f"{self.n_sources[name]} {name}" for name in self.classes])
        head = f"Mean maps of {counts} sources turned to their major axes"
        head += (
            f"; {counted(self.n_left_out, 'source')} without a class or a direction left out."
            if self.n_left_out
            else "."
        )
        if self.n_predicted:
            head += (
                f" The class of {counted(self.n_predicted, 'source')} is not known and the predicted one stands for "
                "it."
            )
        lines = [head]
        for layer in self.layers:
            found = listed(
                [
                    f"{with_interval(self.profiles[layer, name].along_axis, signed=True)} for {name}"
                    for name in self.classes
                ]
            )
            subject = "The brightness" if layer == BRIGHTNESS else f"The map {layer}"
            lines.append(f"{subject} differs along the major axis from across it by {found}.")
        return "\n".join(lines)


def class_mean_maps(
    maps: MapStack | ChunkedMaps,
    classes: GivenClasses,
    *,
    use_predicted: bool = False,
    group: str = "",
    min_island_pixels: int = MIN_ISLAND_PIXELS,
    n_bootstrap: int = 2000,
    rng: np.random.Generator | int = 0,
) -> ClassMeanMaps:
    """Mean maps of each class over sources that are turned to one position angle.

    Parameters
    ----------
    maps : MapStack or MapChunks
        Maps of some sources; coarser ones are interpolated to the field. Those of chunks are read one after the other,
        twice if sources differ in the pixels that were observed.
    classes : mapping of str to str, or sequence of (str or None)
        Class of sources by their names, or of every source; a source without one is left out.
    use_predicted : bool
        Whether the class that the network predicts stands for one that is not given.
    group : str
        Symmetry group of the model, for figures.
    min_island_pixels : int
        Islands of emission of fewer pixels are noise for the axis of a source.
    n_bootstrap : int
        Resamples of the sources of a class for intervals.
    rng : numpy.random.Generator or int
        Draws the resamples.

    Returns
    -------
    ClassMeanMaps

    Raises
    ------
    OptionError
        If there is not one class for each source, no source with a class and a direction, or ``n_bootstrap`` is below 1.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> model = attnxai.load_model("d8.pt")
    >>> maps = attnxai.attention_maps(model, images)
    >>> found = class_mean_maps(maps, ["FR I", "FR II"], n_bootstrap=100)
    >>> found.classes
    ('FR I', 'FR II')
    """
    if n_bootstrap < 1:
        raise OptionError(f"n_bootstrap has to be 1 or more, got {n_bootstrap}")
    found = sum_classes(
        in_chunks(maps),
        class_of_each(maps.sources, classes),
        use_predicted=use_predicted,
        min_island_pixels=min_island_pixels,
    )
    rng = np.random.default_rng(rng)
    names = tuple(sorted(found.totals))
    profiles = {
        (layer, name): one
        for name in names
        for layer, one in _profiles(found, name, n_bootstrap, rng).items()
    }
    counts = {name: found.classes.count(name) for name in names}
    return ClassMeanMaps(
        model_name=found.model_name,
        group=group,
        classes=names,
        n_sources=counts,
        n_left_out=len(maps) - len(found.classes),
        layers=found.layers,
        pixel_scale_arcsec=found.pixel_scale_arcsec,
        means=np.stack([found.totals[name] / counts[name] for name in names], axis=1),
        radii=found.disc.radii,
        angles_deg=found.disc.angles_deg,
        profiles=profiles,
        n_predicted=found.n_predicted,
    )


def _profiles(
    found: ClassSums, name: str, n_bootstrap: int, rng: np.random.Generator
) -> dict[str, Profiles]:
    """The profiles of all maps of a class, over the same resamples of its sources."""
    own = np.array([one == name for one in found.classes])
    resamples = resamples_of(int(own.sum()), n_bootstrap, rng)
    return {
        layer: Profiles(
            radial=_with_ends(found.rings[own, index], resamples),
            angular=_with_ends(found.sectors[own, index], resamples),
            along_axis=mean_interval(found.along[own, index], resamples),
        )
        for index, layer in enumerate(found.layers)
    }


def _with_ends(values: NDArray[np.float64], counts: Counts) -> NDArray[np.float64]:
    """Mean over sources and the ends of its interval, shape (3, n), of values (n_sources, n)."""
    found = [mean_interval(column, counts) for column in values.T]
    return np.array([[one.value, one.low, one.high] for one in found]).T
