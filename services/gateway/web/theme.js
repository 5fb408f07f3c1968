// Sets the theme before the page is first drawn. Hence a script in the head: modules run later.
(() => {
  const remembered = (() => {
    try {
      return localStorage.getItem("darkroom.theme");
    } catch {
      return null; // some private windows refuse storage
    }
  })();
  if (remembered === "dark" || remembered === "light") {
    document.documentElement.dataset.theme = remembered;
  }
})();
