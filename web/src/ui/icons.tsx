// The few signs of the page, drawn as lines.

const SHAPES = {
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3 19 19M19 5l-1.7 1.7M6.7 17.3 5 19",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  contrast: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 3.5v17M12 7h5.5M12 10.5h8M12 14h8M12 17.5h5",
  pin: "M9 3h6l-1 6.5 3.5 3.5h-11L10 9.5zM12 13v8",
  bin: "M4 6.5h16M9.5 6V4h5v2M6.5 6.5 7.5 20h9l1-13.5M10.5 10v6.5M13.5 10v6.5",
  pen: "M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19z",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  find: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 20 20",
  check: "M5 12.5l4.5 4.5L19 7.5",
  back: "M19 12H5M11 6l-6 6 6 6",
} as const;

export function Icon({ name }: { name: keyof typeof SHAPES }) {
  return (
    <svg class={name === "stop" ? "icon-lines solid" : "icon-lines"} viewBox="0 0 24 24" aria-hidden="true">
      <path d={SHAPES[name]} />
    </svg>
  );
}
