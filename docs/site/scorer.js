// What the search shows first: sections of the problems, then their pages, then the rest.
var Scorer = {
  score: ([page, , anchor, , score]) => {
    const problem = page.startsWith("notebooks/") ? 100 : 0;
    return score + problem + (problem && anchor ? 100 : 0);
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
