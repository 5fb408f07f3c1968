// Two pictures and the slider that wipes between them; the arrow keys move it, as any slider.

export function connectSlider(slider, stage) {
  const show = () => stage.style.setProperty("--split", `${slider.value}%`);
  slider.addEventListener("input", show);
  show();
}
