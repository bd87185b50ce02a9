/** Keyboard shortcuts: what they do, and their list in the help. */

const FIELDS = "input:not([type=radio], [type=checkbox], [type=range]), select, textarea";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Where a key is pressed: in a field it is the field's own, on the board it draws. */
function placeOf(event) {
  const target = event.target instanceof Element ? event.target : document.body;
  if (target.matches(FIELDS)) return "field";
  return target === document.body || target.id === "board" ? "board" : "page";
}

/** The name of a key: "Ctrl+Z", "Shift+1" (by place on the keyboard), "ArrowLeft", "?". */
function nameOf(event) {
  const control = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
  const digit = /^(Digit|Numpad)(\d)$/.exec(event.code);
  if (digit && event.shiftKey && digit[1] === "Digit") return `${control}Shift+${digit[2]}`;
  if (event.shiftKey && (event.code === "Comma" || event.code === "Period")) return `Shift+${event.code}`;
  const isLetter = /^[a-z]$/i.test(event.key);
  const shift = event.shiftKey && (isLetter || event.key.length > 1) ? "Shift+" : "";
  return control + shift + (isLetter ? event.key.toUpperCase() : event.key);
}

/**
 * Shortcuts in groups: [title, [[keys, words, action, where]]], where `where` is "board" for what needs the
 * drawing area. `act` has the functions of the page.
 */
export function shortcuts(act, labels, classes) {
  const tool = (key, name, words) => [[key], words, () => act.tool(name), "page"];
  return [
    ["Tools", [
      tool("V", "select", "Select, move and resize"), tool("P", "point", "Point"), tool("B", "box", "Box"),
      tool("E", "ellipse", "Ellipse"), tool("C", "circle", "Circle"), tool("G", "polygon", "Polygon"),
      tool("L", "line", "Line"), tool("H", "pan", "Pan"),
    ]],
    ["Images", [
      [["PageDown", "J"], "Next image", () => act.go(1), "page"],
      [["PageUp", "K"], "Previous image", () => act.go(-1), "page"],
      [["X"], "Nothing to mark here", act.nothing, "page"],
      ...classes.slice(0, 9).map((name, i) => [[`Shift+${i + 1}`], `Class ${name}`, () => act.chooseClass(name), "page"]),
      [["A"], "Next confidence", act.nextConfidence, "page"],
    ]],
    ["Marks", [
      ...labels.map((name, i) => [[String(i + 1)], `Label ${name}`, () => act.label(name), "page"]),
      [["N"], "Select the next mark", () => act.nextMark(1), "page"],
      [["Shift+N"], "Select the previous mark", () => act.nextMark(-1), "page"],
      [["Ctrl+Z"], "Undo", act.undo, "page"],
      [["Ctrl+Y", "Ctrl+Shift+Z"], "Redo", act.redo, "page"],
    ]],
    ["In the drawing area (F goes there)", [
      [["F"], "Go to the drawing area", act.focusBoard, "page"],
      [["Enter", " "], "Begin or end a shape, or set a vertex, at the cursor; with Select: select the mark there", act.place, "board"],
      [["Ctrl+Enter"], "End a polygon or line (or Enter twice at one place)", act.finish, "board"],
      [["Escape"], "Cancel, or select nothing", act.cancel, "board"],
      [["Delete", "Backspace"], "Delete the mark or the vertex; while drawing: take back a vertex", act.remove, "board"],
      [["O"], "Choose the next vertex of a polygon or line, to move it alone", () => act.nextVertex(1), "page"],
      [["Shift+O"], "Choose the previous vertex", () => act.nextVertex(-1), "page"],
      [["I"], "Insert a vertex after the chosen one", act.insertVertex, "page"],
      [[","], "Turn anticlockwise by 1° (with Shift 15°)", () => act.turn(-1), "page"],
      [["."], "Turn clockwise by 1° (with Shift 15°)", () => act.turn(1), "page"],
    ]],
    ["Display", [
      [["S"], "Next stretch", () => act.nextStretch(1), "page"], [["Shift+S"], "Previous stretch", () => act.nextStretch(-1), "page"],
      [["M"], "Next colour map", () => act.nextColours(1), "page"], [["Shift+M"], "Previous colour map", () => act.nextColours(-1), "page"],
      [["["], "Lower the high limit", () => act.limit(-1), "page"], [["]"], "Raise the high limit", () => act.limit(1), "page"],
      [["T"], "Show or hide labels", act.toggleLabels, "page"],
      [["+", "="], "Zoom in", () => act.zoom(1.25), "page"], [["-"], "Zoom out", () => act.zoom(0.8), "page"], [["0"], "Fit the image", act.fit, "page"],
      [["Ctrl+S"], "Download the CSV", act.download, "page"], [["?"], "This help", act.help, "page"],
    ]],
  ];
}

/** Words about the arrow keys, which are no single shortcuts. */
export const ARROW_HELP = [
  ["Arrows", "Move the cursor, the selected mark or the chosen vertex by 1 pixel; with Shift by 10, with Alt by 0.1"],
  ["Ctrl+Arrows", "Make the selected mark wider, narrower, higher or lower by 1 pixel; with Shift by 10"],
];

export function listen(groups, act) {
  const known = new Map();
  for (const [, rows] of groups) for (const [keys, , run, where] of rows) for (const key of keys) known.set(key, { run, where });
  known.set("Shift+Comma", { run: () => act.turn(-15), where: "page" });
  known.set("Shift+Period", { run: () => act.turn(15), where: "page" });
  document.addEventListener("keydown", (event) => {
    const place = placeOf(event), name = nameOf(event);
    const isControl = name.startsWith("Ctrl+");
    if (document.querySelector("dialog[open]")) return;
    if (place === "field" && !["Ctrl+S", "PageDown", "PageUp"].includes(name)) return;
    if (ARROWS[event.key] && place === "board") {
      const [dx, dy] = ARROWS[event.key], step = event.shiftKey ? 10 : event.altKey ? 0.1 : 1;
      act.arrow(dx * step, dy * step, event.ctrlKey || event.metaKey);
      event.preventDefault();
      return;
    }
    const found = known.get(name);
    if (!found || (found.where === "board" && place !== "board") || (event.altKey && !isControl)) return;
    event.preventDefault();
    found.run();
  });
}
