// The shell of the page: its views, the calls of the server, notices. A view is a module that exports `open(panel, app)`,
// which is called when the view is first shown, and may return `{shown(detail), hidden()}`.
import { showKeys } from "./dialogs.js";
import { el } from "./dom.js";

const VIEWS = ["edit", "routes", "letters", "change"];
const SOON = 150; // milliseconds in which an answer is there at once

// An answer of the server that is an error: `code` is a stable word or a code RTnnn.
export class ApiError extends Error {
  constructor(code, message, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

// Call `POST /api/NAME`; return its JSON. Throws ApiError.
async function api(name, body = {}, options = {}) {
  const done = options.isQuiet ? () => {} : busy();
  try {
    return await answerOf(name, body, options);
  } finally {
    done();
  }
}

async function answerOf(name, body, options) {
  let response;
  try {
    response = await fetch(`/api/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: options.signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("unreachable", "the console does not answer: is its command still running?", 0);
  }
  const isJson = response.headers.get("Content-Type") === "application/json";
  const answer = isJson ? await response.json() : { code: "refused", message: await response.text() };
  if (!response.ok) throw new ApiError(answer.code, answer.message, response.status);
  return answer;
}

let waiting = 0;

// Show that something is waited for, if it is not there at once; return what ends that.
function busy() {
  const sign = document.getElementById("busy");
  waiting += 1;
  const timer = setTimeout(() => (sign.hidden = false), SOON);
  return () => {
    clearTimeout(timer);
    waiting -= 1;
    if (!waiting) sign.hidden = true;
  };
}

// Show a sentence for a while; an error stays until it is closed.
function notify(text, kind = "info") {
  const close = el("button", { class: "close", type: "button", "aria-label": "Close this notice" }, "×");
  const notice = el("div", { class: `notice ${kind}` }, el("span", {}, text), close);
  close.addEventListener("click", () => notice.remove());
  document.getElementById("notices").append(notice);
  if (kind !== "error") setTimeout(() => notice.remove(), 6000);
}

const opened = new Map();
let current = null;

const app = {
  api,
  notify,
  // What the command was started with: {config, target, writes}.
  setting: null,
  // The texts of files that were edited and not saved, by their names; calls that read the config take them.
  unsaved: {},
  // Show a view, with something for it to show.
  show,
};

async function show(name, detail = null) {
  if (current === name && detail === null) return;
  opened.get(current)?.hidden?.();
  current = name;
  for (const view of VIEWS) {
    const isShown = view === name;
    const tab = document.getElementById(`tab-${view}`);
    tab.setAttribute("aria-selected", String(isShown));
    tab.tabIndex = isShown ? 0 : -1;
    document.getElementById(`view-${view}`).hidden = !isShown;
  }
  document.title = `${document.getElementById(`tab-${name}`).textContent} – Message Router`;
  if (location.hash !== `#${name}`) history.replaceState(null, "", `#${name}`);
  try {
    if (!opened.has(name)) {
      opened.set(name, null);
      const module = await import(`./view_${name}.js`);
      opened.set(name, (await module.open(document.getElementById(`view-${name}`), app)) ?? {});
    }
    if (current === name) opened.get(name)?.shown?.(detail);
  } catch (error) {
    opened.delete(name);
    notify(error.message, "error");
  }
}

function moveAmongTabs(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const index = VIEWS.indexOf(current);
  const target = { Home: 0, End: VIEWS.length - 1 }[event.key] ?? (step && (index + step + VIEWS.length) % VIEWS.length);
  if (target === undefined) return;
  event.preventDefault();
  document.getElementById(`tab-${VIEWS[target]}`).focus();
  show(VIEWS[target]);
}

// Alt and a digit show a view; ? shows the keys, unless something is written.
function onKey(event) {
  const view = VIEWS[Number(event.code.replace("Digit", "")) - 1];
  if (event.altKey && event.code.startsWith("Digit") && view) {
    event.preventDefault();
    show(view);
  } else if (event.key === "?" && !event.target.closest("input, textarea, [contenteditable=true]")) showKeys();
}

function showSetting({ config, target, writes }) {
  const names = { files: "files only", local: "local AWS", aws: writes ? "AWS, with writes" : "AWS, read-only" };
  const kind = target === "aws" && writes ? "warn" : target;
  document.getElementById("setting").replaceChildren(
    el("span", { class: "path", title: config }, config),
    el("span", { class: `badge ${kind}` }, names[target]),
  );
}

async function start() {
  // The token is in a cookie now, and is not to be seen or copied with the URL.
  const hash = VIEWS.includes(location.hash.slice(1)) ? location.hash : "#edit";
  history.replaceState(null, "", `/${hash}`);
  const tabs = document.querySelector("[role=tablist]");
  tabs.addEventListener("click", (event) => event.target.dataset.view && show(event.target.dataset.view));
  tabs.addEventListener("keydown", moveAmongTabs);
  addEventListener("hashchange", () => VIEWS.includes(location.hash.slice(1)) && show(location.hash.slice(1)));
  addEventListener("beforeunload", (event) => Object.keys(app.unsaved).length && event.preventDefault());
  try {
    app.setting = await api("setting");
  } catch (error) {
    notify(error.message, "error");
    return;
  }
  showSetting(app.setting);
  document.getElementById("keys").addEventListener("click", showKeys);
  if (!app.setting.is_there) {
    tabs.hidden = true;
    const panel = document.getElementById("view-new");
    (await import("./view_new.js")).open(panel, app);
    panel.hidden = false;
    return;
  }
  addEventListener("keydown", onKey);
  await show(hash.slice(1));
}

start();
