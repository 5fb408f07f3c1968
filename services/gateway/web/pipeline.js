// A pipeline, `{operations, output}`, as the contract has it: its query, description, file name.
// One with a `preset`, `{name, values}`, is what the gateway has under that name, and nothing else.

import { FORMATS, OPERATIONS, OUTPUT_FIELDS, suffixOf, supports } from "./contract.js";
import { nameOfImage } from "./image-labels.js";

/** Return `[field, value]` of the values that are given and differ from their default. */
function givenValues(fields, values) {
  return fields
    .map((field) => [field, values[field.name]])
    .filter(([field, value]) => value !== undefined && value !== field.default);
}

/** Return an operation in the notation of the query: `resize:width=720,height=588`. */
export function notationOf(operation) {
  const given = givenValues(OPERATIONS.get(operation.op).fields, operation).map(
    ([{ name }, value]) => `${name}=${String(value).replaceAll(",", "\\,")}`,
  );
  return given.length ? `${operation.op}:${given.join(",")}` : operation.op;
}

function outputValues({ output }) {
  const fields = OUTPUT_FIELDS.filter(({ name }) => supports(output.format, name));
  return givenValues(fields, output);
}

/** Return the query string that asks the gateway for a pipeline. */
export function queryOf(pipeline) {
  if (pipeline.preset) {
    const { name, values } = pipeline.preset;
    return new URLSearchParams([["preset", name], ...Object.entries(values)]).toString();
  }
  const query = new URLSearchParams(pipeline.operations.map((o) => ["op", notationOf(o)]));
  if (pipeline.output.format) query.set("format", pipeline.output.format);
  for (const [{ name }, value] of outputValues(pipeline)) query.set(name, value);
  return query.toString();
}

function quantity({ unit = "" }, value) {
  return unit === "°" || unit === "%" ? `${value}${unit}` : `${value} ${unit}`.trim();
}

function textOf(field, value) {
  if (field.isImageId) return nameOfImage(value);
  return quantity(field, String(value).replaceAll("_", " "));
}

function describeValue(field, value) {
  const label = field.label.toLowerCase();
  if (typeof value === "boolean") return value ? label : `not ${label}`;
  return `${label} ${textOf(field, value)}`;
}

/** "Rotate 90°", "Resize (width 1600 px, height 1600 px, fit inside)" */
function describeOperation(operation) {
  const { title, fields } = OPERATIONS.get(operation.op);
  const given = givenValues(fields, operation);
  if (given.length === 0) return title;
  const [field, value] = given[0];
  // As in a query, a single value without a name is that of the first field.
  if (given.length === 1 && field === fields[0] && field.kind !== "flag") {
    return `${title} ${textOf(field, value)}`;
  }
  return `${title} (${given.map((one) => describeValue(...one)).join(", ")})`;
}

/** Describe a pipeline in a line of text. */
export function describe(pipeline) {
  if (pipeline.preset) {
    const { name, values } = pipeline.preset;
    const given = Object.entries(values).map(([variable, value]) => `${variable} ${value}`);
    return given.length ? `Preset ${name} (${given.join(", ")})` : `Preset ${name}`;
  }
  const parts = pipeline.operations.map(describeOperation);
  const { format } = pipeline.output;
  if (format) parts.push(FORMATS.get(format).title);
  parts.push(...outputValues(pipeline).map((one) => describeValue(...one)));
  return parts.join(", ") || "No edits";
}

/** `kitchen.jpg` in black and white as WebP: `kitchen-grayscale-1600x1067.webp`. */
export function downloadName(fileName, pipeline, result) {
  const stem = fileName.replace(/\.[^.]{1,5}$/, "") || "photograph";
  const operations = new Set(pipeline.operations.map(({ op }) => op));
  const names = pipeline.preset ? [pipeline.preset.name] : operations;
  const parts = [stem, ...names, `${result.width}x${result.height}`];
  return parts.join("-") + suffixOf(result.media_type);
}
