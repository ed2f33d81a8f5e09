// A stand-in for Loci's server: it speaks the HTTP contract and reads nothing. For work on the page and for its tests.
//
//   node mock/main.mjs [--port 8090] [--dist] [--dev]
//
// --dist also serves the built page; --dev starts Vite beside it, with the page rebuilt as its sources change.

import { createServer as createVite } from "vite";
import { sampleBook, sampleLetters } from "./book.mjs";
import { startMock } from "./server.mjs";

const argument = (name, fallback) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? fallback : process.argv[at + 1];
};

const port = Number(argument("--port", "8090"));
const mock = await startMock({ port, page: process.argv.includes("--dist") });
mock.settings.wordMs = 25;
mock.addReading({
  name: "The Lamp at Küsnacht",
  documents: [{ name: "the-lamp.txt", text: sampleBook(900) }],
  method: null,
});
mock.addReading({
  name: "Letters of a harbour master",
  documents: [
    { name: "letters-1.txt", text: sampleLetters(60) },
    { name: "letters-2.txt", text: sampleLetters(90) },
  ],
  method: "snap-kv",
});
console.log(`the mock answers at ${mock.url}`);

if (process.argv.includes("--dev")) {
  process.env.LOCI_BASE_URL ??= mock.url;
  const vite = await createVite();
  await vite.listen();
  vite.printUrls();
}
