//! Room of pages that are gone, for pages to come.

use std::sync::Arc;

use loci_kernels::tiles::{KeyTiles, ValueTiles};

use super::{Layout, PAGE, Page};

/// Given back, the room would lie in pieces between pages that stay, for which an allocator finds little use: a process
/// grows by most of what is freed so. Held is never more than the next append needs, and a fork begins with nothing.
#[derive(Default)]
pub(super) struct Spare {
    keys: Vec<KeyTiles>,
    values: Vec<ValueTiles>,
    /// Pages that the last append may have begun.
    pages: usize,
}

impl Clone for Spare {
    fn clone(&self) -> Self {
        Self { pages: self.pages, ..Self::default() }
    }
}

impl Spare {
    /// `rows` rows are appended; as many are expected to follow.
    pub(super) fn expect(&mut self, rows: usize) {
        self.pages = rows.div_ceil(PAGE);
        self.keys.truncate(2 * self.pages); // unrotated and rotated ones
        self.values.truncate(self.pages);
    }

    /// An empty page.
    pub(super) fn page(&mut self, layout: &Layout) -> Page {
        let (kind, dim) = (layout.row_type, layout.shape.head_dim);
        let mut keys = || self.keys.pop().unwrap_or_else(|| KeyTiles::new(kind, dim, PAGE));
        Page {
            raw: layout.raw.then(&mut keys),
            rotated: (layout.rotated_reach > 0).then(keys),
            values: self.values.pop().unwrap_or_else(|| ValueTiles::new(kind, dim, PAGE)),
        }
    }

    /// Takes the room of keys that nobody reads any more.
    pub(super) fn put_keys(&mut self, mut keys: KeyTiles, layout: &Layout) {
        if self.keys.len() < 2 * self.pages && !keys.is_shared() && keys.bytes() == layout.keys_bytes() {
            keys.truncate(0);
            self.keys.push(keys);
        }
    }

    /// Takes the room of a page, unless a fork still reads it.
    pub(super) fn put(&mut self, page: Option<Arc<Page>>, layout: &Layout) {
        let Some(page) = page.and_then(Arc::into_inner) else { return };
        [page.raw, page.rotated].into_iter().flatten().for_each(|keys| self.put_keys(keys, layout));
        let mut values = page.values;
        if self.values.len() < self.pages && !values.is_shared() && values.bytes() == layout.values_bytes() {
            values.truncate(0);
            self.values.push(values);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let keys = self.keys.iter().map(KeyTiles::bytes);
        keys.chain(self.values.iter().map(ValueTiles::bytes)).sum()
    }
}

#[cfg(test)]
mod tests {
    use loci_kernels::tiles::RowType;
    use loci_models::memory::AttentionShape;

    use super::*;

    const SHAPE: AttentionShape = AttentionShape { layers: 1, heads: 1, kv_heads: 1, head_dim: 16 };

    fn layout() -> Layout {
        Layout { shape: SHAPE, row_type: RowType::I8, raw: true, rotated_reach: PAGE, far_pages: None }
    }

    /// A full page, and where its values lie.
    fn full(spare: &mut Spare) -> (Arc<Page>, *const u8) {
        let mut page = spare.page(&layout());
        assert_eq!((page.raw.as_ref().map(KeyTiles::rows), page.values.rows()), (Some(0), 0));
        for keys in [&mut page.raw, &mut page.rotated].into_iter().flatten() {
            (0..PAGE).for_each(|_| keys.push(&[1.0; 16]));
        }
        (0..PAGE).for_each(|_| page.values.push(&[1.0; 16]));
        let at = page.values.stored().as_ptr();
        (Arc::new(page), at)
    }

    #[test]
    fn the_next_page_lies_where_one_that_is_gone_lay() {
        let mut spare = Spare::default();
        spare.expect(PAGE);
        let (page, first) = full(&mut spare);
        let bytes = page.bytes();
        spare.put(Some(page), &layout());
        assert_eq!(spare.bytes(), bytes);
        assert_eq!(spare.clone().bytes(), 0, "a fork holds no room");
        let (page, second) = full(&mut spare);
        assert_eq!((second, spare.bytes()), (first, 0));
        let fork = Arc::clone(&page);
        spare.put(Some(page), &layout());
        assert_eq!(spare.bytes(), 0, "a fork still reads it");
        spare.put(Some(fork), &layout());
        assert_eq!(spare.bytes(), bytes);
    }

    #[test]
    fn no_more_is_held_than_the_last_append_needed() {
        let mut spare = Spare::default();
        spare.expect(3 * PAGE);
        let pages: Vec<_> = (0..5).map(|_| full(&mut spare).0).collect();
        let bytes = pages[0].bytes();
        pages.into_iter().for_each(|page| spare.put(Some(page), &layout()));
        assert_eq!(spare.bytes(), 3 * bytes);
        spare.expect(1);
        assert_eq!(spare.bytes(), bytes);
    }
}
