//! Repeatable draws: the same seed gives the same probes on every machine.

/// splitmix64.
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    /// The draws that follow from `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { usize::try_from(self.next() % bound as u64).unwrap_or(0) }
    }

    /// One of `items`; the empty text when there is none.
    pub fn one_of<'a>(&mut self, items: &[&'a str]) -> &'a str {
        let index = self.below(items.len());
        items.get(index).copied().unwrap_or("")
    }

    /// `count` different ones of `items`, in an order that was drawn; all of them when there are fewer.
    pub fn some_of<T: Clone>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut left = items.to_vec();
        let count = count.min(left.len());
        (0..count).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Draws;

    #[test]
    fn draws_repeat_and_do_not_repeat_items() {
        let draw = || Draws::new(3).some_of(&[1, 2, 3, 4, 5, 6], 4);
        assert_eq!(draw(), draw());
        let mut drawn = draw();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 4);
        assert_eq!(Draws::new(3).some_of(&[1, 2], 9).len(), 2);
        assert_eq!((Draws::new(1).below(0), Draws::new(1).one_of(&[])), (0, ""));
    }
}
