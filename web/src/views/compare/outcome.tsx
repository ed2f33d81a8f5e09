// What two answers have in common, and what each cost.

import type { Account } from "../../api/types.ts";
import type { Turn } from "../../state/conversation.ts";
import { meet, shared } from "../../text/overlap.ts";
import { count, percent, seconds } from "../../words.ts";

export function Outcome({ left, right }: { left: Turn; right: Turn }) {
  const [a, b] = [left.account, right.account];
  if (!a || !b) return null;
  const rows: [string, (account: Account) => string][] = [
    ["Question read in", (account) => (account.timing ? seconds(account.timing.prefill_s) : "not told")],
    ["Answer written in", (account) => (account.timing ? seconds(account.timing.decode_s) : "not told")],
    ["Tokens held in memory", (account) => count(account.context.kept + account.context.compressed)],
    ["Tokens recalled", (account) => count(account.context.recalled)],
    ["Tokens dropped", (account) => count(account.context.dropped)],
  ];
  return (
    <section class="outcome" aria-label="Both answers">
      <p>{verdict(left, right, a, b)}</p>
      <table>
        <thead>
          <tr>
            <td />
            <th scope="col">{a.method.split(":")[0]}</th>
            <th scope="col">{b.method.split(":")[0]}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([label, value]) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              <td class="number">{value(a)}</td>
              <td class="number">{value(b)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function verdict(left: Turn, right: Turn, a: Account, b: Account): string {
  const answers =
    left.answer.trim() === right.answer.trim() ? "Both answers are the same word for word." : "The answers differ.";
  const [mine, theirs] = [a.evidence ?? [], b.evidence ?? []];
  const share = shared(mine, theirs);
  if (share === null) return answers;
  const common = mine.filter((one) => theirs.some((other) => meet(one, other))).length;
  return `${answers} ${common} of ${mine.length} passages on the left are also on the right; ${percent(share)} of all the text that either rests on is shared.`;
}
