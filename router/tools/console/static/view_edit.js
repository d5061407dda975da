// The view Edit: the config beside a message. All is run again with each change; nothing is saved until asked.
import { completionSource, keyHover } from "./complete.js";
import { ask, explainInDialog } from "./dialogs.js";
import { debounce, el } from "./dom.js";
import { editor, goTo, replaceText } from "./editor.js";
import { mark, showFindings } from "./findings.js";
import { showRun, showTests } from "./results.js";
import { EditorView, keymap } from "./vendor/codemirror.js";

const WAIT = 200; // milliseconds after the last key
const LOOK = 2000; // milliseconds between two looks at the disk

export async function open(panel, app) {
  const view = new EditView(panel, app);
  await view.start();
  return { shown: (detail) => view.shown(detail) };
}

// Run a function again after its end if it was called meanwhile, and never twice at a time.
function latest(run) {
  let isBusy = false;
  let again = false;
  return async () => {
    again = true;
    if (isBusy) return;
    isBusy = true;
    while (again) {
      again = false;
      await run();
    }
    isBusy = false;
  };
}

class EditView {
  constructor(panel, app) {
    this.app = app;
    this.files = new Map(); // by name: {hash, saved, disk}: hash and text as read, and what the disk has since
    this.current = app.setting.config;
    this.outline = null;
    this.schemas = null;
    this.paths = new Map();
    this.checked = { findings: [], claims: [], ignored: 0 };
    this.explainCode = (code) => explainInDialog(app, code);
    this.checkSoon = latest(() => this.check());
    this.runSoon = latest(() => this.run());
    this.changed = debounce(WAIT, () => this.again());
    this.build(panel);
  }

  build(panel) {
    const button = (label, run, more = {}) => el("button", { class: "button", type: "button", onclick: run, ...more }, label);
    this.fileSelect = el("select", { "aria-label": "File", onchange: () => this.openFile(this.fileSelect.value) });
    this.state = el("span", { class: "muted", role: "status" });
    this.saveButton = button("Save", () => this.save(), { class: "button primary", disabled: true, title: "Ctrl-S" });
    this.revertButton = button("Revert", () => this.revert(), { disabled: true });
    this.conflict = el("div", { class: "conflict", role: "alert", hidden: true });
    this.configHost = el("div", { class: "host" });
    this.findings = el("div", { class: "body", "aria-live": "polite" });
    this.queueSelect = el("select", { onchange: () => this.chooseQueue() });
    this.sampleSelect = el("select", { class: "samples", "aria-label": "Messages of tests", onchange: () => this.chooseSample() });
    this.raw = el("input", { type: "checkbox", onchange: () => this.runSoon() });
    this.testButton = button("Make it a test", () => this.addTest());
    this.messageHost = el("div", { class: "host message" });
    this.results = el("div", { class: "body results" });
    this.broken = el("p", { class: "conflict", hidden: true }, "The config has errors: this is what became of the message before.");
    this.tests = el("section", { class: "part" });
    panel.classList.add("edit");
    panel.replaceChildren(
      el("section", { class: "box pane", "aria-label": "Config" },
        el("header", {}, this.fileSelect, this.state, el("span", { class: "spread" }), this.revertButton, this.saveButton),
        this.conflict, this.configHost,
        el("div", { class: "problems scroll", tabindex: "0", role: "region", "aria-label": "Findings" }, this.findings)),
      el("section", { class: "box pane", "aria-label": "Message" },
        el("header", {}, el("label", {}, "Queue", this.queueSelect), this.sampleSelect,
          el("label", { title: "A body as SQS has it, a record of ReceiveMessage, or a Lambda event" }, this.raw, "raw"),
          el("span", { class: "spread" }), this.testButton),
        this.messageHost,
        el("div", { class: "outcomes scroll", tabindex: "0", role: "region", "aria-label": "Results" }, this.broken, this.results, el("div", { class: "body" }, this.tests))));
    const facts = () => ({
      schema: this.isSchema() ? null : this.schemas?.[this.current === this.app.setting.config ? "config" : "included"], outline: this.outline,
    });
    const saving = keymap.of([{ key: "Mod-s", run: () => (this.save(), true) }]);
    const onChange = (run) => EditorView.updateListener.of((update) => update.docChanged && run());
    this.config = editor(this.configHost, {
      language: "yaml", label: "The config, as YAML",
      completion: completionSource(facts, (route) => this.pathsOf(route)),
      more: [keyHover(facts, (line) => this.claimsAt(line)), saving, onChange(() => this.edited())],
    });
    this.message = editor(this.messageHost, {
      language: "json", label: "The message, as JSON", more: [saving, onChange(() => this.messageChanged())],
    });
  }

  async start() {
    await this.readFiles();
    this.app.api("edit/schema").then((schemas) => (this.schemas = schemas), (error) => this.app.notify(error.message, "error"));
    this.openFile(this.app.setting.config);
    await this.again();
    setInterval(() => document.hidden || this.lookAtDisk(), LOOK);
  }

  // Show a place, or a message: {file, line, column}, or {queue, message, raw}.
  shown(detail) {
    if (detail?.file) this.openPlace(detail.file, detail.line, detail.column);
    if (detail?.message !== undefined) this.openMessage(detail);
    else if (!detail) this.config.requestMeasure();
  }

  // Files

  async readFiles() {
    const { files, stamp } = await this.app.api("edit/files", { unsaved: this.app.unsaved });
    this.stamp ??= stamp;
    for (const file of files) {
      if (file.fault) this.app.notify(`${file.name} ${file.fault}`, "error");
      else if (!this.files.has(file.name)) this.files.set(file.name, { hash: file.hash, saved: file.text, disk: null });
    }
    for (const name of this.files.keys()) if (!files.some((file) => file.name === name) && !(name in this.app.unsaved)) this.files.delete(name);
    this.listFiles();
  }

  listFiles() {
    const labels = [...this.files.keys()].map((name) => [name, name in this.app.unsaved ? `${name} ●` : name]);
    // Not at each key: there may be a schema for each of 1,000 routes.
    if (labels.join() !== this.listed) {
      this.listed = labels.join();
      this.fileSelect.replaceChildren(...labels.map(([name, label]) => el("option", { value: name }, label)));
    }
    this.fileSelect.value = this.current;
    this.fileSelect.disabled = this.files.size < 2;
    const count = Object.keys(this.app.unsaved).length;
    this.state.textContent = count ? (count === 1 ? "not saved" : `${count} files not saved`) : "";
    this.saveButton.disabled = this.revertButton.disabled = count === 0;
  }

  openFile(name) {
    const file = this.files.get(name);
    if (!file) return;
    this.isLoading = true;
    this.current = name;
    // Another file is another text: Undo must not bring back that of the one before.
    this.config.dispatch({ changes: { from: 0, to: this.config.state.doc.length, insert: this.app.unsaved[name] ?? file.saved } });
    this.isLoading = false;
    this.listFiles();
    this.showConflict();
    mark(this.config, name, this.checked.findings, this.explainCode);
  }

  // A schema is in the list of files, too: JSON is highlighted as the YAML that it also is.
  isSchema() {
    return this.current.endsWith(".json");
  }

  openPlace(file, line, column = 1) {
    if (file !== this.current) {
      if (!this.files.has(file)) {
        this.app.notify(`${file} is not a file of the config: open it in another editor`);
        return;
      }
      this.openFile(file);
    }
    goTo(this.config, line, column);
  }

  edited() {
    if (this.isLoading) return;
    const text = this.config.state.doc.toString();
    if (text === this.files.get(this.current).saved) delete this.app.unsaved[this.current];
    else this.app.unsaved[this.current] = text;
    this.listFiles();
    this.changed();
  }

  revert() {
    for (const name of Object.keys(this.app.unsaved)) {
      const file = this.files.get(name);
      if (file.disk) Object.assign(file, { hash: file.disk.hash, saved: file.disk.text, disk: null });
      delete this.app.unsaved[name];
    }
    replaceText(this.config, this.files.get(this.current).saved);
    this.showConflict();
    this.listFiles();
    this.changed();
  }

  async save(overwrite = false) {
    const files = Object.entries(this.app.unsaved).map(([name, text]) => ({ name, text, hash: this.files.get(name).hash }));
    if (!files.length) return;
    try {
      const saved = await this.app.api("edit/save", { files, overwrite });
      this.stamp = saved.stamp;
      for (const file of saved.files) {
        this.files.set(file.name, { hash: file.hash, saved: file.text, disk: null });
        if (this.textOf(file.name) === file.text) delete this.app.unsaved[file.name];
      }
      this.app.notify(`Saved ${saved.files.map((file) => file.name).join(", ")}`, "good");
    } catch (error) {
      if (error.code !== "conflict") {
        this.app.notify(error.message, "error");
        return;
      }
      const text = `${error.message}. Overwriting loses that change.`;
      if ((await ask({ title: "Overwrite the file?", text, action: "Overwrite", isDangerous: true })) !== null) await this.save(true);
      return;
    }
    this.showConflict();
    this.listFiles();
  }

  textOf(name) {
    return name === this.current ? this.config.state.doc.toString() : this.app.unsaved[name];
  }

  async lookAtDisk() {
    const known = Object.fromEntries([...this.files].map(([name, file]) => [name, (file.disk ?? file).hash]));
    let found;
    try {
      found = await this.app.api("edit/disk", { known }, { isQuiet: true });
    } catch (error) {
      this.reportOnce(error);
      return;
    }
    this.lastError = null;
    for (const file of found.files) this.changedOnDisk(file);
    if (found.stamp !== this.stamp) {
      this.stamp = found.stamp;
      this.paths.clear();
      this.again();
    }
  }

  changedOnDisk(file) {
    const known = this.files.get(file.name);
    if (file.fault) {
      known.disk = { hash: file.hash, text: known.saved };
      this.app.notify(`${file.name} ${file.fault}`, "warn");
    } else if (!(file.name in this.app.unsaved) || this.app.unsaved[file.name] === file.text) {
      this.files.set(file.name, { hash: file.hash, saved: file.text, disk: null });
      delete this.app.unsaved[file.name];
      if (file.name === this.current) {
        this.isLoading = true;
        replaceText(this.config, file.text);
        this.isLoading = false;
      }
      this.app.notify(`${file.name} changed on the disk, and is shown as it is now`);
    } else known.disk = file;
    this.listFiles();
    this.showConflict();
  }

  showConflict() {
    const { disk } = this.files.get(this.current) ?? {};
    this.conflict.hidden = !disk;
    if (!disk) return;
    const take = el("button", { class: "button", type: "button", onclick: () => this.takeFromDisk() }, "Take the one on the disk");
    this.conflict.replaceChildren(el("span", {}, `${this.current} changed on the disk meanwhile. Saving asks before it overwrites that.`), take);
  }

  takeFromDisk() {
    const { disk } = this.files.get(this.current);
    this.files.set(this.current, { hash: disk.hash, saved: disk.text, disk: null });
    delete this.app.unsaved[this.current];
    replaceText(this.config, disk.text);
    this.showConflict();
    this.listFiles();
    this.changed();
  }

  // Checks

  async again() {
    this.checkSoon();
    await this.runSoon();
  }

  async check() {
    this.findings.setAttribute("aria-busy", "true");
    const unsaved = { ...this.app.unsaved };
    try {
      this.checked = await this.app.api("edit/check", { unsaved });
      this.lastError = null;
      this.findings.replaceChildren(...elements(showFindings(this.checked, (...place) => this.openPlace(...place), this.explainCode)));
      mark(this.config, this.current, this.checked.findings, this.explainCode);
    } catch (error) {
      this.findings.replaceChildren(el("p", { class: "bad" }, error.message));
    }
    this.findings.removeAttribute("aria-busy");
  }

  claimsAt(line) {
    return this.checked.claims.filter((claim) => claim.file === this.current && claim.line === line);
  }

  async pathsOf(route) {
    if (!this.paths.has(route)) {
      const found = this.app.api("edit/paths", { unsaved: this.app.unsaved, route }).catch(() => []);
      this.paths.set(route, found);
    }
    return this.paths.get(route);
  }

  // The message

  async run() {
    try {
      this.outline = (await this.app.api("edit/outline", { unsaved: this.app.unsaved })) ?? this.outline;
      this.lastError = null;
    } catch (error) {
      this.reportOnce(error);
    }
    if (!this.outline) {
      this.results.replaceChildren(el("p", { class: "empty" }, "The config cannot be read yet: see its findings."));
      return;
    }
    if (this.outline.files.some((name) => !this.files.has(name))) await this.readFiles();
    this.listQueues();
    const asked = { unsaved: this.app.unsaved, queue: this.queueSelect.value, message: this.message.state.doc.toString(), raw: this.raw.checked };
    this.tests.parentElement.hidden = !asked.queue;
    if (!asked.queue) return;
    this.results.setAttribute("aria-busy", "true");
    await Promise.all([this.runMessage(asked), this.runTests(asked)]);
    this.results.removeAttribute("aria-busy");
  }

  async runMessage(asked) {
    if (!asked.message.trim()) {
      this.results.replaceChildren(el("p", { class: "empty" }, "Write a message, or choose one of a test."));
      return;
    }
    try {
      const run = await this.app.api("edit/run", asked);
      this.results.replaceChildren(...elements(showRun(run, this.explainCode)));
      this.testButton.disabled = false;
      this.results.classList.remove("old");
    } catch (error) {
      this.testButton.disabled = true;
      if (error.status === 422) this.results.classList.add("old");
      else this.results.replaceChildren(el("p", { class: "bad" }, error.message));
    }
    this.broken.hidden = !this.results.classList.contains("old");
  }

  async runTests(asked) {
    const title = el("h3", {}, `Tests of ${asked.queue}`);
    try {
      const tests = await this.app.api("edit/tests", asked);
      this.tests.replaceChildren(title, ...elements(showTests(tests, (file, line) => this.openPlace(file, line))));
    } catch (error) {
      this.tests.replaceChildren(title, el("p", { class: "muted" }, error.status === 422 ? "They run once the config has no errors." : error.message));
    }
  }

  listQueues() {
    const names = Object.keys(this.outline.queues);
    const before = this.queueSelect.value;
    if (names.join("\n") !== [...this.queueSelect.options].map((option) => option.value).join("\n")) {
      this.queueSelect.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
    }
    this.queueSelect.value = names.includes(before) ? before : names[0] ?? "";
    this.listSamples();
    if (!this.hasMessage && this.samples.length) {
      this.sampleSelect.value = "0";
      this.chooseSample();
    }
  }

  listSamples() {
    this.samples = this.outline.samples.filter((sample) => sample.queue === this.queueSelect.value);
    const options = this.samples.map((sample, index) => el("option", { value: index }, `${sample.route}: ${sample.name}`));
    this.sampleSelect.replaceChildren(el("option", { value: "" }, this.samples.length ? "a message of a test …" : "no test has a message"), ...options);
    const text = this.message.state.doc.toString();
    const same = this.samples.findIndex((sample) => sample.text === text);
    this.sampleSelect.value = same < 0 ? "" : String(same);
  }

  chooseQueue() {
    this.hasMessage = false;
    this.listQueues();
    this.runSoon();
  }

  chooseSample() {
    const sample = this.samples[this.sampleSelect.value];
    if (!sample) return;
    this.hasMessage = true;
    this.raw.checked = sample.raw;
    replaceText(this.message, sample.text);
  }

  openMessage({ queue, message, raw = false }) {
    if (queue && this.outline?.queues[queue]) this.queueSelect.value = queue;
    this.hasMessage = true;
    this.raw.checked = raw;
    replaceText(this.message, message);
    this.runSoon();
  }

  messageChanged() {
    this.hasMessage = true;
    this.changedMessage ??= debounce(WAIT, () => this.runSoon());
    this.changedMessage();
  }

  async addTest() {
    const routes = this.outline.queues[this.queueSelect.value] ?? [];
    const asked = { unsaved: this.app.unsaved, queue: this.queueSelect.value, message: this.message.state.doc.toString(), raw: this.raw.checked };
    let route = routes[0];
    try {
      const run = await this.app.api("edit/run", asked);
      route = run.outcome.route || run.items[0]?.route || route;
      const name = await ask({ title: "Make it a test", text: `Of route ${route}: it expects what happens now. The file is not saved yet.`, action: "Add", label: "What does it verify?", value: `a message that is ${run.outcome.kind}` });
      if (name === null) return;
      const added = await this.app.api("edit/add_test", { ...asked, route, name });
      this.openFile(added.file);
      const at = replaceText(this.config, added.text);
      goTo(this.config, this.config.state.doc.lineAt(at + 1).number);
    } catch (error) {
      this.app.notify(error.message, "error");
    }
  }

  // An error that comes with each try is shown once.
  reportOnce(error) {
    if (this.lastError === error.message) return;
    this.lastError = error.message;
    this.app.notify(error.message, "error");
  }
}

function elements(children) {
  return children.flat().filter((child) => child);
}
