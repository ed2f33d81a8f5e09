// The context report in words. Nothing it counts is left out.

import type { ContextReport } from "./api/types.ts";
import { count, counted } from "./words.ts";

export interface Line {
  label: string;
  tokens: number;
  meaning: string;
}

export function lines(report: ContextReport): Line[] {
  return [
    {
      label: "Given",
      tokens: report.given,
      meaning: "tokens in the input: the text, the question and what frames them",
    },
    { label: "Read", tokens: report.read, meaning: "went through the model" },
    {
      label: "Skipped",
      tokens: report.skipped,
      meaning: "a draft found them less important, so the model never read them",
    },
    { label: "Kept exactly", tokens: report.kept, meaning: "in memory in full precision" },
    { label: "Compressed", tokens: report.compressed, meaning: "in memory in fewer bits or channels" },
    { label: "Recalled", tokens: report.recalled, meaning: "from beyond the window, read again for this answer" },
    { label: "Dropped", tokens: report.dropped, meaning: "no longer in memory; nothing can find them" },
    { label: "Window", tokens: report.window, meaning: "newest tokens, all seen at their true distance" },
  ];
}

/** One sentence: what was read, and what of it memory holds. */
export function sentence(report: ContextReport): string {
  const held = [
    report.kept > 0 ? `${count(report.kept)} kept exactly` : "",
    report.compressed > 0 ? `${count(report.compressed)} kept in fewer bits` : "",
    report.recalled > 0 ? `${count(report.recalled)} recalled` : "",
    report.dropped > 0 ? `${count(report.dropped)} dropped` : "none dropped",
  ].filter(Boolean);
  const read =
    report.read < report.given || report.skipped > 0
      ? `${count(report.read)} of ${counted(report.given, "token")} read, ${count(report.skipped)} skipped`
      : `${counted(report.read, "token")} read`;
  return `${read}; ${held.join(", ")}.`;
}
