// Form controls for the fields of the contract.

import { uploadImage } from "./api.js";
import { humanize } from "./contract.js";
import { make } from "./dom.js";

/**
 * Make the label and the control of a field.
 *
 * `value` may be undefined: the control then shows the default, or is empty. `onchange` is called
 * with the new value, which is undefined if the control is empty. Returns the label; for the id of
 * an image, an element with the label and a file input.
 */
export function makeField(field, value, onchange) {
  const control = controlFor(field, value ?? field.default);
  control.dataset.field = field.name;
  control.title = field.hint;
  checkLimits(field, control);
  control.addEventListener("input", () => {
    checkLimits(field, control);
    onchange(valueOf(control, field));
  });
  if (field.kind === "flag") {
    const className = "field field--flag";
    return make("label", { className, title: field.hint }, control, field.label);
  }
  const label = make("span", { className: "field__label" }, field.label);
  if (field.kind === "slider") showNumber(control, label);
  const unit = field.unit ? make("span", { className: "field__unit" }, field.unit) : "";
  const row = make("span", { className: "field__row" }, control, unit);
  const isWide = field.kind === "choice" || field.kind === "text";
  const className = isWide ? "field field--wide" : "field";
  const whole = make("label", { className, title: field.hint }, label, row);
  return field.isImageId ? withUpload(whole, control) : whole;
}

/** Add a file input that uploads an image and fills its id in. */
function withUpload(label, control) {
  const attributes = { "aria-label": "Upload an image", accept: "image/*" };
  const input = make("input", { type: "file", attributes });
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    control.setCustomValidity("Wait until the image is uploaded.");
    try {
      const id = await uploadImage(file);
      // The edit may have been removed or moved meanwhile.
      if (!control.isConnected) return;
      control.value = id;
      control.dispatchEvent(new Event("input"));
    } catch (error) {
      control.setCustomValidity(error.message);
      control.reportValidity();
    }
  });
  return make("div", { className: "field field--wide" }, label, input);
}

function controlFor(field, value) {
  switch (field.kind) {
    case "choice":
      return choiceControl(field, value);
    case "flag":
      return make("input", { type: "checkbox", checked: value ?? false });
    case "number":
    case "slider":
      return numberControl(field, value);
    case "colour":
      return make("input", { type: "color", value: hexColour(value) });
    default:
      return textControl(field, value);
  }
}

function choiceControl({ choices, isRequired, default: fallback }, value) {
  const select = make("select", {}, ...choices.map((name) => new Option(humanize(name), name)));
  if (!isRequired && fallback === undefined) select.prepend(new Option("Default", ""));
  select.value = value ?? select.options[0].value;
  return select;
}

function numberControl({ kind, min, max, step, isRequired, default: fallback }, value) {
  const attributes = Object.fromEntries(
    Object.entries({ min, max, step }).filter(([, limit]) => limit !== undefined),
  );
  const type = kind === "slider" ? "range" : "number";
  const placeholder = fallback === undefined ? "any" : String(fallback);
  const input = make("input", { type, required: isRequired, placeholder, attributes });
  input.value = value ?? "";
  return input;
}

function textControl({ pattern, maxLength, isRequired, default: fallback }, value) {
  const input = make("input", {
    type: "text",
    required: isRequired,
    placeholder: String(fallback ?? ""),
    autocomplete: "off",
  });
  if (pattern) input.pattern = pattern;
  if (maxLength) input.maxLength = maxLength;
  input.value = value ?? "";
  return input;
}

function valueOf(control, field) {
  if (field.kind === "flag") return control.checked;
  if (control.value === "") return undefined;
  if (field.kind === "choice") return field.choices.find((one) => String(one) === control.value);
  const isNumber = field.kind === "number" || field.kind === "slider";
  return isNumber ? control.valueAsNumber : control.value;
}

function showNumber(slider, label) {
  const shown = make("output", {}, slider.value);
  slider.addEventListener("input", () => {
    shown.value = slider.value;
  });
  label.append(" ", shown);
}

// The attributes min and max include the limit.
function checkLimits({ kind, moreThan, lessThan }, control) {
  const number = kind === "number" ? control.valueAsNumber : NaN;
  if (number <= moreThan) control.setCustomValidity(`Enter more than ${moreThan}.`);
  else if (number >= lessThan) control.setCustomValidity(`Enter less than ${lessThan}.`);
  else control.setCustomValidity("");
}

/** Return a CSS colour as #rrggbb, the only notation of a colour input; black if it is none. */
function hexColour(colour) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = "#000000";
  context.fillStyle = colour ?? "";
  return /^#[0-9a-f]{6}$/.test(context.fillStyle) ? context.fillStyle : "#000000";
}
