// Sign URLs of a Darkroom gateway: `darkroom-url-1`. For servers: a secret has no place in a page.
//
// The guide has the specification ("Signed URLs") and the vectors, which this module, the gateway
// and the Python client share.

import { createHmac, timingSafeEqual } from "node:crypto";

const SCHEME = "darkroom-url-1";
const MAX_PATH = 1024; // bytes
const MAX_QUERY = 8192; // bytes, as it is sent and in its canonical form
const MAX_AHEAD = 10 * 366 * 24 * 3600; // seconds from now to the latest `exp`
const HOUR = 3600;

const OWN = ["sig", "kid", "exp", "free"];
const NEVER_FREE = [...OWN, "preset", "op", "src", "v"];
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A URL can't be signed, or its signature does not count; `fault` says of which kind it is. */
export class SignatureFault extends Error {
  constructor(fault, detail) {
    super(detail);
    this.name = "SignatureFault";
    this.fault = fault;
  }
}

/**
 * Return a URL with its signature, which a GET or HEAD without a key may use.
 *
 * `url` is a whole URL, or a path, with its query; its encoding is made canonical. `kid` names the
 * signing key, and `secret` is its secret in hexadecimal digits. `expires` is the number of seconds
 * for which the URL is valid at least; the moment is rounded up to the next multiple of `grid`
 * seconds, or of `expires` if that is less. `free` lists variables of the query's preset that may
 * be changed afterwards. `prefix` is the path below which a proxy serves the gateway. `now` is the
 * present, in seconds since 1970.
 *
 * Throws SignatureFault, RangeError or URIError, and never repeats the secret.
 */
export function sign(url, options) {
  const { kid, secret, expires, grid = HOUR, free = [], prefix = "" } = options;
  const now = options.now ?? Date.now() / 1000;
  if (url.includes("#")) throw new RangeError("a signed URL has no fragment");
  const mark = url.indexOf("?");
  const [origin, path] = split(mark < 0 ? url : url.slice(0, mark));
  if (!path.startsWith(`${prefix}/`)) {
    throw new RangeError(`the path does not begin with ${prefix}/`);
  }
  const own = [["kid", kid]];
  if (expires !== undefined) own.push(["exp", String(moment(expires, grid, now))]);
  if (free.length > 0) own.push(["free", free.join(",")]);
  const parts = [
    ...(mark < 0 ? [] : [url.slice(mark + 1)]),
    ...own.map(([name, value]) => `${name}=${encodeURIComponent(value)}`),
  ];
  const query = parts.join("&").replace(/[^\x21-\x7e]+/gu, encodeURIComponent);
  const signable = read(path.slice(prefix.length), query);
  if (signable.sig !== undefined) throw new RangeError("the URL is signed already");
  return `${origin}${path}?${signable.text}&sig=${signatureOf(signable.message, secretOf(secret))}`;
}

/**
 * Check a path, without the prefix of a proxy, and a query, both as they were sent. Return the
 * verified query without `sig`, `kid`, `exp` and `free`.
 *
 * `secrets` has the secret of each `kid`, in hexadecimal digits; `now` is in seconds since 1970.
 * Throws SignatureFault. What `free` names is for the gateway to check: it knows the presets.
 */
export function verify(path, query, secrets, now = Date.now() / 1000) {
  const signable = read(path, query);
  if (signable.sig === undefined) throw new SignatureFault("sig", "There is no `sig`.");
  if (!Object.hasOwn(secrets, signable.kid)) {
    throw new SignatureFault("kid", "There is no such signing key.");
  }
  const expected = Buffer.from(signatureOf(signable.message, secretOf(secrets[signable.kid])));
  const given = Buffer.from(signable.sig);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new SignatureFault("sig", "The signature is not that of this URL.");
  }
  if (signable.exp !== undefined) {
    if (signable.exp <= now) throw new SignatureFault("expired", "The URL has expired.");
    if (signable.exp > now + MAX_AHEAD) {
      throw new SignatureFault("exp", "`exp` is in seconds, and at most ten years ahead.");
    }
  }
  return signable.query;
}

/** Return what is signed of a path and a query, `message`, and what they ask. */
export function read(path, query) {
  if (Buffer.byteLength(path) > MAX_PATH || Buffer.byteLength(query) > MAX_QUERY) {
    throw new SignatureFault("too_long", "The path or the query is too long.");
  }
  if (!/^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)+$/.test(path)) {
    throw new SignatureFault("path", "The path has another character than the unreserved ones.");
  }
  const pairs = pairsOf(query);
  const valuesOf = (name) => pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]);
  for (const name of ["sig", "exp", "free"]) {
    if (valuesOf(name).length > 1) throw new SignatureFault(name, `\`${name}\` is there twice.`);
  }
  const [[sig], kids, [exp], [free]] = OWN.map(valuesOf);
  if (kids.length !== 1 || !/^[A-Za-z0-9._-]{1,64}$/.test(kids[0])) {
    throw new SignatureFault("kid", "One `kid` has to name the signing key.");
  }
  if (exp !== undefined && !/^[1-9][0-9]{0,15}$/.test(exp)) {
    throw new SignatureFault("exp", "`exp` is a whole number of seconds since 1970.");
  }
  const uncovered = freeNames(free, valuesOf);
  const inOrder = pairs
    .filter(([name]) => name !== "sig")
    .sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  const text = encoded(inOrder);
  if (text.length > MAX_QUERY) {
    throw new SignatureFault("too_long", "The canonical query is too long.");
  }
  const covered = encoded(inOrder.filter(([name]) => !uncovered.includes(name)));
  return {
    message: `${SCHEME}\n${path}\n${covered}`,
    query: encoded(inOrder.filter(([name]) => !OWN.includes(name))),
    text,
    kid: kids[0],
    exp: exp === undefined ? undefined : Number(exp),
    free: uncovered,
    sig,
  };
}

/** Return the signature of a message: 43 characters of base64url. `secret` is a Buffer. */
export function signatureOf(message, secret) {
  return createHmac("sha256", secret).update(message).digest("base64url");
}

function secretOf(text) {
  if (typeof text !== "string" || !/^(?:[0-9A-Fa-f]{2}){32,64}$/.test(text)) {
    throw new RangeError("a secret is 64 to 128 hexadecimal digits: 32 to 64 bytes");
  }
  return Buffer.from(text, "hex");
}

function pairsOf(query) {
  if (!/^[\x21-\x7e]*$/.test(query) || /%(?![0-9A-Fa-f]{2})/.test(query)) {
    throw new SignatureFault("encoding", "A byte, or a `%`, is not percent-encoded.");
  }
  return query.split("&").map((part) => {
    const equals = part.indexOf("=");
    if (equals < 1) throw new SignatureFault("encoding", "Each part is `name=value`.");
    return [decoded(part.slice(0, equals)), decoded(part.slice(equals + 1))];
  });
}

function decoded(text) {
  const bytes = text
    .replaceAll("+", " ")
    .replace(/%([0-9A-Fa-f]{2})/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
  let value;
  try {
    value = UTF8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    throw new SignatureFault("encoding", "The query is not UTF-8.");
  }
  if (value.includes("\0")) throw new SignatureFault("encoding", "The query has a NUL.");
  return value;
}

function encoded(pairs) {
  return pairs.map(([name, value]) => `${quoted(name)}=${quoted(value)}`).join("&");
}

/** Encode every byte but the unreserved ones, of which encodeURIComponent leaves five more. */
function quoted(text) {
  const code = (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, code);
}

function freeNames(value, valuesOf) {
  if (value === undefined) return [];
  const names = value.split(",");
  if (valuesOf("preset").length !== 1) {
    throw new SignatureFault("free", "`free` names variables of a `preset`.");
  }
  names.forEach((name, index) => {
    if (
      !/^[a-z][a-z0-9_]{0,31}$/.test(name) ||
      NEVER_FREE.includes(name) ||
      names.indexOf(name) !== index ||
      valuesOf(name).length !== 1
    ) {
      throw new SignatureFault("free", "`free` lists variables, and each is there once.");
    }
  });
  return names;
}

function split(base) {
  const match = /^([^/]*:\/\/[^/]*)(.*)$/s.exec(base);
  return match ? [match[1], match[2]] : ["", base];
}

function moment(expires, grid, now) {
  if (!Number.isInteger(expires) || !Number.isInteger(grid) || expires < 1 || grid < 1) {
    throw new RangeError("expires and grid are whole seconds, from 1");
  }
  const step = Math.min(grid, expires);
  return Math.ceil((now + expires) / step) * step;
}
