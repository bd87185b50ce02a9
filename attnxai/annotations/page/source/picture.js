/** Pixels of an image: unpacked when it is shown, and painted with a stretch and a colour map. */

import { unzlibSync } from "fflate";

const LEVELS = 65536;
const BLANK = LEVELS - 1;
const BLANK_COLOUR = 0xff3a2f2a; // alpha, blue, green, red: not a colour of a map

export const STRETCHES = {
  linear: (t) => t,
  sqrt: (t) => Math.sqrt(t),
  log: (t) => Math.log1p(1000 * t) / Math.log1p(1000),
  asinh: (t) => Math.asinh(10 * t) / Math.asinh(10),
};

// every sixteenth colour of the maps of Matplotlib; colours in between are interpolated
export const COLOUR_MAPS = {
  grey: "000000 ffffff",
  "grey, inverted": "ffffff 000000",
  inferno: "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4",
  viridis: "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
  cividis: "00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 8c8878 9b9476 aba072 bcae6c cdbb63 dec958 f0d846 fee838",
};

/** 16-bit values of an image, in the order of the file's array. */
export function unpack(image, text) {
  const packed = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const planes = unzlibSync(packed); // all high bytes, then all low ones
  const n = image.rows * image.columns, values = new Uint16Array(n);
  for (let i = 0; i < n; i++) values[i] = (planes[i] << 8) | planes[n + i];
  return { image, values, at: (x, y) => valueAt(image, values, x, y) };
}

/** The value of the pixel at a place; null outside and where it is blank. */
function valueAt(image, values, x, y) {
  const [column, row] = [Math.round(x), Math.round(y)];
  if (column < 0 || row < 0 || column >= image.columns || row >= image.rows) return null;
  const level = values[row * image.columns + column];
  return level === BLANK ? null : image.zero + image.step * level;
}

/** Colour (alpha, blue, green, red) of every level. */
function colours({ stretch, colours: name, low, high }, { zero, step }) {
  const stops = COLOUR_MAPS[name].split(" ").map((c) => [0, 2, 4].map((i) => parseInt(c.slice(i, i + 2), 16)));
  const curve = STRETCHES[stretch], found = new Uint32Array(LEVELS), range = high - low;
  for (let level = 0; level < BLANK; level++) {
    const t = range > 0 ? (zero + step * level - low) / range : Number(zero + step * level > low);
    const at = curve(Math.min(1, Math.max(0, t))) * (stops.length - 1);
    const i = Math.min(stops.length - 2, Math.floor(at)), part = at - i;
    const [r, g, b] = stops[i].map((c, k) => Math.round(c + part * (stops[i + 1][k] - c)));
    found[level] = 0xff000000 | (b << 16) | (g << 8) | r;
  }
  found[BLANK] = BLANK_COLOUR;
  return found;
}

/** Paint a picture as it is displayed; the canvas gets one pixel for each of the image. */
export function paint({ image, values }, view, canvas) {
  const { rows, columns } = image, table = colours(view, image);
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d"), data = context.createImageData(columns, rows);
  const pixels = new Uint32Array(data.data.buffer);
  for (let row = 0; row < rows; row++) {
    const shown = image.row_zero === "bottom" ? rows - 1 - row : row;
    for (let column = 0; column < columns; column++) {
      pixels[shown * columns + column] = table[values[row * columns + column]];
    }
  }
  context.putImageData(data, 0, 0);
}
