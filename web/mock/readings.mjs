// Readings of the mock, "read" at a speed that can be set.

import { contextOf } from "./answer.mjs";
import { planned } from "./methods.mjs";

const TICK_MS = 100;

export class Readings {
  constructor(settings) {
    this.settings = settings;
    this.all = [];
    this.number = 0;
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.timer.unref();
  }

  add({ name, documents, model = "smollm2", method = null, budget = null }, ready = false) {
    this.number++;
    const texts = documents.map((one) => ({ name: one.name, text: one.text, bytes: Buffer.byteLength(one.text) }));
    const bytes = texts.reduce((sum, one) => sum + one.bytes, 0);
    const reading = {
      texts,
      asked: method,
      seen: {
        id: `r_${(0x3f9a0000 + this.number * 7919).toString(16)}`,
        name: name || (texts[0]?.name ?? "text"),
        status: "queued",
        progress: null,
        error: null,
        model,
        method,
        budget,
        tokens: null,
        bytes: null,
        documents: texts.map((one) => ({ name: one.name, bytes: one.bytes })),
        created: 1767225600 + this.number * 3600,
        pinned: false,
        context: null,
      },
      tokens: Math.max(1, Math.round(bytes / 4.2)),
    };
    this.all.unshift(reading);
    if (ready) this.finish(reading);
    return reading.seen;
  }

  missing(id) {
    return `there is no reading "${id}"; /v1/loci/readings lists them`;
  }

  find(id) {
    return this.all.find((one) => one.seen.id === id);
  }

  remove(id) {
    this.all = this.all.filter((one) => one.seen.id !== id);
  }

  close() {
    clearInterval(this.timer);
  }

  tick() {
    const reading =
      this.all.findLast((one) => one.seen.status === "reading") ??
      this.all.findLast((one) => one.seen.status === "queued");
    if (!reading) return;
    const { seen } = reading;
    const speed = this.settings.readSpeed;
    seen.status = "reading";
    seen.progress ??= { done: 0, total: reading.tokens, tokens_per_s: speed };
    seen.progress.done = Math.min(reading.tokens, Math.round(seen.progress.done + (speed * TICK_MS) / 1000));
    if (seen.progress.done >= reading.tokens) this.finish(reading);
  }

  finish(reading) {
    const { seen } = reading;
    seen.method = planned(reading.asked ?? (reading.tokens > 8192 ? "inf-llm" : "full"));
    seen.status = "ready";
    seen.progress = null;
    seen.tokens = reading.tokens;
    seen.bytes = reading.tokens * 15360;
    seen.context = contextOf(reading.tokens, seen.method);
  }
}
