// Not a module, and in the head: the page must not flash in the wrong theme before it is drawn.
(() => {
  const remembered = (() => {
    try {
      return localStorage.getItem("darkroom.theme");
    } catch {
      return null; // storage is refused in some private windows
    }
  })();
  if (remembered === "dark" || remembered === "light") {
    document.documentElement.dataset.theme = remembered;
  }
})();
