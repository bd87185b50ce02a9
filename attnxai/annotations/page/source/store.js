/** The answers of one annotator: every change can be undone, and is kept in the browser at once. */

import { LABELS, OPERATIONS, checked } from "./geometry.js";

export const UNSURE = "unsure";
export const CONFIDENCES = ["high", "medium", "low"];
const MOST_STEPS = 500;
const MERGED_MS = 1500;

export const emptyAnswer = () => ({ marks: [], nothing: false, class: "", confidence: "", comment: "" });
export const isDone = (answer) => answer.nothing || answer.marks.length > 0;
export const hasContent = (answer) => isDone(answer) || Boolean(answer.class || answer.comment.trim());

let lastId = 0;
export const newId = () => `m${++lastId}`;

const copy = (value) => JSON.parse(JSON.stringify(value));
const textOf = (value, longest = 10_000) => (typeof value === "string" ? value.slice(0, longest) : "");

/** An answer from storage, of which only what has the right form is taken. */
function readAnswer(stored) {
  const answer = emptyAnswer();
  for (const mark of Array.isArray(stored?.marks) ? stored.marks : []) {
    const shape = mark && checked(mark);
    if (!shape || !LABELS.includes(mark.label)) continue;
    const operation = OPERATIONS.includes(mark.operation) ? mark.operation : "add";
    answer.marks.push({ id: newId(), ...shape, label: mark.label, operation, group: textOf(mark.group, 200) });
  }
  answer.nothing = stored?.nothing === true && !answer.marks.length;
  for (const name of ["class", "confidence", "comment"]) answer[name] = textOf(stored?.[name]);
  return answer;
}

export class Store extends EventTarget {
  constructor(study) {
    super();
    this.study = study;
    this.prefix = `attnxai-annotate:${study.id}`;
    this.reset("");
  }

  reset(annotator) {
    this.annotator = annotator;
    this.position = 0;
    this.answers = this.study.entries.map(emptyAnswer);
    this.done = []; // steps that can be undone: {position, changes: [[index, before, after]], key, time}
    this.undone = [];
    this.isKept = true; // whether everything is in the browser's storage
    this.isDownloaded = true;
  }

  get answer() { return this.answers[this.position]; }
  get nDone() { return this.answers.filter(isDone).length; }

  #emit(name) { this.dispatchEvent(new Event(name)); }

  go(position) {
    this.position = Math.max(0, Math.min(this.answers.length - 1, position));
    this.keep();
    this.#emit("moved");
  }

  /** Change the answer shown. Changes with the same `key` that follow each other closely are one step. */
  change(update, key = null) {
    const answer = copy(this.answer);
    update(answer);
    if (answer.marks.length) answer.nothing = false;
    this.replace(new Map([[this.position, answer]]), key);
  }

  replace(answers, key = null) {
    const changes = [...answers].map(([index, after]) => [index, this.answers[index], after])
      .filter(([, before, after]) => JSON.stringify(before) !== JSON.stringify(after));
    if (!changes.length) return;
    const last = this.done.at(-1), time = Date.now();
    if (key && last?.key === key && last.position === this.position && time - last.time < MERGED_MS) {
      last.changes = [[this.position, last.changes[0][1], changes[0][2]]];
      last.time = time;
    } else {
      this.done.push({ position: this.position, changes, key, time });
      if (this.done.length > MOST_STEPS) this.done.shift();
    }
    this.undone = [];
    this.#apply(changes.map(([index, , after]) => [index, after]));
  }

  undo() { this.#step(this.done, this.undone, 1); }
  redo() { this.#step(this.undone, this.done, 2); }

  #step(from, to, side) {
    const step = from.pop();
    if (!step) return;
    to.push({ ...step, key: null });
    const moves = step.position !== this.position;
    this.position = step.position;
    this.#apply(step.changes.map((change) => [change[0], change[side]]));
    if (moves) this.#emit("moved");
  }

  #apply(changes) {
    for (const [index, answer] of changes) this.answers[index] = answer;
    this.isDownloaded = false;
    this.keep();
    this.#emit("changed");
  }

  /** Write everything into the browser's storage. */
  keep() {
    if (!this.annotator) return;
    const { annotator, position, answers } = this;
    try {
      localStorage.setItem(`${this.prefix}:${annotator}`, JSON.stringify({ version: 1, annotator, position, answers }));
      localStorage.setItem(this.prefix, annotator);
      this.isKept = true;
    } catch { // full, or switched off
      this.isKept = false;
    }
    this.#emit("kept");
  }

  /** Begin, or go on with what this annotator did before in this browser. */
  open(annotator) {
    this.reset(annotator);
    try {
      const stored = JSON.parse(localStorage.getItem(`${this.prefix}:${annotator}`) ?? "null");
      if (stored?.version === 1 && Array.isArray(stored.answers)) {
        this.answers = this.answers.map((_, i) => readAnswer(stored.answers[i]));
        this.position = Number.isInteger(stored.position) ? Math.max(0, Math.min(this.answers.length - 1, stored.position)) : 0;
        this.isDownloaded = !this.answers.some(hasContent);
      }
    } catch {
      // nothing that could be read: begin anew
    }
    this.keep();
    this.#emit("moved");
  }

  /** Who annotated last in this browser. */
  lastAnnotator() {
    try {
      return textOf(localStorage.getItem(this.prefix), 200);
    } catch {
      return "";
    }
  }
}
