// Requests to the server: its key, its errors as it says them, and the loss of the connection.

import { markFine, markLost, probeWith } from "../state/connection.ts";
import { forTab, keep, recall } from "../state/kept.ts";

/** The server refused, in its own words. */
export class ServerError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string | null,
  ) {
    super(message);
  }
}

/** The server could not be reached, or the connection broke. */
export class ConnectionError extends Error {}

const KEY = "loci.key";
let askForKey: ((refused: boolean) => Promise<string>) | null = null;
let asking: Promise<string> | null = null;

/** What asks the person for the key; it never gives up, because nothing works without. */
export function keysFrom(prompt: (refused: boolean) => Promise<string>): void {
  askForKey = prompt;
}

/** An address of the server, relative to where the page lies. */
export function address(path: string): string {
  return new URL(path, document.baseURI).href;
}

/** The headers that carry the key, if there is one. */
export function authorization(): Record<string, string> {
  const key = recall(forTab, KEY);
  return key ? { authorization: `Bearer ${key}` } : {};
}

/** After a refusal of what `sent` authorised: asks for the key, once, however many requests wait for it. */
export async function renewKey(sent: Record<string, string>): Promise<void> {
  // Another request may have got a new one meanwhile.
  if (!askForKey || sent.authorization !== authorization().authorization) return;
  asking ??= askForKey(recall(forTab, KEY) !== null)
    .then((key) => (keep(forTab, KEY, key), key))
    .finally(() => (asking = null));
  await asking;
}

/** Sends a request; answers with status 2xx only, otherwise throws what the server said. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    let response: Response;
    const key = authorization();
    try {
      response = await fetch(address(path), { ...init, headers: { ...key, ...init.headers } });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      markLost();
      throw new ConnectionError("The server cannot be reached.");
    }
    markFine();
    if (response.ok) return response;
    if (response.status === 401 && askForKey) {
      await renewKey(key);
      continue;
    }
    throw await refusal(response.status, await response.text().catch(() => ""));
  }
}

/** The error in the body of a response, in whatever form it came. */
export function refusal(status: number, body: string): ServerError {
  try {
    const said = (JSON.parse(body) as { error?: { message?: unknown; code?: unknown } }).error;
    if (typeof said?.message === "string") {
      return new ServerError(said.message, status, typeof said.code === "string" ? said.code : null);
    }
  } catch {
    // Not JSON: shown as it is.
  }
  return new ServerError(body.trim().slice(0, 500) || `The server answered with status ${status}.`, status, null);
}

export async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await request(path, init);
  try {
    return (await response.json()) as T;
  } catch {
    throw new ServerError(`What came back for ${path} is no JSON.`, response.status, null);
  }
}

export function withBody(method: string, body: unknown): RequestInit {
  return { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** Any failure in words that can be shown. */
export function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

probeWith(async () => {
  try {
    return (await fetch(address("health"), { cache: "no-store" })).ok;
  } catch {
    return false;
  }
});
