// Live numbers of the mock, moving a little so that charts have something to draw.

export function status({ counts, readings, begun }) {
  const seconds = (Date.now() - begun) / 1000;
  const busy = readings.all.some((one) => one.seen.status === "reading");
  const wave = Math.sin(seconds / 3);
  const held = readings.all.reduce((sum, one) => sum + (one.seen.bytes ?? 0), 0);
  return {
    version: "0.1.0",
    uptime_s: seconds,
    requests: counts,
    speed: {
      prefill_tokens_per_s: busy ? 310 + 20 * wave : 0,
      decode_tokens_per_s: counts.running > 0 ? 42 + 3 * wave : 0,
    },
    tokens: { prefill: 12345, decode: 678, cached: 999 },
    memory: {
      resident_bytes: Math.round(480e6 + 40e6 * wave),
      peak_resident_bytes: 530e6,
      context_bytes: Math.round(120e6 + 15e6 * Math.cos(seconds / 5)),
    },
    disk: { readings_bytes: held },
    limits: { queue: 64, concurrent: 8, per_client: 32, body_bytes: 67108864, timeout_s: 600 },
  };
}
