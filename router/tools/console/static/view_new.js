// The view that is shown while there is no config: it makes a project from messages, as `router new` does.
import { el } from "./dom.js";

const EXAMPLE = '{"user_id": "user_1", "device": "iPhoneX", "location": "Kolkata"}';

export function open(panel, app) {
  const queue = el("input", { type: "text", required: true, value: "orders", spellcheck: "false", size: 24 });
  const key = el("input", { type: "text", placeholder: "the field that names the thing", spellcheck: "false", size: 24 });
  const samples = el("textarea", { rows: 14, required: true, spellcheck: "false", class: "mono", placeholder: EXAMPLE });
  const make = el("button", { class: "button primary", type: "submit" }, "Make a project");
  const fault = el("p", { class: "bad", role: "alert" });
  const run = async (event) => {
    event.preventDefault();
    make.disabled = true;
    fault.textContent = "";
    try {
      await app.api("first_run/new", { samples: samples.value, queue: queue.value.trim(), key: key.value.trim() });
      location.reload();
    } catch (error) {
      fault.textContent = error.message;
      make.disabled = false;
    }
  };
  panel.replaceChildren(
    el("form", { class: "box first", onsubmit: run },
      el("header", {}, el("h2", {}, `There is no ${app.setting.config} yet`)),
      el("div", { class: "body stack" },
        el("p", {}, "Paste some messages of one queue: the more different they are, the better. They become a route, its table, a schema and tests, in this folder."),
        el("label", { class: "column" }, "Messages, as JSON: one, a list, or one a line", samples),
        el("div", { class: "bar" }, el("label", {}, "Queue", queue), el("label", {}, "Key", key), el("span", { class: "spread" }, make)),
        fault)));
  samples.focus();
}
