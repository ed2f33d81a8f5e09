// The same question by two methods.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sampleBook } from "../../mock/book.mjs";
import { LONG, addReading, close, shot, start, textFile } from "./harness.mjs";

const run = Date.now() % 100000;
let server;
let id;
before(async () => {
  server = await start();
  const page = await server.open();
  id = (await addReading(page, `Lamp ${run}`, [textFile(`lamp-${run}.txt`, sampleBook(14))], { method: "inf-llm" }))
    .split("/")
    .at(-1);
  await close(page);
});
after(() => server.stop());

test("the second reading is made by another method, and both are asked the same", async () => {
  const page = await server.open(`#/compare/${id}`);
  await page.getByText("It was read by").waitFor();
  await page.getByLabel("Other method", { exact: true }).selectOption("window");
  await page.getByRole("button", { name: "Read it by this method" }).click();
  const sides = page.locator(".side");
  await sides.nth(1).getByRole("heading", { name: "window" }).waitFor({ timeout: LONG });
  await page.getByPlaceholder("Ask both").waitFor({ timeout: LONG });
  const requests = [];
  page.on("request", (request) => /chat\/completions/.test(request.url()) && requests.push(request.postDataJSON()));
  await page.getByRole("textbox", { name: "Question to both" }).fill("Where was the key to the tower?");
  await page.keyboard.press("Enter");
  for (const side of [0, 1]) await sides.nth(side).locator(".turn.done .account").waitFor({ timeout: LONG });
  assert.equal(requests.length, 2);
  assert.deepEqual(requests[0].messages, requests[1].messages);
  assert.notEqual(requests[0].loci.reading, requests[1].loci.reading);
  const outcome = page.getByRole("region", { name: "Both answers" });
  await outcome.getByText(/passages on the left are also on the right/).waitFor();
  await outcome.getByRole("columnheader", { name: "inf-llm" }).waitFor();
  await outcome.getByRole("rowheader", { name: "Answer written in" }).waitFor();
  await shot(page, "compare");
  await close(page);
});

test("a reading that is there already is used, not made again", async () => {
  const page = await server.open(`#/compare/${id}`);
  const choice = page.getByRole("combobox", { name: "Compared with" });
  assert.match(await choice.locator("option:checked").innerText(), /^window/);
  await choice.selectOption({ label: "Another method …" });
  const method = page.getByLabel("Other method", { exact: true });
  await method.selectOption("window");
  await page.getByRole("button", { name: "Use that reading" }).click();
  await page.getByRole("heading", { name: "window" }).waitFor();
  await choice.selectOption({ label: "Another method …" });
  await method.selectOption("inf-llm");
  await page.getByText("That is how it was read already.").waitFor();
  await close(page);
});

test("the way here leads from the library and from a reading", async () => {
  const page = await server.open();
  await page
    .getByRole("link", { name: `Compare methods on Lamp ${run}` })
    .first()
    .click();
  await page.getByRole("heading", { name: "Compare", level: 1 }).waitFor();
  assert.match(
    await page.getByRole("combobox", { name: "Text" }).locator("option:checked").innerText(),
    new RegExp(`Lamp ${run}`),
  );
  await close(page);
});
