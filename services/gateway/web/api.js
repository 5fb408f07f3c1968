// HTTP requests to the gateway: submit a photograph, read the state of its job, fetch its result.

import { rememberLabel } from "./image-labels.js";
import { signIn } from "./sign-in.js";

const NEEDS_KEY = "unauthorized";

const MAX_ATTEMPTS = 7;
const MAX_WAIT = 20; // seconds

/** An error with a message for people. `isTransient`: the same request may succeed later. */
export class Problem extends Error {
  constructor(detail, { code = null, isTransient = false, retryAfter = 0 } = {}) {
    super(detail);
    this.code = code;
    this.isTransient = isTransient;
    this.retryAfter = retryAfter; // seconds
  }
}

function problemFrom(status, body, retryAfter) {
  let document = {};
  try {
    document = JSON.parse(body) ?? {};
  } catch {
    // A proxy may answer with a page instead of a problem document.
  }
  return new Problem(document.detail || `The server answered with status ${status}.`, {
    code: document.code,
    isTransient: status === 503 || status === 429,
    retryAfter: Number(retryAfter) || 0,
  });
}

function connectionProblem() {
  return new Problem("The server cannot be reached.", { isTransient: true });
}

/** Return a file's name as a label: the gateway refuses other characters, and longer names. */
function labelOf(file) {
  const allowed = file.name.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, "");
  return [...allowed.normalize("NFC")].slice(0, 200).join("");
}

/** Send a request by `send()`, and once more after each time that a key was asked for. */
async function signedIn(send) {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (error.code !== NEEDS_KEY) throw error;
      await signIn(error);
    }
  }
}

/**
 * Submit a photograph and return its job.
 *
 * `key` is the Idempotency-Key: with the same key, the gateway returns the same job. `onprogress`
 * is called with the share of the file that is sent, 0 to 1, which fetch() does not report; hence
 * XMLHttpRequest. Rejects with a Problem, or with the signal's reason once that is aborted.
 */
export function submit(file, query, options) {
  return signedIn(() => send(file, query, options));
}

function send(file, query, { key, signal, onprogress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const search = new URLSearchParams(query);
    search.set("label", labelOf(file));
    request.open("POST", `v1/jobs?${search}`);
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.setRequestHeader("Idempotency-Key", `"${key}"`);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onprogress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(JSON.parse(request.responseText));
      } else {
        const retryAfter = request.getResponseHeader("Retry-After");
        reject(problemFrom(request.status, request.responseText, retryAfter));
      }
    };
    request.onerror = () => reject(connectionProblem());
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

/** Return the answer to a request. Throws a Problem. */
export function request(path, options) {
  return signedIn(() => requestOnce(path, options));
}

async function requestOnce(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw connectionProblem();
  }
  if (response.ok || response.type === "opaqueredirect") return response;
  throw problemFrom(response.status, await response.text(), response.headers.get("Retry-After"));
}

/** Store an image under its file's name and return its id. Throws a Problem. */
export async function uploadImage(file) {
  const headers = { "Content-Type": file.type || "application/octet-stream" };
  const label = new URLSearchParams({ label: labelOf(file) });
  const response = await request(`v1/images?${label}`, { method: "POST", headers, body: file });
  const image = await response.json();
  rememberLabel(image.id, image.label);
  return image.id;
}

/** Return the presets of the gateway; none if it does not tell them. Nobody is asked for a key. */
export async function fetchPresets() {
  try {
    const response = await requestOnce("v1/presets", {});
    const { presets } = await response.json();
    return presets;
  } catch {
    return [];
  }
}

/** Return the result of a job with one variant that has succeeded. Throws a Problem. */
export async function fetchResult(job, signal) {
  const response = await request(`v1/jobs/${job}/results`, { signal });
  const { results } = await response.json();
  const [result] = results;
  if (!result) throw new Problem("The job has no result.");
  if (result.problem) throw new Problem(result.problem.detail, { code: result.problem.code });
  return result;
}

/** Return the state of a job as `{job, state, problem}`. Throws a transient Problem. */
export async function fetchState(job) {
  try {
    // A redirect to the result means success; following the redirect would download the result.
    const response = await request(`v1/jobs/${job}`, { redirect: "manual" });
    if (response.type === "opaqueredirect") return { job, state: "succeeded", problem: null };
    const { state, problem } = await response.json();
    return { job, state, problem };
  } catch (error) {
    if (error.isTransient) throw error;
    return { job, state: "failed", problem: { detail: error.message } };
  }
}

/** Cancel a job without waiting for the answer. If the request is lost, the job runs to its end. */
export function cancel(job) {
  fetch(`v1/jobs/${job}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

/** Return the bytes of a result. Throws a Problem. */
export async function fetchBytes(href) {
  const response = await request(href, {});
  return new Uint8Array(await response.arrayBuffer());
}

/** Tell whether a result still exists; false if the server cannot be reached. */
export async function exists(href) {
  try {
    await request(href, { method: "HEAD" });
    return true;
  } catch {
    return false;
  }
}

/**
 * Call `attempt` until it succeeds, at most seven times, and return its result.
 *
 * Only transient Problems are retried. Before each wait, `onwait` is called with the Problem and
 * the seconds.
 */
export async function withRetries(attempt, { signal, onwait = () => {} } = {}) {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!error.isTransient || attempts === MAX_ATTEMPTS) throw error;
      const seconds = Math.min(Math.max(error.retryAfter, 2 ** (attempts - 1)), MAX_WAIT);
      onwait(error, seconds);
      await pause(seconds * 1000, signal);
    }
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
