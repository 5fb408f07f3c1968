// Preferences that last from one visit to the next: the theme and the view of the cards.

/** Store a preference. */
export function remember(name, value) {
  try {
    localStorage.setItem(`darkroom.${name}`, value);
  } catch {
    // Some private windows refuse storage; the choice then lasts until the page is closed.
  }
}

/** Return a stored preference, or null. */
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

function currentTheme() {
  return document.documentElement.dataset.theme ?? (systemPrefersDark() ? "dark" : "light");
}

/** Make a button switch between the light and the dark theme. */
export function connectThemeToggle(button) {
  const show = () => button.setAttribute("aria-pressed", String(currentTheme() === "dark"));
  button.addEventListener("click", () => {
    const theme = currentTheme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    remember("theme", theme);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();
}

/** Make radio buttons set `data-view` on `target`, in later visits, too. */
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
