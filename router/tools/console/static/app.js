// The shell of the page: its views, the calls of the server, notices. A view is a module that exports `open(panel, app)`,
// which is called when the view is first shown, and may return `{shown(detail), hidden()}`.
import { el } from "./dom.js";

const VIEWS = ["edit", "routes", "letters", "change"];

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
  await show(hash.slice(1));
}

start();
