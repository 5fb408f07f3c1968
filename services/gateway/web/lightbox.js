// One photograph large: original and result under one slider, and the way to its neighbours.

import { connectSlider } from "/web/comparison-slider.js";
import { partsOf } from "/web/dom.js";
import { downloadName } from "/web/pipeline.js";

export class Lightbox {
  #dialog;
  #parts;
  #shown = null;
  #all = () => [];

  /** `all` gives the photographs that are done, in their order on the page. */
  constructor(dialog, all) {
    this.#dialog = dialog;
    this.#parts = partsOf(dialog);
    this.#all = all;
    connectSlider(this.#parts.slider, this.#parts.stage);
    this.#parts.close.addEventListener("click", () => dialog.close());
    this.#parts.previous.addEventListener("click", () => this.#turn(-1));
    this.#parts.next.addEventListener("click", () => this.#turn(1));
    dialog.addEventListener("close", () => this.#letGoOfPictures());
  }

  open(photograph) {
    this.#show(photograph);
    this.#dialog.showModal();
    this.#parts.slider.focus();
  }

  #turn(direction) {
    const all = this.#all();
    const at = all.indexOf(this.#shown) + direction;
    if (all.length) this.#show(all.at(at % all.length));
  }

  #show(photograph) {
    const { before, after, title, download, previous, next } = this.#parts;
    const { file, recipe, result, url } = photograph;
    this.#shown = photograph;
    title.textContent = file.name;
    before.src = url;
    before.alt = `${file.name}, the original`;
    after.src = result.href;
    after.alt = `${file.name}, the result`;
    download.href = result.href;
    download.download = downloadName(file.name, recipe, result);
    previous.disabled = next.disabled = this.#all().length < 2;
  }

  #letGoOfPictures() {
    this.#parts.before.removeAttribute("src");
    this.#parts.after.removeAttribute("src");
    this.#shown = null;
  }
}
