// One photograph on its way: its file, what is to be done with it, and how far it has come.

export const State = Object.freeze({
  WAITING: "waiting",
  SENDING: "sending",
  QUEUED: "queued",
  RUNNING: "running",
  DONE: "done",
  FAILED: "failed",
});

const FINISHED = new Set([State.DONE, State.FAILED]);

/** Dispatches `change` at every change of its state. */
export class Photograph extends EventTarget {
  state = State.WAITING;
  progress = 0; // of the upload, 0 to 1
  note = ""; // why it waits longer than usual
  problem = ""; // why it failed, in words
  job = null;
  result = null;
  attempt = new AbortController();

  constructor(file, recipe) {
    super();
    this.file = file;
    this.recipe = recipe;
    this.url = URL.createObjectURL(file);
  }

  get isFinished() {
    return FINISHED.has(this.state);
  }

  become(state, details = {}) {
    Object.assign(this, { note: "" }, details, { state });
    this.dispatchEvent(new Event("change"));
  }

  fail(problem) {
    this.become(State.FAILED, { problem });
  }

  startAfresh(recipe) {
    this.attempt.abort();
    this.attempt = new AbortController();
    const nothing = { progress: 0, problem: "", job: null, result: null };
    this.become(State.WAITING, { ...nothing, recipe });
  }

  leave() {
    this.attempt.abort();
    URL.revokeObjectURL(this.url);
  }
}
