// Make types of the OpenAPI document with openapi-typescript, compile client.ts with them strictly, and run it against a gateway;
// print a line of JSON for the compilation and for each step.

import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const [gateway, key, picture, folder] = process.argv.slice(2);
const OPTIONS = {
  strict: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
  types: [],
};

const print = (found) => process.stdout.write(`${JSON.stringify(found)}\n`);

const document = new URL(`${gateway}/openapi.json`);
// A field with a default may be left out.
await writeFile(`${folder}/api.ts`, astToString(await openapiTS(document, { defaultNonNullable: false })));
const program = ts.createProgram([`${folder}/client.ts`], OPTIONS);
const faults = ts
  .getPreEmitDiagnostics(program)
  .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
print({ case: "compiled strictly", difference: faults[0] });
program.emit();
const { use } = await import(`${folder}/client.js`);
try {
  for (const step of await use(gateway, key, await readFile(picture))) print({ case: step });
} catch (error) {
  print({ case: "the client", difference: String(error) });
}
