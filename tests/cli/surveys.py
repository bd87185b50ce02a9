"""Cutouts of one kind of galaxy from four surveys in one folder, with headers as these write them."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from attnxai.data.smoothing import FWHM_PER_SIGMA

# pixels and beams in arcsec, and cards that name the survey
SURVEYS = {
    "nvss": (15.0, 45.0, {"TELESCOP": "VLA", "OBSERVER": "NVSS GRP"}),
    "racs": (2.0, 25.0, {"TELESCOP": "ASKAP", "ORIGIN": "ASKAPsoft"}),
    "meerkat": (1.1, 8.0, {"TELESCOP": "MeerKAT"}),
    "vlass": (0.6, 2.5, {"TELESCOP": "EVLA", "FILNAM01": "VLASS1.1"}),
}
FIELD_ARCSEC = 300.0
COLUMNS = "source,annotator,shape,x,y,radius,frame,label,class"


def write_surveys(folder, *, n_each=3, surveys=tuple(SURVEYS), blank=0.0):
    """Double sources of which every survey sees the same; what is written beside them marks the lobes.

    The share ``blank`` of every image, at its upper edge, is NaN.
    """
    (folder / "images").mkdir()
    rows = [COLUMNS]
    for number, name in enumerate(surveys):
        scale, beam, cards = SURVEYS[name]
        side = round(FIELD_ARCSEC / scale)
        rng = np.random.default_rng(number)
        for i in range(n_each):
            y, x = (np.indices((side, side)) - (side - 1) / 2) * scale
            turn = rng.uniform(0, 2 * np.pi)
            lobes = [
                (s * (50 + 8 * i) * np.cos(turn), s * (50 + 8 * i) * np.sin(turn)) for s in (1, -1)
            ]
            pixels = rng.normal(0, 1e-4, (side, side))
            sigma = np.hypot(beam, 6.0) / FWHM_PER_SIGMA
            for at_x, at_y in lobes:
                pixels += 0.02 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * sigma**2))
            pixels[side - round(blank * side) :] = np.nan
            ra, dec = 150.0 + 2 * number + i / 2, 20.0
            header = fits.Header(
                {
                    "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": ra, "CRVAL2": dec,
                    "CRPIX1": (side + 1) / 2, "CRPIX2": (side + 1) / 2,
                    "CDELT1": -scale / 3600, "CDELT2": scale / 3600,
                    "BMAJ": beam / 3600, "BMIN": beam / 3600, "BPA": 0.0, **cards,
                }
            )  # fmt: skip
            source = f"{name}_{i}"
            fits.PrimaryHDU(pixels.astype(np.float32), header).writeto(
                folder / "images" / f"{source}.fits"
            )
            rows += [
                f"{source},{who},circle,{ra - (at_x + shift) / 3600 / np.cos(np.radians(dec)):.6f},"
                f"{dec + at_y / 3600:.6f},9,icrs,lobe,{('FR I', 'FR II')[i % 2]}"
                for who, shift in (("ann", 0.0), ("bob", 2.0))
                for at_x, at_y in lobes
            ]
    (folder / "marks.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
