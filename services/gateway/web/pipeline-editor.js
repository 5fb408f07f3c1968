// The bench: presets, the steps in order with their fields, and the output.

import { cloneTemplate, make, partsOf } from "/web/dom.js";
import {
  FORMATS,
  MOST_OPERATIONS,
  OPERATIONS,
  PRESETS,
  firstRecipe,
  holds,
  sampleOf,
  withPreset,
  withoutPreset,
} from "/web/pipeline.js";

/** Dispatches `change` whenever `recipe`, which is replaced and never altered, is another one. */
export class RecipeEditor extends EventTarget {
  recipe = firstRecipe();
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
    form.addEventListener("submit", (event) => event.preventDefault());
    this.#drawSteps();
    this.#showPresets();
  }

  /** Whether it can be sent; if not, the browser shows the person the field that is wrong. */
  isRight() {
    if (this.#form.checkValidity()) return true;
    this.#parts.details.open = true;
    this.#form.reportValidity();
    return false;
  }

  #become(recipe) {
    this.recipe = recipe;
    this.#showPresets();
    this.dispatchEvent(new Event("change"));
  }

  #becomeWithSteps(operations) {
    this.#become({ ...this.recipe, operations });
    this.#drawSteps();
  }

  #buildPresets() {
    for (const preset of PRESETS) {
      const button = make("button", { type: "button", className: "chip" }, preset.title);
      button.addEventListener("click", () => {
        const change = holds(this.recipe, preset) ? withoutPreset : withPreset;
        this.#become(change(this.recipe, preset));
        this.#parts.format.value = this.recipe.format;
        this.#drawSteps();
      });
      this.#presetButtons.set(preset, button);
      this.#parts.presets.append(button);
    }
  }

  #showPresets() {
    for (const [preset, button] of this.#presetButtons) {
      button.setAttribute("aria-pressed", String(holds(this.recipe, preset)));
    }
  }

  #buildAdders() {
    for (const [op, { title }] of Object.entries(OPERATIONS)) {
      const attributes = { "aria-label": `Add step: ${title}` };
      const button = make("button", { type: "button", className: "adder", attributes }, title);
      button.addEventListener("click", () => {
        if (this.recipe.operations.length === MOST_OPERATIONS) return;
        this.#becomeWithSteps([...this.recipe.operations, sampleOf(op)]);
      });
      this.#parts.adders.append(button);
    }
  }

  #buildOutput() {
    const { format, quality, qualityShown } = this.#parts;
    for (const [value, name] of Object.entries(FORMATS)) format.append(new Option(name, value));
    format.addEventListener("change", () => this.#become({ ...this.recipe, format: format.value }));
    quality.addEventListener("input", () => {
      qualityShown.value = quality.value;
      this.#become({ ...this.recipe, quality: quality.valueAsNumber });
    });
  }

  #drawSteps() {
    const { operations } = this.recipe;
    this.#parts.steps.replaceChildren(...operations.map((o, at) => this.#step(o, at)));
    this.#parts.noSteps.hidden = operations.length > 0;
  }

  #step(operation, at) {
    const item = cloneTemplate("step-template");
    const { title, fields, up, down, remove } = partsOf(item);
    const kind = OPERATIONS[operation.op];
    title.textContent = kind.title;
    const last = this.recipe.operations.length - 1;
    this.#name(up, `Move ${kind.title} up`, at === 0, () => this.#move(at, at - 1, "up"));
    this.#name(down, `Move ${kind.title} down`, at === last, () => this.#move(at, at + 1, "down"));
    this.#name(remove, `Remove step ${kind.title}`, false, () => this.#remove(at));
    fields.append(...kind.fields.map((field) => this.#field(field, operation, at)));
    fields.hidden = kind.fields.length === 0;
    this.#demandASide(fields, operation);
    return item;
  }

  #name(button, label, disabled, act) {
    button.setAttribute("aria-label", label);
    button.title = label;
    button.disabled = disabled;
    button.addEventListener("click", act);
  }

  #move(from, to, direction) {
    const operations = [...this.recipe.operations];
    operations.splice(to, 0, ...operations.splice(from, 1));
    this.#becomeWithSteps(operations);
    this.#focusStep(to, direction);
  }

  #remove(at) {
    this.#becomeWithSteps(this.recipe.operations.toSpliced(at, 1));
    this.#focusStep(Math.min(at, this.recipe.operations.length - 1), "remove");
  }

  // The buttons are drawn anew, so the keyboard would lose its place.
  #focusStep(at, part) {
    const buttons = this.#parts.steps.children[at];
    const wanted = buttons?.querySelector(`[data-part="${part}"]:enabled`);
    const target = wanted ?? buttons?.querySelector("button:enabled");
    (target ?? this.#parts.adders.firstElementChild).focus();
  }

  #field(field, operation, at) {
    const control = controlFor(field, operation[field.name]);
    control.dataset.field = field.name;
    control.addEventListener("input", () => {
      const changed = { ...this.recipe.operations[at], [field.name]: valueOf(control) };
      this.#become({ ...this.recipe, operations: this.recipe.operations.with(at, changed) });
      this.#demandASide(control.closest("[data-part=fields]"), changed);
    });
    if (field.kind === "flag") {
      return make("label", { className: "field field--flag" }, control, field.label);
    }
    const label = make("span", { className: "field__label" }, field.label);
    const unit = field.unit ? make("span", { className: "field__unit" }, field.unit) : "";
    const row = make("span", { className: "field__row" }, control, unit);
    const className = field.kind === "choice" ? "field field--wide" : "field";
    return make("label", { className }, label, row);
  }

  #demandASide(fields, operation) {
    if (operation.op !== "resize") return;
    const sideless = operation.width === null && operation.height === null;
    const message = sideless ? "Give a width, a height or both." : "";
    fields.querySelector('[data-field="width"]').setCustomValidity(message);
  }
}

function controlFor(field, value) {
  if (field.kind === "choice") {
    const options = Object.entries(field.choices).map(([name, text]) => new Option(text, name));
    const select = make("select", {}, ...options);
    select.value = value;
    return select;
  }
  if (field.kind === "flag") return make("input", { type: "checkbox", checked: value });
  const { min, max, step, optional } = field;
  const attributes = { min, max, step };
  const placeholder = optional ? "any" : "";
  const input = make("input", { type: "number", required: !optional, placeholder, attributes });
  input.value = value ?? "";
  return input;
}

function valueOf(control) {
  if (control.type === "checkbox") return control.checked;
  if (control.type === "number") return control.value === "" ? null : control.valueAsNumber;
  return control.value;
}
