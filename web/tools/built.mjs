// Whether the built page in dist is what the sources make.
//
//   write    note the sums of sources and built files in built.sha256 (part of `npm run build`)
//   rebuild  build anew into a folder of its own and compare byte by byte (part of `npm run check`)
//   lines    refuse source files that are too long to read in one sitting (part of `npm run check`)
//
// scripts/web-fresh.sh compares the sums without Node.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SUMS = join(ROOT, "built.sha256");
/** All that the built page depends on, and the built page. */
const COUNTED = [
  "dist",
  "index.html",
  "package-lock.json",
  "package.json",
  "public",
  "src",
  "tsconfig.json",
  "vite.config.ts",
];
const LONGEST = 400;

const read = (path) => readFileSync(join(ROOT, path));

/** Files below a path, in a fixed order. */
function files(path) {
  let entries;
  try {
    entries = readdirSync(join(ROOT, path), { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOTDIR") return [path];
    throw error;
  }
  return entries
    .flatMap((entry) => (entry.isDirectory() ? files(`${path}/${entry.name}`) : [`${path}/${entry.name}`]))
    .sort();
}

function sums() {
  const line = (path) => `${createHash("sha256").update(read(path)).digest("hex")}  ${path}\n`;
  return COUNTED.flatMap(files).sort().map(line).join("");
}

function stop(problems, help) {
  if (problems.length === 0) return;
  for (const problem of problems) console.error(`web: ${problem}`);
  console.error(help);
  process.exit(1);
}

function rebuild() {
  const out = "build/again";
  execFileSync(process.execPath, ["node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, LOCI_WEB_OUT: out },
  });
  const [kept, made] = [files("dist"), files(out)].map((all, which) =>
    all.map((path) => path.slice([5, out.length + 1][which])),
  );
  const problems = [
    ...kept.filter((path) => !made.includes(path)).map((path) => `dist/${path} is no longer made`),
    ...made
      .filter((path) => !kept.includes(path) || !read(`dist/${path}`).equals(read(`${out}/${path}`)))
      .map((path) => `dist/${path} is not what the sources make`),
  ];
  if (read("built.sha256").toString() !== sums()) problems.push("built.sha256 names other files or sums");
  rmSync(join(ROOT, out), { recursive: true });
  stop(problems, "run: npm run build");
}

function lines() {
  const long = ["src", "mock", "tests", "tools"]
    .flatMap(files)
    .map((path) => [path, read(path).toString().split("\n").length - 1])
    .filter(([, count]) => count > LONGEST)
    .map(([path, count]) => `${path} has ${count} lines, the ceiling is ${LONGEST}`);
  stop(long, "split it");
}

const jobs = { write: () => writeFileSync(SUMS, sums()), rebuild, lines };
const job = jobs[process.argv[2]];
if (!job) stop([`there is no job ${process.argv[2]}`], `jobs: ${Object.keys(jobs).join(", ")}`);
job();
