// Apply Redocly's recommended rules to an OpenAPI document; print a line of JSON for each rule that finds something, and one
// for the document. Warnings count as well.

import process from "node:process";
import { createConfig, lint } from "@redocly/openapi-core";

const config = await createConfig({ extends: ["recommended"] });
const found = await lint({ ref: process.argv[2], config });
for (const rule of new Set(found.map(({ ruleId }) => ruleId))) {
  const broken = found.filter(({ ruleId }) => ruleId === rule);
  const [{ location, message }] = broken;
  const difference = `${broken.length} times, first at ${location[0]?.pointer}: ${message}`;
  process.stdout.write(`${JSON.stringify({ case: rule, difference })}\n`);
}
process.stdout.write(`${JSON.stringify({ case: "every other rule" })}\n`);
