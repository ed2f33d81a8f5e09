//! Similarity of texts by the characters one must take out and put in.

/// Length of the longest common subsequence, in O(len a * len b) steps and O(len b) memory.
pub(crate) fn common<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut row = vec![0_usize; b.len() + 1];
    for left in a {
        let (mut diagonal, mut before) = (0, 0);
        for (right, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            *cell = if left == right { diagonal + 1 } else { above.max(before) };
            (diagonal, before) = (above, *cell);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// 1 - indel distance / (len a + len b), in characters: twice the longest common subsequence over both lengths. Two
/// empty texts are alike: 1.
pub fn indel_ratio(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let both = a.len() + b.len();
    if both == 0 { 1.0 } else { 2.0 * common(&a, &b) as f64 / both as f64 }
}

/// [`indel_ratio`] rounded to whole percent, half to even (LongBench's edit similarity): 0.07 and never 0.0667.
pub fn edit_similarity(a: &str, b: &str) -> f64 {
    (100.0 * indel_ratio(a, b)).round_ties_even() / 100.0
}

/// The first line, behind leading line breaks, without a backtick, `#` or `//`; the empty text where there is none
/// (LongBench, for code).
pub fn code_line(answer: &str) -> &str {
    let is_code = |line: &&str| !(line.contains(['`', '#']) || line.contains("//"));
    answer.trim_start_matches('\n').split('\n').find(is_code).unwrap_or("")
}

/// [`edit_similarity`] of the answer's [`code_line`] and the gold (LongBench, RepoBench).
pub fn code_similarity(answer: &str, gold: &str) -> f64 {
    edit_similarity(code_line(answer), gold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hand_cases() {
        assert_eq!(indel_ratio("abcd", "acxd"), 0.75);
        assert_eq!(edit_similarity("ab", "abcd"), 0.67);
        // 12.5 percent is halfway and goes to the even number.
        assert_eq!(edit_similarity("a", "abbbbbbbbbbbbbb"), 0.12);
        assert_eq!(
            (edit_similarity("", "a"), edit_similarity("a", ""), edit_similarity("", "")),
            (0.0, 0.0, 1.0)
        );
        assert_eq!(edit_similarity("é😀", "😀é"), 0.5);
    }

    #[test]
    fn code_is_the_first_line_that_is_no_comment() {
        assert_eq!(code_line("\n\n```python\n# why\nx = 1\ny"), "x = 1");
        assert_eq!(code_line("// a\n# b"), "");
        assert_eq!(code_line("\n  \nx"), "  ");
        assert_eq!(code_similarity("# no\nx = 1", "x = 1"), 1.0);
    }

    proptest! {
        #[test]
        fn between_0_and_1_symmetric_and_1_of_itself(a in "[ab]{0,9}", b in "\\PC{0,9}") {
            let score = indel_ratio(&a, &b);
            prop_assert!((0.0..=1.0).contains(&score));
            prop_assert_eq!(score, indel_ratio(&b, &a));
            prop_assert_eq!((indel_ratio(&b, &b), edit_similarity(&a, &a)), (1.0, 1.0));
        }
    }
}
