/** Parts of the page beside the drawing area. All text is set as text, never as markup. */

import { LABEL_COLOURS } from "./board.js";
import { LABELS, checked, hasAxes, hasVertices, isArea } from "./geometry.js";

export const byId = (id) => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A radio button for each choice; `dots` are colours beside them. */
export function addChoices(fieldset, name, choices, onChoice, dots = {}) {
  for (const [value, words] of choices) {
    const input = element("input", { type: "radio", name, value });
    input.addEventListener("change", () => onChoice(value));
    const dot = element("span", { className: "dot" });
    if (dots[value]) dot.style.background = dots[value];
    fieldset.append(element("label", { className: "chip" }, input, ...(dots[value] ? [dot] : []), element("span", { textContent: words })));
  }
}

export function choose(fieldset, value) {
  for (const input of fieldset.querySelectorAll("input")) input.checked = input.value === value;
}

const nameOf = (mark) => `${capital(mark.kind)}, ${mark.label}${mark.operation === "subtract" ? ", subtracted" : ""}`;

/** The list of marks; the one that is selected is pressed. */
export function showMarks(list, marks, selected, { onSelect, onDelete }) {
  const hadFocus = document.activeElement?.closest?.("#marks") ? document.activeElement.dataset.key : null;
  list.replaceChildren(...marks.map((mark, i) => {
    const dot = element("span", { className: "dot" });
    dot.style.background = LABEL_COLOURS[mark.label];
    const select = element("button", { type: "button" }, dot, `${i + 1}. ${nameOf(mark)}`);
    select.setAttribute("aria-pressed", String(mark.id === selected));
    select.dataset.key = `select ${mark.id}`;
    select.addEventListener("click", () => onSelect(mark.id));
    const remove = element("button", { type: "button", textContent: "Delete" });
    remove.setAttribute("aria-label", `Delete mark ${i + 1}: ${nameOf(mark)}`);
    remove.dataset.key = `delete ${mark.id}`;
    remove.addEventListener("click", () => onDelete(mark.id));
    return element("li", {}, select, remove);
  }));
  [...list.querySelectorAll("button")].find((button) => button.dataset.key === hadFocus)?.focus();
}

const NUMBERS = [
  ["x", "x", () => true], ["y", "y", () => true], ["width", "Width", (m) => hasAxes(m.kind)],
  ["height", "Height", (m) => hasAxes(m.kind)], ["angle", "Angle (°)", (m) => hasAxes(m.kind)],
  ["radius", "Radius", (m) => m.kind === "circle"],
];
const rounded = (value) => String(Math.round(value * 1000) / 1000);

/** Fields for the numbers of the selected mark, and how it is combined with others. */
export function showDetails(box, mark, onChange) {
  const signature = JSON.stringify(mark);
  if (box.dataset.shown === signature) return;
  box.dataset.shown = signature;
  box.hidden = !mark;
  const focused = box.contains(document.activeElement) ? document.activeElement.name : null;
  box.replaceChildren(...(mark ? detailsOf(mark, onChange) : []));
  if (focused) box.querySelector(`[name="${focused}"]`)?.focus();
}

function detailsOf(mark, onChange) {
  const field = (words, input) => element("label", { className: "field" }, `${words} `, input);
  const changing = (input, read) => {
    input.addEventListener("change", () => {
      const changed = { ...mark, ...read(input) }, isRight = Boolean(checked(changed));
      input.setCustomValidity(isRight ? "" : "This is not possible for this shape.");
      input.reportValidity();
      if (isRight) onChange(changed);
    });
    return input;
  };
  const parts = [];
  if (hasVertices(mark.kind)) {
    const value = mark.vertices.map((v) => v.map(rounded).join(" ")).join("; ");
    const read = (input) => ({ vertices: input.value.split(";").filter((p) => p.trim()).map((p) => p.trim().split(/[\s,]+/).map(Number)) });
    parts.push(field("Vertices in pixels: x y; x y; …", changing(element("textarea", { name: "vertices", rows: 2, value }), read)));
  } else {
    const numbers = NUMBERS.filter(([, , has]) => has(mark)).map(([name, words]) => {
      const input = element("input", { name, type: "number", step: "any", value: rounded(mark[name]) });
      return field(words, changing(input, () => ({ [name]: input.value === "" ? NaN : Number(input.value) })));
    });
    parts.push(element("div", { className: "numbers" }, ...numbers));
  }
  const group = element("input", { name: "group", value: mark.group, maxLength: 200 });
  parts.push(field("Group (marks that belong together)", changing(group, () => ({ group: group.value.trim() }))));
  if (isArea(mark.kind)) {
    const input = element("input", { name: "subtract", type: "checkbox", checked: mark.operation === "subtract" });
    changing(input, () => ({ operation: input.checked ? "subtract" : "add" }));
    parts.push(element("label", { className: "check row" }, input, "Subtract this area"));
  }
  return parts;
}

/** The list of shortcuts in the help. */
export function showKeys(box, groups, arrows) {
  const row = (keys, words) => [
    element("dt", {}, ...keys.flatMap((key, i) => [i ? " " : "", element("kbd", { textContent: key === " " ? "Space" : key })])),
    element("dd", { textContent: words }),
  ];
  box.replaceChildren(...groups.map(([title, rows]) => element("section", {},
    element("h3", { textContent: title }),
    element("dl", {}, ...rows.flatMap(([keys, words]) => row(keys, words)), ...(title.startsWith("In the drawing") ? arrows.flatMap(([key, words]) => row([key], words)) : [])))));
}

export const labelChoices = () => LABELS.map((name, i) => [name, `${i + 1} ${capital(name)}`]);
