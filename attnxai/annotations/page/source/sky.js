/**
 * Sky positions (ICRS) of pixels, and back.
 *
 * The page states, for each image with celestial coordinates, two polynomials of the pixel: the offsets on the
 * plane that touches the sky in the middle of the image (gnomonic), in radians towards east and north.
 */

import { fromDisplay, halfTurn, hasAxes, hasVertices } from "./geometry.js";

const DEG = Math.PI / 180;
const ARCSEC = DEG / 3600;
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const sum = (...terms) => [0, 1, 2].map((i) => terms.reduce((all, [k, v]) => all + k * v[i], 0));
const separation = (a, b) => Math.atan2(Math.hypot(...cross(a, b)), dot(a, b));

/** Unit vectors to a place on the sky, and from there towards east and north. */
function directions(ra, dec) {
  const [sa, ca, sd, cd] = [Math.sin(ra), Math.cos(ra), Math.sin(dec), Math.cos(dec)];
  return { to: [cd * ca, cd * sa, sd], east: [-sa, ca, 0], north: [-sd * ca, -sd * sa, cd] };
}

function placeOf(v) {
  const ra = Math.atan2(v[1], v[0]) / DEG;
  return [((ra % 360) + 360) % 360, Math.atan2(v[2], Math.hypot(v[0], v[1])) / DEG];
}

/** Offsets (east, north) of a pixel and their derivatives along x and y. */
function offsets(sky, [x, y]) {
  const u = (x - sky.x) / sky.half, v = (y - sky.y) / sky.half;
  const found = { at: [0, 0], dx: [0, 0], dy: [0, 0] };
  let term = 0;
  for (let i = 0; i <= sky.degree; i++) {
    for (let j = 0; j <= sky.degree - i; j++, term++) {
      const power = u ** i * v ** j;
      const du = i ? (i * u ** (i - 1) * v ** j) / sky.half : 0;
      const dv = j ? (j * u ** i * v ** (j - 1)) / sky.half : 0;
      [sky.east[term], sky.north[term]].forEach((c, k) => {
        found.at[k] += c * power;
        found.dx[k] += c * du;
        found.dy[k] += c * dv;
      });
    }
  }
  return found;
}

function vectorOf(sky, pixel) {
  const { to, east, north } = directions(sky.ra * DEG, sky.dec * DEG);
  const [e, n] = offsets(sky, pixel).at;
  const v = sum([1, to], [e, east], [n, north]);
  const length = Math.hypot(...v);
  return v.map((c) => c / length);
}

/** Right ascension and declination of a pixel, in degrees. */
export const toSky = (sky, pixel) => placeOf(vectorOf(sky, pixel));

function pixelOfVector(sky, v) {
  const { to, east, north } = directions(sky.ra * DEG, sky.dec * DEG);
  const depth = dot(v, to);
  if (!(depth > 1e-3)) return null; // behind the plane, or nearly so
  const wanted = [dot(v, east) / depth, dot(v, north) / depth];
  let pixel = [sky.x, sky.y];
  for (let step = 0; step < 40; step++) {
    const { at, dx, dy } = offsets(sky, pixel);
    const missing = [wanted[0] - at[0], wanted[1] - at[1]];
    const det = dx[0] * dy[1] - dx[1] * dy[0];
    const move = [(missing[0] * dy[1] - missing[1] * dy[0]) / det, (missing[1] * dx[0] - missing[0] * dx[1]) / det];
    pixel = [pixel[0] + move[0], pixel[1] + move[1]];
    if (!pixel.every((c) => Math.abs(c) < 1e7)) return null;
    if (Math.hypot(...move) < 1e-9 * sky.half) return pixel;
  }
  return null;
}

/** Pixel of a right ascension and declination in degrees; null where the image's projection does not reach. */
export const toPixel = (sky, [ra, dec]) => pixelOfVector(sky, directions(ra * DEG, dec * DEG).to);

/** Full length (arcsec) and position angle (degrees) of an axis through a pixel. */
function axisOnSky(sky, [x, y], length, angle) {
  const ax = (length / 2) * Math.cos(angle * DEG), ay = (length / 2) * Math.sin(angle * DEG);
  const middle = vectorOf(sky, [x, y]);
  const ends = [vectorOf(sky, [x + ax, y + ay]), vectorOf(sky, [x - ax, y - ay])];
  const [ra, dec] = placeOf(middle);
  const { east, north } = directions(ra * DEG, dec * DEG);
  const unit = ends.map((end) => [dot(end, east), dot(end, north)].map((c) => c / Math.hypot(dot(end, east), dot(end, north))));
  return {
    length: (separation(middle, ends[0]) + separation(middle, ends[1])) / ARCSEC,
    angle: Math.atan2(unit[0][0] - unit[1][0], unit[0][1] - unit[1][1]) / DEG,
  };
}

/** A shape in pixels as one on the sky: degrees, lengths in arcsec, angles from north through east. */
export function shapeToSky(sky, shape) {
  if (hasVertices(shape.kind)) return { ...shape, vertices: shape.vertices.map((v) => toSky(sky, v)) };
  const [x, y] = toSky(sky, [shape.x, shape.y]);
  const found = { ...shape, x, y };
  const axis = (length, angle) => axisOnSky(sky, [shape.x, shape.y], length, angle);
  if (shape.kind === "circle") {
    found.radius = Math.sqrt(axis(2 * shape.radius, 0).length * axis(2 * shape.radius, 90).length) / 2;
  }
  if (hasAxes(shape.kind)) {
    const along = axis(shape.width, shape.angle);
    found.width = along.length;
    found.angle = halfTurn(along.angle);
    found.height = axis(shape.height, shape.angle + 90).length;
  }
  return found;
}

/** A shape on the sky as one in pixels, as attnxai.annotations.Shape.on_pixels makes it; null if out of reach. */
export function shapeToPixels(sky, shape) {
  if (hasVertices(shape.kind)) {
    const vertices = shape.vertices.map((v) => toPixel(sky, v));
    return vertices.every(Boolean) ? { ...shape, vertices } : null;
  }
  const middle = toPixel(sky, [shape.x, shape.y]);
  if (!middle) return null;
  const { to, east, north } = directions(shape.x * DEG, shape.y * DEG);
  const axis = (arcsec, angle) => {
    const far = (arcsec / 2) * ARCSEC, a = angle * DEG;
    const ends = [a, a + Math.PI].map((t) =>
      pixelOfVector(sky, sum([Math.cos(far), to], [Math.sin(far) * Math.cos(t), north], [Math.sin(far) * Math.sin(t), east])));
    return ends.every(Boolean) ? [ends[0][0] - ends[1][0], ends[0][1] - ends[1][1]] : null;
  };
  const found = { ...shape, x: middle[0], y: middle[1] };
  if (shape.kind === "circle" || hasAxes(shape.kind)) {
    const isCircle = shape.kind === "circle";
    const along = axis(isCircle ? 2 * shape.radius : shape.width, isCircle ? 0 : shape.angle);
    const across = axis(isCircle ? 2 * shape.radius : shape.height, isCircle ? 90 : shape.angle + 90);
    if (!along || !across) return null;
    const [width, height] = [Math.hypot(...along), Math.hypot(...across)];
    if (isCircle) return { ...found, radius: Math.sqrt(width * height) / 2 };
    Object.assign(found, { width, height, angle: halfTurn(Math.atan2(along[1], along[0]) / DEG) });
  }
  return found;
}

/** Unit vectors on the screen towards north and east in the middle of an image. */
export function compass(image) {
  const { dx, dy } = offsets(image.sky, [image.sky.x, image.sky.y]);
  const det = dx[0] * dy[1] - dx[1] * dy[0];
  const onScreen = (x, y) => {
    const [x0, y0] = fromDisplay(image, [0, 0]), [x1, y1] = fromDisplay(image, [1, 1]);
    const [sx, sy] = [x / (x1 - x0), y / (y1 - y0)], length = Math.hypot(sx, sy);
    return [sx / length, sy / length];
  };
  return {
    north: onScreen(-dy[0] / det, dx[0] / det),
    east: onScreen(dy[1] / det, -dx[1] / det),
  };
}
