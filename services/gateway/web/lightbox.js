// The dialog that shows one photograph large, with a slider, and buttons for the others.

import { connectSlider } from "./comparison-slider.js";
import { partsOf } from "./dom.js";
import { downloadName } from "./pipeline.js";

export class Lightbox {
  #dialog;
  #parts;
  #shown = null;
  #photographs;

  /** `photographs` is a function that returns the finished photographs in the page's order. */
  constructor(dialog, photographs) {
    this.#dialog = dialog;
    this.#parts = partsOf(dialog);
    this.#photographs = photographs;
    connectSlider(this.#parts.slider, this.#parts.stage);
    this.#parts.close.addEventListener("click", () => dialog.close());
    this.#parts.previous.addEventListener("click", () => this.#step(-1));
    this.#parts.next.addEventListener("click", () => this.#step(1));
    dialog.addEventListener("close", () => this.#clear());
  }

  open(photograph) {
    this.#show(photograph);
    this.#dialog.showModal();
    this.#parts.slider.focus();
  }

  #step(offset) {
    const all = this.#photographs();
    const index = all.indexOf(this.#shown) + offset;
    if (all.length) this.#show(all.at(index % all.length));
  }

  #show(photograph) {
    const { before, after, title, download, previous, next } = this.#parts;
    const { file, pipeline, result, url } = photograph;
    this.#shown = photograph;
    title.textContent = file.name;
    before.src = url;
    before.alt = `${file.name}, the original`;
    after.src = result.href;
    after.alt = `${file.name}, the result`;
    download.href = result.href;
    download.download = downloadName(file.name, pipeline, result);
    previous.disabled = next.disabled = this.#photographs().length < 2;
  }

  // Without a source, the browser can free the memory of the images.
  #clear() {
    this.#parts.before.removeAttribute("src");
    this.#parts.after.removeAttribute("src");
    this.#shown = null;
  }
}
