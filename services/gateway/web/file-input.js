// Files that are chosen, dropped (folders, too) or pasted.

import { FORMATS, isImageName } from "./contract.js";

/**
 * Call `onfiles` with each list of files, which is never empty.
 *
 * `input` is the file input. `dropTarget` has the class `is-dragging` while files are dragged.
 */
export function connectFileInput({ input, dropTarget, onfiles }) {
  const report = (files) => files.length > 0 && onfiles(files);
  const suffixes = [...FORMATS.values()].flatMap((format) => format.suffixes);
  input.accept = ["image/*", ...suffixes].join();
  input.addEventListener("change", () => {
    report([...input.files]);
    input.value = ""; // so that the same files can be chosen again
  });
  document.addEventListener("paste", (event) => report([...(event.clipboardData?.files ?? [])]));
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    dropTarget.classList.add("is-dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) dropTarget.classList.remove("is-dragging");
  });
  document.addEventListener("drop", async (event) => {
    dropTarget.classList.remove("is-dragging");
    if (!hasFiles(event)) return;
    event.preventDefault();
    report(await filesOf(event.dataTransfer));
  });
}

function hasFiles({ dataTransfer }) {
  return dataTransfer?.types.includes("Files") ?? false;
}

async function filesOf(dataTransfer) {
  // The items are gone after the event, so all are read before the first await.
  const entries = [...dataTransfer.items]
    .filter(({ kind }) => kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const files = await Promise.all(
    entries.map((entry) => (entry.isDirectory ? imagesIn(entry) : asFile(entry))),
  );
  return files.flat();
}

// Folders hold other files, too, so only images are taken. A single dropped file is always taken.
async function imagesIn(directory) {
  const entries = await entriesOf(directory);
  entries.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  const files = [];
  for (const entry of entries) {
    if (entry.isDirectory) files.push(...(await imagesIn(entry)));
    else if (isImageName(entry.name) && !entry.name.startsWith(".")) {
      files.push(await asFile(entry));
    }
  }
  return files;
}

async function entriesOf(directory) {
  const reader = directory.createReader();
  const entries = [];
  for (;;) {
    // A call returns a hundred entries at most, and none at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return entries;
    entries.push(...some);
  }
}

function asFile(entry) {
  if (entry instanceof File) return entry;
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
