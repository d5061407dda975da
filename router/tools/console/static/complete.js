// Completion and hover of a config: where the cursor is in the YAML, and what the published schema and the config say of
// that place.
import { hoverTooltip } from "./vendor/codemirror.js";
import { el, prose } from "./dom.js";

const KEY = /^(?:"([^"]*)"|'([^']*)'|([^\s#{}[\],&*!|>'"%@`-][^:#{}[\],]*?|-[^\s:#{}[\],][^:#{}[\],]*?))\s*:(?=\s|$)/;

// Return the place of a column of a line: the keys that lead to it ("[]" for an entry of a list), whether it is `at` a
// "key" or a "value", and the `word` before the column.
export function placeOf(lines, number, column) {
  const line = lines[number];
  const [, indent, dashes] = /^(\s*)((?:-\s+)*)/.exec(line);
  const start = Math.min(indent.length + dashes.length, column);
  const outer = outerKeys(lines, number, line.trim() ? indent.length : column);
  const entries = dashes ? dashes.trim().split(/\s+/).map(() => "[]") : [];
  return inLine(line.slice(start, column), [...outer, ...entries]);
}

// Return the keys above a line that have less than its indentation, each with that of its own.
function outerKeys(lines, number, column) {
  const keys = [];
  let limit = column;
  // The entries of a list may begin in the column of its key.
  let isEntry = /^\s*-\s/.test(lines[number]);
  for (let index = number - 1; index >= 0 && (limit > 0 || isEntry); index--) {
    const line = lines[index];
    if (!line.trim() || line.trim().startsWith("#")) continue;
    const [, indent, dashes] = /^(\s*)((?:-\s+)*)/.exec(line);
    const content = indent.length + dashes.length;
    const key = KEY.exec(line.slice(content));
    if (key && (content < limit || (isEntry && content === limit && !dashes))) {
      keys.unshift(key[1] ?? key[2] ?? key[3]);
      limit = content;
      isEntry = false;
    }
    if (dashes && indent.length < limit) {
      keys.unshift("[]");
      limit = indent.length;
      isEntry = true;
    }
  }
  return keys;
}

// Follow the part of a line before the cursor: a key in block style, and maps and lists in flow style.
function inLine(text, path) {
  const block = KEY.exec(text);
  let rest = text;
  let here = { path, at: "key" };
  if (block) {
    here = { path: [...path, block[1] ?? block[2] ?? block[3]], at: "value" };
    rest = text.slice(block[0].length);
  } else if (path.at(-1) === "[]") here = { path, at: "value" };
  const stack = [];
  let word = "";
  for (let index = 0; index < rest.length; index++) {
    const char = rest[index];
    if (char === "{" || char === "[") {
      stack.push(here);
      here = char === "{" ? { path: here.path, at: "key", inMap: true } : { path: [...here.path, "[]"], at: "value" };
      word = "";
    } else if ((char === "}" || char === "]") && stack.length) {
      here = stack.pop();
      word = "";
    } else if (char === "," && stack.length) {
      here = here.inMap ? { path: stack.at(-1).path, at: "key", inMap: true } : here;
      word = "";
    } else if (char === ":" && /\s|$/.test(rest[index + 1] ?? "") && here.at === "key") {
      here = { path: [...here.path, word.trim().replace(/^["']|["']$/g, "")], at: "value", inMap: true };
      word = "";
    } else word += char;
  }
  return { ...here, word: word.replace(/^\s+/, "") };
}

// Return the schemas of a place, with references and alternatives followed.
export function schemasAt(root, path) {
  let found = [root];
  for (const step of path) found = found.flatMap((node) => alternatives(root, node)).flatMap((node) => below(node, step));
  return found.flatMap((node) => alternatives(root, node));
}

function below(node, step) {
  if (step === "[]") return [node.items, ...(node.prefixItems ?? [])].filter((each) => each && typeof each === "object");
  const found = node.properties?.[step] ?? node.additionalProperties;
  return found && typeof found === "object" ? [found] : [];
}

function alternatives(root, node, depth = 0) {
  if (!node || depth > 8) return [];
  const { $ref, anyOf, oneOf, allOf } = node;
  if ($ref) {
    const target = $ref.split("/").slice(1).reduce((inner, part) => inner?.[part], root);
    return alternatives(root, { ...target, ...withoutReference(node) }, depth + 1);
  }
  const inner = [...(anyOf ?? []), ...(oneOf ?? []), ...(allOf ?? [])];
  return [node, ...inner.flatMap((each) => alternatives(root, { description: node.description, ...each }, depth + 1))];
}

function withoutReference({ $ref: _, ...rest }) {
  return rest;
}

const EXPRESSIONS = ["from", "when", "for_each", "once_key"];

// Return what a config offers as the value of a place: names, or paths of the messages of a route.
async function offered(path, outline, pathsOf) {
  const name = path.filter((step) => step !== "[]").at(-1);
  const texts = (values, detail) => values.map((label) => ({ label, detail }));
  if (outline && name === "queue") return texts(Object.keys(outline.queues), "queue");
  if (outline && name === "table") return texts(outline.tables, "table");
  if (outline && name === "transform") return texts(outline.transforms, "transform");
  if (outline && name === "envelope") return texts(outline.envelopes, "envelope");
  if (outline && name === "plugins" && path[0] === "routes") return texts(outline.plugins, "plugin");
  if (outline && name === "meta") return texts(outline.meta, "of the message");
  const isAttribute = path[2] === "item" && path.length === 4;
  if (path[0] === "routes" && (isAttribute || EXPRESSIONS.includes(name))) return texts(await pathsOf(path[1]), "in the schema");
  return [];
}

function typesOf(nodes) {
  const types = new Set(nodes.flatMap((node) => node.type ?? (node.enum ? ["string"] : [])));
  types.delete("null");
  return [...types].join(" or ");
}

// Return a source of completions; `facts` gives {schema, outline} of the file, `pathsOf` the paths of a route.
export function completionSource(facts, pathsOf) {
  return async (context) => {
    const { schema, outline } = facts();
    const doc = context.state.doc;
    const line = doc.lineAt(context.pos);
    if (!schema || /^\s*#/.test(line.text)) return null;
    const lines = doc.sliceString(0, line.to).split("\n");
    const { path, at, word } = placeOf(lines, line.number - 1, context.pos - line.from);
    if (!context.explicit && !word && at === "value") return null;
    const nodes = schemasAt(schema, path);
    // An entry of a list may be a map, of which this is the first key.
    const keys = at === "key" || path.at(-1) === "[]" ? keysOf(nodes) : [];
    const options = [...keys, ...(at === "value" ? [...valuesOf(nodes), ...(await offered(path, outline, pathsOf))] : [])];
    if (!options.length) return null;
    return { from: context.pos - word.length, options, validFor: /^[\w.@/-]*$/ };
  };
}

// Return what makes the description of a key, for the list of completions.
function infoOf({ description }) {
  return description && (() => el("div", {}, prose(description)));
}

function keysOf(nodes) {
  const found = new Map();
  for (const node of nodes) {
    for (const [name, inner] of Object.entries(node.properties ?? {})) {
      if (found.has(name)) continue;
      found.set(name, { label: name, apply: `${name}: `, detail: typesOf([inner]), info: infoOf(inner) });
    }
  }
  return [...found.values()];
}

function valuesOf(nodes) {
  const found = [];
  for (const node of nodes) {
    for (const value of [...(node.enum ?? []), ...("const" in node ? [node.const] : [])]) found.push({ label: String(value), info: infoOf(node) });
    if (node.type === "boolean") found.push({ label: "true" }, { label: "false" });
  }
  return [...new Map(found.map((each) => [each.label, each])).values()];
}

// Return an extension that shows, for a key, what the schema says of it, and what `router check` proved at its line.
export function keyHover(facts, claimsAt) {
  return hoverTooltip((view, pos) => {
    const doc = view.state.doc;
    const line = doc.lineAt(pos);
    const end = pos + (/^[\w.@-]*/.exec(doc.sliceString(pos, line.to))[0].length);
    const { schema } = facts();
    const { path, at, word } = placeOf(doc.sliceString(0, line.to).split("\n"), line.number - 1, end - line.from);
    const follows = /^["']?\s*:/.test(doc.sliceString(end, line.to));
    if (!word || !(at === "key" || path.at(-1) === "[]") || !follows) return null;
    const key = word.replace(/^["']/, "");
    const described = schema ? schemasAt(schema, [...path, key]) : [];
    const claims = claimsAt(line.number);
    const about = described.find((node) => node.description)?.description;
    if (!about && !claims.length) return null;
    const examples = described.flatMap((node) => node.examples ?? []).slice(0, 3).map((each) => JSON.stringify(each));
    const create = () => ({
      dom: el("div", { class: "hover" },
        el("p", {}, el("strong", {}, key), " ", el("span", { class: "muted" }, typesOf(described))),
        about && el("p", {}, prose(about)),
        examples.length > 0 && el("p", { class: "muted" }, "e.g. ", el("code", {}, examples.join("  "))),
        claims.map((claim) => el("p", { class: `claim ${claim.verdict.replace(" ", "-")}` }, `${claim.words}: ${claim.claim}${claim.reason ? ` – ${claim.reason}` : ""}`))),
    });
    return { pos: end - word.length, end, create, above: true };
  });
}
