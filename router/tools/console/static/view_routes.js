// The view Routes: the graph of the config, what runs of it, and the contract of a route.
import { debounce, el, svg, table } from "./dom.js";

const LIVE = 5000; // milliseconds between two looks at AWS
const PART = 250; // elements of the picture that are made at once
const KINDS = { queue: "Queue", route: "Route", table: "Table", dead_letter: "Dead-letter queue" };
const PLURALS = { queue: "queues", route: "routes", table: "tables", dead_letter: "dead-letter queues" };
const SIGNS = { apart: "proved", "may meet": "refuted", "not decided": "not-decided" }; // of keys, as of claims
const MOST_PAIRS = 50; // of a table, the worst first
const OUTCOMES = ["written", "duplicate", "stale", "dropped", "rejected", "retry"];
const BAD = ["rejected", "retry"];
const INSET = 12; // pixels from the edge of a node to its text
const LIVE_LINES = 3; // below what a node is: the space that the server leaves
const LIVE_TOP = 49;
const LIVE_LINE = 14;
const ruler = document.createElement("canvas").getContext("2d");
ruler.font = "600 11px system-ui, sans-serif";

export async function open(panel, app) {
  const view = new RoutesView(panel, app);
  await view.refresh();
  if (app.setting.target !== "files") view.watch();
  return { shown: (detail) => view.shown(detail), hidden: () => (view.isShown = false) };
}

class RoutesView {
  constructor(panel, app) {
    this.app = app;
    this.scale = 1;
    this.opened = "";
    this.live = null;
    this.rates = new Map();
    this.claims = null;
    this.shared = null;
    this.isShown = true;
    this.build(panel);
  }

  build(panel) {
    const button = (label, run, more = {}) => el("button", { class: "button", type: "button", onclick: run, ...more }, label);
    this.search = el("input", { type: "search", placeholder: "Search queues, routes, tables", "aria-label": "Search", oninput: debounce(200, () => this.searched()) });
    this.group = el("select", { onchange: () => this.regrouped() },
      [["auto", "as needed"], ["none", "not at all"], ["owner", "by owner"], ["file", "by file"], ["name", "by first word"]].map(([value, label]) => el("option", { value }, label)));
    this.back = button("All", () => this.leave(), { hidden: true });
    this.counts = el("span", { class: "muted", role: "status" });
    this.canvas = el("div", { class: "canvas scroll", tabindex: "0", role: "region", "aria-label": "Graph" });
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1);
    }, { passive: false });
    this.aside = el("aside", { class: "box details scroll", "aria-label": "Details", tabindex: "0" }, el("div", { class: "body empty" }, "Choose a route to see its contract."));
    panel.classList.add("routes");
    panel.replaceChildren(
      el("section", { class: "box pane", "aria-label": "Routes" },
        el("header", {}, this.back, this.search, el("label", {}, "Group", this.group), this.counts, el("span", { class: "spread" }),
          button("−", () => this.zoom(1 / 1.25), { "aria-label": "Zoom out" }), button("+", () => this.zoom(1.25), { "aria-label": "Zoom in" }),
          button("Fit", () => this.fit())),
        this.canvas),
      this.aside);
  }

  shown(detail) {
    this.isShown = true;
    if (JSON.stringify(this.app.unsaved) !== this.drawn) this.refresh();
    if (detail?.route) this.showRoute(detail.route);
  }

  searched() {
    this.opened = "";
    this.refresh();
  }

  regrouped() {
    this.opened = "";
    this.refresh();
  }

  leave() {
    this.opened = "";
    this.search.value = "";
    this.refresh();
  }

  async refresh() {
    this.drawn = JSON.stringify(this.app.unsaved);
    this.claims = null;
    this.shared = null;
    const asked = { unsaved: this.app.unsaved, group: this.group.value, pattern: this.search.value.trim(), opened: this.opened, live: this.app.setting.target !== "files" };
    const number = (this.asked = (this.asked ?? 0) + 1);
    this.counts.textContent = "Drawing …";
    try {
      const graph = await this.app.api("routes/graph", asked);
      if (number === this.asked) await this.draw(graph);
    } catch (error) {
      if (number === this.asked) this.canvas.replaceChildren(el("p", { class: "body bad" }, error.message));
      this.counts.textContent = "";
    }
  }

  async draw(graph) {
    this.graph = graph;
    this.back.hidden = !this.opened && !this.search.value;
    this.counts.textContent = ["queue", "route", "table"].map((kind) => (graph.counts[kind] === 1 ? `1 ${kind}` : `${graph.counts[kind]} ${PLURALS[kind]}`)).join(", ");
    if (!graph.nodes.length) {
      this.canvas.replaceChildren(el("p", { class: "body empty" }, "Nothing has such a name."));
      return;
    }
    let index = 0;
    this.elements = new Map();
    const make = ([name, attributes, text, children]) => {
      // The lines of a node are words of their own.
      const made = svg(name, attributes, text, children.map(make).flatMap((child) => [child, " "]));
      if (name === "g") this.bind(made, graph.nodes[index++]);
      return made;
    };
    const [name, attributes, text, children] = graph.picture;
    this.picture = svg(name, attributes, text);
    this.picture.removeAttribute("role");
    this.picture.setAttribute("aria-label", "Queues, routes and tables");
    this.width = Number(graph.picture[1].width);
    this.height = Number(graph.picture[1].height);
    this.canvas.replaceChildren(this.picture);
    this.fit();
    // A part at a time, so that the page answers while 1,000 routes are drawn.
    for (let start = 0; start < children.length && this.graph === graph; start += PART) {
      if (start) await new Promise((resolve) => setTimeout(resolve));
      this.picture.append(...children.slice(start, start + PART).map(make));
    }
    this.showLive();
  }

  bind(element, node) {
    this.elements.set(node.id, { element, node });
    const attributes = { tabindex: "0", role: "button", "aria-label": labelOf(node), class: "node" };
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    const run = () => this.choose(node, element);
    element.addEventListener("click", run);
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      run();
    });
  }

  choose(node, element) {
    for (const each of this.elements.values()) each.element.classList.remove("chosen");
    element.classList.add("chosen");
    if (node.count > 1) {
      this.opened = node.id;
      this.refresh();
    } else if (node.kind === "route") this.showRoute(node.name);
    else this.showResource(node);
  }

  zoom(factor) {
    this.scale = Math.min(Math.max(this.scale * factor, 0.15), 3);
    this.resize();
  }

  fit() {
    if (!this.picture) return;
    this.scale = Math.max(Math.min((this.canvas.clientWidth - 16) / this.width, 1.15), 0.35);
    this.resize();
  }

  resize() {
    this.picture.setAttribute("width", String(Math.round(this.width * this.scale)));
    this.picture.setAttribute("height", String(Math.round(this.height * this.scale)));
  }

  // Details

  details(title, kind, ...content) {
    this.aside.replaceChildren(el("div", { class: "body" }, el("div", {}, el("p", { class: "muted" }, kind), el("h2", {}, title)), ...content));
    this.aside.scrollTop = 0;
  }

  async showRoute(name) {
    const number = (this.wanted = (this.wanted ?? 0) + 1);
    let contract;
    try {
      contract = await this.app.api("routes/contract", { unsaved: this.app.unsaved, route: name });
    } catch (error) {
      this.details(name, "Route", el("p", { class: "bad" }, error.message));
      return;
    }
    if (number !== this.wanted) return;
    const claims = el("div", { "aria-live": "polite" }, el("p", { class: "muted" }, "Proving …"));
    const outcomes = this.live ? this.outcomeRows({ kind: "route", name }) : [];
    const part = (heading, texts) => el("section", { class: "part" }, el("h3", {}, heading), texts.map((text) => el("p", {}, text)));
    const open = el("button", { class: "link", type: "button", onclick: () => this.app.show("edit", contract) }, `${contract.file}:${contract.line}`);
    this.details(name, "Route",
      contract.description && el("p", {}, contract.description),
      el("p", {}, open, contract.owner && ` – ${contract.owner}`),
      outcomes.length > 0 && this.whatRuns(outcomes),
      part("Takes", contract.takes),
      part("Stores", contract.stores),
      contract.attributes.length > 0 && table(["attribute", "from"], contract.attributes.map(([attribute, from]) => [el("strong", {}, attribute), el("code", {}, from)])),
      part("The rest", contract.rest),
      el("section", { class: "part" }, el("h3", {}, "Proved of it"), claims),
      el("p", { class: "muted" }, contract.tests === 1 ? "1 test." : `${contract.tests} tests.`));
    await this.showClaims(name, claims);
  }

  async showClaims(name, place) {
    try {
      this.claims ??= this.app.api("edit/check", { unsaved: this.app.unsaved });
      const { claims } = await this.claims;
      const own = claims.filter((claim) => claim.route === name);
      place.replaceChildren(own.length
        ? el("ul", { class: "claims" }, own.map((claim) =>
          el("li", { class: claim.verdict.replace(" ", "-") }, el("strong", {}, claim.claim), ` ${claim.words}`, claim.reason && el("span", { class: "muted" }, ` – ${claim.reason}`))))
        : el("p", { class: "muted" }, "Nothing: the config has errors, which the view Edit shows."));
    } catch (error) {
      this.claims = null;
      place.replaceChildren(el("p", { class: "bad" }, error.message));
    }
  }

  showResource(node) {
    const status = el("div", {});
    this.resource = { node, status };
    status.replaceChildren(...[this.statusOf(node)].filter(Boolean));
    const shared = el("div", { "aria-live": "polite" });
    const routes = this.graph.nodes.filter((each) => each.kind === "route" && each.count === 1 && this.isBeside(node, each));
    this.details(node.name, KINDS[node.kind],
      node.details.map((detail) => el("p", {}, detail)),
      node.owner && el("p", { class: "muted" }, `Owner: ${node.owner}`),
      status,
      routes.length > 0 && el("section", { class: "part" }, el("h3", {}, node.kind === "queue" ? "Read by" : "Written by"),
        routes.map((route) => el("p", {}, el("button", { class: "link", type: "button", onclick: () => this.showRoute(route.name) }, route.name)))),
      shared);
    if (node.kind === "table") this.showShared(node.name, shared);
  }

  // Show what the routes of a table lose of each other's items.
  async showShared(name, place) {
    try {
      this.shared ??= this.app.api("routes/shared", { unsaved: this.app.unsaved });
      const found = (await this.shared).find((each) => each.table === name);
      if (!found) return;
      place.replaceChildren(el("section", { class: "part" }, el("h3", {}, `${found.routes.length} routes share it`),
        found.verdict === "no loss" && el("p", {}, "None loses what another one stores."),
        el("ul", { class: "claims" }, found.pairs.slice(0, MOST_PAIRS).map((pair) =>
          el("li", { class: SIGNS[pair.verdict] }, el("strong", {}, pair.routes.join(" and ")), ` ${pair.verdict}`,
            [pair.reason, ...pair.losses].filter(Boolean).map((text) => el("p", { class: "muted" }, text))))),
        found.pairs.length > MOST_PAIRS && el("p", { class: "muted" }, `And ${found.pairs.length - MOST_PAIRS} more.`)));
    } catch (error) {
      this.shared = null;
      place.replaceChildren(el("p", { class: "bad" }, error.message));
    }
  }

  isBeside(node, route) {
    return this.graph.edges.some(({ source, target }) => (source === node.id && target === route.id) || (source === route.id && target === node.id));
  }

  // What runs

  watch() {
    const look = async () => {
      if (this.isShown && !document.hidden) {
        try {
          this.count(await this.app.api("routes/live", { unsaved: this.app.unsaved }, { isQuiet: true }));
          this.liveError = "";
        } catch (error) {
          if (error.status !== 422 && error.message !== this.liveError) this.app.notify(error.message, "warn");
          this.liveError = error.message;
        }
        this.showLive();
      }
      setTimeout(look, LIVE);
    };
    look();
  }

  count(live) {
    const now = performance.now();
    for (const [queue, outcomes] of Object.entries(live.outcomes.queue)) {
      const total = Object.values(outcomes).reduce((sum, number) => sum + number, 0);
      const before = this.rates.get(queue);
      const rate = live.minutes ? total / live.minutes / 60 : before ? Math.max(total - before.total, 0) / ((now - before.at) / 1000) : null;
      this.rates.set(queue, { total, at: now, rate });
    }
    this.live = live;
  }

  // Write what runs into the nodes of the picture, below what they are.
  showLive() {
    if (!this.live || !this.elements) return;
    if (this.resource) this.resource.status.replaceChildren(...[this.statusOf(this.resource.node)].filter(Boolean));
    for (const { element, node } of this.elements.values()) {
      for (const old of element.querySelectorAll(".live")) old.remove();
      const { parts, isBad } = node.count === 1 ? this.runsIn(node) : { parts: [] };
      const texts = parts.flat();
      if (!texts.length) continue;
      const rect = element.querySelector("rect");
      const [left, top, width] = ["x", "y", "width"].map((name) => Number(rect.getAttribute(name)));
      const lines = parts.flatMap((part) => packed(part, width - 2 * INSET)).slice(0, LIVE_LINES);
      element.append(...lines.map((line, index) =>
        svg("text", { x: left + INSET, y: top + LIVE_TOP + index * LIVE_LINE, class: isBad ? "live bad" : "live" }, line)));
      element.setAttribute("aria-label", `${labelOf(node)}; ${texts.join(", ")}`);
    }
  }

  // Return what is written into a node, in parts that begin a line each.
  runsIn(node) {
    const { queues, tables, paused } = this.live;
    const nothing = { parts: [] };
    if (node.kind === "queue") {
      const status = queues.find((each) => each.queue === node.name);
      if (!status) return nothing;
      if (status.waiting === null) return { parts: [["unknown"]], isBad: true };
      const rate = this.rates.get(node.name)?.rate;
      const age = status.oldest_seconds === null ? "" : `${duration(status.oldest_seconds)} old`;
      const now = [paused[node.name] && "paused", `${compact(status.waiting)} waiting`, age, rate && `${rate.toFixed(1)}/s`];
      return { parts: [now.filter(Boolean), this.outcomesOf(node)], isBad: this.isBad(node) || Boolean(paused[node.name]) };
    }
    if (node.kind === "route") return { parts: [this.outcomesOf(node)], isBad: this.isBad(node) };
    if (node.kind === "dead_letter") {
      const status = queues.find((each) => each.dead_letters !== null && this.graph.edges.some(({ source, target }) => source === `queue:${each.queue}` && target === node.id));
      return status ? { parts: [[status.dead_letters === 1 ? "1 message" : `${compact(status.dead_letters)} messages`]], isBad: status.dead_letters > 0 } : nothing;
    }
    const status = tables.find((each) => each.table === node.name);
    return status?.throttled ? { parts: [[`${compact(status.throttled)} writes throttled`]], isBad: true } : nothing;
  }

  // Return all outcomes of the messages of a queue or a route.
  outcomesOf({ kind, name }) {
    const counts = this.live.outcomes[kind][name] ?? {};
    return OUTCOMES.filter((outcome) => counts[outcome]).map((outcome) => `${outcome} ${compact(counts[outcome])}`);
  }

  isBad({ kind, name }) {
    return BAD.some((outcome) => this.live.outcomes[kind][name]?.[outcome]);
  }

  outcomeRows({ kind, name }) {
    const counts = this.live.outcomes[kind][name] ?? {};
    return OUTCOMES.filter((outcome) => counts[outcome]).map((outcome) => [el("span", { class: BAD.includes(outcome) ? "bad" : "" }, outcome), String(counts[outcome])]);
  }

  whatRuns(rows, more = []) {
    const since = this.live.minutes ? `Outcomes of the last ${this.live.minutes} minutes.` : "Outcomes since the worker started.";
    return el("section", { class: "part" }, el("h3", {}, "What runs"), el("dl", { class: "pairs" }, rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])), el("p", { class: "muted" }, since),
      more.map((text) => el("p", { class: "warn" }, text)));
  }

  statusOf(node) {
    if (!this.live || node.kind !== "queue") return null;
    const status = this.live.queues.find((each) => each.queue === node.name);
    if (!status) return null;
    const number = (value) => (value === null ? "unknown" : String(value));
    const rows = [
      ["waiting", number(status.waiting)], ["in flight", number(status.in_flight)],
      ["oldest", status.oldest_seconds !== null ? duration(status.oldest_seconds) : status.waiting === 0 && status.in_flight === 0 ? "–" : "unknown"],
      ["dead letters", status.dead_letter_queue ? number(status.dead_letters) : "no queue"],
      ...this.outcomeRows(node),
      ...Object.entries(this.live.retries[node.name] ?? {}).map(([cause, count]) => [`retry: ${cause}`, String(count)]),
      ...(node.name in this.live.ages ? [["95 % stored within", duration(this.live.ages[node.name])]] : []),
    ];
    return this.whatRuns(rows, [...status.unknown, ...this.live.unknown]);
  }
}

// Return the name of a node for assistive technology, which begins as its text in the picture does.
function labelOf({ kind, name, count, details }) {
  return [`${KINDS[kind]} ${name}`, ...(count > 1 ? [`${count} ${PLURALS[kind]}`] : details)].join("; ");
}

// Return texts as lines that are no wider than so many pixels.
function packed(texts, width) {
  const lines = [];
  for (const text of texts) {
    const longer = `${lines.at(-1)}, ${text}`;
    if (lines.length && ruler.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(text);
  }
  return lines;
}

// Return a number that is easy to read in little space: 1234567 is 1.2M.
function compact(number) {
  return number < 10_000 ? String(number) : new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(number);
}

function duration(seconds) {
  if (seconds < 120) return `${Math.round(seconds * 100) / 100} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
