// Order of the search's results. Guides come first; decisions and pages for contributors come last.
var Scorer = {
  score: ([docname, title, anchor, descr, score]) => {
    if (/^(guides|start)\//.test(docname)) return score + 10;
    if (/^(decisions|contribute|benchmarks)\//.test(docname)) return score - 10;
    return score;
  },
  // Sphinx's own values; it takes a scorer as a whole.
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
