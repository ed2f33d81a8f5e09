// What the server sends and takes, as its HTTP contract says (version 1).

export interface Model {
  id: string;
  loci: { trained_window: number; method: string | null; budget: number | null; embeddings: boolean; chat: boolean };
}

export interface Parameter {
  name: string;
  unit: string;
  default: string | number | boolean;
  /** In words: "a whole number from 0 to 4096", "a number from 0 to 1", "true or false", "mean or activation". */
  domain: string;
  meaning: string;
}

export interface Method {
  id: string;
  title: string;
  paper: string;
  exactness: string;
  description: string;
  cost: string;
  composes_with: string[];
  parameters: Parameter[];
}

export interface Progress {
  done: number;
  total: number;
  tokens_per_s: number;
}

/** What became of the tokens of an input; all are counts of tokens. */
export interface ContextReport {
  given: number;
  read: number;
  skipped: number;
  kept: number;
  compressed: number;
  recalled: number;
  dropped: number;
  window: number;
}

export interface ReadDocument {
  name: string;
  bytes: number;
}

export interface Reading {
  id: string;
  name: string;
  status: "queued" | "reading" | "ready" | "failed";
  progress: Progress | null;
  error: string | null;
  model: string;
  method: string | null;
  budget: number | null;
  tokens: number | null;
  /** Of the saved file. */
  bytes: number | null;
  documents: ReadDocument[];
  /** Seconds since 1970. */
  created: number;
  pinned: boolean;
  context: ContextReport | null;
}

/** A passage of a document; `start` and `end` count bytes of its UTF-8. */
export interface Evidence {
  document: number;
  file: string;
  start: number;
  end: number;
  text: string;
  /** Share of the answer's attention, 0 to 1. */
  mass: number;
}

export interface Cell {
  document: number;
  start: number;
  end: number;
  /** Share of the cell's rows that memory still holds, 0 to 1. */
  held: number;
  /** Share of the answer's attention, 0 to 1. */
  mass: number;
}

export interface Timing {
  queued_s: number;
  prefill_tokens: number;
  prefill_s: number;
  decode_tokens: number;
  decode_s: number;
}

/** The `loci` object of an answer. */
export interface Account {
  method: string;
  context: ContextReport;
  evidence?: Evidence[];
  weighed_by?: string;
  timing?: Timing;
  map?: { cells: Cell[] };
}

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface AskRequest {
  model: string;
  messages: Message[];
  max_tokens?: number;
  temperature?: number;
  seed?: number;
  loci: { method?: string; budget?: string; reading?: string; evidence?: number; map?: number };
}

export interface Status {
  version: string;
  uptime_s: number;
  requests: { running: number; queued: number; done: number; failed: number; refused: number; cancelled: number };
  speed: { prefill_tokens_per_s: number; decode_tokens_per_s: number };
  tokens: { prefill: number; decode: number; cached: number };
  memory: { resident_bytes: number; peak_resident_bytes: number; context_bytes: number };
  disk: { readings_bytes: number };
  limits: { queue: number; concurrent: number; per_client: number; body_bytes: number; timeout_s: number };
}
