// What the tests of accessibility measure inside a page.

/** Texts whose contrast with what is behind them is too small, in words. */
export function faint() {
  const parse = (color) => {
    const numbers = (color.match(/[\d.]+(?:e-?\d+)?/g) ?? []).map(Number);
    const scale = color.startsWith("color(") ? 255 : 1;
    const [r = 0, g = 0, b = 0, a = 1] = numbers;
    return { r: r * scale, g: g * scale, b: b * scale, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const light = ({ r, g, b }) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.a > 0) layers.push(color);
      if (color.a === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), parse("rgb(255, 255, 255)"));
  };
  const found = new Set();
  const all = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (all.nextNode()) {
    const element = all.currentNode.parentElement;
    if (
      !all.currentNode.data.trim() ||
      !element.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true })
    )
      continue;
    // Nobody has to read what cannot be used; and what is only for listening has no colour.
    if (element.closest(":disabled, .unseen, option, noscript")) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const [a, b] = [light(over(parse(style.color), ground)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < needed)
      found.add(
        `${ratio.toFixed(2)}: ${element.tagName}.${element.className} “${all.currentNode.data.trim().slice(0, 40)}”`,
      );
  }
  return [...found];
}

/** Elements that stick out to the right of the window. */
export function sticking() {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.getBoundingClientRect().right > width + 1)
    .map((element) => `${element.tagName}.${element.className}`);
}

/** Controls without a name, and small ones. */
export function nameless() {
  const named = (element) =>
    element.getAttribute("aria-label") ||
    element.labels?.length ||
    element.textContent.trim() ||
    element.getAttribute("title");
  return [...document.querySelectorAll("a, button, input, select, textarea, [role=slider], [tabindex='0']")]
    .filter((element) => element.checkVisibility() && !named(element))
    .map((element) => element.outerHTML.slice(0, 120));
}
