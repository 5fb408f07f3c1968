// Apply Spectral's rules for a kind of document, `asyncapi` or `oas`; print a line of JSON for each rule.

import { readFile } from "node:fs/promises";
import process from "node:process";
import spectral from "@stoplight/spectral-core";
import parsers from "@stoplight/spectral-parsers";
import rulesets from "@stoplight/spectral-rulesets";

const [path, kind = "asyncapi"] = process.argv.slice(2);
const linter = new spectral.Spectral();
linter.setRuleset({ extends: [[rulesets[kind], "recommended"]] });
const text = await readFile(path, "utf8");
const found = await linter.run(new spectral.Document(text, parsers.Yaml, path));
const rules = Object.values(linter.ruleset.rules).filter(({ enabled }) => enabled);
for (const { name } of rules) {
  const broken = found.filter(({ code }) => code === name);
  const difference = broken.length
    ? `${broken.length} times, first at ${broken[0].path.join(".")}: ${broken[0].message}`
    : null;
  process.stdout.write(`${JSON.stringify({ case: name, difference })}\n`);
}
// Problems that belong to no rule, such as a file that is not YAML.
for (const { code, message } of found.filter(({ code }) => !rules.some(({ name }) => name === code))) {
  process.stdout.write(`${JSON.stringify({ case: code, difference: message })}\n`);
}
