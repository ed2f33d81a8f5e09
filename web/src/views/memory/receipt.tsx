// The certificate of a forgetting: what went, when, why, and where in the log it stands. It can be kept and printed.

import type { Certificate } from "../../api/memory.ts";
import { alongside, stateWord } from "../../memory/said.ts";
import { moment } from "../../memory/times.ts";
import { governed } from "../../state/memory.ts";
import { useStore } from "../../state/store.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { Visible } from "../../ui/visible.tsx";
import { counted } from "../../words.ts";

interface Props {
  certificate: Certificate;
  /** Items that went but had not been shown before. */
  more: number;
  onClose: () => void;
}

export function Receipt({ certificate, more, onClose }: Props) {
  const { user, overview } = useStore(governed);
  const { items } = certificate;
  return (
    <Dialog title="Forgotten: receipt" wide reads onClose={onClose}>
      <div class="receipt">
        <p>
          {counted(items.length, "item")} went for good. This receipt and the log say that, and when; neither holds what
          was forgotten.
        </p>
        {more > 0 && (
          <p class="error">
            {counted(more, "item")} more than shown before went along, made from the others in the meantime.
          </p>
        )}
        <dl>
          <dt>Whose memory</dt>
          <dd>{overview && overview.tenant !== "local" ? `${user} (${overview.tenant})` : user}</dd>
          <dt>Entry in the log</dt>
          <dd class="number">{certificate.seq}</dd>
          <dt>Hash of the entry</dt>
          <dd>
            <code>{certificate.hash}</code>
          </dd>
          <dt>When</dt>
          <dd>{moment(certificate.at)} UTC</dd>
          <dt>By</dt>
          <dd>{certificate.actor}</dd>
          <dt>Reason</dt>
          <dd dir="auto">
            <Visible text={certificate.reason ?? "none given"} />
          </dd>
          <dt>With them</dt>
          <dd>{alongside(certificate).join(", ")}</dd>
        </dl>
        <div class="wide-table">
          <table>
            <caption class="unseen">What went</caption>
            <thead>
              <tr>
                <th scope="col">Item</th>
                <th scope="col">Was</th>
                <th scope="col">Digest</th>
              </tr>
            </thead>
            <tbody>
              {items.map((item) => (
                <tr key={item.id}>
                  <td>
                    <code>{item.id}</code>
                  </td>
                  <td>
                    {stateWord(item.was)}
                    {item.derived && ", made from another"}
                  </td>
                  <td>
                    <code>{item.digest}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
      <div class="buttons">
        <button type="button" class="quiet" onClick={() => window.print()}>
          Print
        </button>
        <button type="button" class="quiet" onClick={() => download(certificate)}>
          Download
        </button>
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

function download(certificate: Certificate): void {
  const text = `${JSON.stringify(certificate, null, 2)}\n`;
  save(new Blob([text], { type: "application/json" }), `loci-forgotten-${certificate.seq}.json`);
}

/** Gives the person a file. */
export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser has taken it by then.
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
