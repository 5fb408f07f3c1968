// Decode the files 0, 1, ... of a folder to upright 8-bit RGBA in sRGB; print a line of JSON each.

import { writeFile } from "node:fs/promises";
import process from "node:process";
import sharp from "sharp";

const [folder, count] = process.argv.slice(2);
for (let number = 0; number < Number(count); number++) {
  const path = `${folder}/${number}`;
  let answer;
  try {
    const { data, info } = await sharp(path, { failOn: "error" })
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
