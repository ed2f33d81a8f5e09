//! The pages of one kv head of one layer.

use std::ops::Range;
use std::sync::Arc;

use loci_kernels::Isa;
use loci_models::memory::MemoryError;
use loci_models::rope::RopeSchedule;

use super::cold::{ColdPlace, ColdSlot};
use super::packed::{HeadPacking, Packed, Packer};
use super::page::Forms;
use super::spare::Spare;
use super::{Layout, PAGE, Page, PageRef, Rotations, missing};
use crate::saved::{Reader, Writer};

/// What a page is read from when it is not in RAM.
enum Copied {
    /// In the file for cold pages.
    Slot(ColdSlot),
    /// In the saved memory that was loaded: its tiles are those of the mapped file.
    Mapped(Arc<Page>),
}

/// A page that is not in RAM, or has a copy that is not.
#[derive(Clone, Default)]
struct Cold {
    copy: Option<Arc<Copied>>,
    /// When the page was last read.
    stamp: u64,
}

/// Where each page is: in RAM, in the file (the copies are the same), or in neither when it was dropped.
#[derive(Clone, Default)]
pub(super) struct HeadRows {
    /// Apart from what is seldom looked at: scattered pages are looked up for every token that is written.
    hot: Vec<Option<Arc<Page>>>,
    /// As many as `hot`.
    cold: Vec<Cold>,
    rows: usize,
    /// Pages in front whose rotated keys are gone (where unrotated ones remain).
    unrotated: usize,
    spare: Spare,
    /// What is left of the rows before `packed_end`, once they were packed; their pages are empty.
    packed: Option<Arc<Packed>>,
    packed_end: usize,
}

impl HeadRows {
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn bytes(&self) -> usize {
        let packed = self.packed.as_ref().map_or(0, |packed| packed.bytes());
        packed + self.spare.bytes() + self.hot.iter().flatten().map(|page| page.bytes()).sum::<usize>()
    }

    /// What is left of the rows before the returned position; the others are gone.
    pub(super) fn packed(&self) -> (Option<&Packed>, usize) {
        (self.packed.as_deref(), self.packed_end)
    }

    /// Keeps, of the rows before `end`, only those that `packing` names.
    pub(super) fn pack(
        &mut self,
        end: usize,
        packing: &HeadPacking,
        layout: &Layout,
        schedule: &RopeSchedule,
        isa: Isa,
    ) -> Result<(), MemoryError> {
        let end = end.min(self.rows);
        let mut packer = Packer::new(packing, layout, schedule, isa);
        let mut held: Option<(usize, PageRef<'_>)> = None;
        for position in packing.rows.iter().copied().filter(|position| *position < end) {
            if position < self.packed_end {
                let old = self.packed.as_ref().ok_or_else(|| missing("dropped rows", position))?;
                let row = old.row(position).ok_or_else(|| missing("dropped rows", position))?;
                packer.push(position, &old.rows, row, old.channels.as_deref())?;
                continue;
            }
            let number = position / PAGE;
            let page = match &held {
                Some((holds, page)) if *holds == number => page,
                _ => &held.insert((number, self.page(number, layout)?)).1,
            };
            packer.push(position, page, position % PAGE, None)?;
        }
        self.packed = Some(Arc::new(packer.finish(end)));
        self.packed_end = end;
        (0..end / PAGE).for_each(|number| self.drop_page(number));
        Ok(())
    }

    pub(super) fn append(
        &mut self,
        layout: &Layout,
        isa: Isa,
        head: usize,
        k: &[f32],
        v: &[f32],
        rotations: &Rotations,
    ) {
        let head_dim = layout.shape.head_dim;
        let width = layout.shape.kv_heads * head_dim;
        let own = head * head_dim..(head + 1) * head_dim;
        let mut rotated = vec![0.0; head_dim];
        self.spare.expect(k.len() / width);
        for (key, value) in k.chunks_exact(width).zip(v.chunks_exact(width)) {
            if self.rows.is_multiple_of(PAGE) {
                self.hot.push(Some(Arc::new(self.spare.page(layout))));
                self.cold.push(Cold::default());
            }
            let position = self.rows;
            self.rows += 1;
            let Some(Some(page)) = self.hot.last_mut() else { return };
            // A page shared with a fork is copied here, at its first own row.
            let page = Arc::make_mut(page);
            let key = &key[own.clone()];
            if let Some(raw) = &mut page.raw {
                raw.push(key);
            }
            if let Some(tiles) = &mut page.rotated {
                rotated.copy_from_slice(key);
                let (cos, sin) = rotations.at(position);
                loci_kernels::vector::rotate(isa, &mut rotated, cos, sin);
                tiles.push(&rotated);
            }
            page.values.push(&value[own.clone()]);
        }
    }

    pub(super) fn page(&self, number: usize, layout: &Layout) -> Result<PageRef<'_>, MemoryError> {
        if let Some(page) = self.hot.get(number).ok_or_else(|| missing("rows", number * PAGE))? {
            return Ok(PageRef::Hot(page));
        }
        match self.cold[number].copy.as_deref() {
            Some(Copied::Slot(slot)) => Ok(PageRef::Read(Box::new(Page::load_far(layout, &slot.read()?)?))),
            Some(Copied::Mapped(page)) => Ok(PageRef::Hot(page)),
            None => Err(missing("dropped rows", number * PAGE)),
        }
    }

    fn is_dropped(&self, number: usize) -> bool {
        self.hot[number].is_none() && self.cold[number].copy.is_none()
    }

    fn drop_page(&mut self, number: usize) {
        self.hot[number] = None;
        self.cold[number] = Cold::default();
    }

    /// Brings the pages of `range` into RAM and marks them as read at `clock`.
    pub(super) fn touch(
        &mut self,
        range: Range<usize>,
        clock: u64,
        layout: &Layout,
    ) -> Result<(), MemoryError> {
        for number in range.start.max(self.packed_end) / PAGE..range.end.div_ceil(PAGE) {
            if self.hot.get(number).is_some_and(Option::is_none) {
                let page = self.page(number, layout)?.shared();
                self.hot[number] = Some(page);
            }
            if let Some(cold) = self.cold.get_mut(number) {
                cold.stamp = clock;
            }
        }
        Ok(())
    }

    /// Pages in RAM that lie wholly before `near_from`.
    pub(super) fn far_hot(&self, near_from: usize) -> usize {
        self.hot[..near_from / PAGE].iter().flatten().count()
    }

    /// Moves the pages read longest ago to the file, until `keep` far ones are left; those read at `clock` stay.
    pub(super) fn evict(
        &mut self,
        near_from: usize,
        keep: usize,
        clock: u64,
        place: &mut ColdPlace<'_>,
    ) -> Result<(), MemoryError> {
        let mut far: Vec<usize> =
            (0..near_from / PAGE).filter(|number| self.hot[*number].is_some()).collect();
        let surplus = far.len().saturating_sub(keep);
        far.retain(|number| self.cold[*number].stamp != clock);
        far.sort_by_key(|number| (self.cold[*number].stamp, *number));
        let mut bytes = Vec::new();
        for number in far.into_iter().take(surplus) {
            let copy = &mut self.cold[number].copy;
            if let (Some(page), None) = (&self.hot[number], &copy) {
                bytes.clear();
                page.store_far(&mut bytes);
                *copy = Some(Arc::new(Copied::Slot(place.file()?.write(&bytes)?)));
            }
            self.spare.put(self.hot[number].take(), place.layout);
        }
        Ok(())
    }

    pub(super) fn release(&mut self, unreachable: &Range<usize>, near_from: usize, layout: &Layout) {
        let droppable = unreachable.start.div_ceil(PAGE)..unreachable.end / PAGE;
        for number in (droppable.start..droppable.end.min(self.hot.len())).rev() {
            // Pages in front of one that is gone already were dropped in earlier calls.
            if self.is_dropped(number) {
                break;
            }
            self.spare.put(self.hot[number].take(), layout);
            self.drop_page(number);
        }
        while layout.raw && (self.unrotated + 1) * PAGE <= near_from {
            let page = self.hot[self.unrotated].as_mut().filter(|page| page.rotated.is_some());
            if let Some(keys) = page.and_then(|page| Arc::make_mut(page).rotated.take()) {
                self.spare.put_keys(keys, layout);
            }
            self.unrotated += 1;
        }
    }

    pub(super) fn truncate(&mut self, to: usize, layout: &Layout) -> Result<(), MemoryError> {
        if to >= self.rows {
            return Ok(());
        }
        if to < self.packed_end {
            // Only everything can be forgotten: what was packed does not come back.
            *self = Self::default();
            return if to == 0 { Ok(()) } else { Err(missing("packed rows", to)) };
        }
        self.hot.truncate(to.div_ceil(PAGE));
        self.cold.truncate(to.div_ceil(PAGE));
        self.unrotated = self.unrotated.min(self.hot.len());
        self.rows = to;
        if !to.is_multiple_of(PAGE) {
            let mut page = self.page(to / PAGE, layout)?.shared();
            Arc::make_mut(&mut page).truncate(to % PAGE);
            self.hot[to / PAGE] = Some(page);
            self.cold[to / PAGE] = Cold::default();
        }
        Ok(())
    }

    /// The first position from `from` on whose row is there, and all behind it.
    pub(super) fn first_present(&self, from: usize) -> usize {
        let gone = (0..self.hot.len()).rfind(|number| self.is_dropped(*number));
        gone.map_or(from, |number| from.max((number + 1) * PAGE))
    }

    pub(super) fn rotated_from(&self) -> usize {
        self.unrotated * PAGE
    }

    pub(super) fn save(&self, out: &mut Writer<'_>, layout: &Layout) -> Result<(), MemoryError> {
        out.number(self.rows)?;
        out.number(self.unrotated)?;
        out.number(self.packed_end)?;
        if let Some(packed) = &self.packed {
            packed.save(out)?;
        }
        for number in 0..self.hot.len() {
            out.number(self.forms(number, layout).code())?;
        }
        for number in (0..self.hot.len()).filter(|number| !self.is_dropped(*number)) {
            self.page(number, layout)?.save(out)?;
        }
        Ok(())
    }

    /// What is held of the keys of a page.
    fn forms(&self, number: usize, layout: &Layout) -> Forms {
        match &self.hot[number] {
            Some(page) => page.forms(),
            None if self.is_dropped(number) => Forms::default(),
            None => Forms::far(layout),
        }
    }

    pub(super) fn read(from: &mut Reader, layout: &Layout) -> Result<Self, MemoryError> {
        let rows = from.number()?;
        let unrotated = from.number()?;
        let packed_end = from.number()?;
        let packed = match packed_end {
            0 => None,
            _ => Some(Arc::new(Packed::read(from, packed_end, layout)?)),
        };
        let mut forms = Vec::new();
        while forms.len() < rows.div_ceil(PAGE) {
            forms.push(Forms::of_code(from.number()?)?);
        }
        if unrotated > forms.len() || packed_end > rows {
            return Err(MemoryError::Saved("more pages are marked than there are".into()));
        }
        let (mut hot, mut cold) = (Vec::with_capacity(forms.len()), vec![Cold::default(); forms.len()]);
        for (number, forms) in forms.into_iter().enumerate() {
            if forms == Forms::default() {
                hot.push(None);
                continue;
            }
            let held = (rows - number * PAGE).min(PAGE);
            let page = Page::read(from, held, layout, forms, layout.shape.head_dim)?;
            if layout.far_pages.is_some() && held == PAGE {
                cold[number].copy = page.mapped_far().map(|page| Arc::new(Copied::Mapped(Arc::new(page))));
            }
            hot.push(Some(Arc::new(page)));
        }
        Ok(Self { hot, cold, rows, unrotated, spare: Spare::default(), packed, packed_end })
    }
}
