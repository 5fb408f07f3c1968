"""The JavaScript client signs as the Python one: the same vectors, and the same random queries."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from contracts.access.signing import SignatureFault, read, signature_of

CLIENT = Path(__file__).resolve().parents[2] / "clients/js"
SECRET = bytes(range(32))

_BATCH = """
import { readFileSync } from "node:fs";
import { read, signatureOf } from "./signing.js";
const secret = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const answers = JSON.parse(readFileSync(0, "utf8")).map(([path, query]) => {
  try {
    const signable = read(path, query);
    return [signable.query, signatureOf(signable.message, secret)];
  } catch (error) {
    return error.fault ?? String(error);
  }
});
process.stdout.write(JSON.stringify(answers));
"""

_PIECES = [
    *("kid=web-1", "op=grayscale", "op=text:text=a", "exp=1800000000", "preset=card", "free=w"),
    *("&", "&", "&", "&", "=", "+", "%20", "%2B", "%2f", "%C3%A9", "%c3%a9", "%F0%9F%98%80"),
    *("w=640", "sig=abc", "~", "*", "'", "(", "!", "%", "%zz", "%80", "%00", " ", "é", "😀", "#"),
    *("%EF%BD%9E=1", "%F0%9F%98%80=2", "%EF%BB%BF", "/", "?", ".", "%0A"),
]


def node(*arguments: str, given: str = "") -> str:
    """Run node in the client's folder, and return its output. Fails without node in CI."""
    if shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail("Node.js is not installed")
        pytest.skip("Node.js is not installed")
    ran = subprocess.run(
        ["node", *arguments], cwd=CLIENT, input=given, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_javascript_client_passes_the_vectors() -> None:
    assert "\n# fail 0\n" in node("--test", "--test-reporter=tap")


def test_both_clients_agree_about_random_queries() -> None:
    chance = random.Random(18)
    paths = ["/v1/images/ab/render", "/v1", "/v1/a..b/c.", "/v1/../x", "/v1//x", "/é", "/v1/%20"]
    questions = []
    for _ in range(4000):
        pieces = chance.choices(_PIECES, k=chance.randint(0, 6))
        query = "".join(pieces)
        if chance.random() < 0.8:
            query = "&".join(["kid=web-1", *(piece.strip("&") for piece in pieces)])
        questions.append((chance.choices(paths, [9, 1, 1, 1, 1, 1, 1])[0], query))

    theirs = json.loads(node("--input-type=module", "-e", _BATCH, given=json.dumps(questions)))

    ours = [answer(path, query) for path, query in questions]
    assert [
        (question, own, other)
        for question, own, other in zip(questions, ours, theirs, strict=True)
        if own != other
    ] == []
    assert sum(isinstance(one, list) for one in ours) > 300


def answer(path: str, query: str) -> list[str] | str:
    """Return what a query asks and its signature, or the fault of it."""
    try:
        signable = read(path.encode(), query.encode())
    except SignatureFault as exc:
        return exc.fault.value
    return [signable.query, signature_of(signable.message, SECRET)]
