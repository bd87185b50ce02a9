/** CSV as attnxai.data.csv_table reads and writes it. */

// Spreadsheets take a cell that begins with one of these for a formula, the full-width signs included.
const FORMULA = /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const NUMBER = /^([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan))$/;
const UNPRINTABLE = /(?![\n\t])[\p{Cc}\p{Cs}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A value that no spreadsheet evaluates: formulas get an apostrophe in front, control characters become "?". */
function escaped(value) {
  const text = String(value ?? "").replace(UNPRINTABLE, "?");
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}

/** What `escaped` was given: an apostrophe in front of a formula is taken off. */
const unescaped = (text) => (text.startsWith("'") && FORMULA.test(text) ? text.slice(1) : text);

export function formatCsv(rows) {
  const cell = (value) => {
    const text = escaped(value);
    return /[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
}

/** Rows as {line, cells}; an Error says what is wrong. */
export function parseCsv(text) {
  const rows = [];
  let cells = [], cell = "", quoted = false, line = 1, begun = 1;
  const endCell = () => { cells.push(unescaped(cell.trim())); cell = ""; };
  const endRow = () => {
    endCell();
    if (cells.some(Boolean)) rows.push({ line: begun, cells });
    cells = [];
  };
  const source = text.replace(/^\ufeff/, "");
  for (let i = 0; i < source.length; i++) {
    const c = source[i];
    if (c === "\n") line++;
    if (quoted) {
      if (c !== '"') cell += c;
      else if (source[i + 1] === '"') { cell += c; i++; }
      else quoted = false;
    } else if (c === '"' && !cell.trim()) { quoted = true; cell = ""; }
    else if (c === ",") endCell();
    else if (c === "\n") { endRow(); begun = line; }
    else if (c !== "\r") cell += c;
  }
  if (quoted) throw new Error(`the quotation mark of the row that begins on line ${begun} is not closed`);
  endRow();
  return rows;
}
