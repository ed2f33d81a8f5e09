//! A page: the keys and values of 64 consecutive positions of one kv head.

use std::ops::Deref;
use std::sync::Arc;

use loci_kernels::tiles::{KeyTiles, ValueTiles};
use loci_models::memory::MemoryError;

use super::Layout;
use crate::saved::{Reader, Writer};

/// Rows in a page: four tiles, as many as the attention kernel works on at a time.
pub const PAGE: usize = 64;

/// Keys in the forms held, and values.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) raw: Option<KeyTiles>,
    pub(crate) rotated: Option<KeyTiles>,
    pub(crate) values: ValueTiles,
}

/// In which forms the keys of a page are held; neither: the page is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forms {
    raw: bool,
    rotated: bool,
}

impl Forms {
    /// Those of a page that has left the window.
    pub(super) const fn far(layout: &Layout) -> Self {
        Self { raw: layout.raw, rotated: !layout.raw }
    }

    /// As a number in a saved memory.
    pub(super) const fn code(self) -> usize {
        self.raw as usize + 2 * self.rotated as usize
    }

    /// Reads what [`code`](Self::code) gave.
    pub(super) fn of_code(code: usize) -> Result<Self, MemoryError> {
        match code {
            0..4 => Ok(Self { raw: code % 2 == 1, rotated: code >= 2 }),
            _ => Err(MemoryError::Saved(format!("{code} is no form of keys"))),
        }
    }
}

/// A page to read from: one in RAM or in a mapped file, or a copy of one that is cold.
///
/// A search touches many pages, most of them in no cache. Counting references there would wait for each in turn.
pub(crate) enum PageRef<'a> {
    Hot(&'a Arc<Page>),
    Read(Box<Page>),
}

impl PageRef<'_> {
    /// The page, to be held.
    pub(super) fn shared(self) -> Arc<Page> {
        match self {
            Self::Hot(page) => Arc::clone(page),
            Self::Read(page) => Arc::from(page),
        }
    }
}

impl Deref for PageRef<'_> {
    type Target = Page;

    fn deref(&self) -> &Page {
        match self {
            Self::Hot(page) => page,
            Self::Read(page) => page,
        }
    }
}

impl Page {
    pub(super) fn bytes(&self) -> usize {
        let keys = |tiles: &Option<KeyTiles>| tiles.as_ref().map_or(0, KeyTiles::bytes);
        keys(&self.raw) + keys(&self.rotated) + self.values.bytes()
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        for tiles in [&mut self.raw, &mut self.rotated].into_iter().flatten() {
            tiles.truncate(rows);
        }
        self.values.truncate(rows);
    }

    /// Appends the bytes of the keys that stay when the page leaves the window, and of the values.
    pub(super) fn store_far(&self, out: &mut Vec<u8>) {
        if let Some(keys) = self.raw.as_ref().or(self.rotated.as_ref()) {
            keys.store(out);
        }
        self.values.store(out);
    }

    /// Reads a full page that [`store_far`](Self::store_far) wrote.
    pub(super) fn load_far(layout: &Layout, bytes: &[u8]) -> Result<Self, MemoryError> {
        let keys_end = layout.keys_bytes();
        let (dim, kind) = (layout.shape.head_dim, layout.row_type);
        let damaged = || MemoryError::Saved("a cold page has an unexpected length".into());
        let keys = bytes
            .get(..keys_end)
            .and_then(|bytes| KeyTiles::load(kind, dim, PAGE, bytes))
            .ok_or_else(damaged)?;
        let values = bytes
            .get(keys_end..)
            .and_then(|bytes| ValueTiles::load(kind, dim, PAGE, bytes))
            .ok_or_else(damaged)?;
        let (raw, rotated) = if layout.raw { (Some(keys), None) } else { (None, Some(keys)) };
        Ok(Self { raw, rotated, values })
    }

    /// The forms of its keys.
    pub(super) fn forms(&self) -> Forms {
        Forms { raw: self.raw.is_some(), rotated: self.rotated.is_some() }
    }

    /// What would be read of the page from the file for cold pages, where all of it lies in a saved memory that is held in
    /// any case: then it needs no copy.
    pub(super) fn mapped_far(&self) -> Option<Self> {
        let rotated = if self.raw.is_some() { None } else { self.rotated.clone() };
        let far = Self { raw: self.raw.clone(), rotated, values: self.values.clone() };
        let keys = far.raw.iter().chain(&far.rotated).all(KeyTiles::is_shared);
        (keys && far.values.is_shared()).then_some(far)
    }

    /// Writes whatever forms are held.
    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        for keys in [&self.raw, &self.rotated].into_iter().flatten() {
            out.aligned(keys.stored())?;
        }
        out.aligned(self.values.stored())
    }

    /// Reads a page of `rows` rows that [`save`](Self::save) wrote with keys in these `forms`, the rotated ones of `key_dim`
    /// numbers.
    pub(super) fn read(
        from: &mut Reader,
        rows: usize,
        layout: &Layout,
        forms: Forms,
        key_dim: usize,
    ) -> Result<Self, MemoryError> {
        if forms.raw != layout.raw
            || forms == Forms::default()
            || (forms.rotated && layout.rotated_reach == 0)
        {
            return Err(MemoryError::Saved("a page holds other keys than this method reads".into()));
        }
        let (dim, kind) = (layout.shape.head_dim, layout.row_type);
        let damaged = || MemoryError::Saved("a page has an unexpected length".into());
        let mut keys = |dim: usize, held: bool| -> Result<Option<KeyTiles>, MemoryError> {
            if !held {
                return Ok(None);
            }
            let bytes = KeyTiles::stored_bytes(kind, dim, rows).ok_or_else(damaged)?;
            KeyTiles::share(kind, dim, rows, from.aligned(bytes)?).map(Some).ok_or_else(damaged)
        };
        let (raw, rotated) = (keys(dim, forms.raw)?, keys(key_dim, forms.rotated)?);
        let bytes = ValueTiles::stored_bytes(kind, dim, rows).ok_or_else(damaged)?;
        let values = ValueTiles::share(kind, dim, rows, from.aligned(bytes)?).ok_or_else(damaged)?;
        Ok(Self { raw, rotated, values })
    }
}
