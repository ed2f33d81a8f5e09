// The parts of a multipart/form-data body.

export function parts(body, boundary) {
  const mark = Buffer.from(`--${boundary}`);
  const found = [];
  let at = body.indexOf(mark);
  while (at >= 0) {
    const start = at + mark.length + 2;
    const next = body.indexOf(mark, start);
    if (next < 0) break;
    const split = body.indexOf("\r\n\r\n", start);
    const head = body.subarray(start, split).toString();
    found.push({
      name: /; name="([^"]*)"/.exec(head)?.[1] ?? "",
      file: /; filename="([^"]*)"/.exec(head)?.[1],
      content: body.subarray(split + 4, next - 2),
    });
    at = next;
  }
  return found;
}
