//! What an answer names: numbers, lists, a letter.

use std::collections::BTreeSet;

use super::normal::is_blank;

/// Runs of digits in `text`, as they stand: whole numbers, so that 12 is not found in 120.
pub fn numbers(text: &str) -> Vec<&str> {
    text.split(|character: char| !character.is_ascii_digit()).filter(|run| !run.is_empty()).collect()
}

/// The first number, with its sign and decimals: `-3.5` of `it is -3.5 or 4`. A sign counts where no letter or digit
/// stands before it.
pub fn first_decimal(text: &str) -> Option<f64> {
    let start = text.find(|character: char| character.is_ascii_digit())?;
    let (before, from) = text.split_at(start);
    let digits = |text: &str| text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let mut end = digits(from);
    if let Some(decimals) = from.get(end..).and_then(|rest| rest.strip_prefix('.')) {
        let count = digits(decimals);
        end += if count > 0 { count + 1 } else { 0 };
    }
    let negative = before
        .strip_suffix('-')
        .is_some_and(|before| !before.chars().next_back().is_some_and(char::is_alphanumeric));
    let value: f64 = from.get(..end)?.parse().ok()?;
    Some(if negative { -value } else { value })
}

/// All whole numbers that stand in square brackets (LongIns). Numbers beyond 64 bits are left out.
pub fn bracketed_numbers(text: &str) -> BTreeSet<u64> {
    let inside = text.split('[').skip(1).filter_map(|part| part.split_once(']'));
    inside.flat_map(|(inside, _)| numbers(inside)).filter_map(|number| number.parse().ok()).collect()
}

/// The items of a list: what stands between the first `[` and the `]` behind it, or all of `text` without brackets;
/// parted at commas, without blanks and quotes around them, empty ones left out.
pub fn items(text: &str) -> Vec<&str> {
    let inside = text.split_once('[').map_or(text, |(_, behind)| behind.split(']').next().unwrap_or(""));
    inside
        .split([',', '，', '、'])
        .map(|item| {
            item.trim_matches(|character: char| is_blank(character) || matches!(character, '"' | '\'' | '`'))
        })
        .filter(|item| !item.is_empty())
        .collect()
}

/// The letter an answer chooses among the first `options` of A, B, …: its first character, else the first letter
/// behind a phrase such as `answer is`, else the first letter that stands alone (InfiniteBench, SCBench). `None`
/// where it names none.
pub fn letter(answer: &str, options: usize) -> Option<char> {
    let options = options.min(26) as u32;
    let is_option =
        |character: char| character.is_ascii_uppercase() && u32::from(character) - u32::from('A') < options;
    let alone_first = |text: &str| {
        let mut characters = text.chars();
        let first = characters.next().filter(|first| is_option(*first))?;
        (!characters.next().is_some_and(char::is_alphanumeric)).then_some(first)
    };
    let answer = answer.trim_start_matches(is_blank);
    if let Some(first) = answer.chars().next().filter(|first| is_option(*first)) {
        return Some(first);
    }
    for phrase in ["answer is:", "answer is", "answer:", "choice is:", "choice is", "option is:", "option is"]
    {
        // ASCII lower case keeps every byte in its place.
        let lower = answer.to_ascii_lowercase();
        let behind = lower.find(phrase).and_then(|at| answer.get(at + phrase.len()..));
        let bare = behind.map(|text| text.trim_start_matches(|c: char| is_blank(c) || "(*\"'".contains(c)));
        if let Some(found) = bare.and_then(alone_first) {
            return Some(found);
        }
    }
    let words = answer.split(|character: char| !character.is_alphanumeric());
    words.filter(|word| word.len() == 1).find_map(alone_first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole() {
        assert_eq!(numbers("12 of 120, 3.5"), ["12", "120", "3", "5"]);
        assert!(numbers("none").is_empty());
    }

    #[test]
    fn the_first_decimal_has_sign_and_point() {
        for (text, number) in
            [("is -3.5.", -3.5), ("3. And 4", 3.0), ("no-7", 7.0), ("007", 7.0), ("-12", -12.0)]
        {
            assert_eq!(first_decimal(text), Some(number), "{text}");
        }
        assert_eq!(first_decimal("none - ."), None);
    }

    #[test]
    fn lists_are_read_with_and_without_brackets() {
        assert_eq!(items(r#"Values: ["ab", 'c d',] and [e]"#), ["ab", "c d"]);
        assert_eq!(items("x，y、 z"), ["x", "y", "z"]);
        assert!(items("[]").is_empty() && items("").is_empty());
        let found: Vec<u64> = bracketed_numbers("[1, 3-5] no 9 [3] [7").into_iter().collect();
        assert_eq!(found, [1, 3, 5]);
        assert!(bracketed_numbers("[99999999999999999999999]").is_empty());
    }

    #[test]
    fn a_letter_is_found_where_answers_put_it() {
        let cases = [
            ("B", Some('B')),
            ("C. Because", Some('C')),
            ("So the answer is (D)", Some('D')),
            ("Maybe E or rather B.", Some('B')),
            ("I say nothing", None),
            ("", None),
            ("答案是 A", Some('A')),
        ];
        for (answer, letter_of) in cases {
            assert_eq!(letter(answer, 4), letter_of, "{answer}");
        }
    }
}
