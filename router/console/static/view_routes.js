// The view Routes.
import { el } from "./dom.js";

export function open(panel, app) {
  panel.replaceChildren(el("h2", {}, "Routes"), el("p", { class: "empty" }, app.setting.config));
}
