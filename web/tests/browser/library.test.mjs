// The library: adding, progress, changing, deleting.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sampleBook, sampleLetters } from "../../mock/book.mjs";
import { LONG, addReading, close, shot, start, textFile } from "./harness.mjs";

let server;
before(async () => (server = await start()));
after(() => server.stop());

const run = Date.now() % 100000;

test("a text is added, read and listed with its facts", async () => {
  const page = await server.open();
  await addReading(page, `Lamp ${run}`, [textFile("lamp.txt", sampleBook(6))]);
  const row = page.getByRole("listitem").filter({ hasText: `Lamp ${run}` });
  await row.getByText("lamp.txt").waitFor();
  await row.getByText(/^[\d,]+ tokens$/).waitFor();
  await shot(page, "library");
  await close(page);
});

test("several files become one reading, and one can be left out", async () => {
  const page = await server.open();
  const add = page.getByRole("button", { name: "Add texts" });
  await add.click();
  await page
    .getByLabel("Files to read")
    .setInputFiles([
      textFile("one.txt", sampleLetters(4)),
      textFile("two.txt", sampleLetters(5)),
      textFile("three.txt", sampleLetters(6)),
    ]);
  await page.getByRole("button", { name: "Leave out two.txt" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill(`Letters ${run}`);
  await shot(page, "library-add");
  await page.getByRole("button", { name: "Read 2 files" }).click();
  const row = page.getByRole("listitem").filter({ hasText: `Letters ${run}` });
  await row.getByText("2 documents").waitFor({ timeout: LONG });
  await close(page);
});

test("files can be dropped anywhere on the page", async () => {
  const page = await server.open();
  await page.getByRole("button", { name: "Add texts" }).click();
  const files = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["dropped words"], "dropped.txt", { type: "text/plain" }));
    return transfer;
  });
  await page.dispatchEvent("body", "dragover", { dataTransfer: files });
  await page.getByText("Let go to add").waitFor();
  await page.dispatchEvent("body", "drop", { dataTransfer: files });
  await page.getByRole("list", { name: "Chosen files" }).getByText("dropped.txt").waitFor();
  await close(page);
});

test("the form of a method follows its declaration, and what does not fit cannot be sent", async () => {
  const page = await server.open();
  await page.getByRole("button", { name: "Add texts" }).click();
  await page.getByLabel("Files to read").setInputFiles([textFile("a.txt", "words")]);
  const read = page.getByRole("button", { name: "Read it" });
  await page.getByLabel("Method", { exact: true }).selectOption("inf-llm");
  await page.getByText(/reading a few blocks of it again/).waitFor();
  await page.getByText(/^\d+ parameters/).click();
  const topK = page.getByLabel(/^top_k/);
  assert.equal(await topK.inputValue(), "16");
  await topK.fill("many");
  await page.getByText(/^top_k is a whole number from 0 to \d+, not “many”\.$/).waitFor();
  assert.ok(await read.isDisabled());
  await topK.fill("8");
  await page.getByText("inf-llm:top_k=8").waitFor();
  assert.ok(await read.isEnabled());
  await page.getByLabel("Memory budget").fill("plenty");
  await page.getByText(/“plenty” is no budget/).waitFor();
  assert.ok(await read.isDisabled());
  await close(page);
});

test("a reading is renamed and pinned", async () => {
  const page = await server.open();
  await page.getByRole("button", { name: `Rename Letters ${run}` }).click();
  await page.getByLabel("New name").fill(`Post ${run}`);
  await page.keyboard.press("Enter");
  const pin = page.getByRole("button", { name: `Pin Post ${run}` });
  await pin.click();
  await page.locator('[aria-pressed="true"]').first().waitFor();
  await page.getByText("Pinned", { exact: true }).waitFor();
  await pin.click();
  await page.locator('[aria-pressed="true"]').first().waitFor({ state: "detached" });
  await close(page);
});

test("a file without text fails in the server's words", async () => {
  const page = await server.open();
  await page.getByRole("button", { name: "Add texts" }).click();
  await page.getByLabel("Files to read").setInputFiles([textFile("empty.txt", "")]);
  await page.getByRole("button", { name: "Read it" }).click();
  await page.locator(".reading .error").first().waitFor();
  assert.match(await page.locator(".reading .error").first().innerText(), /empty\.txt/);
  await close(page);
});

test("deleting asks first", async () => {
  const page = await server.open();
  const name = `Post ${run}`;
  const remove = page.getByRole("button", { name: `Delete ${name}` });
  await remove.click();
  await shot(page, "library-delete");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  assert.ok(await page.getByRole("link", { name, exact: true }).isVisible());
  await remove.click();
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await remove.click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("link", { name, exact: true }).waitFor({ state: "detached" });
  await page.reload();
  await page.getByRole("link", { name: `Lamp ${run}`, exact: true }).waitFor();
  assert.equal(await page.getByRole("link", { name, exact: true }).count(), 0);
  await close(page);
});
