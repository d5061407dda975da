// Shows what becomes of a message: its outcome, items, stages and requests, and the results of tests.
import { el, table } from "./dom.js";

const KINDS = { written: "good", dropped: "good", duplicate: "warn", stale: "warn", retry: "warn", rejected: "bad" };

// Return the elements of a run; `explainCode` shows what a code is.
export function showRun(run, explainCode) {
  return [
    outcome(run, explainCode),
    run.items.length > 0 && section(run.items.length === 1 ? "Item" : `${run.items.length} items`, run.items.map(item)),
    section("Stages", stages(run)),
    run.conditions.length > 1 && section("Routes of the queue", conditions(run)),
    run.requests.length > 0 && section(run.requests.length === 1 ? "Request to DynamoDB" : "Requests to DynamoDB",
      run.requests.map((request) => foldable("request", request, run.requests.length === 1))),
  ];
}

function section(title, content) {
  return el("section", { class: "part" }, el("h3", {}, title), content);
}

function outcome({ outcome: { kind, code, reason, route, pointer }, failed_at: stage, faults }, explainCode) {
  const details = [
    route && ["route", route],
    stage && ["stage", stage],
    pointer && ["place", el("code", {}, pointer)],
  ].filter(Boolean);
  return el("div", { class: `outcome ${KINDS[kind]}` },
    el("p", {}, el("strong", {}, kind), code && " ",
      code && el("button", { class: "link", type: "button", onclick: () => explainCode(code) }, code), reason && ` ${reason}`),
    details.length > 0 && el("dl", {}, details.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    faults.length > 0 && el("ul", {}, faults.map((fault) =>
      el("li", {}, el("code", {}, fault.pointer || "the message"), ` ${fault.sentence} `,
        el("span", { class: "muted" }, `(${fault.keyword} at ${fault.at} of ${fault.schema})`)))),
  );
}

function item({ route, table: name, operation, bytes, plain, stored }) {
  const shown = el("pre", {}, plain);
  const button = el("button", {
    class: "button small", type: "button", "aria-pressed": "false", title: "Show the item in DynamoDB's JSON",
    onclick: () => {
      const isStored = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(isStored));
      shown.textContent = isStored ? stored : plain;
    },
  }, "DynamoDB JSON");
  return el("div", { class: "item" },
    el("div", { class: "bar" }, el("span", {}, el("strong", {}, name)), el("span", { class: "muted" }, `${operation}, ${bytes} bytes, route ${route}`),
      el("span", { class: "spread" }, button)),
    shown);
}

function foldable(title, text, open) {
  return el("details", { open }, el("summary", {}, title), el("pre", {}, text));
}

function stages({ stages: passed, failed_at: failed }) {
  const total = Math.max(...passed.map((stage) => stage.micros), 1);
  const isLast = (stage, index) => stage === failed && index === passed.length - 1;
  const rows = passed.map(({ route, stage, micros, value }, index) =>
    el("details", { class: isLast(stage, index) && "failed", open: isLast(stage, index) },
      el("summary", {}, el("span", { class: "stage" }, stage), el("span", { class: "muted" }, route),
        el("meter", { min: 0, max: total, value: micros, "aria-hidden": "true" }), el("span", { class: "micros" }, `${micros.toFixed(1)} µs`)),
      el("pre", {}, value)));
  if (failed && passed.at(-1)?.stage !== failed) rows.push(el("p", { class: "stage bad" }, `✕ ${failed}`));
  return el("div", { class: "stages" }, rows);
}

function conditions({ conditions: each }) {
  const answers = { true: "yes", false: "no", null: "–" };
  const rows = each.map(({ route, when, result, why }) => [
    route, el("code", {}, when || "always"), el("span", { class: result ? "good" : "muted", title: why }, answers[result]),
  ]);
  return el("div", { class: "scroll" }, table(["route", "when", "takes it"], rows));
}

// Return the elements of the results of tests; `open` shows the place of one.
export function showTests(tests, open) {
  if (!tests.length) return [el("p", { class: "empty" }, "No test: make the message one.")];
  const failed = tests.filter((test) => !test.passed).length;
  return [
    el("p", {}, el("span", { class: failed ? "badge bad" : "badge good" }, failed ? `${failed} of ${tests.length} fail` : `${tests.length} pass`)),
    el("ul", { class: "tests" }, [...tests].sort((one, other) => one.passed - other.passed).map((test) =>
      el("li", {},
        el("span", { class: test.passed ? "good" : "bad", "aria-label": test.passed ? "passed" : "failed" }, test.passed ? "✓" : "✕"), " ",
        el("button", { class: "link", type: "button", onclick: () => open(test.file, test.line) }, `${test.route}: ${test.name}`),
        !test.passed && table(["what", "expected", "found"], test.differences.map((each) => [
          each.what, el("code", { class: "good" }, each.expected), el("code", { class: "bad" }, each.found)]))))),
  ];
}
