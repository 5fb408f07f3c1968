// The ways in for photographs: chosen, dropped (folders, too) and pasted.

const IMAGE_NAME = /\.(jpe?g|png|webp|avif|gif|tiff?|bmp|heic|heif)$/i;

/** `take` is given a list of files, never an empty one. */
export function openIntake({ input, dropMark, take }) {
  const takeSome = (files) => files.length > 0 && take(files);
  input.addEventListener("change", () => {
    takeSome([...input.files]);
    input.value = ""; // so that the same photographs can be chosen again
  });
  document.addEventListener("paste", (event) => takeSome([...(event.clipboardData?.files ?? [])]));
  document.addEventListener("dragover", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    dropMark.classList.add("is-over");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) dropMark.classList.remove("is-over");
  });
  document.addEventListener("drop", async (event) => {
    dropMark.classList.remove("is-over");
    if (!bringsFiles(event)) return;
    event.preventDefault();
    takeSome(await filesOf(event.dataTransfer));
  });
}

function bringsFiles({ dataTransfer }) {
  return dataTransfer?.types.includes("Files") ?? false;
}

async function filesOf(dataTransfer) {
  // A drop's items are empty once its event is over, so all are read before the first await.
  const found = [...dataTransfer.items]
    .filter(({ kind }) => kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const files = await Promise.all(
    found.map((entry) => (entry.isDirectory ? imagesIn(entry) : asFile(entry))),
  );
  return files.flat();
}

// Folders hold all sorts of things beside photographs; a file dropped by itself was meant.
async function imagesIn(directory) {
  const entries = await entriesOf(directory);
  entries.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  const files = [];
  for (const entry of entries) {
    if (entry.isDirectory) files.push(...(await imagesIn(entry)));
    else if (IMAGE_NAME.test(entry.name) && !entry.name.startsWith(".")) {
      files.push(await asFile(entry));
    }
  }
  return files;
}

async function entriesOf(directory) {
  const reader = directory.createReader();
  const entries = [];
  for (;;) {
    // It gives at most a hundred at a time, and none when there are no more.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return entries;
    entries.push(...some);
  }
}

function asFile(entry) {
  if (entry instanceof File) return entry;
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
