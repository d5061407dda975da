// The view Dead letters: messages by cause, one message with the place of its failure, what the config would do with it
// now, and redrive. Each call runs a command of `router dlq`, which makes the messages invisible while it works.
import { codeButton } from "./dialogs.js";
import { el, table } from "./dom.js";

const SELECTORS = [
  ["queue", "Queue", "orders"],
  ["route", "Route", "orders"],
  ["code", "Code", "RT806"],
  ["pointer", "Place", "/total"],
  ["since", "Since", "2h"],
  ["where", "Where", "total > `100`"],
  ["id", "Id", "0f2c1b9e-…"],
];
// Messages that are rehearsed one by one.
const MOST = 100;

export function open(panel, app) {
  if (app.setting.target === "files") {
    panel.replaceChildren(
      el("h2", {}, "Dead letters"),
      el("p", { class: "empty" }, "Dead letters are on AWS, and this console shows files only. Start it with one of:"),
      el("pre", {}, "router console --local\nrouter console --aws"),
    );
    return {};
  }
  const view = new LettersView(panel, app);
  return { shown: () => view.refresh() };
}

class LettersView {
  constructor(panel, app) {
    this.app = app;
    this.busy = null;
    this.inputs = Object.fromEntries(
      SELECTORS.map(([name, , example]) => [name, el("input", { type: "text", placeholder: example, size: 9, spellcheck: "false" })]),
    );
    this.values = el("input", { type: "checkbox", onchange: () => this.reopen() });
    this.notes = el("ul", { class: "notes muted", "aria-live": "polite" });
    this.list = el("div", { class: "stack" });
    this.detail = el("div", { class: "stack", "aria-live": "polite" });
    const form = el(
      "form",
      { class: "bar", role: "search", "aria-label": "Select dead letters", onsubmit: (event) => this.submit(event) },
      SELECTORS.map(([name, label]) => el("label", {}, label, this.inputs[name])),
      el("button", { class: "button primary", type: "submit" }, "Select"),
      el("label", { class: "spread" }, this.values, "Show values"),
      el("button", { class: "button", type: "button", onclick: () => this.rehearse(this.select(), null) }, "Rehearse"),
      el("button", { class: "button", type: "button", onclick: () => this.redrive() }, "Redrive…"),
    );
    panel.replaceChildren(el("h2", {}, "Dead letters"), form, this.notes, el("div", { class: "halves" }, this.list, this.detail));
    this.panel = panel;
  }

  select() {
    return Object.fromEntries(SELECTORS.map(([name]) => [name, this.inputs[name].value.trim()]));
  }

  submit(event) {
    event.preventDefault();
    this.refresh();
  }

  // Run one call at a time: two commands would take the messages from each other.
  async ask(name, body) {
    while (this.busy) await this.busy;
    this.panel.setAttribute("aria-busy", "true");
    const call = this.app.api(name, body);
    this.busy = call.catch(() => {});
    try {
      const answer = await call;
      this.notes.replaceChildren(...(answer.notes ?? []).map((note) => el("li", {}, note)));
      return answer;
    } catch (error) {
      this.app.notify(error.message, "error");
      return null;
    } finally {
      this.busy = null;
      this.panel.removeAttribute("aria-busy");
    }
  }

  async refresh() {
    this.list.replaceChildren(el("p", { class: "muted", role: "status" }, this.receiving()));
    this.detail.replaceChildren();
    const answer = await this.ask("letters/list", { select: this.select() });
    const queues = answer?.queues ?? [];
    const empty = queues.filter((queue) => !queue.causes.length);
    const shown = queues.length > 1 ? queues.filter((queue) => queue.causes.length) : queues;
    this.list.replaceChildren(...shown.map((queue) => this.causes(queue)));
    if (queues.length > 1 && empty.length) this.list.append(folded(empty));
  }

  receiving() {
    const { queue } = this.select();
    return `Receiving from ${queue ? `the dead-letter queue of ${queue}` : "the dead-letter queues"}…`;
  }

  causes(queue) {
    const rows = queue.causes.map((cause) => [
      el("span", { class: "mono" }, String(cause.messages)),
      el("span", { class: "mono once" }, this.code(cause.code)),
      [
        el("button", { class: "link", type: "button", onclick: () => this.rehearse(this.of(cause), cause) }, cause.reason),
        el("div", { class: "muted" }, where(cause)),
      ],
      el("span", { class: "muted" }, [...new Set([moment(cause.oldest), moment(cause.newest)])].join(" – "), " UTC"),
    ]);
    const content = rows.length
      ? el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": `Causes of ${queue.dead_letter}` }, table(["Messages", "Code", "Reason", "Failed"], rows))
      : el("p", { class: "body empty" }, "No message is visible and selected.");
    return box(queue.dead_letter, `${queue.messages} selected`, content);
  }

  // Of a code of the router, a button that shows its runbook.
  code(code) {
    return /^RT\d/.test(code) ? codeButton(this.app, code) : code;
  }

  // The selectors of one cause, within those of the form.
  of(cause) {
    const own = { queue: cause.queue, route: cause.route, code: cause.code, pointer: cause.pointer };
    return { ...this.select(), ...Object.fromEntries(Object.entries(own).filter(([, value]) => value)) };
  }

  async rehearse(select, cause) {
    const body = { select: { ...select, limit: MOST }, values: this.values.checked, unsaved: this.app.unsaved };
    const answer = await this.ask("letters/rehearse", body);
    if (!answer) return;
    this.reopen = () => this.rehearse(select, cause);
    const boxes = answer.queues.filter((queue) => queue.messages).map((queue) => this.rehearsed(queue, cause));
    this.detail.replaceChildren(...(boxes.length ? boxes : [el("p", { class: "empty" }, "No message is visible and selected.")]));
  }

  rehearsed(queue, cause) {
    const shown = queue.rehearsed.filter((each) => !cause || each.before.reason === cause.reason);
    const rows = shown.map((each) => [
      el("button", { class: "link mono", type: "button", onclick: () => this.show(each) }, each.id),
      [outcome(each.now), each.now?.reason ? el("div", { class: "muted" }, each.now.reason) : null],
      each.changes.map((change) => el("div", {}, `${change.table}: ${change.effect}${change.may_be_newer ? ", may be newer" : ""}`)),
    ]);
    const unsaved = Object.keys(this.app.unsaved).length ? " by the edited config" : "";
    const content = el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Rehearsed messages" }, table(["Message", `What becomes of it now${unsaved}`, "Item"], rows));
    return box(queue.dead_letter, `${queue.passing} of ${queue.messages} pass now`, content);
  }

  reopen() {}

  async show(rehearsed) {
    const found = await this.ask("letters/show", { id: rehearsed.id, values: this.values.checked });
    if (!found) return;
    this.reopen = () => this.show(rehearsed);
    const lines = found.lines.map(([text, marked]) => el(marked ? "mark" : "span", { class: "line" }, text || " "));
    this.detail.replaceChildren(
      box(
        `Message ${found.facts[0][1]}`,
        el("button", { class: "button", type: "button", onclick: () => this.rehearse(this.select(), null) }, "Back to the list"),
        el(
          "div",
          { class: "body stack" },
          el("p", { class: "bad" }, this.code(rehearsed.before.code), " ", rehearsed.before.reason, found.pointer ? `, at ${found.pointer}` : ""),
          el("pre", { class: "listing", tabindex: "0", "aria-label": "The message" }, lines),
          found.attributes ? [el("h3", {}, "Attributes"), el("pre", { class: "listing" }, found.attributes)] : null,
          el("h3", {}, "Rehearsed"),
          el("p", {}, outcome(rehearsed.now), " ", rehearsed.now?.reason ?? ""),
          rehearsed.changes.map(itemChange),
          el("h3", {}, "What is known of it"),
          el("dl", { class: "facts" }, merged(found).map(([name, value]) => [el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, value)])),
        ),
      ),
    );
  }

  async redrive() {
    const dialog = new RedriveDialog(this);
    await dialog.plan();
  }
}

// Shows what a redrive would do, and does it when that is confirmed.
class RedriveDialog {
  constructor(view) {
    this.view = view;
    this.way = el(
      "select",
      { onchange: () => this.plan() },
      el("option", { value: "deliver" }, "Deliver them to their tables"),
      el("option", { value: "to_queue" }, "Send them to their queues"),
    );
    this.keepNewer = el("input", { type: "checkbox", onchange: () => this.plan() });
    this.content = el("div", { class: "stack" });
    this.confirm = el("button", { class: "button danger", type: "button", disabled: true, onclick: () => this.run() }, "Redrive");
    this.dialog = el(
      "dialog",
      { "aria-labelledby": "redrive-title", onclose: () => this.dialog.remove() },
      el(
        "form",
        { method: "dialog" },
        el("h2", { id: "redrive-title" }, "Redrive the selected messages"),
        el("p", { class: "muted" }, "They go through the saved config, as the messages that they were; each is deleted from its dead-letter queue after its outcome is confirmed."),
        el("div", { class: "bar" }, el("label", {}, "What to do", this.way), el("label", {}, this.keepNewer, "Leave those that would replace a newer item")),
        this.content,
        el("div", { class: "bar" }, el("button", { class: "button spread", value: "cancel" }, "Cancel"), this.confirm),
      ),
    );
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  body(confirmed) {
    return { select: this.view.select(), way: this.way.value, keep_newer: this.keepNewer.checked, confirmed };
  }

  async plan() {
    this.confirm.disabled = true;
    this.content.replaceChildren(el("p", { class: "muted" }, "Rehearsing…"));
    const answer = await this.view.ask("letters/redrive", this.body(false));
    if (!answer) return this.dialog.close();
    const plans = answer.queues.filter((queue) => queue.messages);
    const passing = plans.reduce((sum, queue) => sum + queue.passing, 0);
    this.content.replaceChildren(...plans.map(planOf));
    if (!plans.length) this.content.append(el("p", { class: "empty" }, "No message is visible and selected."));
    if (!this.view.app.setting.writes) {
      this.content.append(el("p", { class: "warn" }, "AWS is read-only here: start router console with --aws --write."));
    }
    this.confirm.disabled = !passing || !this.view.app.setting.writes;
    this.confirm.textContent = passing ? `Redrive ${passing} ${passing === 1 ? "message" : "messages"}` : "Redrive";
  }

  async run() {
    this.confirm.disabled = true;
    const answer = await this.view.ask("letters/redrive", this.body(true));
    this.dialog.close();
    if (!answer) return;
    for (const queue of answer.queues.filter((each) => each.messages)) {
      const counts = Object.entries(queue.redriven).map(([result, number]) => `${result} ${number}`);
      this.view.app.notify(`${queue.dead_letter}: ${counts.join(", ") || "nothing was redriven"}`, queue.complete ? "good" : "warn");
      for (const each of queue.reasons) this.view.app.notify(`${each.messages} ${each.result}: ${each.code} ${each.reason}`, "warn");
    }
    await this.view.refresh();
  }
}

// The queues of which nothing is selected, in one line.
function folded(queues) {
  const number = queues.length === 1 ? "1 dead-letter queue" : `${queues.length} dead-letter queues`;
  return el("details", { class: "box body" }, el("summary", {}, `No message is visible and selected on ${number}`),
    el("ul", {}, queues.map((queue) => el("li", { class: "mono" }, queue.dead_letter))));
}

function planOf(queue) {
  const newer = queue.overwriting ? `; ${queue.overwriting} would replace an item that may be newer` : "";
  const rows = queue.results.map((each) => [String(each.messages), [el("span", { class: "mono once" }, each.before.code), ` ${each.before.reason}`], each.now]);
  return el(
    "section",
    {},
    el("h3", {}, `${queue.dead_letter}: ${queue.passing} of ${queue.messages} pass now${newer}`),
    table(["Messages", "Before", "Now"], rows),
  );
}

function itemChange(change) {
  const rows = Object.entries(change.attributes).map(([name, { before, after }]) => [
    el("span", { class: "mono" }, name),
    el("span", { class: "mono bad" }, before),
    el("span", { class: "mono good" }, after),
  ]);
  return el(
    "section",
    { class: "stack" },
    el("h3", {}, `Table ${change.table}: ${change.effect}`),
    el("code", {}, change.key),
    change.may_be_newer ? el("p", { class: "warn" }, "The stored item may be newer.") : null,
    rows.length ? table(["Attribute", "Stored", "After"], rows) : null,
  );
}

function outcome(now) {
  if (!now) return el("span", { class: "badge warn" }, "unknown queue");
  const kind = { rejected: "bad", retry: "warn" }[now.kind] ?? "good";
  return [el("span", { class: `badge ${kind}` }, now.kind), now.code ? el("span", { class: "mono" }, ` ${now.code}`) : null];
}

// What is known about a message, without what is empty or said twice.
function merged(found) {
  const facts = new Map(found.facts);
  for (const [name, value] of found.failure) if (!facts.has(name)) facts.set(name, value);
  facts.delete("message_id");
  if (facts.get("original_id") === facts.get("id")) facts.delete("original_id");
  if (facts.get("first_failed_at") === facts.get("failed_at")) facts.delete("first_failed_at");
  return [...facts].filter(([, value]) => value && value !== "null");
}

function where(cause) {
  const parts = [["queue", cause.queue || "unknown"], ["route", cause.route], ["at", cause.pointer]];
  return parts.filter(([, value]) => value).map(([name, value]) => `${name} ${value}`).join(", ");
}

function moment(text) {
  return text.slice(0, 19).replace("T", " ");
}

function box(title, beside, content) {
  return el("section", { class: "box" }, el("header", {}, el("h3", {}, title), el("span", { class: typeof beside === "string" ? "spread muted" : "spread" }, beside)), content);
}
