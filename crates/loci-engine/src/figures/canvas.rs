//! What figures are drawn with.

use std::ops::Range;

use super::names::wrapped;

/// Size of a figure, and of the field inside its axes.
pub(super) const WIDTH: f64 = 960.0;
pub(super) const LEFT: f64 = 76.0;
pub(super) const RIGHT: f64 = 836.0;
pub(super) const TOP: f64 = 76.0;

const FONT: &str = "font-family=\"Helvetica, Arial, sans-serif\"";
/// Colour of text and axes.
pub(super) const INK: &str = "#24292f";
/// Colour of what matters less.
pub(super) const GREY: &str = "#6e7781";
/// Colour of what is pointed at.
pub(super) const ACCENT: &str = "#d1495b";

/// An SVG in the making.
pub(super) struct Canvas {
    body: String,
    width: f64,
    height: f64,
}

/// How a text stands to its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    /// Title and what stands below it in at most two lines, all above `TOP`; pointing at it shows it whole.
    pub(super) fn title(&mut self, title: &str, below: &str) {
        // The font may be wider than the one reckoned with, and nothing may be cut off at the edge.
        let room = (self.width - LEFT) * 0.87;
        for (text, y, size, colour, lines) in [(title, 30.0, 18.0, INK, 1), (below, 52.0, 12.5, GREY, 2)] {
            self.group(text, |canvas| {
                for (line, part) in wrapped(text, size, room, lines).iter().enumerate() {
                    canvas.text(LEFT, y + 15.0 * line as f64, size, colour, Anchor::Start, part);
                }
            });
        }
    }

    /// Elements that belong together, with the text that pointing at them shows.
    pub(super) fn group(&mut self, whole: &str, draw: impl FnOnce(&mut Self)) {
        self.put(&format!("<g><title>{}</title>", escape(whole)));
        draw(self);
        self.put("</g>");
    }

    pub(super) fn text(&mut self, x: f64, y: f64, size: f64, colour: &str, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.put(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{colour}\" text-anchor=\"{anchor}\" {FONT}>{text}</text>"
        ));
    }

    /// The name of the vertical axis.
    pub(super) fn text_upwards(&mut self, x: f64, y: f64, text: &str) {
        let text = escape(text);
        self.put(&format!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" font-size=\"13\" fill=\"{INK}\" text-anchor=\"middle\" {FONT}>{text}</text>"
        ));
    }

    pub(super) fn rect(&mut self, x: Range<f64>, y: Range<f64>, fill: &str) {
        let (width, height) = (x.end - x.start, y.end - y.start);
        self.put(&format!(
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\"/>",
            x.start, y.start
        ));
    }

    pub(super) fn frame(&mut self, x: Range<f64>, y: Range<f64>, colour: &str, width: f64) {
        let (w, h) = (x.end - x.start, y.end - y.start);
        self.put(&format!(
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{w:.2}\" height=\"{h:.2}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
            x.start, y.start
        ));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64, extra: &str) {
        self.put(&format!(
            "<line x1=\"{:.2}\" y1=\"{:.2}\" x2=\"{:.2}\" y2=\"{:.2}\" stroke=\"{colour}\" stroke-width=\"{width}\" {extra}/>",
            from.0, from.1, to.0, to.1
        ));
    }

    /// A pale line across the field at a value of the vertical axis, with the value as a text beside it.
    pub(super) fn level(&mut self, x: Range<f64>, y: f64, value: &str) {
        self.line((x.start, y), (x.end, y), "#e4e8ec", 1.0, "");
        self.text(x.start - 9.0, y + 4.0, 12.0, INK, Anchor::End, value);
    }

    /// Everything a drawing of its own kind needs.
    pub(super) fn put(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The horizontal axis below `y`, from value `range.start` to `range.end`, with its name.
    pub(super) fn axis_below(&mut self, y: f64, range: &Range<f64>, name: &str) {
        for tick in ticks(range, 8) {
            let x = across(tick, range);
            self.line((x, y), (x, y + 5.0), INK, 1.0, "");
            self.text(x, y + 19.0, 12.0, INK, Anchor::Middle, &number(tick));
        }
        self.text((LEFT + RIGHT) / 2.0, y + 40.0, 13.0, INK, Anchor::Middle, name);
    }

    pub(super) fn finish(self) -> String {
        let (width, height) = (self.width, self.height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.body
        )
    }
}

/// The horizontal place of a value.
pub(super) fn across(value: f64, range: &Range<f64>) -> f64 {
    let width = (range.end - range.start).max(f64::MIN_POSITIVE);
    LEFT + (RIGHT - LEFT) * (value - range.start) / width
}

/// Round values inside `range`, about `count` of them.
pub(super) fn ticks(range: &Range<f64>, count: usize) -> Vec<f64> {
    let width = range.end - range.start;
    if !(width > 0.0 && width.is_finite()) {
        return vec![range.start];
    }
    let rough = width / count.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (range.start / step).ceil();
    (0..=2 * count)
        .map(|number| (first + number as f64) * step)
        .take_while(|tick| *tick <= range.end + step * 1e-9)
        .collect()
}

/// A number as short as it can be, with thousands set apart.
pub(super) fn number(value: f64) -> String {
    if value.abs() >= 1000.0 {
        let whole = format!("{value:.0}");
        let (sign, digits) = whole.strip_prefix('-').map_or(("", whole.as_str()), |digits| ("-", digits));
        let mut grouped = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        return format!("{sign}{grouped}");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text as SVG takes it; control characters, which it does not take, are left out.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            symbol if symbol.is_control() => safe.push(' '),
            symbol => safe.push(symbol),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(&(0.0..10.0), 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(&(0.0..4096.0), 8).last(), Some(&4000.0));
        assert_eq!(ticks(&(3.0..3.0), 5), [3.0]);
        assert_eq!(ticks(&(0.0..f64::NAN), 5).len(), 1);
    }

    #[test]
    fn numbers_are_short_and_texts_safe() {
        let shown: Vec<String> = [0.0, 0.25, 12.0, 12_345.0, -1000.0].map(number).to_vec();
        assert_eq!(shown, ["0", "0.25", "12", "12,345", "-1,000"]);
        assert_eq!(escape("a<b>&\"\u{1b}"), "a&lt;b&gt;&amp;&quot; ");
    }
}
