// Evidence counts bytes of UTF-8; strings of this language count UTF-16 units. This joins the two.

/** Units of the text between two places where both counts are kept. */
const STRIDE = 1024;

/** Both ways between byte offsets and string offsets of one text. */
export class Offsets {
  readonly bytes: number;
  private readonly marks: Float64Array;

  constructor(private readonly text: string) {
    this.marks = new Float64Array(Math.ceil(text.length / STRIDE) + 1);
    let bytes = 0;
    for (let unit = 0; unit < text.length; unit++) {
      if (unit % STRIDE === 0) this.marks[unit / STRIDE] = bytes;
      bytes += unitBytes(text, unit);
    }
    this.bytes = bytes;
    this.marks[this.marks.length - 1] = bytes;
  }

  /** The string offset of a byte offset; one inside a character is moved to where the character begins. */
  unit(byte: number): number {
    if (byte <= 0) return 0;
    if (byte >= this.bytes) return this.text.length;
    let low = 0;
    let high = this.marks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.marks[middle] ?? 0) <= byte) low = middle;
      else high = middle - 1;
    }
    let unit = low * STRIDE;
    let bytes = this.marks[low] ?? 0;
    while (unit < this.text.length) {
      const next = bytes + unitBytes(this.text, unit);
      if (next > byte) break;
      bytes = next;
      unit++;
    }
    return isLowHalf(this.text.charCodeAt(unit)) && isHighHalf(this.text.charCodeAt(unit - 1)) ? unit - 1 : unit;
  }

  /** The byte offset of a string offset. */
  byte(unit: number): number {
    const end = Math.min(Math.max(unit, 0), this.text.length);
    const mark = Math.min(Math.floor(end / STRIDE), this.marks.length - 1);
    let bytes = this.marks[mark] ?? 0;
    for (let at = mark * STRIDE; at < end; at++) bytes += unitBytes(this.text, at);
    return bytes;
  }
}

/** Bytes of one unit; the halves of a pair have two each, so that their sum is the character's four. */
function unitBytes(text: string, unit: number): number {
  const code = text.charCodeAt(unit);
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  if (isHighHalf(code) && isLowHalf(text.charCodeAt(unit + 1))) return 2;
  if (isLowHalf(code) && isHighHalf(text.charCodeAt(unit - 1))) return 2;
  return 3;
}

function isHighHalf(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}

function isLowHalf(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000;
}
