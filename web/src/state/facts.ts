// What the server offers: models and methods. Fetched once, and again after a lost connection or a failure.

import { ConnectionError, json, said } from "../api/client.ts";
import type { Method, Model } from "../api/types.ts";
import { restorations } from "./connection.ts";
import { Store } from "./store.ts";

export interface Facts {
  models: Model[];
  methods: Method[];
  error: string | null;
}

export const facts = new Store<Facts>({ models: [], methods: [], error: null });

export async function fetchFacts(): Promise<void> {
  try {
    const [models, methods] = await Promise.all([
      json<{ data: Model[] }>("v1/models"),
      json<{ methods: Method[] }>("v1/loci/methods"),
    ]);
    // A model that only embeds neither reads nor answers.
    const speaking = models.data.filter((model) => model.loci.chat || !model.loci.embeddings);
    facts.set({ models: speaking, methods: methods.methods, error: null });
  } catch (error) {
    facts.update((now) => ({ ...now, error: error instanceof ConnectionError ? null : said(error) }));
  }
}

restorations.watch(() => void fetchFacts());
