// For everybody: by keyboard alone, on a narrow screen, in both colour schemes, with enough contrast.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sampleBook } from "../../mock/book.mjs";
import { LONG, PHONE, WIDE, addReading, answered, askQuestion, close, shot, start, textFile } from "./harness.mjs";
import { faint, nameless, sticking } from "./measures.mjs";

const run = Date.now() % 100000;
let server;
let book;
before(async () => {
  server = await start();
  const page = await server.open();
  book = await addReading(page, `A long title for a lamp at Küsnacht ${run}`, [
    textFile(`lamp-${run}.txt`, sampleBook(12)),
  ]);
  await close(page);
});
after(() => server.stop());

/** Brings a fresh page to each view, as full as it gets, and lets `look` see it. */
async function views(options, look) {
  const page = await server.open("#/", { reducedMotion: "reduce", ...options });
  const go = (hash) => page.evaluate((to) => (location.hash = to), hash);
  await page.getByRole("button", { name: "Add texts" }).click();
  await page.getByLabel("Method", { exact: true }).selectOption("inf-llm");
  await page.getByText("What it does and costs").click();
  await page.getByText(/^\d+ parameters/).click();
  await look(page, "add");
  await page
    .getByRole("button", { name: /^Delete / })
    .first()
    .click();
  await look(page, "dialog");
  await page.keyboard.press("Escape");
  await go(book);
  await askQuestion(page, "Who kept the lamp in the tower at Küsnacht?");
  const turn = await answered(page);
  await turn.locator(".account summary").click();
  await page.getByText("Settings", { exact: true }).click();
  await look(page, "answer");
  await page.getByText("Settings", { exact: true }).click();
  await turn.locator(".passage").first().click();
  await look(page, "text");
  await page.locator(".how summary").click();
  await look(page, "how");
  await go(book.replace("reading", "compare"));
  await page.getByText("It was read by").waitFor();
  await look(page, "compare");
  await go("#/health");
  await page.getByRole("table", { name: "Limits" }).waitFor();
  await look(page, "health");
  await go("#/chat");
  await page.getByText("Settings", { exact: true }).click();
  await look(page, "chat");
  await go("#/nowhere");
  await page.getByRole("heading", { name: "Nothing is here" }).waitFor();
  await look(page, "nowhere");
  await close(page);
}

for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport] of [
    ["wide", WIDE],
    ["phone", PHONE],
  ]) {
    test(`${colorScheme} and ${name}: contrast, width and names are right in every view`, async () => {
      await views({ colorScheme, viewport }, async (page, view) => {
        await page.waitForTimeout(200);
        await shot(page, `${view}-${name}-${colorScheme}`);
        assert.deepEqual(await page.evaluate(faint), [], `contrast in ${view}`);
        assert.deepEqual(await page.evaluate(sticking), [], `width of ${view}`);
        assert.deepEqual(await page.evaluate(nameless), [], `names in ${view}`);
      });
    });
  }
}

test("the theme is switched by hand and stays", async () => {
  const page = await server.open("#/", { colorScheme: "light" });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  const button = page.getByRole("button", { name: /^Colours:/ });
  await button.click();
  assert.equal(await ground(), light);
  await button.click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await button.waitFor();
  assert.equal(await ground(), dark);
  await button.click();
  assert.equal(await ground(), light);
  await close(page);
});

test("from an empty hand to an answer and its passage by keyboard alone", async () => {
  const page = await server.open("#/");
  const focused = () =>
    page.evaluate(
      () => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "",
    );
  /** Tab until the focus is on what is looked for; it has to be visible there. */
  const tabTo = async (wanted) => {
    for (let times = 0; times < 80; times++) {
      await page.keyboard.press("Tab");
      if (wanted.test(await focused())) {
        const outlined = await page.evaluate(() => {
          const style = getComputedStyle(document.activeElement);
          const around = getComputedStyle(document.activeElement.parentElement);
          return style.outlineStyle !== "none" || around.boxShadow !== "none";
        });
        return assert.ok(outlined, `the focus on ${wanted} is seen`);
      }
    }
    return assert.fail(`no way by Tab to ${wanted}`);
  };
  // Listening from the start: the browser has to know it before the key is pressed.
  page.once("filechooser", (chooser) => chooser.setFiles([textFile(`keys ${run}.txt`, sampleBook(5))]));
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await tabTo(/^Add texts/);
  await page.keyboard.press("Enter");
  await page.getByRole("form", { name: "Add texts" }).waitFor();
  await tabTo(/^Choose files/);
  await page.keyboard.press("Enter");
  await page.getByRole("list", { name: "Chosen files" }).waitFor();
  await tabTo(/^Read it/);
  await page.keyboard.press("Enter");
  // Nothing was typed as a name, so it is the file's.
  const name = `keys ${run}`;
  await page.getByRole("link", { name, exact: true }).waitFor({ timeout: LONG });
  await page.getByRole("status").getByText(`${name} has been read and can be asked.`).waitFor();
  await tabTo(new RegExp(`^${name}$`));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name, level: 1 }).waitFor();
  await tabTo(/^Question about keys/);
  await page.keyboard.type("Who kept the lamp?");
  await page.keyboard.press("Enter");
  await answered(page);
  await page.keyboard.press("Shift+Tab");
  for (let times = 0; times < 40 && !/\s%/.test(await focused()); times++) await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await page.locator("mark.shown").first().waitFor();
  await tabTo(/^Map of the context/);
  await page.keyboard.press("ArrowRight");
  await page
    .locator(".legend")
    .getByText(/in memory, .* of attention/)
    .waitFor();
  await close(page);
});

test("answers and progress are told to those who listen", async () => {
  const page = await server.open(book);
  await askQuestion(page, "Who kept the lamp?");
  const answer = page.locator(".answer").last();
  await answer.waitFor({ state: "attached" });
  assert.equal(await answer.getAttribute("aria-live"), "polite");
  await answered(page);
  assert.equal(await answer.getAttribute("aria-busy"), "false");
  await close(page);
});
