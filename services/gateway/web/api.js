// The gateway over HTTP: send a photograph, ask how its job stands, fetch what came of it.

const MOST_TRIES = 7;
const LONGEST_WAIT = 20; // seconds

/** What went wrong, in words for a person; `passing` when trying again may help. */
export class Problem extends Error {
  constructor(detail, { code = null, passing = false, retryAfter = 0 } = {}) {
    super(detail);
    this.code = code;
    this.passing = passing;
    this.retryAfter = retryAfter; // seconds
  }
}

function problemFrom(status, body, retryAfter) {
  let document = {};
  try {
    document = JSON.parse(body) ?? {};
  } catch {
    // A proxy in between may answer with a page of its own.
  }
  return new Problem(document.detail || `The server answered with status ${status}.`, {
    code: document.code,
    passing: status === 503 || status === 429,
    retryAfter: Number(retryAfter) || 0,
  });
}

function connectionLost() {
  return new Problem("The server can’t be reached.", { passing: true });
}

/**
 * Post a photograph and give its job. XMLHttpRequest, because fetch does not tell how far an
 * upload has come. The key is the same in every try, so the gateway gives the same job again.
 */
export function submit(file, query, { key, signal, onprogress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/v1/jobs?${query}`);
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
    request.onerror = () => reject(connectionLost());
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

async function get(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw connectionLost();
  }
  if (response.ok || response.type === "opaqueredirect") return response;
  throw problemFrom(response.status, await response.text(), response.headers.get("Retry-After"));
}

/** The one result of a job that has succeeded. */
export async function fetchResult(job, signal) {
  const response = await get(`/v1/jobs/${job}/results`, { signal });
  const { results } = await response.json();
  const [result] = results;
  if (!result) throw new Problem("The job has no result.");
  if (result.problem) throw new Problem(result.problem.detail, { code: result.problem.code });
  return result;
}

/** How a job stands, as `{job, state, problem}`, for when no live connection tells it. */
export async function fetchState(job) {
  try {
    // The redirect to the result can't be followed without downloading it, but it can be noticed.
    const response = await get(`/v1/jobs/${job}`, { redirect: "manual" });
    if (response.type === "opaqueredirect") return { job, state: "succeeded", problem: null };
    const { state, problem } = await response.json();
    return { job, state, problem };
  } catch (error) {
    if (error.passing) throw error;
    return { job, state: "failed", problem: { detail: error.message } };
  }
}

/** Nobody wants what a job would give; if the word gets lost, it is done for nothing. */
export function cancel(job) {
  fetch(`/v1/jobs/${job}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

export async function fetchBytes(href) {
  const response = await get(href, {});
  return new Uint8Array(await response.arrayBuffer());
}

/** Try until it works or stops being a passing problem; `onwait` is told of each wait in seconds. */
export async function patiently(attempt, { signal, onwait = () => {} } = {}) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!error.passing || tries === MOST_TRIES) throw error;
      const seconds = Math.min(Math.max(error.retryAfter, 2 ** (tries - 1)), LONGEST_WAIT);
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
