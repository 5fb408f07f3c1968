// Read an AsyncAPI document with the official parser; print a line of JSON for each of its messages.

import { readFile } from "node:fs/promises";
import process from "node:process";
import { Parser } from "@asyncapi/parser";

const [path] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"));
const messages = document ? document.allMessages().all() : [];
for (const message of messages) {
  process.stdout.write(`${JSON.stringify({ case: message.id() })}\n`);
}
for (const { code, path: place, message } of diagnostics) {
  const name = place.join(".") || "the document";
  process.stdout.write(`${JSON.stringify({ case: name, difference: `${code}: ${message}` })}\n`);
}
