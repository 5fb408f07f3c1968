// The lab takes photographs in, sends a few at a time, and follows their jobs to the end.

import { Problem, cancel, fetchResult, patiently, submit } from "/web/api.js";
import { queryOf } from "/web/pipeline.js";
import { State } from "/web/photograph.js";

const UPLOADS_AT_ONCE = 4;

export class Lab {
  #live;
  #waiting = [];
  #uploads = 0;
  #byJob = new Map();

  constructor(live) {
    this.#live = live;
    live.addEventListener("job", (event) => this.#hear(event.detail));
  }

  take(photograph) {
    this.#waiting.push(photograph);
    this.#sendNext();
  }

  takeAgain(photograph, recipe) {
    this.letGo(photograph);
    photograph.startAfresh(recipe);
    this.take(photograph);
  }

  letGo(photograph) {
    this.#waiting = this.#waiting.filter((other) => other !== photograph);
    if (this.#byJob.has(photograph.job)) cancel(photograph.job);
    this.#forgetJob(photograph.job);
  }

  #forgetJob(job) {
    this.#byJob.delete(job);
    this.#live.forget(job);
  }

  #sendNext() {
    while (this.#uploads < UPLOADS_AT_ONCE && this.#waiting.length > 0) {
      this.#uploads += 1;
      this.#send(this.#waiting.shift()).finally(() => {
        this.#uploads -= 1;
        this.#sendNext();
      });
    }
  }

  async #send(photograph) {
    const { signal } = photograph.attempt;
    const key = randomKey();
    const query = queryOf(photograph.recipe);
    const onprogress = (progress) => photograph.become(State.SENDING, { progress });
    const send = () => {
      photograph.become(State.SENDING, { progress: 0 });
      return submit(photograph.file, query, { key, signal, onprogress });
    };
    const onwait = ({ message }, seconds) => {
      const note = `${message} Trying again in ${seconds} s.`;
      photograph.become(State.WAITING, { note });
    };
    await endingInWords(photograph, signal, async () => {
      const job = await patiently(send, { signal, onwait });
      signal.throwIfAborted();
      this.#byJob.set(job.id, photograph);
      photograph.become(State.QUEUED, { job: job.id });
      this.#live.watch(job.id);
    });
  }

  #hear({ job, state, problem }) {
    const photograph = this.#byJob.get(job);
    if (!photograph) return;
    if (state === "queued") photograph.become(State.QUEUED);
    if (state === "running") photograph.become(State.RUNNING);
    if (state === "succeeded") this.#collect(photograph);
    if (state === "failed" || state === "cancelled") {
      this.#forgetJob(job);
      const cancelled = state === "cancelled" ? "Somebody cancelled it." : "";
      photograph.fail(problem?.detail || cancelled || "The server gave no reason.");
    }
  }

  async #collect(photograph) {
    const { job } = photograph;
    const { signal } = photograph.attempt;
    this.#forgetJob(job);
    await endingInWords(photograph, signal, async () => {
      const result = await patiently(() => fetchResult(job, signal), { signal });
      photograph.become(State.DONE, { result });
    });
  }
}

/** Do `work`; a problem is the photograph's failure, unless the attempt was given up meanwhile. */
async function endingInWords(photograph, signal, work) {
  try {
    await work();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    photograph.fail(error.message);
  }
}

// crypto.randomUUID is missing where the page is not served over https.
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
