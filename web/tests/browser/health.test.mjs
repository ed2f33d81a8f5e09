// Live numbers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { close, shot, start } from "./harness.mjs";

let server;
before(async () => (server = await start()));
after(() => server.stop());

test("numbers come anew every two seconds, and charts grow", async () => {
  const page = await server.open("#/health");
  await page.getByText(/^Loci \d+\.\d+\.\d+, running for/).waitFor();
  const path = page.locator(".chart path").first();
  const points = async () => ((await path.getAttribute("d")) ?? "").split(/[ML]/).length;
  const before = await points();
  await page.waitForTimeout(4500);
  assert.ok((await points()) >= before + 2);
  for (const caption of ["Requests", "Tokens", "Memory and disk", "Limits"]) {
    await page.getByRole("table", { name: caption }).waitFor();
  }
  await page.getByRole("img", { name: /^Memory over the last 1 min, at most \d/ }).waitFor();
  await shot(page, "health");
  await close(page);
});

test("no more is asked once another view is shown", async () => {
  const page = await server.open("#/health");
  await page.getByText(/running for/).waitFor();
  await page.getByRole("link", { name: "Chat", exact: true }).click();
  let polls = 0;
  page.on("request", (request) => /loci\/status/.test(request.url()) && polls++);
  await page.waitForTimeout(3000);
  assert.equal(polls, 0);
  await close(page);
});
