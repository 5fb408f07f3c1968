// Make TypeScript of an AsyncAPI document with Modelina and compile it strictly, as interfaces and as
// classes; print a line of JSON for each type.

import { readFile } from "node:fs/promises";
import process from "node:process";
import { AsyncAPIInputProcessor, TypeScriptGenerator } from "@asyncapi/modelina";
import { Parser } from "@asyncapi/parser";
import ts from "typescript";

// Modelina 5.10 knows versions up to 3.0.0 by name; of 3.1.0 the document uses nothing new.
if (!AsyncAPIInputProcessor.supportedVersions.includes("3.1.0")) {
  AsyncAPIInputProcessor.supportedVersions.push("3.1.0");
}

const OPTIONS = {
  strict: true,
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};

/** Compile files that exist in memory alone; return what the compiler says of each. */
function compile(files) {
  const host = ts.createCompilerHost(OPTIONS);
  const { fileExists, directoryExists, readFile: read } = host;
  host.fileExists = (name) => files.has(name) || fileExists.call(host, name);
  host.directoryExists = (name) => name === "/models" || directoryExists.call(host, name);
  host.readFile = (name) => files.get(name) ?? read.call(host, name);
  const program = ts.createProgram([...files.keys()], OPTIONS, host);
  return ts.getPreEmitDiagnostics(program);
}

const { document } = await new Parser().parse(await readFile(process.argv[2], "utf8"));
for (const modelType of ["interface", "class"]) {
  const generator = new TypeScriptGenerator({ modelType });
  const models = await generator.generateCompleteModels(document, { exportType: "named" });
  const files = new Map(models.map(({ modelName, result }) => [`/models/${modelName}.ts`, result]));
  const said = compile(files);
  for (const [path, text] of files) {
    const faults = said
      .filter(({ file }) => file?.fileName === path)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
    if (/\bany\b/.test(text)) faults.push("accepts a value of any type");
    const name = path.slice("/models/".length, -".ts".length);
    process.stdout.write(`${JSON.stringify({ case: `${modelType} ${name}`, difference: faults[0] })}\n`);
  }
}
