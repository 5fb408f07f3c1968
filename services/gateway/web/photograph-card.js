// The card of a photograph: original and result, state, sizes and buttons.

import { exists } from "./api.js";
import { connectSlider } from "./comparison-slider.js";
import { cloneTemplate, partsOf } from "./dom.js";
import { formatBytes, formatChange, formatSize, formatState } from "./formatting.js";
import { State } from "./photograph.js";
import { describe, downloadName } from "./pipeline.js";

let cardCount = 0;

/** Dispatches `retry`, `remove` and `enlarge` when their buttons are clicked. */
export class PhotographCard extends EventTarget {
  element = cloneTemplate("card-template");
  #parts = partsOf(this.element);
  #photograph;
  #originalSize = ""; // known once the original is loaded

  constructor(photograph) {
    super();
    this.#photograph = photograph;
    this.#setNames(photograph.file.name);
    this.#showOriginal();
    connectSlider(this.#parts.slider, this.#parts.stage);
    for (const name of ["retry", "remove", "enlarge"]) {
      this.#parts[name].addEventListener("click", () => this.dispatchEvent(new Event(name)));
    }
    // The button disappears when it is clicked, so the focus moves to the card.
    this.#parts.retry.addEventListener("click", () => this.element.focus({ preventScroll: true }));
    this.#parts.after.addEventListener("error", () => this.#onResultError());
    photograph.addEventListener("change", () => this.#show());
    this.#show();
  }

  /** Move the keyboard focus to this card. */
  focus() {
    this.#parts.remove.focus();
  }

  #setNames(name) {
    const { title, slider, remove, enlarge, retry } = this.#parts;
    title.textContent = name;
    title.title = name;
    title.id = `photograph-${(cardCount += 1)}`;
    this.element.setAttribute("aria-labelledby", title.id);
    slider.setAttribute("aria-label", `Compare original and result of ${name}`);
    remove.setAttribute("aria-label", `Remove ${name}`);
    enlarge.setAttribute("aria-label", `View ${name} large`);
    retry.setAttribute("aria-label", `Try again: ${name}`);
  }

  #showOriginal() {
    const { before, noPreview } = this.#parts;
    const { url, file } = this.#photograph;
    before.alt = `${file.name}, the original`;
    before.addEventListener("load", () => {
      this.#originalSize = formatSize(before.naturalWidth, before.naturalHeight);
      this.#showSizes();
    });
    before.addEventListener("error", () => {
      before.hidden = true;
      noPreview.hidden = false;
    });
    before.src = url;
  }

  #show() {
    const { state, progress, note, problem, code, pipeline } = this.#photograph;
    const parts = this.#parts;
    const done = state === State.DONE;
    const failed = state === State.FAILED;
    this.element.dataset.state = state;
    parts.state.textContent = formatState(this.#photograph);
    parts.pipeline.textContent = describe(pipeline);
    parts.pipeline.title = describe(pipeline);
    parts.progress.hidden = state !== State.SENDING;
    parts.progress.value = progress;
    parts.note.textContent = note;
    parts.problem.textContent = problem;
    parts.explanation.hidden = !code;
    parts.explanation.href = `guide/errors/${code}`;
    parts.retry.hidden = !failed;
    parts.download.hidden = !done;
    parts.enlarge.hidden = !done;
    parts.slider.disabled = !done;
    parts.status.hidden = done;
    parts.after.hidden = !done;
    parts.noResultPreview.hidden = true;
    if (done) this.#showResult();
    else parts.after.removeAttribute("src");
    this.#showSizes();
  }

  #showResult() {
    const { after, download } = this.#parts;
    const { file, pipeline, result } = this.#photograph;
    const name = downloadName(file.name, pipeline, result);
    after.alt = `${file.name}, the result`;
    after.src = result.href;
    download.href = result.href;
    download.download = name;
    download.setAttribute("aria-label", `Download ${name}`);
  }

  // Browsers do not display every format, so the image may fail to load though the result exists.
  async #onResultError() {
    const { after, enlarge, noResultPreview } = this.#parts;
    const { result } = this.#photograph;
    const isThere = await exists(result.href);
    if (result !== this.#photograph.result) return; // the photograph is rendered again meanwhile
    if (!isThere) {
      this.#photograph.fail("The result has expired. Try again to render it once more.");
      return;
    }
    after.hidden = true;
    enlarge.hidden = true;
    noResultPreview.hidden = false;
  }

  #showSizes() {
    const { file, result } = this.#photograph;
    const { dimensions, bytes, change } = this.#parts;
    const arrow = (before, after) => [before, after].filter(Boolean).join(" → ");
    const resultSize = result && formatSize(result.width, result.height);
    dimensions.textContent = arrow(this.#originalSize, resultSize);
    bytes.textContent = arrow(formatBytes(file.size), result && formatBytes(result.bytes));
    change.textContent = result ? formatChange(file.size, result.bytes) : "";
  }
}
