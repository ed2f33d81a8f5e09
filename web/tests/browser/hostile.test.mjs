// Texts, names and answers are data: whatever they hold, it is shown and never run.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addReading, answered, askQuestion, close, start, textFile } from "./harness.mjs";

const BAIT = `<img src=x onerror="window.caught=1"><script>window.caught=1</script><b>bold</b> & "quoted"`;

let server;
before(async () => (server = await start()));
after(() => server.stop());

test("markup in a file, a name and an answer is shown as it is written", async () => {
  const page = await server.open();
  const text = Array.from(
    { length: 12 },
    (_, index) => `Paragraph ${index}. The harbour bait is ${BAIT} as written.`,
  ).join("\n\n");
  const name = `Bait <i>x</i> ${Date.now() % 100000}`;
  const href = await addReading(page, name, [textFile("bait.txt", text)]);
  await page.getByRole("link", { name, exact: true }).waitFor();
  await page.goto(`${server.url}/${href}`);
  await page.getByText("Paragraph 0.").waitFor();
  assert.ok((await page.locator(".text-page").innerText()).includes(BAIT));
  await askQuestion(page, `What is the harbour bait? ${BAIT}`);
  await answered(page);
  assert.equal(await page.locator(".text-page img, .text-page b, .text-page script, .turn img, .turn b").count(), 0);
  assert.equal(await page.evaluate(() => window.caught), undefined);
  await close(page);
});

test("the page holds no script or style of its own, so that a strict policy lets it pass", async () => {
  const page = await server.open();
  const response = await page.request.get(`${server.url}/`);
  assert.match(response.headers()["content-security-policy"] ?? "", /default-src 'self'/);
  const html = await response.text();
  assert.doesNotMatch(html, /<style|style=|<script(?![^>]*src=)| on\w+=/);
  await close(page);
});
