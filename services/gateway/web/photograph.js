// A photograph on the page: its file, its pipeline, and the state of its job.

export const State = Object.freeze({
  WAITING: "waiting",
  SENDING: "sending",
  QUEUED: "queued",
  RUNNING: "running",
  DONE: "done",
  FAILED: "failed",
});

const FINISHED = new Set([State.DONE, State.FAILED]);

/** Dispatches `change` after each change of its state. */
export class Photograph extends EventTarget {
  state = State.WAITING;
  progress = 0; // share of the file that is sent, 0 to 1
  note = ""; // why the upload waits for a retry
  problem = ""; // why the job failed
  code = null; // of the problem, if the gateway gave one
  job = null; // id
  result = null;
  attempt = new AbortController();

  constructor(file, pipeline) {
    super();
    this.file = file;
    this.pipeline = pipeline;
    this.url = URL.createObjectURL(file);
  }

  get isFinished() {
    return FINISHED.has(this.state);
  }

  /** Set the state and other fields, and clear the note. */
  setState(state, fields = {}) {
    Object.assign(this, { note: "" }, fields, { state });
    this.dispatchEvent(new Event("change"));
  }

  fail(problem, code = null) {
    this.setState(State.FAILED, { problem, code });
  }

  /** Abort the current attempt and wait for a new one with this pipeline. */
  reset(pipeline) {
    this.attempt.abort();
    this.attempt = new AbortController();
    const cleared = { progress: 0, problem: "", code: null, job: null, result: null };
    this.setState(State.WAITING, { ...cleared, pipeline });
  }

  /** Abort the current attempt and release the preview of the file. */
  dispose() {
    this.attempt.abort();
    URL.revokeObjectURL(this.url);
  }
}
