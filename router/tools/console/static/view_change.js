// The view Change: what a change of the config breaks, by `router diff`; each change with the old lines beside the new.
import { el } from "./dom.js";

const VERDICTS = { breaking: "bad", risky: "warn", unknown: "warn", compatible: "good", info: "aws" };

export function open(panel, app) {
  const view = new ChangeView(panel, app);
  return { shown: () => view.compare() };
}

class ChangeView {
  constructor(panel, app) {
    this.app = app;
    this.panel = panel;
    this.calls = 0;
    this.old = el("input", { type: "text", value: "git:HEAD", size: 24, list: "change-versions", spellcheck: "false" });
    this.new = el("input", { type: "text", placeholder: "the config that is edited", size: 24, spellcheck: "false" });
    this.result = el("div", { class: "stack", "aria-live": "polite" });
    const form = el(
      "form",
      { class: "bar", "aria-label": "The versions to compare", onsubmit: (event) => this.submit(event) },
      el("label", {}, "Old", this.old),
      el("label", {}, "New", this.new),
      el("button", { class: "button primary", type: "submit" }, "Compare"),
      el("span", { class: "muted" }, "A file, git:REF, git:REF:PATH, or stack:NAME."),
      el("datalist", { id: "change-versions" }, ["git:HEAD", "git:HEAD~1", "git:origin/main"].map((value) => el("option", { value }))),
    );
    panel.replaceChildren(el("h2", {}, "Change"), form, this.result);
  }

  submit(event) {
    event.preventDefault();
    this.compare();
  }

  async compare() {
    const call = ++this.calls;
    this.panel.setAttribute("aria-busy", "true");
    const body = { old: this.old.value.trim(), new: this.new.value.trim(), unsaved: this.app.unsaved };
    let children;
    try {
      children = report(await this.app.api("change/compare", body));
    } catch (error) {
      children = [el("p", { class: "bad" }, error.message)];
    }
    if (call !== this.calls) return;
    this.panel.removeAttribute("aria-busy");
    this.result.replaceChildren(...children);
  }
}

function report(found) {
  const conflicts = found.conflicts.length
    ? el("section", { class: "box body stack" }, el("h3", {}, "The two versions must not write side by side"), el("ul", {}, found.conflicts.map((each) => el("li", {}, each))))
    : null;
  const heading = el("p", {}, el("span", { class: `badge ${found.breaks ? "bad" : "good"}` }, found.breaks ? "breaking" : "nothing breaks"), ` ${found.summary}`);
  return [heading, conflicts, ...found.groups.map((group) => groupOf(group, found))].filter(Boolean);
}

function groupOf(group, found) {
  // Several changes of a route may be in the same lines.
  const seen = new Set();
  const isNew = (hunk) => !seen.has(JSON.stringify(hunk)) && seen.add(JSON.stringify(hunk));
  const title = group.route ? `Route ${group.route}` : "Other changes";
  const was = group.was ? el("span", { class: "muted" }, `was ${group.was}`) : null;
  return el(
    "section",
    { class: "box" },
    el("header", {}, el("h3", {}, title), group.verdict ? badge(group.verdict) : null, was),
    el(
      "div",
      { class: "body stack" },
      group.unknown.map((why) => el("p", { class: "warn" }, `Not known: ${why}`)),
      group.findings.map((finding) => findingOf(finding, found, finding.hunks.filter(isNew))),
    ),
  );
}

function findingOf(finding, found, hunks) {
  return el(
    "article",
    { class: "stack" },
    el(
      "p",
      {},
      badge(finding.risk),
      " ",
      el("span", { class: "mono" }, finding.code),
      ` ${finding.sentence}`,
      finding.suggestion ? el("span", { class: "muted" }, `; ${finding.suggestion}`) : null,
      finding.ignored ? el("span", { class: "muted" }, ` (ignored: ${finding.ignored})`) : null,
    ),
    hunks.map((hunk) => columns(hunk, found)),
    finding.example ? counterexample(finding.example) : null,
  );
}

function columns(hunk, found) {
  return el(
    "div",
    { class: "versions" },
    column(`Before: ${found.old}`, hunk.places[0], hunk.old, "gone"),
    column(`After: ${found.new}`, hunk.places[1], hunk.new, "added"),
  );
}

function column(label, place, lines, side) {
  const shown = lines.map(([number, text, differs]) =>
    el(differs && number ? "mark" : "span", { class: `line ${differs ? side : ""}` }, el("span", { class: "number" }, number ? String(number) : ""), text || " "),
  );
  return el(
    "figure",
    {},
    el("figcaption", {}, el("strong", {}, label), " ", el("span", { class: "path" }, place)),
    el("pre", { class: "listing unwrapped", tabindex: "0", "aria-label": `${label}, ${place}` }, shown),
  );
}

function counterexample(example) {
  return el(
    "div",
    { class: "stack" },
    el("h3", {}, "A message that shows it"),
    el("pre", { class: "listing", tabindex: "0", "aria-label": "A message that shows the change" }, example.message),
    el(
      "div",
      { class: "versions" },
      el("p", {}, el("strong", {}, "Before: "), example.before),
      el("p", {}, el("strong", {}, "After: "), example.after),
    ),
  );
}

function badge(word) {
  return el("span", { class: `badge ${VERDICTS[word]}` }, word);
}
