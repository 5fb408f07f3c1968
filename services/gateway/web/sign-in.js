// The dialog that asks for a key, and trades it for the cookie of a session.

import { partsOf } from "./dom.js";
import { recall, remember } from "./preferences.js";

/** The event of the document that a key was accepted. */
export const SIGNED_IN = "signed-in";

const dialog = document.getElementById("sign-in");
const { key, problem, cancel, form } = partsOf(dialog);
let waiting = null; // {promise, resolve, reject}, while the dialog is open

/**
 * Ask for a key until one is accepted. All who ask meanwhile share one dialog.
 *
 * Rejects with `refusal` if the dialog is closed without a key.
 */
export function signIn(refusal) {
  if (waiting) return waiting.promise;
  waiting = {};
  waiting.promise = new Promise((resolve, reject) => Object.assign(waiting, { resolve, reject }));
  waiting.refusal = refusal;
  problem.textContent = "";
  dialog.showModal();
  return waiting.promise;
}

/**
 * Make a button end the session. It is shown to a browser that has signed in: scripts can't see the
 * cookie.
 *
 * `onfailure` is called if the server cannot be reached. The page begins anew after a session.
 */
export function connectSignOut(button, onfailure) {
  const show = () => (button.hidden = recall("signedIn") !== "yes");
  document.addEventListener(SIGNED_IN, show);
  button.addEventListener("click", async () => {
    try {
      await fetch("v1/session", { method: "DELETE" });
    } catch {
      onfailure("The server cannot be reached. You are still signed in.");
      return;
    }
    remember("signedIn", "no");
    location.reload();
  });
  show();
}

function finish(settle) {
  const ended = waiting;
  waiting = null;
  key.value = "";
  settle(ended);
}

async function send(event) {
  event.preventDefault();
  const text = key.value.trim();
  // Other characters can't be in a header field, so fetch() would fail.
  if (!/^[\x21-\x7e]+$/.test(text)) {
    problem.textContent = "This is not a key.";
    return;
  }
  problem.textContent = "";
  try {
    const headers = { Authorization: `Bearer ${text}` };
    const response = await fetch("v1/session", { method: "POST", headers });
    if (!response.ok) throw new Error((await response.json()).detail);
    finish(({ resolve }) => resolve());
    dialog.close();
    remember("signedIn", "yes");
    document.dispatchEvent(new Event(SIGNED_IN));
  } catch (error) {
    problem.textContent = error instanceof TypeError ? "The server cannot be reached." : error.message;
    key.focus();
  }
}

form.addEventListener("submit", send);
cancel.addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  if (waiting) finish(({ reject, refusal }) => reject(refusal));
});
