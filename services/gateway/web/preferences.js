// What the page remembers from one visit to the next: the theme and the way of comparing.

export function remember(name, value) {
  try {
    localStorage.setItem(`darkroom.${name}`, value);
  } catch {
    // Storage is refused in some private windows; then the choice lasts as long as the page.
  }
}

export function recall(name) {
  try {
    return localStorage.getItem(`darkroom.${name}`);
  } catch {
    return null;
  }
}

function systemPrefersDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function themeInForce() {
  return document.documentElement.dataset.theme ?? (systemPrefersDark() ? "dark" : "light");
}

export function connectThemeToggle(button) {
  const show = () => button.setAttribute("aria-pressed", String(themeInForce() === "dark"));
  button.addEventListener("click", () => {
    const theme = themeInForce() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    remember("theme", theme);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();
}

/** Radio buttons that set `data-view` on `target`, and on the page's next visit, too. */
export function connectViewChoice(radios, target) {
  const remembered = recall("view");
  for (const radio of radios) {
    if (radio.value === remembered) radio.checked = true;
    if (radio.checked) target.dataset.view = radio.value;
    radio.addEventListener("change", () => {
      target.dataset.view = radio.value;
      remember("view", radio.value);
    });
  }
}
