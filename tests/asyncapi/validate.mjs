// The official parser's opinion of one AsyncAPI document: every diagnostic on a line, exit code 1 if one is an error.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const SEVERITIES = ["error", "warning", "info", "hint"];
const ERROR = 0;

const [path] = process.argv.slice(2);
if (!path) {
  console.error("usage: node validate.mjs DOCUMENT");
  process.exit(2);
}

const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"), { source: path });
for (const { severity, range, code, message, path: where } of diagnostics) {
  console.log(`${path}:${range.start.line + 1}: ${SEVERITIES[severity]} ${code} at ${where.join(".") || "the root"}: ${message}`);
}
const errors = diagnostics.filter(({ severity }) => severity === ERROR);
console.log(`${path}: ${errors.length} errors, ${diagnostics.length - errors.length} other diagnostics`);
process.exit(errors.length || !document ? 1 : 0);
