// The view Change.
import { el } from "./dom.js";

export function open(panel, app) {
  panel.replaceChildren(el("h2", {}, "Change"), el("p", { class: "empty" }, app.setting.config));
}
