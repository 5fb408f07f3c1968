// Word of the jobs' changes, pushed over one WebSocket that comes back by itself when it drops.

import { fetchState } from "/web/api.js";

const FIRST_WAIT = 1_000; // milliseconds, doubled at each failure
const LONGEST_WAIT = 15_000;
const IDS_IN_A_MESSAGE = 100;
const CHECK_EVERY = 10_000;
const QUIET_TOO_LONG = 30_000;

/**
 * Events: `job` (detail: a JobEvent), `lost` (detail: seconds until it tries again) while there are
 * jobs to watch, and `calm` when it is connected or there is nothing to hear.
 */
export class Live extends EventTarget {
  #watched = new Set();
  #unsent = new Set();
  #socket = null;
  #failures = 0;
  #retry = null;
  #lastWord = 0;
  #asking = false;

  constructor() {
    super();
    setInterval(() => this.#checkThatItIsAlive(), CHECK_EVERY);
    addEventListener("online", () => this.#connectNow());
  }

  watch(job) {
    this.#watched.add(job);
    this.#unsent.add(job);
    if (this.#isOpen()) {
      this.#sendWatches();
    } else if (!this.#socket && this.#retry === null) {
      this.#connect();
    }
  }

  forget(job) {
    this.#watched.delete(job);
    this.#unsent.delete(job);
  }

  #isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/v1/live`);
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (message) => this.#heard(message.data);
    socket.onclose = () => this.#lost(socket);
  }

  #connectNow() {
    if (this.#retry === null) return;
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#connect();
  }

  #opened() {
    this.#lastWord = Date.now();
    // The server answers a watch with the present state, so nothing that happened meanwhile is lost.
    this.#unsent = new Set(this.#watched);
    this.#sendWatches();
    this.dispatchEvent(new Event("calm"));
  }

  #sendWatches() {
    if (!this.#isOpen()) return;
    const jobs = [...this.#unsent];
    this.#unsent.clear();
    for (let start = 0; start < jobs.length; start += IDS_IN_A_MESSAGE) {
      this.#socket.send(JSON.stringify({ watch: jobs.slice(start, start + IDS_IN_A_MESSAGE) }));
    }
  }

  #heard(text) {
    this.#failures = 0;
    this.#lastWord = Date.now();
    this.#tell(JSON.parse(text));
  }

  #tell(event) {
    if (this.#watched.has(event.job)) {
      this.dispatchEvent(new CustomEvent("job", { detail: event }));
    }
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    if (this.#watched.size === 0) {
      this.dispatchEvent(new Event("calm"));
      return;
    }
    const wait = Math.min(FIRST_WAIT * 2 ** this.#failures, LONGEST_WAIT);
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#connectNow(), wait);
    this.dispatchEvent(new CustomEvent("lost", { detail: Math.ceil(wait / 1000) }));
    // Some networks let no WebSocket through at all; then asking takes its place.
    if (this.#failures > 2) this.#ask();
  }

  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (const job of [...this.#watched]) {
        if (this.#isOpen()) return;
        this.#tell(await fetchState(job));
      }
    } catch {
      // Not reachable either. The next lost connection asks again.
    } finally {
      this.#asking = false;
    }
  }

  // A connection can be dead for minutes before a browser notices; a watch wants an answer.
  #checkThatItIsAlive() {
    if (!this.#isOpen() || this.#watched.size === 0) return;
    const quiet = Date.now() - this.#lastWord;
    if (quiet > 2 * QUIET_TOO_LONG) {
      const socket = this.#socket;
      socket.close();
      this.#lost(socket);
    } else if (quiet > QUIET_TOO_LONG) {
      this.#unsent = new Set(this.#watched);
      this.#sendWatches();
    }
  }
}
