"""One source: image, contours of a map, and the annotations of everybody."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.report.marks import Outlines, draw_outlines, outlines_of
from attnxai.report.sky_view import SkyView, asinh_stretch, contour_levels, scale_bar_arcsec
from attnxai.report.style import (
    CONTOUR_COLOUR,
    CONTOUR_QUANTILES,
    MAP_COLOURS,
    SIGNED_MAP_COLOURS,
)

if TYPE_CHECKING:
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceSet
    from attnxai.explanations.files.map_chunks import MapChunks
    from attnxai.explanations.stack import MapStack


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourcePanel:
    """Everything needed to show one source."""

    view: SkyView
    brightness: np.ndarray
    attention: np.ndarray
    valid: np.ndarray
    outlines: Outlines
    pixel_scale_arcsec: float
    beam_arcsec: tuple[float, float, float] | None

    @classmethod
    def of(
        cls,
        source: str,
        explanation: str,
        pairs: AlignedPairs,
        maps: MapStack | MapChunks,
        annotations: AnnotationSet,
        images: SourceSet,
    ) -> SourcePanel:
        """Collect what is known of a source, in display coordinates."""
        position = pairs.sources.index(source)
        image = images[source]
        transform = maps.field[maps.sources.index(source)]
        view = SkyView.of(image.grid, maps.field_shape)
        return cls(
            view=view,
            brightness=pairs.brightness[position],
            attention=pairs.explanations[explanation][position],
            valid=pairs.valid[position],
            outlines=outlines_of(
                annotations, image, pairs.annotators, view=view, transform=transform
            ),
            pixel_scale_arcsec=pairs.pixel_scale_arcsec,
            beam_arcsec=image.beam_arcsec,
        )

    def _extent_arcsec(self) -> tuple[float, ...]:
        return tuple(edge * self.pixel_scale_arcsec for edge in self.view.extent())

    def draw_image(self, ax: Any, *, left: bool) -> None:
        """Draw image, contours, annotations, scale bar, beam and directions."""
        look = {"origin": "lower", "extent": self._extent_arcsec()}
        scale = self.pixel_scale_arcsec
        grey = asinh_stretch(self.view.array(self.brightness))
        ax.imshow(grey, cmap="gray", vmin=0, vmax=1, **look)
        levels = contour_levels(self.attention, self.valid, CONTOUR_QUANTILES)
        if levels.size:
            shown = self.view.array(np.where(self.valid, self.attention, np.nan))
            ax.contour(shown, levels=levels, colors=CONTOUR_COLOUR, linewidths=0.8, **look)
        draw_outlines(ax, self.outlines, scale=scale)
        radius = self.radius_of_interest()
        self._finish(ax, left=left, radius=radius)
        self._draw_furniture(ax, radius)

    def radius_of_interest(self) -> float:
        """Half the side, in arcsec, of a square that holds all annotations and the strongest attention."""
        inside = self.attention[self.valid]
        strongest = self.valid & (self.attention >= np.quantile(inside, CONTOUR_QUANTILES[-1]))
        middle = (np.array(self.valid.shape) - 1) / 2
        marked = [
            float(np.abs(ends).max())
            for marks in self.outlines.values()
            for mark in marks
            for ends in (mark.x, mark.y)
        ]
        scale = self.pixel_scale_arcsec
        attended = 1.1 * scale * float(np.abs(np.argwhere(strongest) - middle).max())
        reach = [20.0, attended, *(1.25 * scale * end for end in marked)]
        return min(max(reach), self._extent_arcsec()[1])

    def _draw_furniture(self, ax: Any, radius: float) -> None:
        from matplotlib.patches import Ellipse
        from matplotlib.patheffects import withStroke

        width = 2 * radius
        bar = scale_bar_arcsec(width)
        x0 = y0 = 0.06 * width - radius
        ax.plot([x0, x0 + bar], [y0, y0], color="white", lw=1.6, solid_capstyle="butt")
        # legible over contours
        outlined = {"path_effects": [withStroke(linewidth=1.5, foreground="black")]}
        text = {"color": "white", "ha": "center"} | outlined
        ax.text(x0 + bar / 2, y0 + 0.015 * width, f"{bar}″", va="bottom", **text)
        if self.beam_arcsec is not None:
            major, minor, angle = self.beam_arcsec
            at = (radius - 0.08 * width, y0 + minor / 2)
            look = {"facecolor": "none", "edgecolor": "white", "lw": 0.8}
            ax.add_patch(Ellipse(at, minor, major, angle=angle, **look))
        if self.view.north is not None and self.view.east is not None:
            origin = np.array([radius - 0.1 * width, radius - 0.24 * width])
            arrow = {"arrowstyle": "-|>", "color": "white", "lw": 0.8}
            for name, direction in (("N", self.view.north), ("E", self.view.east)):
                end = origin + 0.12 * width * direction
                ax.annotate("", end, origin, arrowprops=arrow | outlined)
                ax.text(*(origin + 0.17 * width * direction), name, va="center", **text)

    def draw_map(self, ax: Any, *, limits: tuple[float, float], left: bool) -> Any:
        """Draw the whole attention map and a frame around what the image shows; gives the picture."""
        low, high = limits
        colours = MAP_COLOURS
        if low < 0:
            high = max(abs(low), abs(high))
            low, colours = -high, SIGNED_MAP_COLOURS
        drawn = ax.imshow(
            self.view.array(np.where(self.valid, self.attention, np.nan)),
            cmap=colours,
            origin="lower",
            extent=self._extent_arcsec(),
            vmin=low,
            vmax=high,
        )
        radius = self.radius_of_interest()
        frame = radius * np.array([[-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]])
        ax.plot(*frame, color="white", lw=0.6, ls=":")
        self._finish(ax, left=left, radius=self._extent_arcsec()[1])
        ax.set_xlabel("arcsec")
        return drawn

    def _finish(self, ax: Any, *, left: bool, radius: float) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        ax.set_xlim(-radius, radius)
        ax.set_ylim(-radius, radius)
        ax.set_aspect("equal")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 6, 10]))
        if self.view.known:
            # east is left: offsets in right ascension grow to the left
            ax.xaxis.set_major_formatter(FuncFormatter(_to_the_left))
        if left:
            ax.set_ylabel("arcsec")


def _to_the_left(value: float, _: int) -> str:
    """The number of a tick on an axis that grows to the left."""
    return f"{0.0 - value:g}".replace("-", "\N{MINUS SIGN}")
