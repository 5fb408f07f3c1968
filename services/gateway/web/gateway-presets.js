// The presets that the gateway's operator has named: a select, and one for each of their variables.

import { fetchPresets } from "./api.js";
import { make } from "./dom.js";
import { SIGNED_IN } from "./sign-in.js";

/**
 * Dispatches `change` after `preset` has been replaced: `{name, values}`, or null for none. Without
 * presets the page shows nothing of them.
 */
export class PresetChooser extends EventTarget {
  preset = null;
  #parts;
  #presets = new Map();

  /** `parts` has the elements `preset` (the whole), `presetName` (a select), `presetValues`. */
  constructor(parts) {
    super();
    this.#parts = parts;
    parts.presetName.addEventListener("change", () => this.#choose(parts.presetName.value));
    // The gateway may have told nothing before.
    document.addEventListener(SIGNED_IN, () => this.load());
  }

  /** Ask the gateway for its presets, and show them. */
  async load() {
    const presets = await fetchPresets();
    this.#presets = new Map(presets.map((preset) => [preset.name, preset]));
    const [none] = this.#parts.presetName.options;
    const options = [...this.#presets.keys()].map((name) => new Option(name, name));
    this.#parts.presetName.replaceChildren(none, ...options);
    this.#parts.preset.hidden = this.#presets.size === 0;
    if (this.#presets.has(this.preset?.name)) this.#parts.presetName.value = this.preset.name;
    else if (this.preset) this.#choose("");
  }

  #choose(name) {
    const preset = this.#presets.get(name);
    const variables = Object.entries(preset?.vary ?? {});
    const values = Object.fromEntries(variables.map(([variable, [first]]) => [variable, first]));
    this.#parts.presetValues.replaceChildren(...variables.map((one) => this.#variable(...one)));
    this.#replace(preset ? { name, values } : null);
  }

  #variable(name, values) {
    const options = values.map((value) => new Option(value, value));
    const select = make("select", { attributes: { "data-variable": name } }, ...options);
    select.addEventListener("change", () => {
      this.#replace({ ...this.preset, values: { ...this.preset.values, [name]: select.value } });
    });
    const label = make("span", { className: "field__label" }, name);
    return make("label", { className: "field" }, label, select);
  }

  #replace(preset) {
    this.preset = preset;
    this.dispatchEvent(new Event("change"));
  }
}
