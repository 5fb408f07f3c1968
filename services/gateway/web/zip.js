// ZIP archives. Files are stored without compression, as images are compressed already.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

const MAX_BYTES = 0xffff_ffff; // without the ZIP64 extension
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

/** Return numbers as bytes, little-endian. Each field is `[size in bytes, value]`. */
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

/** Return the time and the date of a file header, as MS-DOS stores them. */
function timeOf(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  const day = ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  return [short(time), short(day)];
}

/** Makes an archive; each added file goes into a Blob, which the browser may keep on disk. */
export class Zip {
  #parts = [];
  #directory = [];
  #names = new Set();
  #size = 0;
  #time = timeOf(new Date());

  /** Add a file. Throws RangeError above 4 GB, which would need the ZIP64 extension. */
  add(name, bytes) {
    const encoded = new TextEncoder().encode(this.#uniqueName(name));
    const size = long(bytes.length);
    const common = [
      ...[short(VERSION), short(UTF8_NAMES), short(0), ...this.#time],
      ...[long(crc32(bytes)), size, size, short(encoded.length), short(0)],
    ];
    const header = record(long(0x04034b50), ...common);
    const position = [short(0), short(0), short(0), long(0), long(this.#size)];
    this.#directory.push(record(long(0x02014b50), short(VERSION), ...common, ...position), encoded);
    this.#parts.push(new Blob([header, encoded, bytes]));
    this.#size += header.byteLength + encoded.length + bytes.length;
    if (this.#size > MAX_BYTES) throw new RangeError("an archive holds 4 GB at most");
  }

  /** Return the archive as a Blob. */
  finish() {
    const directory = new Blob(this.#directory);
    const count = short(this.#names.size);
    const end = record(
      ...[long(0x06054b50), short(0), short(0), count, count],
      ...[long(directory.size), long(this.#size), short(0)],
    );
    return new Blob([...this.#parts, directory, end], { type: "application/zip" });
  }

  // Photographs from two folders may have the same name.
  #uniqueName(name) {
    let unique = name;
    for (let number = 2; this.#names.has(unique); number += 1) {
      unique = name.replace(/(\.[^.]*)?$/, (extension) => `-${number}${extension}`);
    }
    this.#names.add(unique);
    return unique;
  }
}
