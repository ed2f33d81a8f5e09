//! From a reply that lists passages by number to an order of all of them.

/// An order of passages, made of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Every number below the count once: first those the reply names, in its order, then the others in theirs.
    pub order: Vec<usize>,
    /// How many of them the reply named.
    pub named: usize,
    /// Numbers that the reply named again.
    pub repeated: usize,
    /// Numbers that there are no passages for.
    pub unknown: usize,
}

/// Reads numbers, counted from `first`, out of `reply`, whatever stands between them: `[2] > [1]`, `2, 1` and `ID: 2` all
/// name passages. Any reply gives an order of all `count` passages.
///
/// Source of the rule: Liu et al., "Sliding Windows Are Not the End", 2024.
pub fn parse_ids(reply: &str, count: usize, first: usize) -> Ids {
    let mut ids = Ids { order: Vec::with_capacity(count), named: 0, repeated: 0, unknown: 0 };
    let mut seen = vec![false; count];
    for digits in reply.split(|symbol: char| !symbol.is_ascii_digit()).filter(|digits| !digits.is_empty()) {
        // A number too long for the machine is no passage's.
        let place = digits.parse::<usize>().ok().and_then(|number| number.checked_sub(first));
        match place.and_then(|place| Some((place, seen.get_mut(place)?))) {
            None => ids.unknown += 1,
            Some((_, seen)) if *seen => ids.repeated += 1,
            Some((place, seen)) => {
                *seen = true;
                ids.order.push(place);
            }
        }
    }
    ids.named = ids.order.len();
    ids.order.extend((0..count).filter(|place| !seen.get(*place).copied().unwrap_or(true)));
    ids
}

/// The last list of numbers that a reply gives as its final answer: what stands behind the last `:` of its last line that
/// holds a digit; the whole reply where no line has one.
///
/// Source of the form: Seo et al., "Efficient Long Context Language Model Retrieval with Compression", 2024 (after LOFT);
/// their code runs the reply as a program, which this does not.
pub fn final_list(reply: &str) -> &str {
    let line = reply.lines().rev().find(|line| line.contains(|symbol: char| symbol.is_ascii_digit()));
    line.map_or(reply, |line| line.rsplit_once(':').map_or(line, |(_, list)| list))
}

/// `text` with `[12]` rewritten to `(12)`, so that no passage can look like a number that names one.
pub fn without_ids(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, behind) = rest.split_at(open);
        out.push_str(before);
        let inside = behind.get(1..).unwrap_or("");
        let digits = inside.len() - inside.trim_start_matches(|symbol: char| symbol.is_ascii_digit()).len();
        match inside.split_at_checked(digits) {
            Some((number, rest_behind)) if digits > 0 && rest_behind.starts_with(']') => {
                out.push_str(&format!("({number})"));
                rest = rest_behind.get(1..).unwrap_or("");
            }
            _ => {
                out.push('[');
                rest = inside;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn replies_of_many_kinds() {
        let ids = parse_ids("[3] > [1] > [3] > [9]", 4, 1);
        assert_eq!(ids, Ids { order: vec![2, 0, 1, 3], named: 2, repeated: 1, unknown: 1 });
        assert_eq!(parse_ids("", 3, 1).order, [0, 1, 2]);
        assert_eq!(parse_ids("0, 99999999999999999999999", 2, 1).unknown, 2);
        assert_eq!(parse_ids("ID: 1", 2, 0).order, [1, 0]);
    }

    #[test]
    fn the_last_line_with_numbers_counts() {
        assert_eq!(final_list("ID: 7 fits.\nFinal Answer: [3, 1]\nGoodbye"), " [3, 1]");
        assert_eq!(final_list("none"), "none");
        assert_eq!(final_list("4"), "4");
    }

    #[test]
    fn passages_cannot_look_like_numbers() {
        assert_eq!(without_ids("see [12], [a], [1 and [[3]] [é]"), "see (12), [a], [1 and [(3)] [é]");
    }

    proptest! {
        #[test]
        fn any_reply_is_an_order(reply in "([0-9]{1,3}|\\PC){0,20}", count in 0..9_usize, first in 0..2_usize) {
            let ids = parse_ids(&reply, count, first);
            let mut all = ids.order.clone();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..count));
            prop_assert!(ids.named <= count);
        }

        #[test]
        fn what_was_written_is_read_again(order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let reply: Vec<String> = order.iter().map(|place| format!("[{}]", place + 1)).collect();
            let ids = parse_ids(&reply.join(" > "), order.len(), 1);
            prop_assert_eq!(&ids.order, &order);
            prop_assert_eq!((ids.named, ids.repeated, ids.unknown), (12, 0, 0));
        }
    }
}
