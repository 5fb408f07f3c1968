// How sizes and states are said.

import { State } from "/web/photograph.js";

const STATE_WORDS = {
  [State.WAITING]: "Waiting",
  [State.SENDING]: "Sending",
  [State.QUEUED]: "In the queue",
  [State.RUNNING]: "Developing",
  [State.DONE]: "Done",
  [State.FAILED]: "Failed",
};

export function sayState({ state, progress }) {
  if (state === State.SENDING) return `Sending ${Math.floor(progress * 100)} %`;
  return STATE_WORDS[state];
}

export function sayBytes(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function saySides(width, height) {
  return `${width} × ${height}`;
}

export function sayChange(before, after) {
  const percent = Math.round((after / before - 1) * 100);
  if (percent === 0) return "same size";
  return percent < 0 ? `−${-percent} %` : `+${percent} %`;
}

/** "12 of 40 done, 3 in work, 1 failed" */
export function sayProgress(photographs) {
  const count = { done: 0, failed: 0, open: 0 };
  for (const { state } of photographs) {
    if (state === State.DONE) count.done += 1;
    else if (state === State.FAILED) count.failed += 1;
    else count.open += 1;
  }
  const parts = [`${count.done} of ${photographs.size} done`];
  if (count.open) parts.push(`${count.open} in work`);
  if (count.failed) parts.push(`${count.failed} failed`);
  return { ...count, words: parts.join(", ") };
}
