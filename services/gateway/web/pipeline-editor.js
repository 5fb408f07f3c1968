// The form on the left: presets, the edits in order with their fields, and the output.
//
// A preset of the gateway replaces all of them while it is chosen.

import {
  FORMATS,
  MAX_OPERATIONS,
  OPERATIONS,
  OUTPUT_FIELDS,
  humanize,
  newOperation,
  supports,
} from "./contract.js";
import { cloneTemplate, make, partsOf } from "./dom.js";
import { makeField } from "./field-controls.js";
import { PresetChooser } from "./gateway-presets.js";
import {
  PRESETS,
  firstPipeline,
  includesPreset,
  withPreset,
  withoutPreset,
} from "./presets.js";

/** Dispatches `change` after `pipeline` has been replaced. A pipeline is never modified. */
export class PipelineEditor extends EventTarget {
  pipeline = firstPipeline();
  #form;
  #parts;
  #presetButtons = new Map();

  constructor(form) {
    super();
    this.#form = form;
    this.#parts = partsOf(form);
    this.#buildPresets();
    this.#buildAdders();
    this.#buildOutput();
    this.#buildChooser();
    form.addEventListener("submit", (event) => event.preventDefault());
    this.#showEdits();
    this.#showPresets();
  }

  /** Return whether every field is valid; if not, the browser shows the first one that is not. */
  checkValidity() {
    if (this.#form.checkValidity()) return true;
    for (const field of this.#form.querySelectorAll(":invalid")) {
      openAround(field);
    }
    this.#form.reportValidity();
    return false;
  }

  #replace(pipeline) {
    this.pipeline = pipeline;
    this.#showPresets();
    this.dispatchEvent(new Event("change"));
  }

  #replaceOperations(operations) {
    this.#replace({ ...this.pipeline, operations });
    this.#showEdits();
  }

  #replaceOutput(values) {
    this.#replace({ ...this.pipeline, output: { ...this.pipeline.output, ...values } });
  }

  #buildPresets() {
    for (const preset of PRESETS) {
      const button = make("button", { type: "button", className: "chip" }, preset.title);
      button.addEventListener("click", () => {
        const change = includesPreset(this.pipeline, preset) ? withoutPreset : withPreset;
        this.#replace(change(this.pipeline, preset));
        this.#parts.format.value = this.pipeline.output.format;
        this.#showOutputFields();
        this.#showEdits();
      });
      this.#presetButtons.set(preset, button);
      this.#parts.presets.append(button);
    }
  }

  #buildChooser() {
    const chooser = new PresetChooser(this.#parts);
    chooser.addEventListener("change", () => {
      const { ownEdits } = this.#parts;
      // Disabled, too: a field that is invalid must not be so unseen.
      ownEdits.disabled = ownEdits.hidden = chooser.preset !== null;
      this.#replace({ ...this.pipeline, preset: chooser.preset });
    });
    chooser.load();
  }

  #showPresets() {
    for (const [preset, button] of this.#presetButtons) {
      button.setAttribute("aria-pressed", String(includesPreset(this.pipeline, preset)));
    }
  }

  #buildAdders() {
    const families = Map.groupBy(OPERATIONS.values(), ({ family }) => family);
    for (const [family, operations] of families) {
      const name = humanize(family);
      const label = make("p", { className: "adders__family" }, name);
      const attributes = { role: "group", "aria-label": name };
      const list = make("div", { className: "adders__list", attributes });
      list.append(...operations.map((operation) => this.#adder(operation)));
      this.#parts.adders.append(label, list);
    }
  }

  #adder({ name, title, description }) {
    const attributes = { "aria-label": `Add edit: ${title}`, title: description };
    const button = make("button", { type: "button", className: "adder", attributes }, title);
    button.addEventListener("click", () => {
      const { operations } = this.pipeline;
      if (operations.length === MAX_OPERATIONS) return;
      this.#replaceOperations([...operations, newOperation(name)]);
    });
    return button;
  }

  #buildOutput() {
    const { format, outputFields } = this.#parts;
    for (const { name, title, optional } of FORMATS.values()) {
      format.append(new Option(optional ? `${title} (if installed)` : title, name));
    }
    format.addEventListener("change", () => {
      this.#replaceOutput({ format: format.value });
      this.#showOutputFields();
    });
    const makeLabel = (field) =>
      makeField(field, undefined, (value) => this.#replaceOutput({ [field.name]: value }));
    outputFields.append(...mainAndOthers(OUTPUT_FIELDS, makeLabel));
    this.#showOutputFields();
  }

  // A field that the format does not support is disabled, too: it must not be invalid unseen.
  #showOutputFields() {
    const { format } = this.pipeline.output;
    for (const control of this.#parts.outputFields.querySelectorAll("[data-field]")) {
      const isSupported = supports(format, control.dataset.field);
      control.disabled = !isSupported;
      control.closest("label").hidden = !isSupported;
    }
  }

  #showEdits() {
    const { operations } = this.pipeline;
    this.#parts.edits.replaceChildren(...operations.map((one, index) => this.#edit(one, index)));
    this.#parts.noEdits.hidden = operations.length > 0;
  }

  #edit(operation, index) {
    const item = cloneTemplate("edit-template");
    const { title, fields, up, down, remove } = partsOf(item);
    const kind = OPERATIONS.get(operation.op);
    title.textContent = kind.title;
    title.title = kind.description;
    const last = this.pipeline.operations.length - 1;
    const move = (to, button) => this.#move(index, to, button);
    setButton(up, `Move ${kind.title} up`, index === 0, () => move(index - 1, "up"));
    setButton(down, `Move ${kind.title} down`, index === last, () => move(index + 1, "down"));
    setButton(remove, `Remove edit ${kind.title}`, false, () => this.#remove(index));
    const makeLabel = (field) =>
      makeField(field, operation[field.name], (value) => {
        const changed = { ...this.pipeline.operations[index], [field.name]: value };
        const operations = this.pipeline.operations.with(index, changed);
        this.#replace({ ...this.pipeline, operations });
        checkNeedsOneOf(fields, kind, changed);
      });
    fields.append(...mainAndOthers(kind.fields, makeLabel));
    fields.hidden = kind.fields.length === 0;
    checkNeedsOneOf(fields, kind, operation);
    return item;
  }

  #move(from, to, button) {
    const operations = [...this.pipeline.operations];
    operations.splice(to, 0, ...operations.splice(from, 1));
    this.#replaceOperations(operations);
    this.#focusEdit(to, button);
  }

  #remove(index) {
    this.#replaceOperations(this.pipeline.operations.toSpliced(index, 1));
    this.#focusEdit(Math.min(index, this.pipeline.operations.length - 1), "remove");
  }

  // The buttons are new after each change, so the focus has to be set again.
  #focusEdit(index, part) {
    const edit = this.#parts.edits.children[index];
    const button =
      edit?.querySelector(`[data-part="${part}"]:enabled`) ?? edit?.querySelector("button:enabled");
    (button ?? this.#parts.adders.querySelector("button")).focus();
  }
}

/** Return the main fields, and a closed `details` element with all others, if there are any. */
function mainAndOthers(fields, makeLabel) {
  const { main = [], others = [] } = Object.groupBy(fields, ({ isMain }) =>
    isMain ? "main" : "others",
  );
  return [...main.map(makeLabel), ...(others.length ? [moreSettings(others.map(makeLabel))] : [])];
}

function moreSettings(labels) {
  const fields = make("div", { className: "edit__fields" }, ...labels);
  return make("details", { className: "more" }, make("summary", {}, "More settings"), fields);
}

function openAround(element) {
  for (let at = element.closest("details"); at; at = at.parentElement.closest("details")) {
    at.open = true;
  }
}

function setButton(button, label, disabled, onclick) {
  button.setAttribute("aria-label", label);
  button.title = label;
  button.disabled = disabled;
  button.addEventListener("click", onclick);
}

// Of some fields, such as the width and the height of a resize, at least one has to be given.
function checkNeedsOneOf(fields, { needsOneOf, fields: all }, operation) {
  if (needsOneOf.length === 0) return;
  const labels = all.filter(({ name }) => needsOneOf.includes(name)).map(({ label }) => label);
  const isGiven = needsOneOf.some((name) => operation[name] !== undefined);
  const message = isGiven ? "" : `Fill in at least one of these: ${labels.join(", ")}.`;
  fields.querySelector(`[data-field="${needsOneOf[0]}"]`).setCustomValidity(message);
}
