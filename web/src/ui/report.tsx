// The context report as a table: all that it counts, each with what it means.

import type { ContextReport } from "../api/types.ts";
import { lines } from "../report.ts";
import { count } from "../words.ts";

export function ReportTable({ report }: { report: ContextReport }) {
  return (
    <table class="report">
      <caption class="unseen">What became of the tokens</caption>
      <tbody>
        {lines(report).map((line) => (
          <tr key={line.label}>
            <th scope="row">{line.label}</th>
            <td class="number">{count(line.tokens)}</td>
            <td>{line.meaning}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
