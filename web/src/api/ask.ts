// One question, answered as a stream.

import { ConnectionError, refusal, request, withBody } from "./client.ts";
import { EventParser } from "./sse.ts";
import type { Account, AskRequest, Progress } from "./types.ts";

export type AnswerEvent =
  | { kind: "queued"; ahead: number }
  | { kind: "progress"; progress: Progress }
  | { kind: "text"; text: string }
  | { kind: "end"; reason: string; account: Account | null }
  | { kind: "usage"; cached: number | null };

interface Chunk {
  error?: { message?: string };
  choices?: { delta?: { content?: string | null }; finish_reason?: string | null }[];
  usage?: { prompt_tokens_details?: { cached_tokens?: number } } | null;
  loci?: Partial<Account> & { progress?: Progress; queued?: number };
}

/** Yields what happens until the answer ends; throws what the server says, or that the connection broke. */
export async function* ask(body: AskRequest, signal: AbortSignal): AsyncGenerator<AnswerEvent> {
  const loci = { ...body.loci, progress: true };
  const whole = { ...body, loci, stream: true, stream_options: { include_usage: true } };
  const response = await request("v1/chat/completions", { ...withBody("POST", whole), signal });
  const reader = response.body?.getReader();
  if (!reader) throw new ConnectionError("The answer came without a body.");
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        if (signal.aborted) throw error;
        throw new ConnectionError("The connection broke while the answer was being written.");
      });
      if (done) throw new ConnectionError("The connection ended before the answer did.");
      for (const data of parser.push(value)) {
        if (data === "[DONE]") return;
        yield* events(data);
      }
    }
  } finally {
    // Whatever ended it, the server need not go on.
    void reader.cancel().catch(() => undefined);
  }
}

/** What one event of the stream means. */
export function* events(data: string): Generator<AnswerEvent> {
  let chunk: Chunk;
  try {
    chunk = JSON.parse(data) as Chunk;
  } catch {
    throw new ConnectionError(`The stream holds what is no JSON: ${data.slice(0, 80)}`);
  }
  if (chunk.error) throw refusal(500, data);
  if (chunk.loci?.queued !== undefined) yield { kind: "queued", ahead: chunk.loci.queued };
  if (chunk.loci?.progress) yield { kind: "progress", progress: chunk.loci.progress };
  const choice = chunk.choices?.[0];
  if (choice?.delta?.content) yield { kind: "text", text: choice.delta.content };
  if (choice?.finish_reason) {
    const account = chunk.loci?.context ? (chunk.loci as Account) : null;
    yield { kind: "end", reason: choice.finish_reason, account };
  }
  if (chunk.usage) yield { kind: "usage", cached: chunk.usage.prompt_tokens_details?.cached_tokens ?? null };
}
