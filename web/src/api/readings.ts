// Requests about readings.

import { ConnectionError, address, authorization, json, refusal, renewKey, request, withBody } from "./client.ts";
import type { Reading } from "./types.ts";

const ALL = "v1/loci/readings";

const one = (id: string) => `${ALL}/${encodeURIComponent(id)}`;

export async function list(): Promise<Reading[]> {
  return (await json<{ readings: Reading[] }>(ALL)).readings;
}

export async function remove(id: string): Promise<void> {
  await request(one(id), { method: "DELETE" });
}

export function change(id: string, changes: { name?: string; pinned?: boolean }): Promise<Reading> {
  return json<Reading>(one(id), withBody("PATCH", changes));
}

/** The same documents, read by another method. */
export function readAgain(from: string, method: string, budget: string): Promise<Reading> {
  return json<Reading>(ALL, withBody("POST", { from, method, ...(budget ? { budget } : {}) }));
}

/** The text of a document. A byte order mark stays, because evidence counts its bytes too. */
export async function documentText(id: string, index: number, signal: AbortSignal): Promise<string> {
  const response = await request(`${one(id)}/documents/${index}`, { signal });
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await response.arrayBuffer());
}

export interface Upload {
  files: File[];
  name: string;
  model: string;
  method: string;
  budget: string;
}

/** Sends files; `onSent` hears the share that has left. `fetch` cannot tell that, so this is the older interface. */
export async function upload(what: Upload, onSent: (share: number) => void, signal: AbortSignal): Promise<Reading> {
  const form = new FormData();
  for (const name of ["name", "model", "method", "budget"] as const) {
    if (what[name]) form.append(name, what[name]);
  }
  for (const file of what.files) form.append("file", file, file.name);
  for (;;) {
    const key = authorization();
    const { status, body } = await send(form, key, onSent, signal);
    if (status === 401) {
      await renewKey(key);
      continue;
    }
    if (status < 200 || status > 299) throw refusal(status, body);
    return JSON.parse(body) as Reading;
  }
}

interface Answer {
  status: number;
  body: string;
}

function send(
  form: FormData,
  key: Record<string, string>,
  onSent: (share: number) => void,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", address(ALL));
    for (const [name, value] of Object.entries(key)) sending.setRequestHeader(name, value);
    sending.upload.onprogress = (event) => {
      if (event.lengthComputable) onSent(event.loaded / event.total);
    };
    sending.onload = () => resolve({ status: sending.status, body: sending.responseText });
    sending.onerror = () => reject(new ConnectionError("The connection broke while the files were being sent."));
    sending.onabort = () => reject(new ConnectionError("Sending was stopped."));
    signal.addEventListener("abort", () => sending.abort());
    sending.send(form);
  });
}
