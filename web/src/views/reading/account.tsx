// What became of the input of an answer, by which method, and how long it took.

import type { Account } from "../../api/types.ts";
import { sentence } from "../../report.ts";
import { ReportTable } from "../../ui/report.tsx";
import { count, counted, seconds, speed } from "../../words.ts";

export function AccountView({ account, cached }: { account: Account; cached: number | null }) {
  const { timing } = account;
  return (
    <details
      class="account"
      onToggle={(event) => event.currentTarget.open && event.currentTarget.scrollIntoView({ block: "nearest" })}
    >
      <summary>{sentence(account.context)}</summary>
      <ReportTable report={account.context} />
      <dl>
        <dt>Method</dt>
        <dd>
          <code>{account.method}</code>
        </dd>
        {account.weighed_by && <dt>Passages weighed by</dt>}
        {account.weighed_by && <dd>{account.weighed_by}</dd>}
        {cached !== null && <dt>Not read again</dt>}
        {cached !== null && <dd>{counted(cached, "token")}</dd>}
        {timing && <dt>Time</dt>}
        {timing && <dd>{timingWords(timing)}</dd>}
      </dl>
    </details>
  );
}

export function timingWords(timing: NonNullable<Account["timing"]>): string {
  const rate = (tokens: number, time: number) => (time > 0 && tokens > 0 ? ` (${speed(tokens / time)})` : "");
  return [
    timing.queued_s >= 0.05 ? `${seconds(timing.queued_s)} in the queue` : "",
    `${count(timing.prefill_tokens)} tokens read in ${seconds(timing.prefill_s)}${rate(timing.prefill_tokens, timing.prefill_s)}`,
    `${count(timing.decode_tokens)} written in ${seconds(timing.decode_s)}${rate(timing.decode_tokens, timing.decode_s)}`,
  ]
    .filter(Boolean)
    .join("; ");
}
