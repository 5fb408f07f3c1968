// The slider over two images: the share of the original that is visible.

/** Set `--split` on `stage` whenever the value of `slider`, in percent, changes. */
export function connectSlider(slider, stage) {
  const show = () => stage.style.setProperty("--split", `${slider.value}%`);
  slider.addEventListener("input", show);
  show();
}
