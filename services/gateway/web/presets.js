// Presets of the page: an operation, with or without a format, that one button adds or removes.

import { FORMATS, OPERATIONS } from "./contract.js";
import { notationOf } from "./pipeline.js";

const box = (width, height, fit) => ({ op: "resize", width, height, fit });

const ALL = [
  { title: "Black and white", operation: { op: "grayscale" } },
  { title: "For the web", operation: box(1600, 1600, "inside"), format: "webp" },
  { title: "Thumbnail", operation: box(480, 320, "cover") },
  { title: "Turn right", operation: { op: "rotate", degrees: 90 } },
  { title: "Turn left", operation: { op: "rotate", degrees: -90 } },
];

/** The presets that the gateway's contract allows. */
export const PRESETS = ALL.filter(
  ({ operation, format }) => OPERATIONS.has(operation.op) && (!format || FORMATS.has(format)),
);

/** The pipeline that a visit begins with: the first preset. */
export function firstPipeline() {
  const operations = PRESETS.slice(0, 1).map(({ operation }) => ({ ...operation }));
  return { operations, output: { format: "" } };
}

const isSame = (one, other) => notationOf(one) === notationOf(other);

/** Tell whether a pipeline has the operation and the format of a preset. */
export function includesPreset({ operations, output }, preset) {
  return (
    operations.some((operation) => isSame(operation, preset.operation)) &&
    (!preset.format || output.format === preset.format)
  );
}

/** Return the pipeline with a preset, whose operation replaces one of the same name. */
export function withPreset({ operations, output }, preset) {
  const changed = [...operations];
  const same = changed.findIndex(({ op }) => op === preset.operation.op);
  changed.splice(same < 0 ? changed.length : same, 1, { ...preset.operation });
  return {
    operations: changed,
    output: { ...output, format: preset.format ?? output.format },
  };
}

/** Return the pipeline without the operation of a preset, and without its format. */
export function withoutPreset({ operations, output }, preset) {
  return {
    operations: operations.filter((operation) => !isSame(operation, preset.operation)),
    output: { ...output, format: preset.format ? "" : output.format },
  };
}
