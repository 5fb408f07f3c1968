// Composition root of the page: makes every object and connects their events.

import { fetchBytes, withRetries } from "./api.js";
import { make, partsOf } from "./dom.js";
import { connectFileInput } from "./file-input.js";
import { summarize } from "./formatting.js";
import { JobRunner } from "./job-runner.js";
import { Lightbox } from "./lightbox.js";
import { LiveConnection } from "./live-connection.js";
import { PhotographCard } from "./photograph-card.js";
import { Photograph, State } from "./photograph.js";
import { PipelineEditor } from "./pipeline-editor.js";
import { downloadName, queryOf } from "./pipeline.js";
import { connectThemeToggle, connectViewChoice } from "./preferences.js";
import { connectSignOut } from "./sign-in.js";
import { Zip } from "./zip.js";

const OVERVIEW_INTERVAL = 400; // milliseconds: a screen reader cannot read hundreds of changes

const page = partsOf(document.body);
const cards = new Map(); // by photograph, in the page's order
const connection = new LiveConnection();
const runner = new JobRunner(connection);
const editor = new PipelineEditor(page.editor);
const lightbox = new Lightbox(page.lightbox, () => photographsIn(State.DONE));

let overviewIsScheduled = false;

function photographsIn(state) {
  return [...cards.keys()].filter((photograph) => photograph.state === state);
}

function addFiles(files) {
  if (!editor.checkValidity()) {
    notify("One of the edits is not valid. Fix it, then add the photographs again.");
    return;
  }
  notify("");
  const added = files.map((file) => new Photograph(file, editor.pipeline));
  page.cards.append(...added.map(makeCard));
  added.forEach((photograph) => runner.add(photograph));
  showOverview();
}

function makeCard(photograph) {
  const card = new PhotographCard(photograph);
  card.addEventListener("retry", () => runner.rerun(photograph, photograph.pipeline));
  card.addEventListener("enlarge", () => lightbox.open(photograph));
  card.addEventListener("remove", () => removeAndMoveFocus(photograph));
  photograph.addEventListener("change", scheduleOverview);
  cards.set(photograph, card);
  return card.element;
}

function remove(photograph) {
  runner.cancel(photograph);
  photograph.dispose();
  cards.get(photograph).element.remove();
  cards.delete(photograph);
}

function removeAndMoveFocus(photograph) {
  const all = [...cards.keys()];
  const index = all.indexOf(photograph);
  const neighbour = cards.get(all[index + 1] ?? all[index - 1]);
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
  if (!editor.checkValidity()) return;
  for (const photograph of outdated()) runner.rerun(photograph, editor.pipeline);
  page.cards.focus({ preventScroll: true });
}

/** Return the finished photographs that another pipeline than the present one was used for. */
function outdated() {
  const present = queryOf(editor.pipeline);
  return [...cards.keys()].filter(
    ({ isFinished, pipeline }) => isFinished && queryOf(pipeline) !== present,
  );
}

async function downloadAll() {
  page.downloadAll.disabled = true;
  try {
    const zip = new Zip();
    const done = photographsIn(State.DONE);
    for (const [index, { file, pipeline, result }] of done.entries()) {
      notify(`Packing ${index + 1} of ${done.length}.`);
      const bytes = await withRetries(() => fetchBytes(result.href));
      zip.add(downloadName(file.name, pipeline, result), bytes);
    }
    save(zip.finish(), "darkroom.zip");
    notify("");
  } catch (error) {
    notify(`The archive could not be made: ${error.message}`);
  } finally {
    page.downloadAll.disabled = false;
  }
}

function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  // The download needs the URL until it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function notify(text) {
  page.notice.textContent = text;
}

function scheduleOverview() {
  if (overviewIsScheduled) return;
  overviewIsScheduled = true;
  setTimeout(() => {
    overviewIsScheduled = false;
    showOverview();
  }, OVERVIEW_INTERVAL);
}

function showOverview() {
  const { done, failed, open, text } = summarize([...cards.keys()]);
  const outdatedCount = outdated().length;
  document.body.classList.toggle("is-empty", cards.size === 0);
  page.toolbar.hidden = cards.size === 0;
  page.overall.textContent = cards.size ? text : "";
  page.overallBar.max = Math.max(cards.size, 1);
  page.overallBar.value = done + failed;
  page.overallBar.hidden = open === 0;
  page.clearFinished.disabled = done + failed === 0;
  page.downloadAll.hidden = done < 2;
  page.applyToAll.hidden = outdatedCount === 0;
  page.applyToAll.textContent =
    outdatedCount === 1
      ? "Apply to the finished photograph"
      : `Apply to all ${outdatedCount} finished photographs`;
  document.title = open ? `(${done + failed}/${cards.size}) Darkroom` : "Darkroom";
}

function showConnection(text) {
  page.connection.textContent = text;
}

connectFileInput({ input: page.input, dropTarget: document.body, onfiles: addFiles });
connectThemeToggle(page.theme);
connectSignOut(page.signOut, notify);
connectViewChoice(page.view.querySelectorAll("input"), page.cards);
page.clearFinished.addEventListener("click", clearFinished);
page.applyToAll.addEventListener("click", applyToAll);
page.downloadAll.addEventListener("click", downloadAll);
editor.addEventListener("change", scheduleOverview);
connection.addEventListener("connected", () => showConnection(""));
connection.addEventListener("disconnected", ({ detail: seconds }) => {
  showConnection(
    `The live connection is lost; trying again in ${seconds} s. ` +
      "Your photographs are still being rendered.",
  );
});
addEventListener("beforeunload", (event) => {
  if ([...cards.keys()].some(({ isFinished }) => !isFinished)) event.preventDefault();
});
// On a phone, an open list of edits would push the photographs far down.
page.details.open = matchMedia("(min-width: 62rem)").matches;
