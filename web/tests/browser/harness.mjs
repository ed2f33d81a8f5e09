// A browser, and a server to look at: the mock, or the one at LOCI_BASE_URL.
//
// LOCI_CHROMIUM names the browser where it is not at a usual place. With LOCI_SHOTS=1 pictures are left in shots/.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startMock } from "../../mock/server.mjs";

const USUAL = [
  "/usr/bin/chromium-headless-shell",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
const SHOTS = fileURLToPath(new URL("../../shots/", import.meta.url));

/** How long the page may take for what needs no model, and for what does. */
export const SOON = 5000;
export const LONG = process.env.LOCI_BASE_URL ? 120000 : 15000;

export const WIDE = { width: 1360, height: 860 };
export const PHONE = { width: 360, height: 740 };

/** Whether a real server is looked at; tests of what only the mock can do are skipped then. */
export const real = process.env.LOCI_BASE_URL !== undefined;

export async function start() {
  const executablePath = process.env.LOCI_CHROMIUM ?? USUAL.find((path) => existsSync(path));
  assert.ok(
    executablePath,
    "no Chromium was found; on Debian and Ubuntu: apt install chromium-headless-shell; elsewhere set LOCI_CHROMIUM to it",
  );
  // The browser first: where it does not start, no server may be left that keeps the process from ending.
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  const mock = real ? null : await startMock({ page: true });
  return {
    mock,
    url: process.env.LOCI_BASE_URL ?? mock.url,
    browser,
    /**
     * A fresh page of its own; what goes wrong on it ends up in `page.complaints`. Answers are at most `longest` tokens
     * long, because a real model would write to the end of what it may.
     */
    async open(path = "#/", { viewport = WIDE, colorScheme = "light", longest = 32, ...more } = {}) {
      const context = await browser.newContext({ viewport, colorScheme, ...more });
      await context.addInitScript((maxTokens) => {
        localStorage["loci.settings"] ??= JSON.stringify({ maxTokens });
      }, longest);
      const page = await context.newPage();
      page.complaints = [];
      page.on("pageerror", (error) => page.complaints.push(String(error)));
      page.on("console", (message) => {
        // A refused or broken request is told by the browser, too; the page has to tell it itself.
        if (message.type() === "error" && !/Failed to load resource/.test(message.text()))
          page.complaints.push(message.text());
      });
      page.on("request", (request) => {
        if (!request.url().startsWith(this.url) && !request.url().startsWith("blob:"))
          page.complaints.push(`asked ${request.url()}`);
      });
      page.setDefaultTimeout(SOON);
      await page.goto(`${this.url}/${path}`);
      return page;
    },
    async stop() {
      await browser.close();
      mock?.close();
    },
  };
}

/** Nothing may have gone wrong unseen: no script error, nothing blocked by the policy, no request elsewhere. */
export async function close(page) {
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

export async function shot(page, name) {
  if (process.env.LOCI_SHOTS) await page.screenshot({ path: `${SHOTS}${name}.png` });
}

/** A text file as an upload takes it. */
export function textFile(name, text) {
  return { name, mimeType: "text/plain", buffer: Buffer.from(text) };
}

/** Adds a reading through the page and waits until it can be asked; gives its address. */
export async function addReading(page, name, files, { method } = {}) {
  await page.getByRole("heading", { name: "Library" }).waitFor();
  const add = page.getByRole("button", { name: "Add texts" });
  const input = page.getByLabel("Files to read");
  await add.or(input).first().waitFor({ state: "attached" });
  if (await add.isVisible()) await add.click();
  await input.setInputFiles(files);
  await page.getByRole("textbox", { name: "Name" }).fill(name);
  if (method) await page.getByLabel("Method", { exact: true }).selectOption(method);
  await page.getByRole("button", { name: /^Read (it|\d+ files)$/ }).click();
  const link = page.getByRole("link", { name, exact: true });
  await link.waitFor({ timeout: LONG });
  return link.getAttribute("href");
}

export async function askQuestion(page, question) {
  await page.getByRole("textbox", { name: /^(Question|Message)/ }).fill(question);
  await page.keyboard.press("Enter");
}

/** The newest answer when it is complete: the line that tells what was read stands below it. */
export async function answered(page) {
  const turn = page.locator(".turn.done").last();
  await turn.locator(".account").waitFor({ timeout: LONG });
  return turn;
}
