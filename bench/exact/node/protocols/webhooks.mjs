// Verifies deliveries with Standard Webhooks' own library: reads {secret, requests} from standard
// input, and writes a line for each request: null, or the reason of its refusal.
import { readFileSync } from "node:fs";

import { Webhook } from "standardwebhooks";

const { secret, requests } = JSON.parse(readFileSync(0, "utf-8"));
for (const { headers, body } of requests) {
  let refusal = null;
  try {
    const event = new Webhook(secret).verify(body, headers);
    if (JSON.stringify(event) !== JSON.stringify(JSON.parse(body))) refusal = "another event";
  } catch (error) {
    refusal = error.message;
  }
  console.log(JSON.stringify(refusal));
}
