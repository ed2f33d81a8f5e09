// The text itself, in sections that the browser lays out only while they are near.

import { Component } from "preact";
import { useEffect, useState } from "preact/hooks";
import { runs, type Mark } from "../../text/marks.ts";
import type { Paragraph, Section } from "../../text/sections.ts";

interface Props {
  text: string;
  sections: readonly Section[];
  marks: readonly Mark[];
  shown: number | null;
  onPassage: (passage: number) => void;
}

/** Sections that are filled at once, and in each step after it: the first screen need not wait for megabytes. */
const FIRST = 30;
const STEP = 40;

export function Page({ text, sections, marks, shown, onPassage }: Props) {
  const [filled, setFilled] = useState(FIRST);
  useEffect(() => {
    if (filled >= sections.length) return undefined;
    const timer = window.setTimeout(() => setFilled(filled + STEP), 0);
    return () => window.clearTimeout(timer);
  }, [filled, sections]);
  return (
    <div class="text-page">
      {sections.map((section, index) => (
        <SectionView
          key={index}
          text={text}
          section={section}
          filled={index < filled}
          marks={marks.filter((mark) => mark.start < section.end && mark.end > section.start)}
          shown={shown}
          onPassage={onPassage}
        />
      ))}
    </div>
  );
}

interface SectionProps {
  text: string;
  section: Section;
  /** Not yet: then only a place as high as it will be about, unless a passage stands there. */
  filled: boolean;
  marks: readonly Mark[];
  shown: number | null;
  onPassage: (passage: number) => void;
}

/** Units that a line holds and pixels that it takes, about: only until the section was laid out once. */
const LINE_UNITS = 75;
const LINE_PIXELS = 29;

class SectionView extends Component<SectionProps> {
  /** Thousands of paragraphs are not drawn again for a highlight in one of them. */
  override shouldComponentUpdate(next: SectionProps): boolean {
    const now = this.props;
    if (next.text !== now.text || next.section !== now.section || next.filled !== now.filled) return true;
    if (next.marks.length === 0 && now.marks.length === 0) return false;
    return true;
  }

  override render({ text, section, filled, marks, shown, onPassage }: SectionProps) {
    const lines = Math.ceil((section.end - section.start) / LINE_UNITS) + section.paragraphs.length;
    const height = `${lines * LINE_PIXELS}px`;
    if (!filled && marks.length === 0) return <div class="section" style={{ minHeight: height }} />;
    return (
      <div class="section" style={{ containIntrinsicSize: `auto ${height}`, minHeight: "" }}>
        {section.paragraphs.map((paragraph) => (
          <p key={paragraph.start} dir="auto" class={paragraph.flows ? "flows" : "lines"}>
            <Runs text={text} paragraph={paragraph} marks={marks} shown={shown} onPassage={onPassage} />
          </p>
        ))}
      </div>
    );
  }
}

function Runs({
  text,
  paragraph,
  marks,
  shown,
  onPassage,
}: Omit<SectionProps, "section" | "filled"> & { paragraph: Paragraph }) {
  return (
    <>
      {runs(paragraph.start, paragraph.end, marks).map(({ start, end, mark }) => {
        const words = text.slice(start, end);
        if (!mark) return words;
        const { passage, level } = mark;
        return (
          <mark
            key={start}
            class={`level-${level}${shown === passage ? " shown" : ""}`}
            data-passage={passage}
            onClick={() => onPassage(passage)}
          >
            {words}
          </mark>
        );
      })}
    </>
  );
}

/** Brings a passage to the middle of the box; once more after the sections near it have their true height. */
export function scrollToPassage(box: HTMLElement, passage: number): void {
  steady(() => box.querySelector(`mark[data-passage="${passage}"]`), box, "center");
}

/** Brings the paragraph that holds a string offset to the top of the box. */
export function scrollToUnit(box: HTMLElement, sections: readonly Section[], unit: number): void {
  const index = sections.findIndex((section) => unit < section.end);
  const section = sections[index];
  if (!section) return;
  const paragraph = Math.max(
    0,
    section.paragraphs.findLastIndex((one) => one.start <= unit),
  );
  const find = () => {
    const view = box.querySelectorAll(".section")[index];
    return view?.children[paragraph] ?? view ?? null;
  };
  steady(find, box, "start");
}

function steady(find: () => Element | null, box: HTMLElement, block: "center" | "start"): void {
  const scroll = () => {
    const target = find();
    if (!target) return;
    const [inside, outside] = [target.getBoundingClientRect(), box.getBoundingClientRect()];
    const gap = block === "center" ? Math.max(0, (outside.height - inside.height) / 2) : 24;
    // Only the box scrolls, never the page around it.
    box.scrollTop += inside.top - outside.top - gap;
  };
  scroll();
  requestAnimationFrame(() => {
    scroll();
    requestAnimationFrame(scroll);
  });
}

/** Which part of the text is in view, in string offsets. */
export function place(box: HTMLElement, sections: readonly Section[]): { start: number; end: number } | null {
  const views = box.querySelectorAll<HTMLElement>(".section");
  if (views.length === 0 || views.length !== sections.length) return null;
  const at = (y: number) => {
    let low = 0;
    let high = views.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((views[middle]?.offsetTop ?? 0) <= y) low = middle;
      else high = middle - 1;
    }
    const [view, section] = [views[low], sections[low]];
    if (!view || !section) return 0;
    const share = Math.min(1, Math.max(0, (y - view.offsetTop) / Math.max(1, view.offsetHeight)));
    return Math.round(section.start + share * (section.end - section.start));
  };
  return { start: at(box.scrollTop), end: at(box.scrollTop + box.clientHeight) };
}
