// Decode the HEIF files 0, 1, ... of a folder to 8-bit RGBA; print a line of JSON each.

import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import libheif from "libheif-js/wasm-bundle.js";

const [folder, count] = process.argv.slice(2);
for (let number = 0; number < Number(count); number++) {
  const path = `${folder}/${number}`;
  let answer;
  try {
    const [image] = new libheif.HeifDecoder().decode(await readFile(path));
    const [width, height] = [image.get_width(), image.get_height()];
    const pixels = { data: new Uint8ClampedArray(width * height * 4), width, height };
    await new Promise((done, failed) => {
      image.display(pixels, (shown) => (shown ? done() : failed(new Error("no pixels"))));
    });
    await writeFile(`${path}.rgba`, pixels.data);
    answer = { width, height };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
