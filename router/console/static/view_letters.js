// The view Dead letters.
import { el } from "./dom.js";

export function open(panel, app) {
  panel.replaceChildren(el("h2", {}, "Dead letters"), el("p", { class: "empty" }, app.setting.config));
}
