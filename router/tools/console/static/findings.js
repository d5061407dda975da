// Shows what `router check` says: findings and claims below the editor, and marks in it.
import { setDiagnostics } from "./vendor/codemirror.js";
import { SEVERITIES } from "./dialogs.js";
import { el, prose, table } from "./dom.js";
import { offsetOf } from "./editor.js";

const SHOWN = 200;

// Mark the findings of a file in its editor.
export function mark(view, name, findings, explainCode) {
  const doc = view.state.doc;
  const diagnostics = findings.filter((finding) => finding.file === name).map((finding) => {
    const from = offsetOf(doc, finding.line, finding.column || 1);
    const line = doc.lineAt(from);
    const length = /^(?:"[^"]*"|'[^']*'|[\w.${}@/-]+)/.exec(line.text.slice(from - line.from))?.[0].length ?? line.to - from;
    return {
      from, to: Math.min(from + Math.max(length, 1), doc.length), severity: finding.severity, message: sentenceOf(finding), source: finding.code,
      renderMessage: () => el("div", { class: "hover" }, el("p", {}, sentenceOf(finding)),
        el("p", {}, codeButton(finding.code, explainCode), " ", el("span", { class: "muted" }, prose(finding.title)))),
    };
  });
  view.dispatch(setDiagnostics(view.state, diagnostics));
}

function sentenceOf({ sentence, suggestion }) {
  return suggestion ? `${sentence}; ${suggestion}` : sentence;
}

function codeButton(code, explainCode) {
  return el("button", { class: "link", type: "button", onclick: () => explainCode(code) }, code);
}

// Return the elements of the findings and the claims; `open(file, line, column)` shows a place.
export function showFindings({ findings, claims, ignored }, open, explainCode) {
  return [
    findings.length === 0 && el("p", { class: "good" }, "✓ No findings."),
    findings.length > 0 && el("p", { class: "bar" }, countsOf(findings)),
    findings.length > 0 && el("ul", { class: "findings" }, findings.slice(0, SHOWN).map((finding) =>
      el("li", {},
        el("span", { class: `badge ${SEVERITIES[finding.severity]}` }, finding.severity), " ",
        el("button", { class: "link place", type: "button", onclick: () => open(finding.file, finding.line || 1, finding.column || 1) },
          `${finding.file}:${finding.line || 1}`), " ",
        codeButton(finding.code, explainCode), " ", sentenceOf(finding)))),
    findings.length > SHOWN && el("p", { class: "muted" }, `${findings.length - SHOWN} more, which router check prints.`),
    ignored > 0 && el("p", { class: "muted" }, `${ignored} ignored, with a reason in the config.`),
    claims.length > 0 && claimsOf(claims, open),
  ];
}

function countsOf(findings) {
  return Object.keys(SEVERITIES).flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    const words = severity === "info" || count === 1 ? severity : `${severity}s`;
    return count ? el("span", { class: `badge ${SEVERITIES[severity]}` }, `${count} ${words}`) : [];
  });
}

function claimsOf(claims, open) {
  const count = (verdict) => claims.filter((claim) => claim.verdict === verdict).length;
  const others = claims.filter((claim) => claim.verdict !== "proved");
  const doubtful = count("refuted");
  const things = `${doubtful} thing${doubtful === 1 ? "" : "s"} may go wrong`;
  const summary = `${count("proved")} claims proved, ${things}, ${count("not decided")} not decided`;
  return el("details", { class: "claims", ontoggle: ({ target }) => target.open && target.scrollIntoView() }, el("summary", {}, summary),
    others.length === 0
      ? el("p", { class: "muted" }, "Each message that the schemas accept can be written.")
      : table(["route", "claim", "verdict", "why"], others.slice(0, SHOWN).map((claim) => [
        el("button", { class: "link", type: "button", onclick: () => open(claim.file, claim.line) }, claim.route),
        claim.claim, el("span", { class: claim.verdict === "refuted" ? "bad" : "warn" }, claim.words), claim.reason])));
}
