// How the server is doing, live.

import { useEffect, useState } from "preact/hooks";
import { ConnectionError, json, said } from "../../api/client.ts";
import type { Status } from "../../api/types.ts";
import { bytes, count, seconds, speed } from "../../words.ts";
import { Chart } from "./chart.tsx";
import { add, type Sample } from "./history.ts";

const POLL_MS = 2000;

/** Kept while other views are shown, so that coming back shows what is still recent. */
let kept: Sample[] = [];

export function HealthView() {
  const [status, setStatus] = useState<Status | null>(null);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    let timer: number | undefined;
    let over = false;
    const poll = async () => {
      try {
        const now = await json<Status>("v1/loci/status");
        if (over) return;
        kept = add(kept, now, Date.now());
        setStatus(now);
        setError(null);
      } catch (problem) {
        if (!over) setError(problem instanceof ConnectionError ? null : said(problem));
      }
      if (!over) timer = window.setTimeout(() => void poll(), POLL_MS);
    };
    void poll();
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, []);
  return (
    <div class="page health">
      <div class="title">
        <div>
          <h1>Health</h1>
          <p class="lead">
            {status
              ? `Loci ${status.version}, running for ${seconds(status.uptime_s)}. New numbers every 2 seconds.`
              : "Asking the server …"}
          </p>
        </div>
      </div>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {status && <Numbers status={status} samples={kept} />}
    </div>
  );
}

function Numbers({ status, samples }: { status: Status; samples: readonly Sample[] }) {
  const { requests, limits, memory, tokens } = status;
  return (
    <>
      <div class="charts">
        <Chart
          title="Reading"
          now={speed(status.speed.prefill_tokens_per_s)}
          samples={samples}
          lines={[{ name: "reading", value: (one) => one.prefill }]}
          words={speed}
        />
        <Chart
          title="Writing"
          now={speed(status.speed.decode_tokens_per_s)}
          samples={samples}
          lines={[{ name: "writing", value: (one) => one.decode }]}
          words={speed}
        />
        <Chart
          title="Memory"
          now={bytes(memory.resident_bytes)}
          samples={samples}
          lines={[
            { name: "whole process", value: (one) => one.resident },
            { name: "contexts", value: (one) => one.context },
          ]}
          words={bytes}
        />
      </div>
      <div class="tables">
        <Table
          title="Requests"
          rows={[
            ["Running", `${count(requests.running)} of ${count(limits.concurrent)} at once`],
            ["Waiting", `${count(requests.queued)} of ${count(limits.queue)}`],
            ["Done", count(requests.done)],
            ["Failed", count(requests.failed)],
            ["Refused by a limit", count(requests.refused)],
            ["Stopped by clients", count(requests.cancelled)],
          ]}
        />
        <Table
          title="Tokens"
          rows={[
            ["Read", count(tokens.prefill)],
            ["Not read again", count(tokens.cached)],
            ["Written", count(tokens.decode)],
          ]}
        />
        <Table
          title="Memory and disk"
          rows={[
            ["Process", bytes(memory.resident_bytes)],
            ["Process, highest", bytes(memory.peak_resident_bytes)],
            ["Contexts", bytes(memory.context_bytes)],
            ["Saved readings", bytes(status.disk.readings_bytes)],
          ]}
        />
        <Table
          title="Limits"
          rows={[
            ["At once", `${count(limits.concurrent)} requests`],
            ["In the queue", `${count(limits.queue)} requests`],
            ["Of one client", `${count(limits.per_client)} requests`],
            ["Largest request", bytes(limits.body_bytes)],
            ["Longest answer", seconds(limits.timeout_s)],
          ]}
        />
      </div>
    </>
  );
}

function Table({ title, rows }: { title: string; rows: [string, string][] }) {
  return (
    <table>
      <caption>{title}</caption>
      <tbody>
        {rows.map(([label, value]) => (
          <tr key={label}>
            <th scope="row">{label}</th>
            <td class="number">{value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
