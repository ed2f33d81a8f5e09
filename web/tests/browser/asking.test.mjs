// Asking a reading: the answer as it is written, its evidence in the text, the map, the report.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sampleBook, sampleLetters } from "../../mock/book.mjs";
import { LONG, addReading, answered, askQuestion, close, shot, start, textFile } from "./harness.mjs";

const BOOK = sampleBook(12);
const QUESTION = "Who kept the lamp in the tower at Küsnacht?";
const run = Date.now() % 100000;

let server;
let book;
let two;
before(async () => {
  server = await start();
  const page = await server.open();
  book = await addReading(page, `Lamp ${run}`, [textFile("lamp.txt", BOOK)]);
  two = await addReading(page, `Two ${run}`, [
    textFile("first.txt", sampleBook(5)),
    textFile("second.txt", sampleLetters(6)),
  ]);
  await close(page);
});
after(() => server.stop());

/** Asks, and gives the account that the server sent with the answer, as the page keeps it for this tab. */
async function ask(page, question = QUESTION) {
  await askQuestion(page, question);
  const turn = await answered(page);
  await page.waitForFunction(() => Object.keys(sessionStorage).some((name) => name.startsWith("loci.turns.")));
  const account = await page.evaluate(() => {
    const name = Object.keys(sessionStorage).find((one) => one.startsWith("loci.turns."));
    return JSON.parse(sessionStorage.getItem(name)).at(-1).account;
  });
  return { turn, account };
}

const visibleIn = (mark, box) => {
  const [inside, outside] = [mark.getBoundingClientRect(), document.querySelector(box).getBoundingClientRect()];
  return inside.top >= outside.top && inside.bottom <= outside.bottom;
};

test("every passage is highlighted where its bytes are, and nothing else is", async () => {
  const page = await server.open(book);
  const { account } = await ask(page);
  assert.ok(account.evidence.length > 0);
  // What the page's marks are made of, against the server's own text and offsets.
  const bytes = Buffer.from(
    await (await page.request.get(`${server.url}/v1/loci/readings/${book.split("/").at(-1)}/documents/0`)).body(),
  );
  const plain = (text) => text.replace(/\s+/g, "");
  for (const [index, passage] of account.evidence.entries()) {
    const slice = bytes.subarray(passage.start, passage.end).toString();
    assert.equal(plain(slice), plain(passage.text));
    const marked = (await page.locator(`mark[data-passage="${index}"]`).allTextContents()).join("");
    const hidden = account.evidence.some(
      (other, at) => at !== index && other.start < passage.end && other.end > passage.start,
    );
    if (!hidden) assert.equal(plain(marked), plain(slice), `passage ${index}`);
  }
  const union = new Set(
    account.evidence.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at)),
  );
  const marked = (await page.locator("mark").allTextContents()).join("");
  const expected = Buffer.from([...union].sort((a, b) => a - b).map((at) => bytes[at])).toString();
  assert.equal(plain(marked).length, plain(expected).length);
  await shot(page, "reading-answer");
  await close(page);
});

test("a passage is brought into view by its card and by the buttons above the text", async () => {
  const page = await server.open(book);
  const { account } = await ask(page);
  await page.locator("mark").first().waitFor();
  assert.ok(await page.locator('mark[data-passage="0"]').first().evaluate(visibleIn, ".scroll"));
  const last = account.evidence.length - 1;
  await page.locator(".scroll").evaluate((box) => (box.scrollTop = box.scrollHeight));
  await page.locator(".passage").nth(last).click();
  await page.waitForFunction((number) => document.querySelector(`mark.shown[data-passage="${number}"]`), last);
  await page.waitForTimeout(150);
  assert.ok(await page.locator("mark.shown").first().evaluate(visibleIn, ".scroll"));
  assert.equal(await page.locator(".passage").nth(last).getAttribute("aria-pressed"), "true");
  await page.getByRole("button", { name: "Next passage" }).click();
  await page.getByText(`Passage 1 of ${account.evidence.length}`).waitFor();
  await page.locator('mark.shown[data-passage="0"]').first().waitFor();
  await close(page);
});

test("the answer is accounted for: tokens, method, passages, time", async () => {
  const page = await server.open(book);
  const { turn, account } = await ask(page);
  const words = account.context.read.toLocaleString("en");
  await turn
    .locator(".account summary")
    .getByText(new RegExp(`^${words}(?: of [\\d,]+)? tokens read`))
    .waitFor();
  await turn.locator(".account summary").click();
  for (const label of ["Given", "Read", "Skipped", "Kept exactly", "Compressed", "Recalled", "Dropped", "Window"]) {
    await turn.getByRole("rowheader", { name: label, exact: true }).waitFor();
  }
  await turn.getByText(account.method, { exact: true }).waitFor();
  await turn.getByText(account.weighed_by, { exact: true }).waitFor();
  await turn.getByText("Not read again").waitFor();
  await close(page);
});

test("the map tells its numbers and leads to a place in the text", async () => {
  const page = await server.open(book);
  const { account } = await ask(page);
  const map = page.getByRole("slider", { name: "Map of the context" });
  const cells = account.map.cells;
  assert.equal(await map.getAttribute("aria-valuemax"), String(cells.length));
  await map.focus();
  await page.keyboard.press("End");
  assert.match(await map.getAttribute("aria-valuetext"), /in memory, .* of attention$/);
  const before = await page.locator(".scroll").evaluate((box) => box.scrollTop);
  await page.keyboard.press("Enter");
  await page.waitForFunction((top) => document.querySelector(".scroll").scrollTop > top, before);
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector(".scroll").scrollTop < 60);
  await page.mouse.move(0, 0);
  // A cell is as wide as its bytes are many.
  const { width } = await map.boundingBox();
  const { start, end } = cells[Math.floor(cells.length / 3)];
  await map.hover({ position: { x: (width * (start + end)) / 2 / Buffer.byteLength(BOOK), y: 20 } });
  await page
    .locator(".legend")
    .getByText(`lamp.txt, bytes ${start.toLocaleString("en")} to ${end.toLocaleString("en")}:`)
    .waitFor();
  await close(page);
});

test("of several documents the one with the passage is opened", async () => {
  const page = await server.open(two);
  const { account } = await ask(page, "When does the ferry to Rapperswil leave?");
  const choice = page.getByRole("combobox", { name: "Document" });
  const first = account.evidence[0].document;
  await page.waitForFunction((index) => document.querySelector(".text-head select").value === String(index), first);
  assert.ok(await page.locator('mark[data-passage="0"]').first().evaluate(visibleIn, ".scroll"));
  await choice.selectOption(String(1 - first));
  await page.getByRole("region", { name: first === 0 ? "second.txt" : "first.txt" }).waitFor();
  await shot(page, "reading-two");
  await close(page);
});

test("an answer is stopped, asked again, and a second question goes on", async () => {
  const page = await server.open(book);
  // The question is held back, so that there is something to stop however fast the server is.
  await page.route("**/chat/completions", () => undefined);
  await askQuestion(page, QUESTION);
  await page.getByRole("button", { name: "Stop the answer" }).click();
  await page.getByText("Stopped before the end.").waitFor();
  await page.unroute("**/chat/completions");
  await page.getByRole("button", { name: "Ask again" }).click();
  await answered(page);
  await askQuestion(page, "Where was the key to the tower?");
  await page.locator(".turn.done").nth(1).locator(".account").waitFor({ timeout: LONG });
  assert.equal(await page.locator(".turn").count(), 2);
  await page.reload();
  await page.locator(".turn").nth(1).waitFor();
  await page.getByRole("button", { name: "New conversation" }).click();
  assert.equal(await page.locator(".turn").count(), 0);
  await close(page);
});

test("settings go with the question and stay in this browser", async () => {
  const page = await server.open(book);
  await page.getByText("Settings", { exact: true }).click();
  await page.getByLabel("Passages", { exact: true }).fill("2");
  await page.getByLabel(/^Longest answer/).fill("3");
  await page.getByLabel("Temperature").fill("0.7");
  await page.keyboard.press("Tab");
  const request = page.waitForRequest(/chat\/completions/);
  await askQuestion(page, QUESTION);
  const body = (await request).postDataJSON();
  assert.deepEqual([body.max_tokens, body.temperature, body.loci.evidence], [3, 0.7, 2]);
  const turn = await answered(page);
  assert.ok((await turn.locator(".passage").count()) <= 2);
  await page.reload();
  await page.getByText("Settings", { exact: true }).click();
  assert.equal(await page.getByLabel(/^Longest answer/).inputValue(), "3");
  await close(page);
});

test("a conversation without a reading is possible", async () => {
  const page = await server.open("#/chat");
  await page.getByText("Settings", { exact: true }).click();
  await page.getByLabel(/^Longest answer/).fill("12");
  await page.keyboard.press("Tab");
  await askQuestion(page, "Say something.");
  const turn = await answered(page);
  assert.ok((await turn.locator(".answer").innerText()).length > 0);
  assert.equal(await turn.locator(".passage").count(), 0);
  await shot(page, "chat");
  await close(page);
});

test("megabytes of text open and scroll without a long pause", async () => {
  const page = await server.open();
  const lines = Array.from({ length: 40000 }, (_, index) => `Zeile ${index}: nothing of note, naïve café 燈塔`).join(
    "\n\n",
  );
  // Put under the page's own text pane through its address: the model need not read it for this.
  await page.route("**/documents/0", (route) =>
    route.fulfill({ contentType: "text/plain; charset=utf-8", body: lines }),
  );
  await page.goto(`${server.url}/${book}`);
  await page.getByText("Zeile 0:").waitFor({ timeout: LONG });
  await page.waitForFunction(
    () => [...document.querySelectorAll(".section")].every((one) => one.childElementCount > 0),
    null,
    { timeout: LONG },
  );
  const frames = await page.locator(".scroll").evaluate(async (box) => {
    const pauses = [];
    let last = performance.now();
    for (let step = 1; step <= 30; step++) {
      box.scrollTop = (box.scrollHeight * step) / 31;
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const now = performance.now();
      pauses.push(now - last);
      last = now;
    }
    return pauses.sort((a, b) => a - b);
  });
  const middle = frames[15];
  assert.ok(
    middle < 250,
    `a jump through ${(lines.length / 1e6).toFixed(1)} MB takes ${middle.toFixed(0)} ms in the middle`,
  );
  await close(page);
});
