// Submits photographs as jobs, four uploads at once, and follows each job to its end.

import { Problem, cancel, fetchResult, submit, withRetries } from "./api.js";
import { State } from "./photograph.js";
import { queryOf } from "./pipeline.js";

const MAX_UPLOADS = 4;

export class JobRunner {
  #connection;
  #waiting = [];
  #uploads = 0;
  #byJob = new Map();

  /** `connection` is a LiveConnection. */
  constructor(connection) {
    this.#connection = connection;
    connection.addEventListener("job", (event) => this.#onJobEvent(event.detail));
  }

  /** Submit a photograph as soon as an upload is free. */
  add(photograph) {
    this.#waiting.push(photograph);
    this.#startUploads();
  }

  /** Submit a photograph again, with another pipeline or the same. */
  rerun(photograph, pipeline) {
    this.cancel(photograph);
    photograph.reset(pipeline);
    this.add(photograph);
  }

  /** Remove a photograph from the queue and cancel its job. */
  cancel(photograph) {
    this.#waiting = this.#waiting.filter((other) => other !== photograph);
    if (this.#byJob.has(photograph.job)) cancel(photograph.job);
    this.#unwatch(photograph.job);
  }

  #unwatch(job) {
    this.#byJob.delete(job);
    this.#connection.unwatch(job);
  }

  #startUploads() {
    while (this.#uploads < MAX_UPLOADS && this.#waiting.length > 0) {
      this.#uploads += 1;
      this.#submit(this.#waiting.shift()).finally(() => {
        this.#uploads -= 1;
        this.#startUploads();
      });
    }
  }

  async #submit(photograph) {
    const { signal } = photograph.attempt;
    const key = randomKey();
    const query = queryOf(photograph.pipeline);
    const onprogress = (progress) => photograph.setState(State.SENDING, { progress });
    const send = () => {
      photograph.setState(State.SENDING, { progress: 0 });
      return submit(photograph.file, query, { key, signal, onprogress });
    };
    const onwait = ({ message }, seconds) => {
      const note = `${message} Trying again in ${seconds} s.`;
      photograph.setState(State.WAITING, { note });
    };
    await failOnProblem(photograph, signal, async () => {
      const job = await withRetries(send, { signal, onwait });
      signal.throwIfAborted();
      this.#byJob.set(job.id, photograph);
      photograph.setState(State.QUEUED, { job: job.id });
      this.#connection.watch(job.id);
    });
  }

  #onJobEvent({ job, state, problem }) {
    const photograph = this.#byJob.get(job);
    if (!photograph) return;
    if (state === "queued") photograph.setState(State.QUEUED);
    if (state === "running") photograph.setState(State.RUNNING);
    if (state === "succeeded") this.#fetchResult(photograph);
    if (state === "failed" || state === "cancelled") {
      this.#unwatch(job);
      const cancelled = state === "cancelled" ? "The job was cancelled." : "";
      const reason = problem?.detail || cancelled || "The server gave no reason.";
      photograph.fail(reason, problem?.code);
    }
  }

  async #fetchResult(photograph) {
    const { job } = photograph;
    const { signal } = photograph.attempt;
    this.#unwatch(job);
    await failOnProblem(photograph, signal, async () => {
      const result = await withRetries(() => fetchResult(job, signal), { signal });
      photograph.setState(State.DONE, { result });
    });
  }
}

/** Run `work`. A Problem makes the photograph fail, unless `signal` is aborted. */
async function failOnProblem(photograph, signal, work) {
  try {
    await work();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    photograph.fail(error.message, error.code);
  }
}

// crypto.randomUUID() exists only on pages served over HTTPS or from localhost.
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
