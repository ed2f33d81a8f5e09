// Texts of our own to read: a short tale with facts to ask for, between paragraphs that say little, with characters of
// one to four bytes throughout.

const FACTS = [
  "The lamp in the tower at Küsnacht was lit each evening by Amélie Brunner, who had kept it for thirty-one years and had never once been late.",
  "Old Søren said that the key to the tower lay under the third step, wrapped in a page of the naïve almanac of 1788 — and so it did.",
  "“The ferry to Rapperswil leaves at twenty past six,” the harbour master wrote, “and it waits for nobody, not even for the bishop.” 🦉",
  "In the ledger stood one line that nobody could read: 燈塔看守人, “keeper of the light”, in a hand that was not Amélie's.",
  "Amélie Brunner sold the lamp in the spring of 1911 to a clockmaker of Zürich for two hundred francs and a promise.",
];

const OPENINGS = [
  "The lake lay grey under the morning",
  "Nobody on the quay spoke of it",
  "Wind came down from the hills towards noon",
  "The bakers had closed their shutters",
  "A boat without a name was tied to the second post",
  "That week it rained on five days of seven",
  "The schoolmaster counted the gulls",
  "Snow had fallen as far as the vineyards",
  "Someone had painted the bench green",
];
const MIDDLES = [
  "and the bells of the upper church rang a little too early",
  "while the nets were mended in the café by the steps",
  "as it had done in every October that people could remember",
  "so that the letters for Männedorf had to wait another day",
  "and two carts of hay stood in the lane for an hour",
  "which the older people took for a sign, though not for a good one",
  "and the children were sent home with wet shoes",
];
const ENDINGS = [
  "It was written down with everything else.",
  "No more was said about it until the summer.",
  "Then the mist closed again over the water.",
  "The smell of coffee went up the stairs.",
  "Far out, a steamer answered twice.",
  "By evening it was forgotten.",
];

/** Numbers that look random and are the same each time. */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function filler(random) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const sentences = 2 + Math.floor(random() * 4);
  return Array.from({ length: sentences }, () => `${pick(OPENINGS)}, ${pick(MIDDLES)}. ${pick(ENDINGS)}`).join(" ");
}

/** Lines broken at 72 characters, as old text files have them. */
function broken(paragraph) {
  const lines = [];
  let line = "";
  for (const word of paragraph.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > 72) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join("\n");
}

export function sampleBook(paragraphs) {
  const random = generator(7);
  const parts = ["THE LAMP AT KÜSNACHT", "A tale in as many chapters as were needed"];
  const spacing = Math.max(1, Math.floor(paragraphs / FACTS.length));
  for (let index = 0; index < paragraphs; index++) {
    if (index % 40 === 0) parts.push(`CHAPTER ${index / 40 + 1}`);
    const fact = index % spacing === Math.floor(spacing / 2) ? FACTS[Math.floor(index / spacing)] : undefined;
    parts.push(broken(fact ? `${filler(random)} ${fact} ${filler(random)}` : filler(random)));
  }
  return `${parts.join("\n\n")}\n`;
}

export function sampleLetters(paragraphs) {
  const random = generator(paragraphs);
  const parts = Array.from({ length: paragraphs }, (_, index) =>
    index % 5 === 0 ? `${index / 5 + 1} March\nDear Amélie,` : filler(random),
  );
  parts.splice(Math.floor(paragraphs / 3), 0, FACTS[2]);
  return `${parts.join("\n\n")}\n`;
}
