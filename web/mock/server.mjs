// The mock's HTTP side: the contract's routes, the built page under the policy of the real server, and knobs under /mock.

import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { chat } from "./chat.mjs";
import { Memories, memoryRoute } from "./memory-http.mjs";
import { MemoryError } from "./memory.mjs";
import { METHODS, methodProblem } from "./methods.mjs";
import { parts } from "./multipart.mjs";
import { Readings } from "./readings.mjs";
import { status } from "./status.mjs";

const KINDS = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
const DIST = new URL("../dist/", import.meta.url);
const POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const QUIET = {
  /** Tokens a second while reading. */
  readSpeed: 40000,
  /** Pause before each word of an answer. */
  wordMs: 4,
  /** Milliseconds a request waits in the queue, and how many are before it. */
  queueMs: 0,
  ahead: 0,
  /** Milliseconds of reading before an answer, with progress. */
  promptMs: 0,
  /** With a key, requests need it. */
  key: null,
  /** The connection breaks after so many words, once. */
  breakAfter: null,
  /** After so many words an error comes in mid-stream, once. */
  errorAfter: null,
  /** Whether there is a memory, the encoder it has, and what its verification finds wrong. */
  memory: true,
  encoder: "minilm",
  faults: [],
  /** No request is answered at all. */
  dead: false,
};

export async function startMock({ port = 0, page = false } = {}) {
  const settings = { ...QUIET };
  const readings = new Readings(settings);
  const state = {
    settings,
    readings,
    memories: new Memories(),
    counts: { running: 0, queued: 0, done: 0, failed: 0, refused: 0, cancelled: 0 },
    begun: Date.now(),
  };
  const server = createServer((request, response) => {
    handle(state, request, response, page).catch((error) => {
      if (error instanceof MemoryError) refuse(response, error.status, error.message, error.code);
      else if (!response.headersSent) refuse(response, 500, String(error));
      else response.destroy();
    });
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    settings,
    memories: state.memories,
    reset: () => Object.assign(settings, QUIET),
    addReading: (what) => readings.add(what, true),
    close: () => {
      readings.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

async function handle(state, request, response, page) {
  const path = new URL(request.url, "http://mock").pathname;
  const { settings } = state;
  if (path === "/mock/settings") {
    Object.assign(settings, JSON.parse((await body(request)).toString()));
    return send(response, settings);
  }
  if (settings.dead && (path.startsWith("/v1/") || path === "/health")) return void request.socket.destroy();
  const given = request.headers.authorization;
  if (settings.key && path.startsWith("/v1/") && given !== `Bearer ${settings.key}`) {
    return given
      ? refuse(response, 401, "this key is not known here", "invalid_api_key")
      : refuse(response, 401, "this server wants a key: send it as Authorization: Bearer KEY", "missing_api_key");
  }
  if (path === "/health") return send(response, { status: "ok", version: "0.1.0" });
  if (path === "/v1/models")
    return send(response, { object: "list", data: [model("smollm2", 8192), model("qwen3-4b", 40960)] });
  if (path === "/v1/loci/methods") return send(response, { methods: METHODS });
  if (path === "/v1/loci/status") return send(response, status(state));
  if (path === "/v1/chat/completions")
    return chat(state, JSON.parse((await body(request)).toString()), request, response, refuse);
  if (path.startsWith("/v1/loci/readings")) return reading(state, path, request, response);
  if (path === "/v1/memory" || path.startsWith("/v1/memory/")) {
    const answer = await memoryRoute(state, request, body);
    if (typeof answer !== "string") return send(response, answer);
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    return response.end(answer);
  }
  if (page && request.method === "GET") return file(path, response);
  return refuse(response, 404, `there is nothing at ${path}`);
}

async function reading({ readings }, path, request, response) {
  const [, id, what, number] = path.slice("/v1/loci/readings".length).split("/");
  if (!id) {
    if (request.method === "GET") return send(response, { readings: readings.all.map((one) => one.seen) });
    const asked = await wanted(readings, request);
    const problem = asked.method && methodProblem(asked.method);
    if (problem) return refuse(response, 400, problem, "invalid_method");
    if (asked.documents.length === 0)
      return refuse(response, 400, "a reading takes 1 to 1000 documents, not 0", "invalid_request");
    const empty = asked.documents.find((one) => one.text.trim() === "");
    if (empty) return refuse(response, 400, `${empty.name} is empty`, "invalid_document");
    return send(response, readings.add(asked), 202);
  }
  const found = readings.find(id);
  if (!found) return refuse(response, 404, readings.missing(id), "reading_not_found");
  if (what === "documents") {
    const text = found.texts[Number(number)]?.text;
    if (text === undefined) return refuse(response, 404, `${id} has no document ${number}`);
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
    return response.end(text);
  }
  if (request.method === "DELETE") {
    readings.remove(id);
    return send(response, { deleted: true, id });
  }
  if (request.method === "PATCH") {
    const { name, pinned } = JSON.parse((await body(request)).toString());
    if (name !== undefined) found.seen.name = name;
    if (pinned !== undefined) found.seen.pinned = pinned;
  }
  return send(response, found.seen);
}

async function wanted(readings, request) {
  const content = await body(request);
  const kind = request.headers["content-type"] ?? "";
  if (kind.startsWith("multipart/form-data")) {
    const all = parts(content, /boundary=("?)([^";]+)\1/.exec(kind)?.[2] ?? "");
    const field = (name) => all.find((part) => part.name === name)?.content.toString();
    const documents = all
      .filter((part) => part.name === "file")
      .map((part) => ({ name: part.file, text: part.content.toString() }));
    return {
      name: field("name"),
      model: field("model"),
      method: field("method") ?? null,
      budget: bytesOf(field("budget")),
      documents,
    };
  }
  const asked = JSON.parse(content.toString());
  const from = asked.from && readings.find(asked.from);
  return {
    name: from?.seen.name,
    ...asked,
    documents: from ? from.texts : (asked.documents ?? []),
    budget: bytesOf(asked.budget),
  };
}

function bytesOf(budget) {
  const match = /^(\d+)(MiB|GiB)$/.exec(budget ?? "");
  return match ? Number(match[1]) * (match[2] === "GiB" ? 2 ** 30 : 2 ** 20) : null;
}

function model(id, window) {
  return {
    id,
    object: "model",
    created: 0,
    owned_by: "local",
    loci: { trained_window: window, method: null, budget: null, embeddings: false, chat: true },
  };
}

function file(path, response) {
  const found = fileURLToPath(new URL(`.${path === "/" ? "/index.html" : path}`, DIST));
  if (!found.startsWith(fileURLToPath(DIST)) || !existsSync(found))
    return refuse(response, 404, `there is nothing at ${path}`);
  response.writeHead(200, {
    "content-type": KINDS[extname(found)] ?? "application/octet-stream",
    "content-security-policy": POLICY,
  });
  createReadStream(found).pipe(response);
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function send(response, value, code = 200) {
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

function refuse(response, code, message, name = null) {
  send(response, { error: { message, type: "invalid_request_error", code: name, param: null } }, code);
}
