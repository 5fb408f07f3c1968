// A program of somebody who has nothing but the OpenAPI document: every request and answer has a type.

import createClient from "openapi-fetch";
import type { paths } from "./api.js";

export async function use(baseUrl: string, key: string, picture: Uint8Array): Promise<string[]> {
  const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
  const steps: string[] = [];

  const uploaded = await client.POST("/v1/images", {
    params: { query: { label: "a room" } },
    body: picture as unknown as string,
    bodySerializer: (body) => body as unknown as BodyInit,
    headers: { "Content-Type": "application/octet-stream" },
  });
  if (!uploaded.data) throw new Error(uploaded.error.detail);
  const image: string = uploaded.data.id;
  steps.push("upload");

  const rendered = await client.GET("/v1/images/{image_id}/render", {
    params: {
      path: { image_id: image },
      query: { op: ["resize:width=20", "grayscale"], format: "webp", quality: 70, lossless: false },
    },
    parseAs: "arrayBuffer",
  });
  if (!rendered.data) throw new Error(rendered.error.detail);
  if (rendered.response.headers.get("Content-Type") !== "image/webp") throw new Error("no WebP");
  steps.push("render");

  const job = await client.POST("/v1/jobs", {
    body: {
      source: { image },
      variants: [{ operations: [{ op: "resize", width: 20 }], output: { format: "png" } }],
    },
    headers: { "Content-Type": "application/json" },
  });
  if (!job.data) throw new Error(job.error.detail);
  steps.push("submit");

  for (;;) {
    const { data, error } = await client.GET("/v1/jobs/{job_id}", {
      params: { path: { job_id: job.data.id } },
      redirect: "manual",
      parseAs: "stream",
    });
    if (!data) {
      if (error && "code" in error) throw new Error(error.detail);
      break; // a redirect to the results
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const results = await client.GET("/v1/jobs/{job_id}/results", {
    params: { path: { job_id: job.data.id } },
  });
  if (!results.data) throw new Error(results.error.detail);
  if (results.data.results?.length !== 1) throw new Error("not one result");
  steps.push("wait");

  const refused = await client.GET("/v1/images/{image_id}/render", {
    params: { path: { image_id: image }, query: { op: ["resize:widht=20"] } },
    parseAs: "json",
  });
  if (refused.error?.code !== "invalid_operation") throw new Error("no problem document");
  steps.push("problem");
  return steps;
}
