//! Texts that need more room than they have: how wide they are, where they break, what is left out.

use super::canvas::{Anchor, Canvas, GREY, INK};

/// The width of the narrowest symbol, in units of the size.
const NARROWEST: f64 = 0.24;
/// The blank of "95 %", after which no line breaks.
const NO_BREAK: char = '\u{a0}';

/// About how wide a text is. The machine that shows the figure chooses the font, so nobody knows it exactly.
pub(super) fn width(text: &str, size: f64) -> f64 {
    size * text.chars().map(advance).sum::<f64>()
}

fn advance(symbol: char) -> f64 {
    match symbol {
        'i' | 'j' | 'l' | '\'' | '|' => NARROWEST,
        ' ' | NO_BREAK | '.' | ',' | ':' | ';' | '!' | '/' | '[' | ']' | 'f' | 't' | 'I' => 0.3,
        'r' | '(' | ')' | '-' => 0.36,
        'm' | 'w' | 'M' => 0.82,
        'W' | '%' | '@' => 0.96,
        'A'..='Z' | '&' => 0.7,
        ' '..='~' => 0.57,
        '\u{a0}'..='\u{2000}' => 0.7,
        _ => 1.0,
    }
}

/// A text in lines no wider than `room`, at most `lines` of them; what is too long loses its middle.
pub(super) fn wrapped(text: &str, size: f64, room: f64, lines: usize) -> Vec<String> {
    let whole = broken(text, size, room);
    if whole.len() <= lines {
        return whole;
    }
    let symbols: Vec<char> = text.chars().collect();
    let fit = (lines as f64 * room / (size * NARROWEST)).max(0.0) as usize;
    let shortened = |kept: usize| {
        let start = symbols.iter().take(kept.div_ceil(2)).collect::<String>();
        let end = symbols.iter().skip(symbols.len() - kept / 2).collect::<String>();
        broken(&format!("{}…{}", start.trim_end(), end.trim_start()), size, room)
    };
    let longest = (1..symbols.len().min(fit)).rev().map(shortened).find(|parts| parts.len() <= lines);
    longest.unwrap_or_else(|| vec!["…".to_owned()])
}

/// A text in lines no wider than `room`, broken after blanks and marks where it can be.
fn broken(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    // Where the line may be broken, and what stands before the symbol at hand.
    let (mut place, mut before) = (None, None);
    for symbol in text.chars() {
        let blank = |mark: char| mark.is_whitespace() && mark != NO_BREAK;
        let mark = before.is_some_and(|mark| blank(mark) || ",:;+".contains(mark));
        // Not within 1,000.
        if mark && !(before == Some(',') && symbol.is_ascii_digit()) {
            place = Some(line.len());
        }
        if !line.is_empty() && width(&line, size) + size * advance(symbol) > room && !symbol.is_whitespace() {
            let rest = line.split_off(place.unwrap_or(line.len()));
            lines.push(line.trim_end().to_owned());
            line = rest.trim_start().to_owned();
            place = None;
        }
        line.push(symbol);
        before = Some(symbol);
    }
    if !line.trim_end().is_empty() || lines.is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The name of a method in few lines: its parameters, after the colon, stand smaller below it.
pub(super) struct Name<'a> {
    pub(super) whole: &'a str,
    lines: Vec<Line>,
}

struct Line {
    text: String,
    size: f64,
    colour: &'static str,
}

impl<'a> Name<'a> {
    pub(super) fn new(whole: &'a str, room: f64) -> Self {
        let (method, parameters) = whole.split_once(':').unwrap_or((whole, ""));
        let parts = [(method, 12.5, INK), (parameters.trim(), 10.5, GREY)];
        let lines =
            parts.into_iter().filter(|(text, ..)| !text.is_empty()).flat_map(|(text, size, colour)| {
                wrapped(text, size, room, 2).into_iter().map(move |text| Line { text, size, colour })
            });
        Self { whole, lines: lines.collect() }
    }

    pub(super) fn width(&self) -> f64 {
        self.lines.iter().map(|line| width(&line.text, line.size)).fold(0.0, f64::max)
    }

    pub(super) fn height(&self) -> f64 {
        self.lines.iter().map(|line| line.size + 3.0).sum()
    }

    /// Draws the lines, the first right below `y`; pointing at them shows the name whole.
    pub(super) fn draw(&self, canvas: &mut Canvas, x: f64, y: f64) {
        canvas.group(self.whole, |canvas| {
            let mut base = y;
            for Line { text, size, colour } in &self.lines {
                base += size + 3.0;
                canvas.text(x, base - 4.0, *size, colour, Anchor::Start, text);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "inf-llm:window=512,top_k=16,block_size=64,repr_top_k=16";

    #[test]
    fn texts_break_after_marks_and_lose_their_middle() {
        assert_eq!(wrapped("of 1,000 tokens", 10.0, 40.0, 9), ["of 1,000", "tokens"]);
        assert_eq!(wrapped("at 95\u{a0}%", 10.0, 28.0, 9), ["at", "95\u{a0}%"]);
        assert_eq!(wrapped("", 10.0, 40.0, 2), [""]);
        assert_eq!(wrapped("aaaaaaaa", 10.0, 24.0, 9), ["aaaa", "aaaa"], "no mark to break after");
        for room in [0.0, 3.0, 30.0, 90.0, 150.0, 300.0] {
            for lines in [1, 2] {
                let parts = wrapped(LONG, 10.5, room, lines);
                assert!(!parts.is_empty() && parts.len() <= lines, "{room} {parts:?}");
                assert!(
                    room < 20.0 || parts.iter().all(|part| width(part, 10.5) <= room),
                    "{room} {parts:?}"
                );
            }
        }
        let short = wrapped(LONG, 10.5, 150.0, 1).concat();
        assert!(short.starts_with("inf-llm:") && short.contains('…') && short.ends_with("k=16"), "{short}");
        assert_eq!(wrapped(&"x".repeat(100_000), 10.0, 100.0, 2).len(), 2);
    }

    #[test]
    fn parameters_stand_below_the_method() {
        let shown = |name: &Name<'_>| name.lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
        let name = Name::new(LONG, 160.0);
        assert_eq!(shown(&name), ["inf-llm", "window=512,top_k=16,", "block_size=64,repr_top_k=16"]);
        assert!(name.width() <= 160.0 && name.height() > 30.0);
        assert_eq!(shown(&Name::new("full", 160.0)), ["full"]);
        assert_eq!(shown(&Name::new("full:", 160.0)), ["full"]);
        assert!(Name::new("", 160.0).lines.is_empty());
        let mut canvas = Canvas::new(200.0, 100.0);
        name.draw(&mut canvas, 0.0, 0.0);
        assert!(canvas.finish().contains(&format!("<title>{LONG}</title>")));
    }
}
