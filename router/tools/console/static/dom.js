// Makes elements. Texts of messages and configs become text nodes only, never markup.

// Return an element with attributes (functions are listeners: `onclick`) and children, which are elements or texts.
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

// Return an element of SVG, as `el` does.
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Return the parts of a text of the documentation: what is in backquotes there is code.
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? el("code", {}, part) : part));
}

// Return a table of texts or elements; `rows` are lists of cells.
export function table(columns, rows, attributes = {}) {
  const head = el("thead", {}, el("tr", {}, columns.map((column) => el("th", { scope: "col" }, column))));
  const body = el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))));
  return el("table", attributes, head, body);
}

// Call a function once nothing has called it for a while, in milliseconds.
export function debounce(wait, run) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), wait);
  };
}
