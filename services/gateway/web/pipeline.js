// The operations of the contract as a person sees them, and recipes: operations with an output.

const number = (name, label, limits) => ({ kind: "number", name, label, step: "any", ...limits });
const pixels = (name, label, limits = {}) =>
  number(name, label, { unit: "px", min: 1, max: 16384, step: 1, ...limits });
const factor = (name, label) => number(name, label, { min: 0, max: 10 });

export const OPERATIONS = {
  resize: {
    title: "Resize",
    mark: () => null, // the file name has the size anyway
    describe: (o) => `${o.width ?? "any"} × ${o.height ?? "any"} px`,
    fields: [
      pixels("width", "Width", { optional: true }),
      pixels("height", "Height", { optional: true }),
      {
        kind: "choice",
        name: "fit",
        label: "Fit",
        choices: {
          inside: "Fit inside the box",
          cover: "Fill the box, cut the rest",
          contain: "Fit inside, fill up the box",
          outside: "Cover the box, cut nothing",
          fill: "Stretch to the box",
        },
      },
      { kind: "flag", name: "enlarge", label: "Enlarge smaller ones" },
    ],
    sample: { width: 1600, height: 1600, fit: "inside", enlarge: false },
  },
  crop: {
    title: "Crop",
    mark: () => "cropped",
    describe: (o) => `cropped to ${o.width} × ${o.height} px`,
    fields: [
      pixels("left", "From left", { min: 0, max: 1_000_000 }),
      pixels("top", "From top", { min: 0, max: 1_000_000 }),
      pixels("width", "Width"),
      pixels("height", "Height"),
    ],
    sample: { left: 0, top: 0, width: 800, height: 600 },
  },
  rotate: {
    title: "Turn",
    mark: () => "turned",
    describe: (o) => `turned ${o.degrees}°`,
    fields: [number("degrees", "Clockwise", { unit: "°", min: -360, max: 360 })],
    sample: { degrees: 90 },
  },
  flip: {
    title: "Mirror",
    mark: () => "mirrored",
    describe: () => "mirrored",
    fields: [
      {
        kind: "choice",
        name: "axis",
        label: "Swap",
        choices: { horizontal: "Left and right", vertical: "Top and bottom" },
      },
    ],
    sample: { axis: "horizontal" },
  },
  grayscale: {
    title: "Black and white",
    mark: () => "bw",
    describe: () => "black and white",
    fields: [],
    sample: {},
  },
  blur: {
    title: "Blur",
    mark: () => "soft",
    describe: (o) => `blur ${o.radius}`,
    fields: [number("radius", "Radius", { unit: "px", min: 0.1, max: 100 })],
    sample: { radius: 4 },
  },
  sharpen: {
    title: "Sharpen",
    mark: () => "sharp",
    describe: (o) => `sharpen ${o.amount}`,
    fields: [factor("amount", "Strength")],
    sample: { amount: 1 },
  },
  adjust: {
    title: "Light",
    mark: () => "adjusted",
    describe: () => "light adjusted",
    fields: [
      factor("brightness", "Brightness"),
      factor("contrast", "Contrast"),
      factor("saturation", "Saturation"),
    ],
    sample: { brightness: 1.1, contrast: 1.1, saturation: 1 },
  },
};

export const MOST_OPERATIONS = 32;

export const FORMATS = { jpeg: "JPEG", webp: "WebP", avif: "AVIF", png: "PNG" };

const box = (width, height, fit) => ({ op: "resize", width, height, fit, enlarge: false });

export const PRESETS = [
  { title: "Black and white", operation: { op: "grayscale" } },
  { title: "For the web", operation: box(1600, 1600, "inside"), format: "webp" },
  { title: "Thumbnail", operation: box(480, 320, "cover") },
  { title: "Turn right", operation: { op: "rotate", degrees: 90 } },
  { title: "Turn left", operation: { op: "rotate", degrees: -90 } },
];

export function firstRecipe() {
  return { operations: [{ ...PRESETS[0].operation }], format: "", quality: 80 };
}

export function sampleOf(op) {
  return { op, ...OPERATIONS[op].sample };
}

const sameOperation = (one, other) =>
  OPERATIONS[one.op] === OPERATIONS[other.op] &&
  OPERATIONS[one.op].fields.every(({ name }) => one[name] === other[name]);

export function holds(recipe, preset) {
  return (
    recipe.operations.some((operation) => sameOperation(operation, preset.operation)) &&
    (!preset.format || recipe.format === preset.format)
  );
}

/** The recipe with the preset in it: instead of its like, so right and left don't add up. */
export function withPreset(recipe, preset) {
  const operations = [...recipe.operations];
  const like = operations.findIndex(({ op }) => op === preset.operation.op);
  operations.splice(like < 0 ? operations.length : like, 1, { ...preset.operation });
  return { ...recipe, operations, format: preset.format ?? recipe.format };
}

export function withoutPreset(recipe, preset) {
  const operations = recipe.operations.filter((o) => !sameOperation(o, preset.operation));
  return { ...recipe, operations, format: preset.format ? "" : recipe.format };
}

/** As the gateway's query has it: `resize:width=720,fit=cover`. */
export function textOf(operation) {
  const fields = OPERATIONS[operation.op].fields
    .filter(({ name }) => operation[name] !== null && operation[name] !== false)
    .map(({ name }) => `${name}=${operation[name]}`);
  return fields.length ? `${operation.op}:${fields.join(",")}` : operation.op;
}

export function queryOf(recipe) {
  const query = new URLSearchParams(recipe.operations.map((o) => ["op", textOf(o)]));
  if (recipe.format) query.set("format", recipe.format);
  query.set("quality", recipe.quality);
  return query.toString();
}

export function describe(recipe) {
  const parts = recipe.operations.map((o) => OPERATIONS[o.op].describe(o));
  if (recipe.format) parts.push(FORMATS[recipe.format]);
  const sentence = parts.join(", ") || "as it is";
  return sentence[0].toUpperCase() + sentence.slice(1);
}

/** `kitchen.jpg` made black and white as WebP: `kitchen-bw-1600x1067.webp`. */
export function downloadName(fileName, recipe, result) {
  const stem = fileName.replace(/\.[^.]{1,5}$/, "") || "photograph";
  const marks = recipe.operations.map((o) => OPERATIONS[o.op].mark(o)).filter(Boolean);
  const subtype = result.media_type.split("/")[1];
  const extension = subtype === "jpeg" ? "jpg" : subtype;
  const parts = [stem, ...new Set(marks), `${result.width}x${result.height}`];
  return `${parts.join("-")}.${extension}`;
}
