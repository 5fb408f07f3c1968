// Print what sharp finds in the files 0, 1, ... of a folder beside their pixels: a line of JSON each.

import process from "node:process";
import sharp from "sharp";

const [folder, count] = process.argv.slice(2);
for (let number = 0; number < Number(count); number++) {
  const found = await sharp(`${folder}/${number}`, { pages: -1 }).metadata();
  const { width, height, orientation, pages, delay, loop } = found;
  const [exif, icc] = [found.exif, found.icc].map((bytes) => bytes?.toString("base64"));
  const line = { width, height, orientation, pages, delay, loop, exif, icc };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
