// A small line chart of the last minutes.

import { span, type Sample } from "./history.ts";

interface Props {
  title: string;
  /** The newest value in words. */
  now: string;
  samples: readonly Sample[];
  lines: { name: string; value: (sample: Sample) => number }[];
  words: (value: number) => string;
}

const WIDTH = 300;
const HEIGHT = 90;
/** A pause this long is a gap in the line: nothing is known of it. */
const GAP_MS = 10000;

export function Chart({ title, now, samples, lines, words }: Props) {
  const width = span(samples);
  const minutes = width / 60000;
  const end = samples.at(-1)?.at ?? 0;
  const most = Math.max(...samples.flatMap((sample) => lines.map((line) => line.value(sample))), 0);
  const top = ceiling(most);
  const x = (at: number) => WIDTH - ((end - at) / width) * WIDTH;
  const y = (value: number) => HEIGHT - (top > 0 ? value / top : 0) * (HEIGHT - 4) - 1;
  return (
    <figure class="chart">
      <figcaption>
        <span>{title}</span>
        <strong>{now}</strong>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title} over the last ${minutes} min, at most ${words(most)}`}
      >
        {[0, 0.5, 1].map((share) => (
          <line key={share} class="rule" x1={0} x2={WIDTH} y1={y(top * share)} y2={y(top * share)} />
        ))}
        {lines.map((line, index) => (
          <path
            key={line.name}
            class={`line line-${index + 1}`}
            d={path(
              samples,
              (sample) => x(sample.at),
              (sample) => y(line.value(sample)),
            )}
          />
        ))}
      </svg>
      <p class="axis">
        <span>{minutes} min ago</span>
        {lines.length > 1 ? (
          lines.map((line, index) => (
            <span key={line.name}>
              <i class={`key line-${index + 1}`} /> {line.name}
            </span>
          ))
        ) : (
          <span>most {words(most)}</span>
        )}
        <span>now</span>
      </p>
    </figure>
  );
}

function path(samples: readonly Sample[], x: (sample: Sample) => number, y: (sample: Sample) => number): string {
  return samples
    .map((sample, index) => {
      const before = samples[index - 1];
      const begins = !before || sample.at - before.at > GAP_MS;
      return `${begins ? "M" : "L"}${x(sample).toFixed(1)} ${y(sample).toFixed(1)}`;
    })
    .join("");
}

/** A round number not below `value`: 1, 2 or 5 times a power of ten. */
export function ceiling(value: number): number {
  if (!(value > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}
