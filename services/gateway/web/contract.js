// Operations and output formats, read from the OpenAPI document of the gateway.
// This module names none of them: a new operation, field or format needs no change of the page.
// A JSON module needs Chrome 123, Safari 17.2 or Firefox 138.

import openapi from "../openapi.json" with { type: "json" };

const SCHEMAS = openapi.components.schemas;

/** Return a schema with its `$ref` replaced by what it refers to. Its own keywords win. */
function resolve({ $ref, ...own }) {
  return $ref ? { ...SCHEMAS[$ref.split("/").at(-1)], ...own } : own;
}

/** `bottom_right` -> "Bottom right" */
export function humanize(name) {
  const words = String(name).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Return the kind of control for a type. Types that are not known here get a text input. */
function kindOf(type, isOptional) {
  if (type.enum) return "choice";
  if (type.type === "boolean") return "flag";
  if (type.type === "integer" && type.minimum === 1 && type.maximum === 100) return "slider";
  if (type.type === "integer" || type.type === "number") return "number";
  // A colour input cannot be empty.
  if (type.format === "color" && !isOptional) return "colour";
  return "text";
}

function isConstant(type) {
  return type.enum?.length === 1;
}

/**
 * Describe the form control of a property.
 *
 * Of several types, such as a number or a percentage, the result is a text input. Constants beside
 * one type, such as `auto`, are left out; but beside true and false they are choices.
 */
function fieldOf(name, schema, { required = [], examples = [] }) {
  const whole = resolve(schema);
  const types = (whole.anyOf ?? [whole]).map(resolve);
  const accepted = types.filter((type) => type.type !== "null");
  const constants = accepted.filter(isConstant).map((one) => one.enum[0]);
  const [type, ...others] = accepted.filter((one) => !isConstant(one));
  let single = type && others.length === 0 ? type : {};
  if (single.type === "boolean" && constants.length > 0) {
    single = { enum: [false, true, ...constants] };
  }
  const kind = kindOf(single, accepted.length < types.length);
  return {
    name,
    kind,
    label: schema.title ?? humanize(name),
    hint: whole.description ?? "",
    unit: kind === "text" ? undefined : (single["x-unit"] ?? whole["x-unit"]),
    default: whole.default ?? undefined,
    isRequired: required.includes(name),
    isMain: required.includes(name) || name in (examples[0] ?? {}),
    choices: single.enum ?? [],
    min: single.minimum ?? single.exclusiveMinimum,
    max: single.maximum ?? single.exclusiveMaximum,
    moreThan: single.exclusiveMinimum,
    lessThan: single.exclusiveMaximum,
    step: single.type === "integer" ? 1 : "any",
    pattern: single.pattern,
    maxLength: single.maxLength,
    isImageId: single.format === "image-id",
  };
}

function operationOf(schema) {
  const { op, ...properties } = schema.properties;
  const fields = Object.entries(properties).map(([name, one]) => fieldOf(name, one, schema));
  return {
    name: op.const,
    title: schema.title,
    description: schema.description ?? "",
    family: schema["x-family"] ?? "",
    fields,
    // Names of fields of which at least one is needed.
    needsOneOf: schema.then ? [...Object.keys(schema.if.properties), ...schema.then.required] : [],
    example: schema.examples?.[0] ?? {},
  };
}

const operationList = resolve(SCHEMAS.Pipeline.properties.operations);

/** Operations by name, in the order of the contract. */
export const OPERATIONS = new Map(
  operationList.items.oneOf
    .map((choice) => operationOf(resolve(choice)))
    .map((operation) => [operation.name, operation]),
);

export const MAX_OPERATIONS = operationList.maxItems ?? Infinity;

/** Rows of the table of formats by name: title, media_type, suffixes, and what each may hold. */
export const FORMATS = new Map(SCHEMAS.Format["x-formats"].map((row) => [row.name, row]));

const queryParameters = new Set(
  openapi.paths["/v1/jobs"].post.parameters
    .filter((parameter) => parameter.in === "query")
    .map(({ name }) => name),
);

/** Fields of an output that a query may have, but for the format itself. */
export const OUTPUT_FIELDS = Object.entries(SCHEMAS.Output.properties)
  .filter(([name]) => name !== "format" && queryParameters.has(name))
  .map(([name, schema]) => fieldOf(name, schema, SCHEMAS.Output));

/** Tell whether an output of this format may have a field. An empty format is the source's. */
export function supports(format, fieldName) {
  return FORMATS.get(format)?.[fieldName] !== false;
}

/** Return the suffix of files with this media type, with the dot. */
export function suffixOf(mediaType) {
  const row = [...FORMATS.values()].find(({ media_type }) => media_type === mediaType);
  return row?.suffixes[0] ?? `.${mediaType.split("/")[1]}`;
}

/** Tell by its name whether a file may be an image that the service reads. */
export function isImageName(fileName) {
  const name = fileName.toLowerCase();
  return [...FORMATS.values()].some(({ suffixes }) => suffixes.some((one) => name.endsWith(one)));
}

/** Return a value that a required field has without an example, if its control always has one. */
function initialValue({ kind, choices, min }) {
  if (kind === "choice") return choices[0];
  if (kind === "slider") return min;
  if (kind === "colour") return "#000000";
  if (kind === "flag") return false;
  return undefined;
}

/**
 * Return an operation as the first example of the contract has it.
 *
 * Ids of images in examples belong to no image, so they are left out.
 */
export function newOperation(name) {
  const { fields, example } = OPERATIONS.get(name);
  const operation = { op: name };
  for (const field of fields) {
    const value = example[field.name] ?? (field.isRequired ? initialValue(field) : undefined);
    if (value !== undefined && !field.isImageId) operation[field.name] = value;
  }
  return operation;
}
