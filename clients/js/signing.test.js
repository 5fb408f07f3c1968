// Run the vectors that the gateway and the Python client pass, too: `node --test`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { SignatureFault, read, sign, signatureOf, verify } from "./signing.js";

const { keys, signed, refused, urls, unsignable } = JSON.parse(
  readFileSync(new URL("../../docs/downloads/darkroom-url-1.json", import.meta.url), "utf8"),
);
const secret = (kid) => Buffer.from(keys[kid], "hex");

for (const vector of signed) {
  test(`signed: ${vector.name}`, () => {
    const signable = read(vector.path, vector.query);
    assert.equal(signable.message, vector.message);
    assert.equal(signatureOf(signable.message, secret(signable.kid)), vector.sig);
    const query = `${vector.query}&sig=${vector.sig}`;
    assert.equal(verify(vector.path, query, keys, 1790000000), vector.asked);
  });
}

for (const vector of refused) {
  test(`refused: ${vector.name}`, () => {
    assert.throws(
      () => verify(vector.path, vector.query, keys, vector.now),
      (error) => error instanceof SignatureFault && error.fault === vector.fault,
    );
  });
}

for (const vector of urls) {
  test(`url: ${vector.name}`, () => {
    const options = { ...vector.options, secret: keys[vector.options.kid] };
    assert.equal(sign(vector.url, options), vector.signed);
  });
}

for (const vector of unsignable) {
  test(`unsignable: ${vector.name}`, () => {
    assert.throws(() => sign(vector.url, { ...vector.options, secret: keys["web-1"] }));
  });
}

test("what is too long is refused", () => {
  const long = `op=text:text=${"a".repeat(8192)}&kid=web-1`;
  const grows = `op=text:text=${":".repeat(3000)}&kid=web-1`;
  for (const [path, query] of [["/v1", long], ["/v1", grows], [`/${"a".repeat(1024)}`, "kid=1"]]) {
    assert.throws(() => read(path, query), (error) => error.fault === "too_long");
  }
});

test("an error does not repeat the secret", () => {
  const options = { kid: "web-1", secret: "0badc0de" };
  assert.throws(() => sign("/v1?op=grayscale", options), (error) => !/0badc0de/.test(error.message));
});
