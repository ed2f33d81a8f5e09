// How far a reading is: a bar, and the same in words.

import type { Progress } from "../api/types.ts";
import { count, speed, timeLeft } from "../words.ts";

export function ProgressBar({ progress, label }: { progress: Progress | null; label: string }) {
  const share = progress && progress.total > 0 ? Math.min(1, progress.done / progress.total) : 0;
  const words = progress
    ? [
        `${count(progress.done)} of ${count(progress.total)} tokens`,
        progress.tokens_per_s > 0 ? speed(progress.tokens_per_s) : "",
        timeLeft(progress) ?? "",
      ].filter(Boolean)
    : ["Waiting"];
  return (
    <div class="progress">
      <progress aria-label={label} max={1} value={share}>
        {Math.round(share * 100)} %
      </progress>
      <span>{words.join(" · ")}</span>
    </div>
  );
}
