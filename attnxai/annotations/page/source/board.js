/** The drawing area: the picture, the marks on it, and how they are drawn and changed. */

import Konva from "konva/lib/Core.js";
import { Circle } from "konva/lib/shapes/Circle.js";
import { Image as Picture } from "konva/lib/shapes/Image.js";
import { Transformer } from "konva/lib/shapes/Transformer.js";
import {
  extent, fromDisplay, fromDrag, halfTurn, hasAxes, hasVertices, isArea, toDisplay, turnDisplay,
} from "./geometry.js";

export const LABEL_COLOURS = {
  core: "#ff6b6b", jet: "#ffd43b", lobe: "#4dabf7", hotspot: "#ff922b", host: "#69db7c", source: "#f1f3f5", other: "#da77f2",
};
const CLICK_PX = 4; // a press that moves less is a click
const NEAR_PX = 9;
const DOUBLE_MS = 350;
const MOST_ZOOM = 80;
const CORNERS = ["top-left", "top-right", "bottom-left", "bottom-right"];
const SIDES = ["top-center", "middle-right", "bottom-center", "middle-left"];
const isCoarse = () => matchMedia("(pointer: coarse)").matches;
const handleSize = () => (isCoarse() ? 18 : 10);

/**
 * `on` has functions: created(shape), changed(id, shape), selected(id), hovered([x, y] or null), said(text) and
 * drafted(kind or null).
 */
export class Board {
  constructor(container, on) {
    this.container = container;
    this.on = on;
    this.tool = "select";
    this.marks = [];
    this.selected = null;
    this.vertex = null; // of the selected polygon or line, where one is moved alone
    this.draft = null; // {kind, points, at}: what is being drawn, in pixels of the array
    this.cursor = null; // place of the keyboard's cursor
    this.showLabels = true;
    this.pressed = new Map(); // pointers that are down
    this.stage = new Konva.Stage({ container, width: 10, height: 10 });
    this.canvas = document.createElement("canvas");
    this.picture = new Picture({ image: this.canvas, listening: false });
    const beneath = new Konva.Layer({ imageSmoothingEnabled: false, listening: false });
    beneath.add(this.picture);
    this.layer = new Konva.Layer();
    this.handles = new Konva.Group();
    this.transformer = new Transformer({
      ignoreStroke: true, flipEnabled: false, rotateAnchorOffset: 26,
      borderStroke: "#9ecbff", borderDash: [4, 3], anchorStroke: "#1c5fa8", anchorFill: "#ffffff", anchorCornerRadius: 2,
      boundBoxFunc: (before, after) => (Math.min(Math.abs(after.width), Math.abs(after.height)) < 3 ? before : after),
    });
    this.overlay = new Konva.Layer({ listening: false });
    this.overlay.add(new Konva.Shape({ sceneFunc: (context) => this.#drawOverlay(context._context) }));
    this.stage.add(beneath, this.layer, this.overlay);
    this.#listen();
    new ResizeObserver(() => this.resize()).observe(container);
  }

  // --- view ------------------------------------------------------------------------------------------

  /** Show another image; `paint(canvas)` fills its picture. */
  show(image, paint) {
    const isNew = this.image !== image;
    this.image = image;
    this.repaint(paint);
    this.picture.size({ width: image.columns, height: image.rows });
    if (isNew) {
      this.cursor = null;
      this.cancel();
      this.fit();
    }
  }

  repaint(paint) {
    paint(this.canvas);
    this.picture.getLayer()?.batchDraw();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.container;
    const isFitted = this.zoom === this.fitted;
    const [x, y] = [this.stage.x() + (width - this.stage.width()) / 2, this.stage.y() + (height - this.stage.height()) / 2];
    this.stage.size({ width, height });
    if (!this.image) return;
    if (isFitted) this.fit();
    else this.#setView(this.zoom, x, y);
  }

  get zoom() { return this.stage.scaleX(); }

  fit() {
    const { columns, rows } = this.image, width = this.stage.width(), height = this.stage.height();
    this.fitted = Math.min(width / columns, height / rows);
    this.#setView(this.fitted, (width - columns * this.fitted) / 2, (height - rows * this.fitted) / 2);
  }

  /** Zoom about a place on the screen, the middle when left out. */
  zoomBy(factor, [x, y] = [this.stage.width() / 2, this.stage.height() / 2]) {
    const zoom = Math.min(MOST_ZOOM, Math.max(this.fitted / 2, this.zoom * factor)), k = zoom / this.zoom;
    this.#setView(zoom, x - (x - this.stage.x()) * k, y - (y - this.stage.y()) * k);
  }

  panBy(dx, dy) { this.#setView(this.zoom, this.stage.x() + dx, this.stage.y() + dy); }

  #setView(zoom, x, y) {
    this.stage.scale({ x: zoom, y: zoom });
    this.stage.position({ x, y });
    this.#renderHandles();
    this.stage.batchDraw();
    this.on.viewed?.();
  }

  toScreen(place) {
    const [x, y] = toDisplay(this.image, place);
    return [this.stage.x() + x * this.zoom, this.stage.y() + y * this.zoom];
  }

  fromScreen([x, y]) {
    return fromDisplay(this.image, [(x - this.stage.x()) / this.zoom, (y - this.stage.y()) / this.zoom]);
  }

  // --- marks -----------------------------------------------------------------------------------------

  setMarks(marks) {
    this.marks = marks;
    if (!marks.some((m) => m.id === this.selected)) this.select(null);
    const last = this.selectedMark?.vertices?.length;
    if (this.vertex !== null && !(this.vertex < last)) this.vertex = null;
    this.#renderMarks();
  }

  get selectedMark() { return this.marks.find((m) => m.id === this.selected) ?? null; }

  select(id) {
    if (id === this.selected) return;
    this.selected = id;
    this.vertex = null;
    this.#renderHandles();
    this.layer.draw(); // at once, so that the next press finds the handles
    this.on.selected(id);
  }

  /** Choose a vertex of the selected polygon or line, which is then moved alone. */
  chooseVertex(index) {
    this.vertex = index;
    this.#renderHandles();
    this.layer.batchDraw();
  }

  /** Where the selected mark, or its chosen vertex, is. */
  get selectedPlace() {
    const mark = this.selectedMark;
    if (this.vertex !== null) return mark.vertices[this.vertex];
    const { x, y } = extent(mark);
    return [x, y];
  }

  setLabels(shown) {
    this.showLabels = shown;
    this.layer.batchDraw();
  }

  setTool(tool) {
    this.cancel();
    this.tool = tool;
    this.container.dataset.tool = tool;
    this.#renderMarks();
  }

  #renderMarks() {
    if (!this.image) return;
    this.transformer.nodes([]);
    this.transformer.remove();
    this.handles.remove();
    this.layer.destroyChildren();
    const size = (mark) => (isArea(mark.kind) ? extent(mark).width * extent(mark).height : -1);
    for (const mark of [...this.marks].sort((a, b) => size(b) - size(a))) this.layer.add(this.#node(mark));
    this.layer.add(this.handles, this.transformer);
    this.#renderHandles();
    this.layer.draw();
  }

  #node(mark) {
    const isFree = hasVertices(mark.kind), { width, height } = extent(mark);
    const [x, y] = isFree ? [0, 0] : toDisplay(this.image, [mark.x, mark.y]);
    const node = new Konva.Shape({
      id: mark.id, name: "mark", x, y, width, height, mark,
      points: isFree ? mark.vertices.map((v) => toDisplay(this.image, v)) : null,
      rotation: hasAxes(mark.kind) ? turnDisplay(this.image, mark.angle) : 0,
      listening: this.tool === "select", draggable: this.tool === "select", dragDistance: 3,
      fill: isArea(mark.kind) ? "#000" : undefined, stroke: "#000", strokeScaleEnabled: false,
      hitStrokeWidth: isCoarse() ? 26 : 14,
      sceneFunc: (context, shape) => this.#drawMark(context._context, shape),
      hitFunc: (context, shape) => {
        this.#trace(context, shape);
        context.fillStrokeShape(shape);
      },
    });
    node.getSelfRect = () => ({ x: -width / 2, y: -height / 2, width, height });
    node.on("pointerdown", () => this.select(mark.id));
    node.on("dragmove", () => this.#renderHandles(node));
    node.on("dragend transformend", () => this.on.changed(mark.id, this.#shapeOf(node)));
    return node;
  }

  /** What a node has become by dragging and transforming. */
  #shapeOf(node) {
    const { mark, points, width, height } = node.getAttrs();
    if (hasVertices(mark.kind)) {
      return { ...mark, vertices: points.map(([x, y]) => fromDisplay(this.image, [x + node.x(), y + node.y()])) };
    }
    const [x, y] = fromDisplay(this.image, [node.x(), node.y()]);
    const [sx, sy] = [Math.abs(node.scaleX()), Math.abs(node.scaleY())];
    if (mark.kind === "point") return { ...mark, x, y };
    if (mark.kind === "circle") return { ...mark, x, y, radius: mark.radius * Math.sqrt(sx * sy) };
    const angle = halfTurn(turnDisplay(this.image, node.rotation()));
    return { ...mark, x, y, width: width * sx, height: height * sy, angle };
  }

  /** The outline in the coordinates of the node. */
  #trace(context, node) {
    const { mark, points, width, height } = node.getAttrs();
    context.beginPath();
    if (mark.kind === "point") context.arc(0, 0, (isCoarse() ? 14 : 9) / this.zoom, 0, 2 * Math.PI, false);
    else if (mark.kind === "box") context.rect(-width / 2, -height / 2, width, height);
    else if (points) {
      points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
      if (mark.kind === "polygon") context.closePath();
    } else context.ellipse(0, 0, width / 2, height / 2, 0, 0, 2 * Math.PI, false);
  }

  #drawMark(context, node) {
    const { mark } = node.getAttrs(), ratio = node.getLayer().getCanvas().getPixelRatio();
    const colour = LABEL_COLOURS[mark.label], isSelected = mark.id === this.selected;
    const at = node.getAbsoluteTransform().point({ x: 0, y: 0 });
    const isPoint = mark.kind === "point";
    if (!isPoint) this.#trace(context, node);
    context.save();
    context.setTransform(ratio, 0, 0, ratio, 0, 0); // lines are as wide at any zoom
    if (isPoint) tracePoint(context, at, isSelected);
    context.setLineDash(mark.operation === "subtract" ? [7, 5] : []);
    stroke(context, colour, isSelected ? 3 : 2);
    if (isArea(mark.kind) && mark.operation !== "subtract") {
      context.globalAlpha = 0.1;
      context.fillStyle = colour;
      context.fill();
    }
    context.restore();
    if (this.showLabels) this.#drawLabel(context, node, ratio, colour);
  }

  #drawLabel(context, node, ratio, colour) {
    const { mark, points, width, height } = node.getAttrs(), transform = node.getAbsoluteTransform();
    const corners = points ?? [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([i, j]) => [(i * width) / 2, (j * height) / 2]);
    const [top] = corners.map(([x, y]) => transform.point({ x, y })).sort((a, b) => a.y - b.y);
    context.save();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = "600 11px system-ui, sans-serif";
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = "rgba(0, 0, 0, 0.75)";
    context.fillStyle = colour;
    const [x, y] = mark.kind === "point" ? [top.x + 10, top.y - 6] : [top.x + 4, top.y - 6];
    context.strokeText(mark.label, x, y);
    context.fillText(mark.label, x, y);
    context.restore();
  }

  /** Handles of the selected mark: those of the transformer, or its vertices and the middles between them. */
  #renderHandles(node = null) {
    this.handles.destroyChildren();
    const mark = this.selectedMark;
    const chosen = mark && (node ?? this.layer.findOne((n) => n.id() === mark.id));
    if (!chosen) { this.transformer.nodes([]); return; }
    if (isArea(mark.kind) && !hasVertices(mark.kind)) {
      const isCircle = mark.kind === "circle";
      if (this.transformer.nodes()[0] !== chosen) this.transformer.nodes([chosen]);
      this.transformer.setAttrs({
        anchorSize: handleSize(), keepRatio: isCircle, rotateEnabled: !isCircle,
        enabledAnchors: isCircle ? CORNERS : [...CORNERS, ...SIDES],
      });
      return;
    }
    this.transformer.nodes([]);
    if (!hasVertices(mark.kind) || node) return;
    const last = mark.vertices.length - (mark.kind === "line" ? 1 : 0);
    for (let i = 0; i < last; i++) {
      const [a, b] = [mark.vertices[i], mark.vertices[(i + 1) % mark.vertices.length]];
      this.#addHandle(mark, i + 1, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], true);
    }
    mark.vertices.forEach((vertex, i) => this.#addHandle(mark, i, vertex, false));
  }

  #addHandle(mark, index, place, isMiddle) {
    const [x, y] = toDisplay(this.image, place), size = handleSize() / 2 / this.zoom;
    const handle = new Circle({
      x, y, radius: isMiddle ? size * 0.7 : size, name: isMiddle ? "middle" : "vertex", draggable: true,
      fill: !isMiddle && index === this.vertex ? "#ffd43b" : "#ffffff", opacity: isMiddle ? 0.55 : 1,
      stroke: "#1c5fa8", strokeWidth: 1.5, strokeScaleEnabled: false, hitStrokeWidth: isCoarse() ? 18 : 8,
    });
    const changed = () => {
      const vertices = [...mark.vertices];
      vertices.splice(index, isMiddle ? 0 : 1, fromDisplay(this.image, [handle.x(), handle.y()]));
      return { ...mark, vertices };
    };
    handle.on("dragmove", () => {
      const node = this.layer.findOne((n) => n.id() === mark.id);
      node.setAttr("points", changed().vertices.map((v) => toDisplay(this.image, v)));
    });
    handle.on("dragend", () => this.on.changed(mark.id, changed()));
    this.handles.add(handle);
  }

  // --- drawing ---------------------------------------------------------------------------------------

  get isDrawing() { return this.draft !== null; }

  cancel() {
    if (!this.draft) return false;
    this.draft = null;
    this.#drafted();
    return true;
  }

  #drafted() {
    this.on.drafted(this.draft?.kind ?? null);
    this.overlay.batchDraw();
  }

  /** A corner, centre or vertex at a place: begins a shape, goes on with it or ends it. */
  place(at) {
    const kind = this.tool;
    if (kind === "point") {
      this.on.created({ kind, x: at[0], y: at[1] });
      return;
    }
    if (!this.draft) {
      this.select(null); // whose handles would be in the way
      this.draft = { kind, points: [at], at };
    }
    else if (hasVertices(kind)) {
      this.draft.points.push(at);
      this.draft.at = at;
    } else {
      this.finish(at);
      return;
    }
    this.#drafted();
  }

  /** End the shape that is being drawn. */
  finish(at = null) {
    const { draft } = this;
    if (!draft) return;
    if (!hasVertices(draft.kind)) {
      const shape = fromDrag(draft.kind, draft.points[0], at ?? draft.at);
      if (!shape) { this.on.said("Too small: move further before the shape is ended."); return; }
      this.cancel();
      this.on.created(shape);
      return;
    }
    const vertices = draft.points, fewest = draft.kind === "polygon" ? 3 : 2;
    if (new Set(vertices.map(String)).size < fewest) {
      this.on.said(`A ${draft.kind} needs ${fewest} different vertices; it has ${vertices.length}.`);
      return;
    }
    this.cancel();
    this.on.created({ kind: draft.kind, vertices });
  }

  /** Take back the last vertex. */
  takeBack() {
    if (!this.draft) return false;
    this.draft.points.pop();
    if (!this.draft.points.length) return this.cancel();
    this.#drafted();
    return true;
  }

  /** Move the keyboard's cursor, which begins in the middle of what is visible. */
  moveCursor(dx, dy) {
    const middle = () => this.fromScreen([this.stage.width() / 2, this.stage.height() / 2]).map(Math.round);
    const [x, y] = this.cursor ?? middle();
    const clip = (value, most) => Math.min(most - 0.5, Math.max(-0.5, value));
    this.cursor = [clip(x + dx, this.image.columns), clip(y + dy, this.image.rows)];
    if (this.draft) this.draft.at = this.cursor;
    const [sx, sy] = this.toScreen(this.cursor), margin = 24;
    const outside = (value, size) => Math.min(0, size - margin - value) + Math.max(0, margin - value);
    const [px, py] = [outside(sx, this.stage.width()), outside(sy, this.stage.height())];
    if (px || py) this.panBy(px, py);
    this.overlay.batchDraw();
    this.on.hovered(this.cursor);
  }

  /** The smallest mark at a place. */
  markAt(place) {
    const [x, y] = this.toScreen(place);
    const hits = this.layer.find(".mark").filter((node) => {
      const rect = node.getClientRect();
      return x >= rect.x - 8 && x <= rect.x + rect.width + 8 && y >= rect.y - 8 && y <= rect.y + rect.height + 8;
    });
    return hits.at(-1)?.id() ?? null;
  }

  #drawOverlay(context) {
    if (!this.image) return;
    const ratio = this.overlay.getCanvas().getPixelRatio();
    context.save();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.draft) this.#drawDraft(context);
    if (this.cursor) {
      const [x, y] = this.toScreen(this.cursor);
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 4 * dx, y + 4 * dy);
        context.lineTo(x + 15 * dx, y + 15 * dy);
      }
      stroke(context, "#7fffd4", 2);
    }
    context.restore();
  }

  #drawDraft(context) {
    const { kind, points, at } = this.draft;
    context.beginPath();
    if (hasVertices(kind)) {
      [...points, at].map((v) => this.toScreen(v)).forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    } else {
      const [[x0, y0], [x1, y1]] = [this.toScreen(points[0]), this.toScreen(at)];
      if (kind === "circle") context.arc(x0, y0, Math.hypot(x1 - x0, y1 - y0), 0, 2 * Math.PI);
      else if (kind === "box") context.rect(x0, y0, x1 - x0, y1 - y0);
      else context.ellipse((x0 + x1) / 2, (y0 + y1) / 2, Math.abs(x1 - x0) / 2, Math.abs(y1 - y0) / 2, 0, 0, 2 * Math.PI);
    }
    stroke(context, "#7fffd4", 2);
    for (const point of points) {
      const [x, y] = this.toScreen(point);
      context.beginPath();
      context.arc(x, y, 3.5, 0, 2 * Math.PI);
      context.fillStyle = "#7fffd4";
      context.fill();
    }
  }

  // --- pointers --------------------------------------------------------------------------------------

  #listen() {
    const { container } = this;
    container.addEventListener("pointerdown", (e) => this.#down(e));
    container.addEventListener("pointermove", (e) => this.#move(e));
    for (const name of ["pointerup", "pointercancel"]) container.addEventListener(name, (e) => this.#up(e));
    container.addEventListener("pointerleave", () => this.on.hovered(null));
    container.addEventListener("contextmenu", (e) => e.preventDefault());
    container.addEventListener("wheel", (e) => {
      e.preventDefault();
      this.zoomBy(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0015)), this.#screenOf(e));
    }, { passive: false });
  }

  #screenOf(event) {
    const { left, top } = this.container.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  #down(event) {
    if (!this.image) return;
    const at = this.#screenOf(event);
    this.pressed.set(event.pointerId, at);
    if (this.pressed.size === 2) { // two fingers zoom and pan
      this.press = null;
      if (this.draft?.isNew) this.cancel();
      this.layer.find(".mark").forEach((node) => node.stopDrag());
      return;
    }
    const isPan = event.button === 1 || this.tool === "pan";
    if (!isPan && event.button !== 0) return;
    // handles, and marks where they can be selected, are Konva's
    if (!isPan && this.stage.getIntersection({ x: at[0], y: at[1] })) return;
    this.container.setPointerCapture(event.pointerId);
    this.cursor = null;
    const isDraw = !isPan && this.tool !== "select";
    if (!isPan && !isDraw) this.select(null);
    this.press = { id: event.pointerId, from: at, last: at, isDraw, moves: false };
    if (isDraw) this.#pressDraw(at, event);
  }

  #pressDraw(at, event) {
    const place = this.fromScreen(at), { draft } = this;
    if (draft && hasVertices(draft.kind)) {
      const near = (point) => Math.hypot(...this.toScreen(point).map((c, i) => c - at[i])) < NEAR_PX;
      const isDouble = event.timeStamp - (this.lastPress ?? -Infinity) < DOUBLE_MS && near(draft.points.at(-1));
      this.lastPress = event.timeStamp;
      const closes = draft.kind === "polygon" && draft.points.length > 2 && near(draft.points[0]);
      if (isDouble || closes) { this.press = null; this.finish(); return; }
    } else this.lastPress = event.timeStamp;
    if (this.tool === "point") return; // when the press ends
    const isNew = !draft;
    if (isNew || hasVertices(draft.kind)) this.place(place);
    if (this.draft) Object.assign(this.draft, { at: place, isNew });
  }

  #move(event) {
    if (!this.image) return;
    const at = this.#screenOf(event), before = this.pressed.get(event.pointerId);
    if (this.pressed.size === 2 && before) {
      const [other] = [...this.pressed].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
      this.panBy((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
      this.zoomBy(apart(at) / Math.max(1, apart(before)), [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2]);
      this.pressed.set(event.pointerId, at);
      return;
    }
    if (before) this.pressed.set(event.pointerId, at);
    const { press } = this;
    if (press && press.id === event.pointerId) {
      press.moves ||= Math.hypot(at[0] - press.from[0], at[1] - press.from[1]) > CLICK_PX;
      if (!press.isDraw) this.panBy(at[0] - press.last[0], at[1] - press.last[1]);
      press.last = at;
    }
    if (this.draft) { this.draft.at = this.fromScreen(at); this.overlay.batchDraw(); }
    this.on.hovered(this.fromScreen(at));
  }

  #up(event) {
    this.pressed.delete(event.pointerId);
    const { press } = this;
    if (!press || press.id !== event.pointerId) return;
    this.press = null;
    if (!press.isDraw || event.type === "pointercancel") return;
    const place = this.fromScreen(this.#screenOf(event)), { draft } = this;
    if (this.tool === "point") this.place(place);
    else if (!draft) return;
    else if (!hasVertices(draft.kind)) { if (press.moves || !draft.isNew) this.finish(place); }
    else if (press.moves) { // a stroke: its end is the next vertex, and that of a first line its last
      this.place(place);
      if (draft.kind === "line" && draft.isNew) this.finish();
    }
    if (this.draft) this.draft.isNew = false;
  }
}

/** A line that can be seen on dark and on bright pixels. */
function stroke(context, colour, width) {
  context.lineJoin = "round";
  context.lineWidth = width + 2;
  context.strokeStyle = "rgba(0, 0, 0, 0.6)";
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
}

function tracePoint(context, { x, y }, isSelected) {
  context.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + 3 * dx, y + 3 * dy);
    context.lineTo(x + 9 * dx, y + 9 * dy);
  }
  if (isSelected) {
    context.moveTo(x + 13, y);
    context.arc(x, y, 13, 0, 2 * Math.PI);
  }
}
