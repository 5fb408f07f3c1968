// Events of jobs over a WebSocket, which reconnects by itself.

import { fetchState } from "./api.js";

const MIN_RETRY = 1_000; // milliseconds, doubled after each failure
const MAX_RETRY = 15_000;
const MAX_IDS_PER_MESSAGE = 100;
const CHECK_INTERVAL = 10_000;
const SILENCE_LIMIT = 30_000;

/**
 * Events:
 *
 * - `job`: a watched job has changed; `detail` is a JobEvent of the contract.
 * - `disconnected`: jobs are watched without a connection; `detail` is the seconds until a retry.
 * - `connected`: there is a connection, or none is needed.
 */
export class LiveConnection extends EventTarget {
  #watched = new Set();
  #unsent = new Set();
  #socket = null;
  #failures = 0;
  #retry = null;
  #lastMessage = 0; // milliseconds since 1970
  #polling = false;

  constructor() {
    super();
    setInterval(() => this.#checkAlive(), CHECK_INTERVAL);
    addEventListener("online", () => this.#retryNow());
  }

  /** Report the changes of a job, beginning with its present state. */
  watch(job) {
    this.#watched.add(job);
    this.#unsent.add(job);
    if (this.#isOpen()) {
      this.#sendWatches();
    } else if (!this.#socket && this.#retry === null) {
      this.#connect();
    }
  }

  /** Report no more changes of a job. */
  unwatch(job) {
    this.#watched.delete(job);
    this.#unsent.delete(job);
  }

  #isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #connect() {
    const address = new URL("v1/live", document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.onopen = () => this.#onOpen();
    socket.onmessage = (message) => this.#onMessage(message.data);
    socket.onclose = () => this.#onClose(socket);
  }

  #retryNow() {
    if (this.#retry === null) return;
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#connect();
  }

  #onOpen() {
    this.#lastMessage = Date.now();
    // The server answers each watch with the present state, so changes during an outage arrive.
    this.#unsent = new Set(this.#watched);
    this.#sendWatches();
    this.dispatchEvent(new Event("connected"));
  }

  #sendWatches() {
    if (!this.#isOpen()) return;
    const jobs = [...this.#unsent];
    this.#unsent.clear();
    for (let start = 0; start < jobs.length; start += MAX_IDS_PER_MESSAGE) {
      const watch = jobs.slice(start, start + MAX_IDS_PER_MESSAGE);
      this.#socket.send(JSON.stringify({ watch }));
    }
  }

  #onMessage(text) {
    this.#failures = 0;
    this.#lastMessage = Date.now();
    this.#dispatchJob(JSON.parse(text));
  }

  #dispatchJob(event) {
    if (this.#watched.has(event.job)) {
      this.dispatchEvent(new CustomEvent("job", { detail: event }));
    }
  }

  #onClose(socket) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    if (this.#watched.size === 0) {
      this.dispatchEvent(new Event("connected"));
      return;
    }
    const wait = Math.min(MIN_RETRY * 2 ** this.#failures, MAX_RETRY);
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#retryNow(), wait);
    this.dispatchEvent(new CustomEvent("disconnected", { detail: Math.ceil(wait / 1000) }));
    // Some networks block every WebSocket; the jobs are then polled over HTTP.
    if (this.#failures > 2) this.#poll();
  }

  async #poll() {
    if (this.#polling) return;
    this.#polling = true;
    try {
      for (const job of [...this.#watched]) {
        if (this.#isOpen()) return;
        this.#dispatchJob(await fetchState(job));
      }
    } catch {
      // HTTP fails as well. The next failure to connect polls again.
    } finally {
      this.#polling = false;
    }
  }

  // A browser may take minutes to notice a dead connection. The server answers a watch at once.
  #checkAlive() {
    if (!this.#isOpen() || this.#watched.size === 0) return;
    const silence = Date.now() - this.#lastMessage;
    if (silence > 2 * SILENCE_LIMIT) {
      const socket = this.#socket;
      socket.close();
      this.#onClose(socket);
    } else if (silence > SILENCE_LIMIT) {
      this.#unsent = new Set(this.#watched);
      this.#sendWatches();
    }
  }
}
