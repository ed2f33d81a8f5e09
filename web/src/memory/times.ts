// When something was true or was learned. The memory counts in UTC, so the page does: elsewhere a day would be another.

import type { Item } from "../api/memory.ts";

const DAY: Intl.DateTimeFormatOptions = { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" };
const days = new Intl.DateTimeFormat("en", DAY);
const weekdays = new Intl.DateTimeFormat("en", { weekday: "long", timeZone: "UTC" });
const minutes = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

/** "Mar 12, 2026"; what is no time is shown as it is. */
export function dayOf(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : days.format(date);
}

/** "Mar 12, 2026, 11:00"; midnight is taken for a whole day. */
export function moment(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  return date.getTime() % 86_400_000 === 0 ? days.format(date) : `${days.format(date)}, ${minutes.format(date)}`;
}

/** "11:00" where it was on the day that is named already, else with its day. */
export function momentOn(day: string | undefined, time: string): string {
  const date = new Date(time);
  const same = !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 10) === day;
  return same ? minutes.format(date) : moment(time);
}

/** Where an item stands in the timeline: when it became true, else when it was learned. */
export function placeOf(item: Pick<Item, "valid_from" | "learned">): string {
  return item.valid_from ?? item.learned;
}

/** "true since Mar 12, 2026", or null where nothing was said of it; a beginning on the day that is named is left out. */
export function validity(item: Pick<Item, "valid_from" | "valid_until">, day?: string): string | null {
  const { valid_until: until } = item;
  const from = day !== undefined && item.valid_from === `${day}T00:00:00Z` ? undefined : item.valid_from;
  if (from && until) return `true ${moment(from)} to ${moment(until)}`;
  if (from) return `true since ${moment(from)}`;
  return until ? `true until ${moment(until)}` : null;
}

export interface Day {
  /** "2026-03-12". */
  day: string;
  weekday: string;
  title: string;
  items: Item[];
}

/** By day, the newest first; items of one day keep that order. */
export function byDay(items: readonly Item[]): Day[] {
  const sorted = items
    .map((item) => ({ item, at: Date.parse(placeOf(item)) || 0 }))
    .sort((a, b) => b.at - a.at || b.item.learned.localeCompare(a.item.learned));
  const found: Day[] = [];
  for (const { item, at } of sorted) {
    const day = new Date(at).toISOString().slice(0, 10);
    const last = found.at(-1);
    if (last?.day === day) last.items.push(item);
    else found.push({ day, weekday: weekdays.format(at), title: days.format(at), items: [item] });
  }
  return found;
}

/** The first moment of a day that was chosen, or the last. */
export function edge(day: string, which: "first" | "last"): string {
  return day === "" ? "" : `${day}T${which === "first" ? "00:00:00" : "23:59:59.999"}Z`;
}

/** What a field for day and time holds, as UTC. */
export function utc(typed: string): string {
  return typed === "" ? "" : `${typed.length === 16 ? `${typed}:00` : typed}Z`;
}

/** The days a question names: one, or the first and the last. */
export function span([first, last]: readonly [string, string]): string {
  const [from, to] = [dayOf(first), dayOf(last)];
  return from === to ? from : `${from} to ${to}`;
}
