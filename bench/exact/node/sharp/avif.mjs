// Write an AVIF of each depth and subsampling into a folder, of the raw RGB picture in it.

import { readFile } from "node:fs/promises";
import process from "node:process";
import sharp from "sharp";

const [folder, width, height] = process.argv.slice(2);
const raw = { width: Number(width), height: Number(height), channels: 3 };
const pixels = await readFile(`${folder}/rgb`);
for (const bitdepth of [8, 10, 12]) {
  for (const chromaSubsampling of ["4:4:4", "4:2:0"]) {
    for (const lossless of [false, true]) {
      const kind = lossless ? "without loss" : "quality 90";
      const name = `avif ${bitdepth} bit ${chromaSubsampling} ${kind}`;
      await sharp(pixels, { raw })
        .avif({ quality: 90, bitdepth, chromaSubsampling, lossless, effort: 0 })
        .toFile(`${folder}/${name}`);
    }
  }
}
