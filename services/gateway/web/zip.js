// A ZIP archive of files that are compressed already, so they are only stored in it.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

const MOST_BYTES = 0xffff_ffff; // without the ZIP64 extension
const UTF8_NAMES = 0x0800;
const VERSION = 20;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return value;
});

function crc32(bytes) {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff];
  return (crc ^ 0xffff_ffff) >>> 0;
}

function record(...fields) {
  const length = fields.reduce((sum, [size]) => sum + size, 0);
  const view = new DataView(new ArrayBuffer(length));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return view.buffer;
}

const short = (value) => [2, value];
const long = (value) => [4, value];

function timeOf(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  const day = ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  return [short(time), short(day)];
}

/** Files are added one by one, so only one of them is in memory at a time. */
export class Zip {
  #parts = [];
  #directory = [];
  #names = new Set();
  #size = 0;
  #time = timeOf(new Date());

  /** Raises RangeError when the archive would be too large to be read everywhere. */
  add(name, bytes) {
    const encoded = new TextEncoder().encode(this.#freeName(name));
    const size = long(bytes.length);
    const facts = [
      ...[short(VERSION), short(UTF8_NAMES), short(0), ...this.#time],
      ...[long(crc32(bytes)), size, size, short(encoded.length), short(0)],
    ];
    const header = record(long(0x04034b50), ...facts);
    const places = [short(0), short(0), short(0), long(0), long(this.#size)];
    this.#directory.push(record(long(0x02014b50), short(VERSION), ...facts, ...places), encoded);
    this.#parts.push(new Blob([header, encoded, bytes]));
    this.#size += header.byteLength + encoded.length + bytes.length;
    if (this.#size > MOST_BYTES) throw new RangeError("more than 4 GB do not fit in one archive");
  }

  finish() {
    const directory = new Blob(this.#directory);
    const count = short(this.#names.size);
    const end = record(
      ...[long(0x06054b50), short(0), short(0), count, count],
      ...[long(directory.size), long(this.#size), short(0)],
    );
    return new Blob([...this.#parts, directory, end], { type: "application/zip" });
  }

  // Photographs of two folders may well have the same name.
  #freeName(name) {
    let free = name;
    for (let number = 2; this.#names.has(free); number += 1) {
      free = name.replace(/(\.[^.]*)?$/, (extension) => `-${number}${extension}`);
    }
    this.#names.add(free);
    return free;
  }
}
