/** Answers as rows of the annotation table (docs/reference/annotations.md), and back. */

import { formatCsv, parseCsv } from "./csv.js";
import { KINDS, LABELS, OPERATIONS, checked, hasVertices, isArea } from "./geometry.js";
import { shapeToPixels, shapeToSky } from "./sky.js";
import { UNSURE, emptyAnswer, hasContent, newId } from "./store.js";

const COLUMNS = ["source", "annotator", "shape", "x", "y", "width", "height", "radius", "angle", "vertices", "frame",
  "label", "class", "operation", "group", "round", "class_confidence", "comment"];
const NUMBERS = ["x", "y", "width", "height", "radius", "angle"];
const NONE = "none";

/** Decimals with which a coordinate is right to a thousandth of a pixel. */
function decimalsOf(image) {
  if (!image.sky) return { place: 3, length: 3 };
  const digits = (scale) => Math.min(15, Math.max(4, Math.ceil(3 - Math.log10(scale))));
  return { place: digits(image.sky.scale_arcsec / 3600), length: digits(image.sky.scale_arcsec) };
}

/** The text of the table, with a row of shape `none` for what was looked at without a mark. */
export function writeTable(study, answers, annotator) {
  const rows = [COLUMNS];
  study.entries.forEach(({ image: index, round }, i) => {
    const image = study.images[index], answer = answers[i];
    if (!hasContent(answer)) return;
    const isUnsure = answer.class === UNSURE;
    const common = {
      source: image.source, annotator, round, comment: answer.comment,
      class: isUnsure ? "" : answer.class,
      class_confidence: isUnsure ? UNSURE : answer.confidence,
    };
    const marks = answer.marks.length ? answer.marks : [{ kind: NONE, label: "source", operation: "add", group: "" }];
    for (const mark of marks) rows.push(cellsOf(image, mark, common));
  });
  return formatCsv(rows);
}

function cellsOf(image, mark, common) {
  const { kind, label, operation, group, ...shape } = mark;
  const row = { ...common, shape: kind, label, operation, group };
  if (kind !== NONE) {
    const { place, length } = decimalsOf(image);
    const found = image.sky ? shapeToSky(image.sky, { kind, ...shape }) : { kind, ...shape };
    row.frame = image.sky ? "icrs" : "pixel";
    // rounding up must not leave the circle of right ascensions
    const ra = (value) => (image.sky && value.toFixed(place) === (360).toFixed(place) ? (0).toFixed(place) : value.toFixed(place));
    if (hasVertices(kind)) row.vertices = found.vertices.map(([x, y]) => `${ra(x)} ${y.toFixed(place)}`).join("; ");
    else Object.assign(row, { x: ra(found.x), y: found.y.toFixed(place) });
    for (const name of ["width", "height", "radius"]) if (name in found) row[name] = found[name].toFixed(length);
    if ("angle" in found) row.angle = found.angle.toFixed(4);
  }
  return COLUMNS.map((name) => row[name]);
}

/**
 * Answers of one annotator from the text of a table.
 *
 * Returns {annotator, answers: Map of entry to answer, n_rows, faults: [text], n_faults, annotators}. An Error says
 * why the table as a whole cannot be used.
 */
export function readTable(study, text, annotator) {
  const [header, ...rows] = parseCsv(text);
  const missing = ["source", "annotator", "shape", "label"].filter((name) => !header?.cells.includes(name));
  if (missing.length) throw new Error(`it lacks the columns ${missing.join(", ")}; choose a table that was downloaded from such a page`);
  const records = rows.map(({ line, cells }) => ({ line, ...Object.fromEntries(header.cells.map((name, i) => [`_${name}`, cells[i] ?? ""])) }));
  const annotators = [...new Set(records.map((r) => r._annotator))];
  const chosen = annotator || (annotators.length === 1 ? annotators[0] : "");
  const entries = new Map(study.entries.map(({ image, round }, i) => [JSON.stringify([study.images[image].source, round]), i]));
  const found = { annotator: chosen, annotators, answers: new Map(), n_rows: 0, faults: [], n_faults: 0 };
  const refuse = (line, why) => {
    found.n_faults++;
    if (found.faults.length < 12) found.faults.push(`line ${line}: ${why}`);
  };
  for (const row of records) {
    if (row._annotator !== chosen) { refuse(row.line, "it is of another annotator"); continue; }
    const index = entries.get(JSON.stringify([row._source, Number(row._round || 1)]));
    if (index === undefined) { refuse(row.line, "this page does not ask about the source in this round"); continue; }
    const mark = row._shape === NONE ? null : markOf(study.images[study.entries[index].image], row);
    if (typeof mark === "string") { refuse(row.line, mark); continue; }
    const answer = found.answers.get(index) ?? emptyAnswer();
    found.answers.set(index, answer);
    if (mark) answer.marks.push(mark);
    else answer.nothing = true;
    const isUnsure = !row._class && row._class_confidence === UNSURE;
    answer.class = isUnsure ? UNSURE : row._class ?? "";
    answer.confidence = isUnsure ? "" : row._class_confidence ?? "";
    answer.comment = row._comment ?? "";
    found.n_rows++;
  }
  for (const answer of found.answers.values()) answer.nothing &&= !answer.marks.length;
  return found;
}

/** The mark of a row, in pixels; a text says why there is none. */
function markOf(image, row) {
  const kind = row._shape, label = row._label, frame = row._frame || "pixel", operation = row._operation || "add";
  if (!KINDS.includes(kind)) return `the shape is not one of ${KINDS.join(", ")}`;
  if (!LABELS.includes(label)) return `the label is not one of ${LABELS.join(", ")}`;
  if (!OPERATIONS.includes(operation)) return "the operation is neither add nor subtract";
  if (operation === "subtract" && !isArea(kind)) return "only areas can be subtracted";
  const shape = { kind };
  for (const name of NUMBERS) if (row[`_${name}`]) shape[name] = Number(row[`_${name}`]);
  if (hasVertices(kind)) shape.vertices = (row._vertices ?? "").split(";").filter((p) => p.trim()).map((p) => p.trim().split(/\s+/).map(Number));
  const onSky = frame === "icrs";
  if (onSky && !image.sky) return "it has a sky position, but the image has no celestial coordinates";
  if (!onSky && frame !== "pixel") return "the frame is neither pixel nor icrs";
  const given = checked(shape);
  const found = given && onSky ? shapeToPixels(image.sky, given) : given;
  const right = found && checked(found);
  if (!right) return "its position or size is missing or out of range";
  return { id: newId(), ...right, label, operation, group: row._group ?? "" };
}
