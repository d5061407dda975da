// Dialogs: what a code is, a confirmation, a text.
import { el, prose } from "./dom.js";

const KEYS = [
  ["Alt-1 to Alt-4", "show a view"],
  ["?", "show these keys"],
  ["Tab, Shift-Tab", "go to the next control, or to the one before; Enter or Space presses it"],
  ["Escape", "close a dialog or a list; then Tab leaves an editor"],
  ["Ctrl-S", "save what is edited"],
  ["Ctrl-Space", "list what can be written at the cursor"],
  ["Ctrl-Z, Ctrl-Y", "undo, and redo"],
  ["Ctrl-F", "search in an editor"],
  ["Ctrl and the wheel", "make the graph larger or smaller"],
];

// Show what keys do.
export function showKeys() {
  const dialog = el("dialog", { "aria-labelledby": "keys-title" },
    el("form", { method: "dialog" },
      el("h2", { id: "keys-title" }, "Keys"),
      el("dl", { class: "facts" }, KEYS.map(([keys, what]) => [el("dt", {}, el("kbd", {}, keys)), el("dd", {}, what)])),
      el("p", { class: "muted" }, "On a Mac, Cmd is Ctrl, and Option is Alt."),
      el("div", { class: "bar" }, el("button", { class: "button spread", autofocus: true }, "Close"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// The class of a badge for each severity of a finding.
export const SEVERITIES = { error: "bad", warning: "warn", info: "aws" };

// Return the elements of a runbook, of the Markdown that runbooks have: headings, code, lists, and paragraphs.
function runbook(text) {
  const parts = text.split(/^```\w*\n([^]*?)^```$/m);
  return parts.map((part, index) => (index % 2 ? el("pre", { class: "sample" }, part.trimEnd()) : part.split(/\n\n+|\n(?=(?:\d+\.|-) )/).map(block)));
}

function block(text) {
  const words = text.trim().replace(/\[([^\]]+)\]\([^)]*\)/g, "$1");
  if (words.startsWith("#")) return el("h3", {}, prose(words.replace(/^#+ /, "")));
  return words && el("p", {}, prose(words));
}

// Return a button that shows what a code is.
export function codeButton(app, code) {
  return el("button", { class: "link", type: "button", onclick: () => explainInDialog(app, code) }, code);
}

// Show what `router check --explain` says of a code, in a dialog, and the runbook of the code.
export async function explainInDialog(app, code) {
  let page;
  try {
    page = await app.api("edit/code", { code });
  } catch (error) {
    app.notify(error.message, "error");
    return;
  }
  const part = (title, text) => text && [el("h3", {}, title), el("pre", { class: "sample" }, text.trimEnd())];
  const dialog = el("dialog", { "aria-labelledby": "code-title", class: "explained" },
    el("h2", { id: "code-title" }, `${page.code} `, el("span", { class: `badge ${SEVERITIES[page.severity]}` }, page.severity)),
    el("p", {}, el("strong", {}, prose(page.title))), el("p", {}, prose(page.why)),
    page.runbook && runbook(page.runbook),
    part("bad", page.bad), part("found", page.found), part("good", page.good),
    el("form", { method: "dialog" }, el("div", { class: "bar" }, el("button", { class: "button spread", autofocus: true }, "Close"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// Ask for a confirmation, or for a text: return it, "" for a button without one, or null.
export function ask({ title, text, action, label = "", value = "", isDangerous = false }) {
  return new Promise((resolve) => {
    const input = label ? el("input", { type: "text", value, required: true }) : null;
    const dialog = el("dialog", { "aria-labelledby": "ask-title" },
      el("form", { method: "dialog" },
        el("h2", { id: "ask-title" }, title), text && el("p", {}, text),
        label && el("label", { class: "column" }, label, input),
        el("div", { class: "bar" },
          el("span", { class: "spread" }),
          el("button", { class: "button", type: "button", onclick: () => dialog.close("") }, "Cancel"),
          el("button", { class: `button ${isDangerous ? "danger" : "primary"}`, value: "yes" }, action))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes" ? (input ? input.value : "") : null);
    });
    document.body.append(dialog);
    dialog.showModal();
    input?.select();
  });
}
