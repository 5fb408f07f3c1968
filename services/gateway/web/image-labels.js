// The labels of images that were uploaded on this page, to show in place of their ids.

const labels = new Map();

/** Remember the label of an image; `label` may be null. */
export function rememberLabel(id, label) {
  if (label) labels.set(id, label);
}

/** Return the label of an image, or the beginning of its id if none is known. */
export function nameOfImage(id) {
  return labels.get(id) ?? `${id.slice(0, 8)}…`;
}
