// Texts for states, sizes and progress.

import { State } from "./photograph.js";

const STATE_TEXTS = {
  [State.WAITING]: "Waiting",
  [State.SENDING]: "Sending",
  [State.QUEUED]: "Queued",
  [State.RUNNING]: "Rendering",
  [State.DONE]: "Done",
  [State.FAILED]: "Failed",
};

/** "Queued", or "Sending 40 %" */
export function formatState({ state, progress }) {
  if (state === State.SENDING) return `Sending ${Math.floor(progress * 100)} %`;
  return STATE_TEXTS[state];
}

/** "812 B", "45 kB", "3.2 MB" */
export function formatBytes(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** "1600 × 1067" */
export function formatSize(width, height) {
  return `${width} × ${height}`;
}

/** "−40 %", from sizes in bytes */
export function formatChange(before, after) {
  const percent = Math.round((after / before - 1) * 100);
  if (percent === 0) return "same size";
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent)}\u00a0%`; // the sign stays on the line
}

/** Count photographs as `{done, failed, open, text}`: "12 of 40 done, 3 in progress, 1 failed". */
export function summarize(photographs) {
  const count = { done: 0, failed: 0, open: 0 };
  for (const { state } of photographs) {
    if (state === State.DONE) count.done += 1;
    else if (state === State.FAILED) count.failed += 1;
    else count.open += 1;
  }
  const parts = [`${count.done} of ${photographs.length} done`];
  if (count.open) parts.push(`${count.open} in progress`);
  if (count.failed) parts.push(`${count.failed} failed`);
  return { ...count, text: parts.join(", ") };
}
