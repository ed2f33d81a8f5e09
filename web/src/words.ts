// Numbers in words that people read.

/** Between a number and its unit no line may break. */
const SPACE = "\u00a0";

const whole = new Intl.NumberFormat("en");

export function count(value: number): string {
  return whole.format(Math.round(value));
}

/** "1 token", "2 tokens". */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${Math.round(value) === 1 ? "" : "s"}`;
}

export function bytes(value: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? count(value) : value.toFixed(value >= 10 ? 0 : 1)}${SPACE}${units[unit] ?? ""}`;
}

/** "0.4 s", "12 s", "3 min 05 s", "2 h 10 min". */
export function seconds(value: number): string {
  if (value < 10) return `${value.toFixed(value < 0.095 ? 2 : 1)}${SPACE}s`;
  if (value < 60) return `${Math.round(value)}${SPACE}s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(value % 60)).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${String(minutes % 60).padStart(2, "0")} min` : `${Math.floor(hours / 24)} days`;
}

/** A share as per cent; small ones are not rounded to nothing. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return `under 0.1${SPACE}%`;
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)}${SPACE}%`;
}

export function speed(tokensPerSecond: number): string {
  return `${tokensPerSecond > 0 && tokensPerSecond < 10 ? tokensPerSecond.toFixed(1) : count(tokensPerSecond)} tokens/s`;
}

/** What is left of a job at the speed it goes, or null while that cannot be told. */
export function timeLeft(progress: { done: number; total: number; tokens_per_s: number }): string | null {
  if (!(progress.tokens_per_s > 0) || progress.total <= 0) return null;
  return `about ${seconds(Math.max(1, Math.round((progress.total - progress.done) / progress.tokens_per_s)))} left`;
}

export function day(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toLocaleDateString("en", { year: "numeric", month: "short", day: "numeric" });
}
