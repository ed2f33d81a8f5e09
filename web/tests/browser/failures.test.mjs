// What can go wrong or be slow. What only the mock can be made to do is skipped against a real server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { sampleBook } from "../../mock/book.mjs";
import { LONG, addReading, answered, askQuestion, close, real, shot, start, textFile } from "./harness.mjs";

const only = { skip: real && "only the mock can do this" };
const run = Date.now() % 100000;
const lamp = `Lamp ${run}`;
let server;
let book;
before(async () => {
  server = await start();
  const page = await server.open();
  book = await addReading(page, lamp, [textFile("lamp.txt", sampleBook(6))]);
  await close(page);
});
afterEach(() => server.mock?.reset());
after(() => server.stop());

test("progress of a reading is told with speed and time left, and it can be stopped", async () => {
  if (!real) server.mock.settings.readSpeed = 2000;
  const page = await server.open();
  await page.getByRole("button", { name: "Add texts" }).click();
  await page.getByLabel("Files to read").setInputFiles([textFile(`slow ${run}.txt`, sampleBook(200))]);
  await page.getByRole("button", { name: "Read it" }).click();
  const bar = page.getByRole("progressbar", { name: `Reading slow ${run}` });
  await bar.waitFor();
  const speed = real ? "[\\d,.]+" : "2,000";
  const words = new RegExp(`^[\\d,]+ of [\\d,]+ tokens · ${speed} tokens/s · about [\\d.]+.(s|min \\d+ s) left$`);
  await page.getByText(words).waitFor({ timeout: LONG });
  const first = await bar.evaluate((one) => one.value);
  await page.waitForFunction(([one, value]) => one.value > value, [await bar.elementHandle(), first], {
    timeout: LONG,
  });
  await shot(page, "failures-progress");
  await page.getByRole("button", { name: `Stop reading slow ${run}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop and delete" }).click();
  await bar.waitFor({ state: "detached" });
  await close(page);
});

test("the answer is shown while it is written", async () => {
  if (!real) server.mock.settings.wordMs = 150;
  const page = await server.open("#/chat", { longest: 400 });
  await askQuestion(page, "Write a long story of a lighthouse and those who kept it.");
  const longer = (than) =>
    page.waitForFunction((length) => document.querySelector(".answer")?.innerText.length > length, than, {
      timeout: LONG,
    });
  await longer(0);
  await longer((await page.locator(".answer").innerText()).length);
  assert.equal(await page.locator(".answer").getAttribute("aria-busy"), "true");
  await page.getByRole("button", { name: "Stop the answer" }).click();
  await page.getByText("Stopped before the end.").waitFor();
  const stopped = (await page.locator(".answer").innerText()).length;
  await page.waitForTimeout(400);
  assert.equal((await page.locator(".answer").innerText()).length, stopped);
  await close(page);
});

test("waiting in the queue and reading the question are told", only, async () => {
  Object.assign(server.mock.settings, { queueMs: 800, ahead: 3, promptMs: 1200 });
  const page = await server.open(book);
  await askQuestion(page, "Who kept the lamp?");
  await page.getByText("Waiting: 3 requests before this one").waitFor();
  await page.getByRole("progressbar", { name: "Reading the question" }).waitFor();
  await answered(page);
  await close(page);
});

/** How a refusal comes. */
const refused = (status, message) => ({
  status,
  contentType: "application/json",
  body: JSON.stringify({ error: { message } }),
});

test("refusals are shown as they are said", async () => {
  const message = "the queue is full: 64 requests wait already; try again later";
  const page = await server.open(book);
  await page.route("**/chat/completions", (route) => route.fulfill(refused(429, message)), { times: 1 });
  await askQuestion(page, "Who kept the lamp?");
  await page.getByText(message).waitFor();
  await shot(page, "failures-refused");
  await page.getByRole("button", { name: "Ask again" }).click();
  await answered(page);
  assert.equal(await page.locator(".turn").count(), 1);
  await close(page);
});

test("an upload that is refused can be sent again", async () => {
  const message = "the request has 70000000 bytes, the limit is 67108864; send smaller files";
  const page = await server.open();
  await page.getByRole("button", { name: "Add texts" }).click();
  await page.getByLabel("Files to read").setInputFiles([textFile(`again ${run}.txt`, sampleBook(3))]);
  // The list of readings is asked for as well; only the upload is to fail.
  await page.route("**/v1/loci/readings", (route) => {
    if (route.request().method() !== "POST") return route.continue();
    return route.fulfill(refused(413, message));
  });
  await page.getByRole("button", { name: "Read it" }).click();
  await page.getByText(message).waitFor();
  await page.unroute("**/v1/loci/readings");
  await page.getByRole("button", { name: "Send again" }).click();
  await page.getByRole("link", { name: `again ${run}`, exact: true }).waitFor({ timeout: LONG });
  await close(page);
});

test("a reading that failed says why, and is neither asked nor compared", async () => {
  const page = await server.open("#/nowhere");
  const error = "no space is left for the reading";
  // As the server lists it, but failed: no text makes that certain.
  await page.route("**/v1/loci/readings", async (route) => {
    const response = await route.fetch();
    const { readings } = await response.json();
    const failed = readings.map((one) => ({
      ...one,
      status: "failed",
      error,
      tokens: null,
      bytes: null,
      context: null,
    }));
    return route.fulfill({ response, json: { readings: failed } });
  });
  await page.getByRole("link", { name: "Library", exact: true }).click();
  const row = page.getByRole("listitem").filter({ hasText: lamp });
  await row.getByText(error).waitFor();
  assert.equal(await row.getByRole("link").count(), 0);
  await row.getByRole("button", { name: `Delete ${lamp}` }).waitFor();
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await close(page);
});

test("an error in the middle of an answer, and a broken connection", only, async () => {
  server.mock.settings.errorAfter = 4;
  const page = await server.open(book);
  await askQuestion(page, "Who kept the lamp in the tower?");
  await page.getByText("the answer took longer than 600 s; ask for fewer tokens").waitFor();
  server.mock.settings.breakAfter = 3;
  await page.getByRole("button", { name: "Ask again" }).click();
  await page.getByText(/^The connection (broke|ended)/).waitFor();
  await page.getByRole("button", { name: "Ask again" }).click();
  await answered(page);
  await close(page);
});

test("a lost server is told, tried again, and everything comes back by itself", only, async () => {
  const page = await server.open("#/");
  await page.getByRole("link", { name: lamp, exact: true }).waitFor();
  server.mock.settings.dead = true;
  await page.getByRole("link", { name: "Health", exact: true }).click();
  await page.getByText("The server cannot be reached.").first().waitFor();
  await page.getByText(/Trying again/).waitFor();
  await shot(page, "failures-lost");
  server.mock.settings.dead = false;
  await page.getByText("The server cannot be reached.").waitFor({ state: "detached", timeout: LONG });
  await page.getByText(/running for/).waitFor();
  await close(page);
});

test("the key is asked for once, a wrong one again, and the tab remembers it", only, async () => {
  server.mock.settings.key = "open sesame";
  const page = await server.open("#/");
  const dialog = page.getByRole("dialog", { name: "This server needs its API key" });
  await dialog.getByLabel("API key").fill("wrong");
  await page.keyboard.press("Enter");
  await dialog.getByText("The server did not accept that key.").waitFor();
  await shot(page, "failures-key");
  await dialog.getByLabel("API key").fill("open sesame");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: lamp, exact: true }).waitFor();
  assert.equal(await dialog.count(), 0);
  await page.reload();
  await page.getByRole("link", { name: lamp, exact: true }).waitFor();
  await addReading(page, "With key", [textFile("k.txt", sampleBook(3))]);
  await page.goto(`${server.url}/${book}`);
  await askQuestion(page, "Who kept the lamp?");
  await answered(page);
  await close(page);
});

test("a reading that is not there is said not to be", async () => {
  const page = await server.open("#/reading/r_none");
  await page.getByText('there is no reading "r_none"').waitFor();
  await close(page);
});
