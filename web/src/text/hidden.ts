// Characters that are not seen but change what is: a text that was written to deceive is shown with them.

export interface Piece {
  text: string;
  /** How often a hidden character stands here in a row; `text` is its name then. */
  hidden: number;
}

/** Controls but tab and line ends, overrides of direction, blanks without width, tags. Joiners stay: emoji need them. */
const HIDDEN =
  /([\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}])\1*/gu;

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > end) found.push({ text: text.slice(end, match.index), hidden: 0 });
    const one = match[1] ?? "";
    found.push({ text: name(one), hidden: match[0].length / one.length });
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ text: text.slice(end), hidden: 0 });
  return found;
}

/** The beginning of a text on one line, for labels. */
export function excerpt(text: string, most = 80): string {
  const line = pieces(text.slice(0, 4 * most))
    .map((piece) => (piece.hidden > 0 ? ` ${piece.text} ` : piece.text))
    .join("")
    .replace(/\s+/g, " ")
    .trim();
  const letters = [...line];
  if (letters.length <= most && text.length <= 4 * most) return line;
  const cut = letters.slice(0, most).join("");
  const space = letters.length > most ? cut.lastIndexOf(" ") : -1;
  return `${space > cut.length / 2 ? cut.slice(0, space) : cut.trimEnd()} …`;
}

function name(one: string): string {
  return `U+${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}
