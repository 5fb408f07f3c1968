// The composition root of the page: everything is made here and handed to each other.

import { fetchBytes, patiently } from "/web/api.js";
import { Card } from "/web/photograph-card.js";
import { make, partsOf } from "/web/dom.js";
import { openIntake } from "/web/file-input.js";
import { Lab } from "/web/job-runner.js";
import { Lightbox } from "/web/lightbox.js";
import { Live } from "/web/live-connection.js";
import { downloadName } from "/web/pipeline.js";
import { Photograph, State } from "/web/photograph.js";
import { connectThemeToggle, connectViewChoice } from "/web/preferences.js";
import { RecipeEditor } from "/web/pipeline-editor.js";
import { sayProgress } from "/web/formatting.js";
import { Zip } from "/web/zip.js";

const SHOW_EVERY = 400; // milliseconds: hundreds of changes a second are nothing to read aloud

const page = partsOf(document.body);
const cards = new Map(); // by photograph, in the order on the page
const live = new Live();
const lab = new Lab(live);
const editor = new RecipeEditor(page.recipe);
const lightbox = new Lightbox(page.lightbox, () => photographsThatAre(State.DONE));

let overviewIsDue = false;

function photographsThatAre(state) {
  return [...cards.keys()].filter((photograph) => photograph.state === state);
}

function take(files) {
  if (!editor.isRight()) {
    say("One of the steps is not right yet. Mend it, then add the photographs again.");
    return;
  }
  say("");
  const taken = files.map((file) => new Photograph(file, editor.recipe));
  page.cards.append(...taken.map(cardFor));
  taken.forEach((photograph) => lab.take(photograph));
  showOverview();
}

function cardFor(photograph) {
  const card = new Card(photograph);
  card.addEventListener("retry", () => lab.takeAgain(photograph, photograph.recipe));
  card.addEventListener("enlarge", () => lightbox.open(photograph));
  card.addEventListener("remove", () => removeAndKeepPlace(photograph));
  photograph.addEventListener("change", showOverviewSoon);
  cards.set(photograph, card);
  return card.element;
}

function remove(photograph) {
  lab.letGo(photograph);
  photograph.leave();
  cards.get(photograph).element.remove();
  cards.delete(photograph);
}

function removeAndKeepPlace(photograph) {
  const all = [...cards.keys()];
  const at = all.indexOf(photograph);
  const neighbour = cards.get(all[at + 1] ?? all[at - 1]);
  remove(photograph);
  showOverview();
  (neighbour ?? page.input).focus();
}

function clearFinished() {
  [...cards.keys()].filter(({ isFinished }) => isFinished).forEach(remove);
  showOverview();
  page.input.focus();
}

function applyToAll() {
  if (!editor.isRight()) return;
  for (const photograph of outdated()) lab.takeAgain(photograph, editor.recipe);
  page.cards.focus({ preventScroll: true });
}

function outdated() {
  const wanted = JSON.stringify(editor.recipe);
  return [...cards.keys()].filter(
    ({ isFinished, recipe }) => isFinished && JSON.stringify(recipe) !== wanted,
  );
}

async function downloadAll() {
  page.downloadAll.disabled = true;
  try {
    const zip = new Zip();
    const done = photographsThatAre(State.DONE);
    for (const [at, { file, recipe, result }] of done.entries()) {
      say(`Packing ${at + 1} of ${done.length}.`);
      zip.add(downloadName(file.name, recipe, result), await patiently(() => fetchBytes(result.href)));
    }
    save(zip.finish(), "darkroom.zip");
    say("");
  } catch (error) {
    say(`The archive could not be made: ${error.message}`);
  } finally {
    page.downloadAll.disabled = false;
  }
}

function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  // The browser has to have begun with it before it may go.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function say(words) {
  page.notice.textContent = words;
}

function showOverviewSoon() {
  if (overviewIsDue) return;
  overviewIsDue = true;
  setTimeout(() => {
    overviewIsDue = false;
    showOverview();
  }, SHOW_EVERY);
}

function showOverview() {
  const { done, failed, open, words } = sayProgress(new Set(cards.keys()));
  const stale = outdated().length;
  document.body.classList.toggle("is-empty", cards.size === 0);
  page.toolbar.hidden = cards.size === 0;
  page.overall.textContent = cards.size ? words : "";
  page.overallBar.max = Math.max(cards.size, 1);
  page.overallBar.value = done + failed;
  page.overallBar.hidden = open === 0;
  page.clearFinished.disabled = done + failed === 0;
  page.downloadAll.hidden = done < 2;
  page.applyToAll.hidden = stale === 0;
  page.applyToAll.textContent =
    stale === 1 ? "Apply to the finished photograph" : `Apply to all ${stale} finished photographs`;
  document.title = open ? `(${done + failed}/${cards.size}) Darkroom` : "Darkroom";
}

function showConnection(words) {
  page.connection.textContent = words;
}

openIntake({ input: page.input, dropMark: document.body, take });
connectThemeToggle(page.theme);
connectViewChoice(page.view.querySelectorAll("input"), page.cards);
page.clearFinished.addEventListener("click", clearFinished);
page.applyToAll.addEventListener("click", applyToAll);
page.downloadAll.addEventListener("click", downloadAll);
editor.addEventListener("change", showOverviewSoon);
live.addEventListener("calm", () => showConnection(""));
live.addEventListener("lost", ({ detail: seconds }) => {
  showConnection(
    `The live connection is lost; trying again in ${seconds} s. ` +
      "The work goes on meanwhile, and nothing is lost.",
  );
});
addEventListener("beforeunload", (event) => {
  if ([...cards.keys()].some(({ isFinished }) => !isFinished)) event.preventDefault();
});
// On a phone the steps would stand between the presets and the photographs.
page.details.open = matchMedia("(min-width: 62rem)").matches;
