// Decode each file to upright 8-bit RGBA in sRGB, and print a line of JSON for each.

import { writeFile } from "node:fs/promises";
import process from "node:process";
import sharp from "sharp";

for (const path of process.argv.slice(2)) {
  let answer;
  try {
    const { data, info } = await sharp(path)
      .autoOrient()
      .toColourspace("srgb")
      .ensureAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    await writeFile(`${path}.rgba`, data);
    answer = { width: info.width, height: info.height };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
