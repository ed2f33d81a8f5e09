// Server-sent events from a stream of bytes that may be cut anywhere, also inside a character or a line end.

/** Takes bytes as they come and returns the data of the events that are complete. */
export class EventParser {
  private readonly decoder = new TextDecoder("utf-8");
  private rest = "";
  private data: string[] = [];

  push(bytes: Uint8Array): string[] {
    return this.lines(this.rest + this.decoder.decode(bytes, { stream: true }));
  }

  private lines(text: string): string[] {
    const events: string[] = [];
    let from = 0;
    for (;;) {
      const end = lineEnd(text, from);
      if (end === null) break;
      this.line(text.slice(from, end.at), events);
      from = end.next;
    }
    this.rest = text.slice(from);
    return events;
  }

  private line(line: string, events: string[]): void {
    if (line === "") {
      if (this.data.length > 0) events.push(this.data.join("\n"));
      this.data = [];
    } else if (line.startsWith("data:")) {
      const value = line.slice("data:".length);
      this.data.push(value.startsWith(" ") ? value.slice(1) : value);
    }
    // Comments (":") keep the connection open; other fields are not used by this server.
  }
}

/** Where the next line ends and the one after it begins; null while that cannot be told yet. */
function lineEnd(text: string, from: number): { at: number; next: number } | null {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10) return { at, next: at + 1 };
    if (code === 13) {
      // A carriage return at the very end may be half of a line end.
      if (at + 1 === text.length) return null;
      return { at, next: text.charCodeAt(at + 1) === 10 ? at + 2 : at + 1 };
    }
  }
  return null;
}
