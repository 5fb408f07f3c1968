// A photograph's card: the original, what becomes of it, and what can be done with it.

import { connectSlider } from "/web/comparison-slider.js";
import { cloneTemplate, partsOf } from "/web/dom.js";
import { describe, downloadName } from "/web/pipeline.js";
import { State } from "/web/photograph.js";
import { sayBytes, sayChange, saySides, sayState } from "/web/formatting.js";

let cardsMade = 0;

/** Dispatches `retry`, `remove` and `enlarge`. */
export class Card extends EventTarget {
  element = cloneTemplate("card-template");
  #parts = partsOf(this.element);
  #photograph;
  #sides = ""; // of the original, known once it has been drawn

  constructor(photograph) {
    super();
    this.#photograph = photograph;
    this.#nameEverything(photograph.file.name);
    this.#showOriginal();
    connectSlider(this.#parts.slider, this.#parts.stage);
    for (const wish of ["retry", "remove", "enlarge"]) {
      this.#parts[wish].addEventListener("click", () => this.dispatchEvent(new Event(wish)));
    }
    // The button goes with the failure, and the keyboard must not lose its place.
    this.#parts.retry.addEventListener("click", () => this.element.focus({ preventScroll: true }));
    this.#parts.after.addEventListener("error", () => {
      photograph.fail("The result is no longer there. Try again to have it made anew.");
    });
    photograph.addEventListener("change", () => this.#show());
    this.#show();
  }

  /** Set the keyboard down on this card. */
  focus() {
    this.#parts.remove.focus();
  }

  #nameEverything(name) {
    const { title, slider, remove, enlarge, retry } = this.#parts;
    title.textContent = name;
    title.title = name;
    title.id = `photograph-${(cardsMade += 1)}`;
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
      this.#sides = saySides(before.naturalWidth, before.naturalHeight);
      this.#showSizes();
    });
    before.addEventListener("error", () => {
      before.hidden = true;
      noPreview.hidden = false;
    });
    before.src = url;
  }

  #show() {
    const { state, progress, note, problem, recipe } = this.#photograph;
    const parts = this.#parts;
    const done = state === State.DONE;
    const failed = state === State.FAILED;
    this.element.dataset.state = state;
    parts.state.textContent = sayState(this.#photograph);
    parts.recipe.textContent = describe(recipe);
    parts.progress.hidden = state !== State.SENDING;
    parts.progress.value = progress;
    parts.note.textContent = note;
    parts.problem.textContent = problem;
    parts.retry.hidden = !failed;
    parts.download.hidden = !done;
    parts.enlarge.hidden = !done;
    parts.slider.disabled = !done;
    parts.paper.hidden = done;
    parts.after.hidden = !done;
    if (done) this.#showResult();
    else parts.after.removeAttribute("src");
    this.#showSizes();
  }

  #showResult() {
    const { after, download } = this.#parts;
    const { file, recipe, result } = this.#photograph;
    const name = downloadName(file.name, recipe, result);
    after.alt = `${file.name}, the result`;
    after.src = result.href;
    download.href = result.href;
    download.download = name;
    download.setAttribute("aria-label", `Download ${name}`);
  }

  #showSizes() {
    const { file, result } = this.#photograph;
    const { sides, bytes, change } = this.#parts;
    const then = (before, after) => [before, after].filter(Boolean).join(" → ");
    sides.textContent = then(this.#sides, result && saySides(result.width, result.height));
    bytes.textContent = then(sayBytes(file.size), result && sayBytes(result.bytes));
    change.textContent = result ? sayChange(file.size, result.bytes) : "";
  }
}
