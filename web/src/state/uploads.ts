// Files on their way to the server.

import { said } from "../api/client.ts";
import * as api from "../api/readings.ts";
import { put } from "./readings.ts";
import { Store } from "./store.ts";

export interface Sending {
  number: number;
  what: api.Upload;
  /** 0 to 1. */
  sent: number;
  error: string | null;
  stop: () => void;
}

export const sendings = new Store<Sending[]>([]);

let numbers = 0;

export function send(what: api.Upload): void {
  const number = ++numbers;
  const abort = new AbortController();
  const change = (changes: Partial<Sending>) =>
    sendings.update((all) => all.map((one) => (one.number === number ? { ...one, ...changes } : one)));
  sendings.update((all) => [{ number, what, sent: 0, error: null, stop: () => abort.abort() }, ...all]);
  void api
    .upload(what, (sent) => change({ sent }), abort.signal)
    .then(
      (reading) => {
        put(reading);
        forget(number);
      },
      (error: unknown) => (abort.signal.aborted ? forget(number) : change({ error: said(error) })),
    );
}

export function retry(sending: Sending): void {
  forget(sending.number);
  send(sending.what);
}

export function forget(number: number): void {
  sendings.update((all) => all.filter((one) => one.number !== number));
}
