"""Make the annotated sample of simulated radio galaxies that ships in reference_annotations/.

Run it again to get the same table and the same FITS files, byte for byte once unpacked (how tightly gzip
packs depends on its version):

    python examples/simulate_sample.py reference_annotations

Forty sources (20 FR I, 20 FR II) are drawn by ``attnxai.data.simulation``. Three simulated annotators mark
the true components, each in a different way: the first draws circles and ellipses on the sky, the second
boxes and lines in pixels, the third points and polygons in pixels. Positions and sizes are scattered, and faint
components are missed, so that annotators differ as human annotators do. All of them are simulated.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import math
from pathlib import Path

import numpy as np
from astropy.io import fits

from attnxai.annotations.sample import TABLE_NAME
from attnxai.annotations.table_columns import COLUMNS
from attnxai.data.simulation import CLASS_NAMES, Component, SimulatedSource, simulate_source
from attnxai.data.sky import pixel_to_sky

SEED = 20211108
N_PER_CLASS = 20
PIXEL = 1.8
# A component whose peak is below this many times the noise is invisible to an annotator.
FAINTEST_SEEN = 4.0


def write_fits(source: SimulatedSource, path: Path) -> None:
    """Write 16-bit values, in steps of an eighth of the noise, with the same bytes every time."""
    image = source.image
    assert image.grid.wcs is not None
    header = image.grid.wcs.to_header()
    header["OBJECT"] = image.source
    header["ORIGIN"] = "attnxai simulation"
    header["SIMULATE"] = (True, "this source does not exist")
    header["BUNIT"] = "mJy/beam"
    header["BMAJ"] = header["BMIN"] = 5.4 / 3600
    header["BPA"] = 0.0
    step = 0.15 / 8
    hdu = fits.PrimaryHDU(np.asarray(image.pixels, dtype=np.float64), header)
    hdu.scale("int16", bscale=step, bzero=0)
    buffer = io.BytesIO()
    hdu.writeto(buffer)
    path.write_bytes(gzip.compress(buffer.getvalue(), 9, mtime=0))


def visible(source: SimulatedSource) -> list[Component]:
    """Components that stand out of the noise; the parts of an FR I jet are marked as one."""
    beam = 5.4

    def peak(component: Component) -> float:
        area = math.hypot(component.major_arcsec, beam) * math.hypot(component.minor_arcsec, beam)
        return component.flux_mjy * beam**2 / area

    return [c for c in source.components if peak(c) >= FAINTEST_SEEN * 0.15]


class Annotator:
    """Marks components in one manner, with a hand that trembles."""

    def __init__(self, name: str, rng: np.random.Generator, shake: float, miss: float) -> None:
        self.name, self.rng, self.shake, self.miss = name, rng, shake, miss

    def mark(self, source: SimulatedSource) -> list[dict[str, object]]:
        """Rows of the annotation table, or nothing where everything was missed."""
        rows: list[dict[str, object]] = []
        jets: dict[int, list[Component]] = {}
        for component in visible(source):
            if component.label == "jet":
                jets.setdefault(component.side, []).append(component)
            elif component.label in ("core", "hotspot") or self.rng.random() > self.miss:
                rows.append(self._component(source, component))
        for side in sorted(jets):
            if self.rng.random() > self.miss:
                rows.append(self._jet(source, jets[side]))
        return rows

    def _place(self, source: SimulatedSource, x: float, y: float) -> tuple[float, float]:
        middle = (source.image.shape[1] - 1) / 2
        shift = self.rng.normal(0, self.shake, 2)
        return (
            round(middle + (x + shift[0]) / PIXEL, 2),
            round(middle + (y + shift[1]) / PIXEL, 2),
        )

    def _size(self, length: float) -> float:
        # annotators mark what they see, which the beam has widened
        return math.hypot(length, 5.4) * math.exp(self.rng.normal(0, 0.15))

    def _row(self, source: SimulatedSource, label: str, **values: object) -> dict[str, object]:
        return {
            "source": source.image.source,
            "annotator": self.name,
            "label": label,
            "class": source.image.class_name,
            "image": f"images/{source.image.source}.fits.gz",
            **values,
        }

    def _component(self, source: SimulatedSource, part: Component) -> dict[str, object]:
        x, y = self._place(source, part.x_arcsec, part.y_arcsec)
        width, height = self._size(part.major_arcsec), self._size(part.minor_arcsec)
        tilt = part.angle_deg + self.rng.normal(0, 6)
        if self.name.endswith("1"):
            ra, dec = pixel_to_sky(source.image.grid.wcs, x, y)
            sky = {"x": round(float(ra), 6), "y": round(float(dec), 6), "frame": "icrs"}
            if part.label in ("core", "hotspot"):
                return self._row(
                    source, part.label, shape="circle", radius=round(width / 2, 2), **sky
                )
            # east is left, so a direction a from the right towards up has position angle a - 90
            return self._row(
                source,
                part.label,
                shape="ellipse",
                width=round(1.2 * width, 2),
                height=round(1.2 * height, 2),
                angle=round((tilt - 90) % 180, 1),
                **sky,
            )
        if self.name.endswith("2"):
            return self._row(
                source,
                part.label,
                shape="box",
                x=x,
                y=y,
                width=round(width / PIXEL, 2),
                height=round(height / PIXEL, 2),
                angle=round(tilt % 180, 1),
                frame="pixel",
            )
        if part.label in ("core", "hotspot"):
            return self._row(source, part.label, shape="point", x=x, y=y, frame="pixel")
        corners = []
        for turn in np.arange(8) * math.pi / 4:
            along = 0.6 * width / PIXEL * math.cos(turn) * math.exp(self.rng.normal(0, 0.05))
            across = 0.6 * height / PIXEL * math.sin(turn) * math.exp(self.rng.normal(0, 0.05))
            a = math.radians(tilt)
            corners.append(
                f"{x + along * math.cos(a) - across * math.sin(a):.2f} "
                f"{y + along * math.sin(a) + across * math.cos(a):.2f}"
            )
        return self._row(
            source, part.label, shape="polygon", vertices="; ".join(corners), frame="pixel"
        )

    def _jet(self, source: SimulatedSource, parts: list[Component]) -> dict[str, object]:
        if len(parts) == 1:
            part = parts[0]
            reach = part.major_arcsec / 2
            a = math.radians(part.angle_deg)
            ends = [
                (part.x_arcsec + s * reach * math.cos(a), part.y_arcsec + s * reach * math.sin(a))
                for s in (-1, 1)
            ]
        else:
            ends = [(part.x_arcsec, part.y_arcsec) for part in parts]
        placed = [self._place(source, x, y) for x, y in ends]
        if self.name.endswith("1"):
            sky = [pixel_to_sky(source.image.grid.wcs, x, y) for x, y in placed]
            vertices = "; ".join(f"{float(ra):.6f} {float(dec):.6f}" for ra, dec in sky)
            return self._row(source, "jet", shape="line", vertices=vertices, frame="icrs")
        if self.name.endswith("2"):
            x, y = (sum(values) / len(placed) for values in zip(*placed, strict=True))
            (x0, y0), (x1, y1) = placed[0], placed[-1]
            return self._row(
                source,
                "jet",
                shape="box",
                x=round(x, 2),
                y=round(y, 2),
                width=round(math.hypot(x1 - x0, y1 - y0) + 3, 2),
                height=round(self._size(parts[-1].minor_arcsec) / PIXEL, 2),
                angle=round(math.degrees(math.atan2(y1 - y0, x1 - x0)) % 180, 1),
                frame="pixel",
            )
        vertices = "; ".join(f"{x:.2f} {y:.2f}" for x, y in placed)
        return self._row(source, "jet", shape="line", vertices=vertices, frame="pixel")


def main() -> None:
    """Write images, table and checksums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    (folder / "images").mkdir(parents=True, exist_ok=True)
    streams = np.random.default_rng(SEED).spawn(2 * N_PER_CLASS + 3)
    annotators = [
        Annotator("simulated_1", streams[-3], shake=0.8, miss=0.05),
        Annotator("simulated_2", streams[-2], shake=1.4, miss=0.15),
        Annotator("simulated_3", streams[-1], shake=1.0, miss=0.10),
    ]
    rows: list[dict[str, object]] = []
    for index in range(2 * N_PER_CLASS):
        class_name = CLASS_NAMES[index // N_PER_CLASS]
        name = f"simulated_fr{class_name.count('I')}_{index % N_PER_CLASS + 1:02d}"
        source = simulate_source(class_name, source=name, rng=streams[index])
        write_fits(source, folder / "images" / f"{name}.fits.gz")
        for annotator in annotators:
            rows += annotator.mark(source)
    with open(folder / TABLE_NAME, "w", newline="", encoding="utf-8") as file:
        used = COLUMNS[: COLUMNS.index("image") + 1]  # nothing is subtracted, grouped or repeated
        writer = csv.DictWriter(file, used, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    files = [
        *sorted((*folder.glob("*.csv"), *folder.glob("*.json"))),
        *sorted((folder / "images").glob("*.fits.gz")),
    ]
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder).as_posix()}"
        for file in files
    ]
    (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"Wrote {2 * N_PER_CLASS} images and {len(rows)} marks to {folder}")


if __name__ == "__main__":
    main()
