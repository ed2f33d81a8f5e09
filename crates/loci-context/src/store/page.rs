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

/// A page to read from: one in RAM, or a copy of one that is cold.
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
    pub(super) fn new(layout: &Layout) -> Self {
        let keys = || KeyTiles::new(layout.row_type, layout.shape.head_dim, PAGE);
        Self {
            raw: layout.raw.then(keys),
            rotated: (layout.rotated_reach > 0).then(keys),
            values: ValueTiles::new(layout.row_type, layout.shape.head_dim, PAGE),
        }
    }

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

    /// Writes whatever forms are held.
    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        let mut bytes = Vec::new();
        for keys in [&self.raw, &self.rotated] {
            bytes.clear();
            if let Some(keys) = keys {
                keys.store(&mut bytes);
            }
            out.bytes(&bytes)?;
        }
        bytes.clear();
        self.values.store(&mut bytes);
        out.bytes(&bytes)
    }

    /// Reads a page of `rows` rows that [`save`](Self::save) wrote.
    pub(super) fn read(from: &mut Reader<'_>, rows: usize, layout: &Layout) -> Result<Self, MemoryError> {
        Self::read_cut(from, rows, layout, layout.shape.head_dim)
    }

    /// As [`read`](Self::read), with rotated keys of `key_dim` numbers.
    pub(super) fn read_cut(
        from: &mut Reader<'_>,
        rows: usize,
        layout: &Layout,
        key_dim: usize,
    ) -> Result<Self, MemoryError> {
        let (dim, kind) = (layout.shape.head_dim, layout.row_type);
        let damaged = || MemoryError::Saved("a page has an unexpected length".into());
        let mut keys = |dim: usize, wanted: bool| -> Result<Option<KeyTiles>, MemoryError> {
            let bytes = from.bytes()?;
            if bytes.is_empty() && (rows > 0 || !wanted) {
                return Ok(None);
            }
            KeyTiles::load(kind, dim, rows, &bytes).map(Some).ok_or_else(damaged)
        };
        let (raw, rotated) = (keys(dim, layout.raw)?, keys(key_dim, layout.rotated_reach > 0)?);
        if raw.is_some() != layout.raw || (raw.is_none() && rotated.is_none()) {
            return Err(MemoryError::Saved("a page holds other keys than this method reads".into()));
        }
        let values = ValueTiles::load(kind, dim, rows, &from.bytes()?).ok_or_else(damaged)?;
        Ok(Self { raw, rotated, values })
    }
}
