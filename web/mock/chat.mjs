// The mock's answers, as a stream or at once.

import { answerText, contextOf, evidenceFor, mapOf } from "./answer.mjs";
import { methodProblem, planned } from "./methods.mjs";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function chat(state, asked, request, response, refuse) {
  const { settings, readings, counts } = state;
  const loci = asked.loci ?? {};
  const found = loci.reading ? readings.find(loci.reading) : null;
  if (loci.reading && !found) return refuse(response, 404, readings.missing(loci.reading), "reading_not_found");
  if (found && found.seen.status !== "ready")
    return refuse(response, 409, `the reading ${loci.reading} is not ready yet`, "reading_not_ready");
  const problem = loci.method && methodProblem(loci.method);
  if (problem) return refuse(response, 400, problem, "invalid_method");

  const question = asked.messages.at(-1).content;
  const method = found ? found.seen.method : planned(loci.method ?? "full");
  const seed = [...method].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const evidence = found ? evidenceFor(found.texts, question, loci.evidence ?? 5, seed) : [];
  const words = answerText(evidence)
    .split(/(?<= )/)
    .slice(0, asked.max_tokens ?? 256);
  const tokens = found ? found.tokens : 40 + asked.messages.reduce((sum, one) => sum + one.content.length / 4, 0);
  const account = {
    method,
    context: contextOf(Math.round(tokens) + 43, method),
    ...(found
      ? { evidence, weighed_by: "retrieval heads", map: mapOf(found.texts, evidence, loci.map ?? 120, method, seed) }
      : {}),
    timing: {
      queued_s: settings.queueMs / 1000,
      prefill_tokens: 43,
      prefill_s: 0.21,
      decode_tokens: words.length,
      decode_s: (words.length * settings.wordMs) / 1000,
    },
  };
  const usage = {
    prompt_tokens: account.context.given,
    completion_tokens: words.length,
    total_tokens: account.context.given + words.length,
    prompt_tokens_details: { cached_tokens: Math.round(tokens) },
  };
  counts.running++;
  let gone = false;
  request.on("close", () => (gone = !response.writableEnded));
  response.on("close", () => (gone = !response.writableEnded));
  try {
    if (!asked.stream) {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(
        JSON.stringify({
          id: "c",
          object: "chat.completion",
          choices: [{ index: 0, message: { role: "assistant", content: words.join("") }, finish_reason: "stop" }],
          usage,
          loci: account,
        }),
      );
      counts.done++;
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const event = (value) =>
      response.write(
        `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [], ...value })}\n\n`,
      );
    event({ choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] });
    if (settings.queueMs > 0) {
      event({ loci: { queued: settings.ahead } });
      await pause(settings.queueMs);
    }
    for (let step = 1; step <= 4 && settings.promptMs > 0; step++) {
      event({ loci: { progress: { done: step * 11, total: 44, tokens_per_s: 300 } } });
      await pause(settings.promptMs / 4);
    }
    for (const [index, word] of words.entries()) {
      if (settings.wordMs > 0) await pause(settings.wordMs);
      if (gone) {
        counts.cancelled++;
        return;
      }
      if (settings.breakAfter === index) {
        settings.breakAfter = null;
        return void response.destroy();
      }
      if (settings.errorAfter === index) {
        settings.errorAfter = null;
        counts.failed++;
        response.write(
          `data: ${JSON.stringify({ error: { message: "the answer took longer than 600 s; ask for fewer tokens", type: "timeout", code: "timeout", param: null } })}\n\n`,
        );
        return void response.end();
      }
      event({ choices: [{ index: 0, delta: { content: word }, finish_reason: null }] });
    }
    event({
      choices: [{ index: 0, delta: {}, finish_reason: words.length >= (asked.max_tokens ?? 256) ? "length" : "stop" }],
      loci: account,
    });
    if (asked.stream_options?.include_usage) event({ usage });
    response.write("data: [DONE]\n\n");
    response.end();
    counts.done++;
  } finally {
    counts.running--;
  }
}
