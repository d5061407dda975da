// The view Edit.
import { el } from "./dom.js";

export function open(panel, app) {
  panel.replaceChildren(el("h2", {}, "Edit"), el("p", { class: "empty" }, app.setting.config));
}
