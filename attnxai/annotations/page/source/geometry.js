/**
 * Shapes in pixel coordinates of the file's array (0-based, centres on whole numbers, x columns, y rows),
 * and in display coordinates (0 at the upper left corner of the picture, in pixels of the image).
 *
 * A shape is {kind, x, y, width, height, radius, angle, vertices}, with the fields that its kind has.
 */

export const KINDS = ["point", "box", "ellipse", "circle", "polygon", "line"];
export const LABELS = ["core", "jet", "lobe", "hotspot", "host", "source", "other"];
export const OPERATIONS = ["add", "subtract"];

export const hasVertices = (kind) => kind === "polygon" || kind === "line";
export const hasAxes = (kind) => kind === "box" || kind === "ellipse";
export const isArea = (kind) => kind !== "point" && kind !== "line";
const FEWEST = { polygon: 3, line: 2 };
const LARGEST = 1e6; // the limits of attnxai.annotations.Shape
const SHORTEST = 1e-6;

/** Row 0 is drawn at the bottom (FITS, NPY) or at the top (PNG). */
export function toDisplay(image, [x, y]) {
  return [x + 0.5, image.row_zero === "bottom" ? image.rows - 0.5 - y : y + 0.5];
}

export function fromDisplay(image, [x, y]) {
  return [x - 0.5, image.row_zero === "bottom" ? image.rows - 0.5 - y : y - 0.5];
}

/** An angle from +x towards +y as one that turns clockwise on the screen, and the other way round. */
export const turnDisplay = (image, angle) => (image.row_zero === "bottom" ? -angle : angle);

/** The axis of a box or an ellipse is the same after half a turn. */
export const halfTurn = (angle) => ((angle % 180) + 180) % 180;

/** A circle from its centre to its edge, a box or an ellipse from corner to corner; null if it has no extent. */
export function fromDrag(kind, [x0, y0], [x1, y1]) {
  const width = Math.abs(x1 - x0), height = Math.abs(y1 - y0), radius = Math.hypot(width, height);
  if (kind === "circle") return radius >= 0.25 ? { kind, x: x0, y: y0, radius } : null;
  if (Math.min(width, height) < 0.25) return null;
  return { kind, x: (x0 + x1) / 2, y: (y0 + y1) / 2, width, height, angle: 0 };
}

const moveBy = (dx, dy) => ([x, y]) => [x + dx, y + dy];

/** The shape moved, as a whole or one of its vertices alone. */
export function moved(shape, dx, dy, vertex = null) {
  if (!hasVertices(shape.kind)) return { ...shape, x: shape.x + dx, y: shape.y + dy };
  const move = moveBy(dx, dy);
  return { ...shape, vertices: shape.vertices.map((v, i) => (vertex === null || i === vertex ? move(v) : v)) };
}

/** Wider and higher by so many pixels; a polygon or line is scaled about its middle. */
export function resized(shape, dw, dh) {
  const least = 0.5;
  if (shape.kind === "circle") return { ...shape, radius: Math.max(least, shape.radius + (dw || dh) / 2) };
  if (hasAxes(shape.kind)) {
    return { ...shape, width: Math.max(least, shape.width + dw), height: Math.max(least, shape.height + dh) };
  }
  if (!hasVertices(shape.kind)) return shape;
  const { x, y, width, height } = extent(shape);
  const grow = (length, by) => (length > 0 ? Math.max(least, length + by) / length : 1);
  const sx = grow(width, dw), sy = grow(height, dh);
  return { ...shape, vertices: shape.vertices.map(([vx, vy]) => [x + (vx - x) * sx, y + (vy - y) * sy]) };
}

/** Turned by an angle from +x towards +y. */
export function turned(shape, degrees) {
  if (hasAxes(shape.kind)) return { ...shape, angle: halfTurn(shape.angle + degrees) };
  if (!hasVertices(shape.kind)) return shape;
  const { x, y } = extent(shape), a = (degrees * Math.PI) / 180, c = Math.cos(a), s = Math.sin(a);
  const turn = ([vx, vy]) => [x + (vx - x) * c - (vy - y) * s, y + (vx - x) * s + (vy - y) * c];
  return { ...shape, vertices: shape.vertices.map(turn) };
}

/** Middle, width and height of what a shape covers. */
export function extent(shape) {
  if (hasVertices(shape.kind)) {
    const xs = shape.vertices.map((v) => v[0]), ys = shape.vertices.map((v) => v[1]);
    const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, width: x1 - x0, height: y1 - y0 };
  }
  if (shape.kind === "circle") return { x: shape.x, y: shape.y, width: 2 * shape.radius, height: 2 * shape.radius };
  const width = shape.width ?? 0, height = shape.height ?? 0;
  return { x: shape.x, y: shape.y, width, height };
}

const within = (value, low, high) => typeof value === "number" && value >= low && value <= high;
const isPlace = (v) => Array.isArray(v) && v.length === 2 && v.every((c) => within(c, -LARGEST, LARGEST));

/** The shape with the fields of its kind only, or null if one is missing or out of range. */
export function checked(shape) {
  const { kind } = shape;
  if (!KINDS.includes(kind)) return null;
  if (hasVertices(kind)) {
    const { vertices } = shape;
    if (!Array.isArray(vertices) || !vertices.every(isPlace)) return null;
    const different = new Set(vertices.map(String)).size;
    return different >= FEWEST[kind] ? { kind, vertices: vertices.map(([x, y]) => [x, y]) } : null;
  }
  if (!isPlace([shape.x, shape.y])) return null;
  const found = { kind, x: shape.x, y: shape.y };
  const lengths = kind === "circle" ? ["radius"] : hasAxes(kind) ? ["width", "height"] : [];
  for (const name of lengths) {
    if (!within(shape[name], SHORTEST, LARGEST)) return null;
    found[name] = shape[name];
  }
  if (hasAxes(kind)) {
    if (!within(shape.angle ?? 0, -360, 360)) return null;
    found.angle = halfTurn(shape.angle ?? 0);
  }
  return found;
}
