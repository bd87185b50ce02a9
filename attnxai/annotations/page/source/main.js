/** The annotation page: joins the answers, the drawing area and the panels. */

import { Board, LABEL_COLOURS } from "./board.js";
import { LABELS, hasAxes, hasVertices, moved, resized, turned } from "./geometry.js";
import { ARROW_HELP, listen, shortcuts } from "./keyboard.js";
import { addChoices, byId, capital, choose, element, labelChoices, showDetails, showKeys, showMarks } from "./panel.js";
import { COLOUR_MAPS, STRETCHES, paint, unpack } from "./picture.js";
import { compass, toSky } from "./sky.js";
import { CONFIDENCES, Store, UNSURE, hasContent, isDone, newId } from "./store.js";
import { readTable, writeTable } from "./table.js";

const study = JSON.parse(byId("study").textContent);
const store = new Store(study);
const display = { stretch: "asinh", colours: "grey", limits: new Map() };
let picture = null; // of the image that is shown
let label = "lobe"; // of the next mark

const entry = () => study.entries[store.position];
const image = () => study.images[entry().image];
const say = (text) => { byId("said").textContent = text; };
const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

// --- display -----------------------------------------------------------------------------------------

const limits = () => display.limits.get(entry().image) ?? { low: image().low, high: image().high };
const range = () => [image().zero, image().zero + image().step * image().top];
// sliders give faint emission most of their way
const fromSlider = (t) => { const [low, high] = range(); return low + (high - low) * (t / 1000) ** 3; };
const toSlider = (value) => { const [low, high] = range(); return Math.round(1000 * Math.cbrt(Math.min(1, Math.max(0, (value - low) / (high - low || 1))))); };
const painter = (canvas) => paint(picture, { ...display, ...limits() }, canvas);

function setLimits(low, high) {
  if (![low, high].every(Number.isFinite)) return;
  display.limits.set(entry().image, { low, high });
  showDisplay();
}

function showDisplay() {
  const { low, high } = limits();
  const text = (value) => String(Number(value.toPrecision(6)));
  for (const [id, value] of [["low", low], ["high", high]]) {
    byId(id).value = text(value);
    byId(`${id}-slider`).value = toSlider(value);
    byId(`${id}-slider`).setAttribute("aria-valuetext", text(value));
  }
  byId("stretch").value = display.stretch;
  byId("colours").value = display.colours;
  board.repaint(painter);
}

function cycle(names, current, by) {
  return names[(names.indexOf(current) + by + names.length) % names.length];
}

function setDisplay(name, value) {
  display[name] = value;
  showDisplay();
  say(`${name === "stretch" ? "Stretch" : "Colours"}: ${value}`);
}

// --- the drawing area --------------------------------------------------------------------------------

const board = new Board(byId("board"), {
  created(shape) {
    const mark = { id: newId(), ...shape, label, operation: "add", group: "" };
    store.change((answer) => answer.marks.push(mark));
    board.select(mark.id);
    say(`${capital(shape.kind)} added, ${label}. ${counted(store.answer.marks.length, "mark")}.`);
  },
  changed: (id, shape) => changeMark(id, () => shape),
  selected: () => showSelection(),
  hovered: (place) => showReadout(place),
  said: say,
  viewed: () => showScale(),
  drafted(kind) {
    byId("drafting").hidden = !kind;
    byId("finish").hidden = !(kind && hasVertices(kind));
  },
});

function changeMark(id, update, key = null) {
  store.change((answer) => { answer.marks = answer.marks.map((mark) => (mark.id === id ? update(mark) : mark)); }, key);
}

function removeMark(id) {
  store.change((answer) => { answer.marks = answer.marks.filter((mark) => mark.id !== id); });
  say(`Mark deleted. ${counted(store.answer.marks.length, "mark")} left; Ctrl+Z brings it back.`);
}

function showReadout(place) {
  const parts = [];
  if (place) {
    const value = picture?.at(...place);
    parts.push(`x ${place[0].toFixed(1)}, y ${place[1].toFixed(1)}`);
    if (image().sky && !study.blind) {
      const [ra, dec] = toSky(image().sky, place);
      parts.push(`RA ${ra.toFixed(5)}°, Dec ${dec.toFixed(5)}°`);
    }
    if (value !== null && value !== undefined) parts.push(`value ${value.toPrecision(4)}`);
  }
  byId("readout").textContent = parts.join("  ·  ") || "\u00a0";
}

const SVG = "http://www.w3.org/2000/svg";
function showCompass() {
  const box = byId("compass");
  box.replaceChildren();
  box.toggleAttribute("hidden", !image().sky);
  if (!image().sky) return;
  for (const [name, [dx, dy]] of Object.entries(compass(image()))) {
    const line = document.createElementNS(SVG, "path"), text = document.createElementNS(SVG, "text");
    line.setAttribute("d", `M0 0L${26 * dx} ${26 * dy}`);
    text.setAttribute("x", 38 * dx);
    text.setAttribute("y", 38 * dy);
    text.textContent = name === "north" ? "N" : "E";
    box.append(line, text);
  }
}

function showScale() {
  const box = byId("scale"), arcsec = board.image?.scale_arcsec;
  box.hidden = !arcsec;
  if (!arcsec) return;
  const longest = (120 / board.zoom) * arcsec;
  const [unit, sign] = [[3600, "°"], [60, "′"], [1, "″"]].find(([size]) => size <= longest) ?? [1, "″"];
  const power = 10 ** Math.floor(Math.log10(longest / unit));
  const length = [5, 2, 1].map((k) => Number((k * power).toPrecision(1))).find((l) => l * unit <= longest);
  box.style.width = `${((length * unit) / arcsec) * board.zoom}px`;
  box.firstElementChild.textContent = `${length}${sign}`;
}

// --- answers -----------------------------------------------------------------------------------------

function showEntry() {
  picture = unpack(image(), byId(`picture-${entry().image}`).textContent);
  board.show(image(), painter);
  byId("source-name").textContent = entry().name;
  byId("previous").disabled = store.position === 0;
  byId("next").disabled = store.position === study.entries.length - 1;
  showCompass();
  showDisplay();
  showReadout(null);
  showAnswer();
  say(`Image ${store.position + 1} of ${study.entries.length}: ${entry().name}`);
}

function showAnswer() {
  const { answer } = store;
  board.setMarks(answer.marks);
  choose(byId("classes"), answer.class);
  choose(byId("confidences"), answer.confidence);
  if (byId("comment").value !== answer.comment) byId("comment").value = answer.comment;
  byId("nothing").setAttribute("aria-pressed", String(answer.nothing));
  byId("nothing").disabled = answer.marks.length > 0;
  showSelection();
  showProgress();
}

function showSelection() {
  const mark = board.selectedMark;
  showMarks(byId("marks"), store.answer.marks, board.selected, {
    onSelect: (id) => { board.select(id); say("Selected. The arrow keys move the mark in the drawing area (F)."); },
    onDelete: removeMark,
  });
  showDetails(byId("details"), mark, (changed) => changeMark(mark.id, () => changed));
  choose(byId("labels"), mark?.label ?? label);
  byId("labelled").textContent = mark ? "the selected mark" : "the next mark";
}

function showProgress() {
  const n = study.entries.length, { nDone } = store;
  byId("progress").value = nDone;
  byId("progress-text").textContent = `${nDone} of ${n} done`;
  byId("undo").disabled = !store.done.length;
  byId("redo").disabled = !store.undone.length;
  const options = byId("go-to").options;
  study.entries.forEach(({ name }, i) => {
    const state = isDone(store.answers[i]) ? "✓ " : hasContent(store.answers[i]) ? "… " : "";
    const text = `${state}${i + 1} of ${n}: ${name}`;
    if (options[i].textContent !== text) options[i].textContent = text;
  });
  byId("go-to").value = String(store.position);
}

function showKept() {
  const warning = byId("warning");
  warning.hidden = store.isKept;
  if (!store.isKept) {
    warning.textContent = "This browser does not keep the answers: its storage is full or switched off for this file. Download the table before you close the page; it can be imported again.";
  }
}

function setLabel(name) {
  label = name;
  const mark = board.selectedMark;
  if (mark) changeMark(mark.id, (m) => ({ ...m, label: name }));
  showSelection();
  say(mark ? `Label: ${name}` : `Label of the next mark: ${name}`);
}

const setAnswer = (name, value) => store.change((answer) => { answer[name] = value; }, name === "comment" ? "comment" : null);

// --- tables ------------------------------------------------------------------------------------------

function download() {
  if (!store.annotator) return;
  const { answers } = store, n = (test) => answers.filter(test).length;
  const text = writeTable(study, answers, store.annotator);
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const name = store.annotator.normalize("NFKD").replace(/[^\w-]+/g, "_").replace(/^_+|_+$/g, "") || "annotator";
  const link = element("a", { href: url, download: `annotations-${name}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  store.isDownloaded = true;
  const unmarked = n((a) => hasContent(a) && !isDone(a)), open = n((a) => !hasContent(a));
  showReport("Downloaded", [
    `${counted(n((a) => a.marks.length > 0), "image")} with marks: ${counted(answers.reduce((all, a) => all + a.marks.length, 0), "mark")}`,
    `${counted(n((a) => a.nothing), "image")} with nothing to mark`,
    ...(unmarked ? [`${counted(unmarked, "image")} with a class or a comment but no mark, written like those with nothing to mark`] : []),
    ...(open ? [`${counted(open, "image")} not answered yet, without a row in the table`] : []),
  ]);
}

function showReport(title, lines) {
  byId("report-title").textContent = title;
  byId("report-lines").replaceChildren(...lines.map((textContent) => element("li", { textContent })));
  byId("report").showModal();
}

async function importFile(file) {
  let found;
  try {
    found = readTable(study, await file.text(), store.annotator || byId("annotator").value.trim());
  } catch (error) {
    showReport("This table cannot be imported", [error.message]);
    return;
  }
  const { annotator, annotators, answers, n_rows: nRows, faults, n_faults: nFaults } = found;
  const more = nFaults - faults.length;
  const left = [...faults, ...(more > 0 ? [`and ${more} more`] : [])];
  if (!answers.size) {
    const names = annotators.slice(0, 5).join(", ");
    showReport("Nothing was imported", [`The table has no row by ${annotator || "you"} for an image of this page; its annotators are ${names || "none"}.`, ...left]);
    return;
  }
  if (!store.annotator) { store.open(annotator); byId("start").close(); begin(); }
  store.replace(answers);
  showReport("Imported", [`${counted(nRows, "row")} for ${counted(answers.size, "image")}; what was answered there before is replaced, and Undo brings it back.`,
    ...(nFaults ? [`${counted(nFaults, "row")} left out:`, ...left] : [])]);
}

// --- the beginning -----------------------------------------------------------------------------------

function begin() {
  byId("annotator-name").textContent = store.annotator;
  byId("open-start").hidden = false;
}

function askName() {
  const last = store.annotator || store.lastAnnotator();
  byId("annotator").value = last;
  byId("start-note").textContent = last && !store.annotator ? "Answers under this name are kept in this browser, and you go on where you stopped." : "";
  byId("start").showModal();
}

function setUp() {
  byId("go-to").append(...study.entries.map((_, i) => element("option", { value: String(i) })));
  byId("stretch").append(...Object.keys(STRETCHES).map((name) => element("option", { value: name, textContent: name })));
  byId("colours").append(...Object.keys(COLOUR_MAPS).map((name) => element("option", { value: name, textContent: name })));
  const classes = [...study.classes, UNSURE];
  addChoices(byId("classes"), "class", [...classes.map((c) => [c, c]), ["", "not stated"]], (value) => setAnswer("class", value));
  addChoices(byId("confidences"), "confidence", [...CONFIDENCES.map((c) => [c, c]), ["", "not stated"]], (value) => setAnswer("confidence", value));
  addChoices(byId("labels"), "label", labelChoices(), setLabel, LABEL_COLOURS);

  const onClick = (id, run) => byId(id).addEventListener("click", run);
  const onInput = (id, run) => byId(id).addEventListener("input", (event) => run(event.target.value));
  const onChange = (id, run) => byId(id).addEventListener("change", (event) => run(event.target.value));
  const by = {
    tool(name) {
      if (!["select", "pan"].includes(name)) board.select(null); // so that a label chosen now is that of the next mark
      board.setTool(name);
      for (const button of document.querySelectorAll("[data-tool]")) if (button.id !== "board") button.setAttribute("aria-pressed", String(button.dataset.tool === name));
      byId("board").focus({ preventScroll: true });
    },
    go: (step) => store.go(store.position + step),
    nothing: () => {
      if (store.answer.marks.length) { say("There are marks here; delete them first."); return; }
      store.change((answer) => { answer.nothing = !answer.nothing; });
      say(store.answer.nothing ? "Nothing to mark here." : "Not answered yet.");
    },
    chooseClass: (value) => { setAnswer("class", value); say(`Class: ${value}`); },
    nextConfidence: () => { setAnswer("confidence", cycle(CONFIDENCES, store.answer.confidence, 1)); say(`Confidence: ${store.answer.confidence}`); },
    label: setLabel,
    undo: () => { store.undo(); say("Undone."); },
    redo: () => { store.redo(); say("Redone."); },
    nextMark(step) {
      const { marks } = store.answer, at = marks.findIndex((m) => m.id === board.selected);
      const mark = marks[at < 0 ? (step > 0 ? 0 : marks.length - 1) : (at + step + marks.length) % marks.length];
      if (mark) { board.select(mark.id); say(`Mark ${marks.indexOf(mark) + 1}: ${mark.kind}, ${mark.label}`); byId("board").focus({ preventScroll: true }); }
    },
    focusBoard: () => byId("board").focus(),
    place() {
      if (!board.cursor) board.moveCursor(0, 0);
      const at = board.cursor;
      if (board.tool === "select" || board.tool === "pan") { board.select(board.markAt(at)); return; }
      const last = board.draft?.points.at(-1);
      if (board.draft && hasVertices(board.draft.kind) && last[0] === at[0] && last[1] === at[1]) board.finish();
      else board.place([...at]);
      if (board.draft) say(`${capital(board.draft.kind)}: ${counted(board.draft.points.length, "position")} set.`);
    },
    finish: () => board.finish(),
    cancel: () => { if (!board.cancel()) board.select(null); },
    remove() {
      const mark = board.selectedMark;
      if (board.takeBack() || !mark) return;
      if (board.vertex === null) { removeMark(mark.id); return; }
      const vertices = mark.vertices.filter((_, i) => i !== board.vertex);
      if (vertices.length < (mark.kind === "polygon" ? 3 : 2)) say(`A ${mark.kind} cannot have fewer vertices.`);
      else changeMark(mark.id, (m) => ({ ...m, vertices }));
    },
    nextVertex(step) {
      const mark = board.selectedMark;
      if (!mark || !hasVertices(mark.kind)) { say("Select a polygon or a line first."); return; }
      const n = mark.vertices.length;
      board.chooseVertex(board.vertex === null ? (step > 0 ? 0 : n - 1) : (board.vertex + step + n) % n);
      say(`Vertex ${board.vertex + 1} of ${n}. The arrow keys move it.`);
    },
    insertVertex() {
      const mark = board.selectedMark, i = board.vertex;
      if (i === null) { say("Choose a vertex first (O)."); return; }
      const vertices = [...mark.vertices], [a, b] = [vertices[i], vertices[(i + 1) % vertices.length]];
      vertices.splice(i + 1, 0, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
      changeMark(mark.id, (m) => ({ ...m, vertices }));
      board.chooseVertex(i + 1);
    },
    turn(degrees) { // clockwise on the screen
      const mark = board.selectedMark, sense = image().row_zero === "bottom" ? -1 : 1;
      if (!mark) return;
      changeMark(mark.id, (m) => turned(m, sense * degrees), `turn ${mark.id}`);
      if (hasAxes(mark.kind)) say(`Angle ${board.selectedMark.angle.toFixed(0)}°`);
    },
    arrow(dx, up, resizes) {
      const dy = image().row_zero === "bottom" ? up : -up, mark = board.selectedMark;
      if (!mark || board.isDrawing) { board.moveCursor(dx, dy); return; }
      const update = resizes ? (m) => resized(m, dx, up) : (m) => moved(m, dx, dy, board.vertex);
      changeMark(mark.id, update, `${resizes ? "resize" : "move"} ${mark.id} ${board.vertex}`);
      showReadout(board.selectedPlace);
    },
    nextStretch: (step) => setDisplay("stretch", cycle(Object.keys(STRETCHES), display.stretch, step)),
    nextColours: (step) => setDisplay("colours", cycle(Object.keys(COLOUR_MAPS), display.colours, step)),
    limit: (step) => setLimits(limits().low, fromSlider(Math.min(1000, Math.max(0, toSlider(limits().high) + 40 * step)))),
    toggleLabels: () => byId("show-labels").click(),
    zoom: (factor) => board.zoomBy(factor, board.cursor ? board.toScreen(board.cursor) : undefined),
    fit: () => board.fit(),
    download,
    help: () => byId("help").showModal(),
  };
  const groups = shortcuts(by, LABELS, classes);
  listen(groups, by);
  showKeys(byId("keys"), groups, ARROW_HELP);

  for (const button of document.querySelectorAll(".toolbar button")) button.addEventListener("click", () => by.tool(button.dataset.tool));
  for (const [id, run] of [["previous", () => by.go(-1)], ["next", () => by.go(1)], ["undo", by.undo], ["redo", by.redo], ["nothing", by.nothing],
    ["zoom-in", () => board.zoomBy(1.25)], ["zoom-out", () => board.zoomBy(0.8)], ["fit", by.fit], ["finish", by.finish], ["cancel", by.cancel],
    ["open-help", by.help], ["open-start", askName], ["download", download],
    ["import", () => byId("import-file").click()], ["start-import", () => byId("import-file").click()],
    ["auto", () => { display.limits.delete(entry().image); showDisplay(); }], ["full", () => setLimits(...range())]]) onClick(id, run);
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
  onChange("go-to", (value) => store.go(Number(value)));
  onInput("comment", (value) => setAnswer("comment", value));
  onChange("stretch", (value) => setDisplay("stretch", value));
  onChange("colours", (value) => setDisplay("colours", value));
  onInput("low-slider", (value) => setLimits(fromSlider(value), limits().high));
  onInput("high-slider", (value) => setLimits(limits().low, fromSlider(value)));
  onChange("low", (value) => setLimits(value === "" ? NaN : Number(value), limits().high));
  onChange("high", (value) => setLimits(limits().low, value === "" ? NaN : Number(value)));
  byId("show-labels").addEventListener("change", (event) => board.setLabels(event.target.checked));
  byId("import-file").addEventListener("change", async ({ target }) => {
    if (target.files.length) await importFile(target.files[0]);
    target.value = "";
  });
  byId("start").addEventListener("cancel", (event) => { if (!store.annotator) event.preventDefault(); });
  byId("start").addEventListener("submit", () => {
    const name = byId("annotator").value.trim().normalize("NFC");
    if (name && name !== store.annotator) store.open(name);
    begin();
  });
  byId("annotator").addEventListener("input", ({ target }) => target.setCustomValidity(target.value.trim() ? "" : "Please give a name."));

  store.addEventListener("moved", showEntry);
  store.addEventListener("changed", showAnswer);
  store.addEventListener("kept", showKept);
  addEventListener("storage", ({ key }) => {
    if (key !== `${store.prefix}:${store.annotator}`) return;
    byId("warning").hidden = false;
    byId("warning").textContent = "This page is open in another tab too, and what is answered last is kept. Close one of the tabs, and reload the other.";
  });
  addEventListener("beforeunload", (event) => { if (!store.isKept && !store.isDownloaded) event.preventDefault(); });
  by.tool("select");
}

setUp();
const last = store.lastAnnotator();
if (last) { // go on after a reload
  store.open(last);
  begin();
} else {
  showEntry();
  askName();
}
