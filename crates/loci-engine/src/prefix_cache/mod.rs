//! What was read of long inputs, kept on disk without being asked to: another question about the same text, in another
//! process, goes on from there.
//!
//! An entry is a [saved reading](crate::saved) without texts, named by a chain of hashes over blocks of 512 tokens and by
//! everything that must agree: model, method, rows, positions, budget. An input that begins alike is served by it, whole, or
//! where the method can go back exactly, up to where they differ. Processes share the folder without locks: entries appear
//! under their names when they are complete, and one that vanishes while it is looked for was never there.

mod chain;
mod folder;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chain::{Chain, seed};
pub use folder::CacheEntry;

use crate::context::{ContextOptions, ContextPlan};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::layout::Prompt;
use crate::model_store::model_folder;
use crate::saved::{Reading, ReadingError};
use crate::session::Session;

/// Bytes that the cache may take unless told otherwise: 4 GiB.
pub const DEFAULT_LIMIT: u64 = 4 << 30;

/// Shorter inputs are read again sooner than they are found.
pub const LEAST_TOKENS: usize = 1024;

/// A folder of what was read; see the [module documentation](self).
#[derive(Clone, Debug)]
pub struct PrefixCache {
    folder: PathBuf,
    limit: u64,
}

/// What an input is looked for by.
pub(crate) struct Key<'a> {
    engine: &'a Arc<Engine>,
    context: ContextOptions,
    chain: Chain,
    tokens: &'a [u32],
}

impl PrefixCache {
    /// The cache in `folder`, which is made when something is kept; it takes at most `limit` bytes.
    pub fn at(folder: &Path, limit: u64) -> Self {
        Self { folder: folder.to_owned(), limit }
    }

    /// The user's cache: the folder `readings` beside that for models. `None` where no folder for caches is known.
    pub fn standard(limit: u64) -> Option<Self> {
        Some(Self::at(&model_folder()?.parent()?.join("readings"), limit))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the documents at the beginning of `prompt` are looked for by; `None` where they are too short, or nothing that
    /// is kept could name what reads them.
    pub(crate) fn key<'a>(
        &self,
        engine: &'a Arc<Engine>,
        context: &ContextOptions,
        plan: &ContextPlan,
        prompt: &'a Prompt,
        chunk: usize,
    ) -> Result<Option<Key<'a>>, EngineError> {
        let tokens = prompt.tokens.get(..prompt.documents).unwrap_or(&[]);
        let drafted = matches!(context.draft, Some(crate::draft::Draft::Model(_)));
        if tokens.len() < LEAST_TOKENS || plan.method.shortening().is_some() || drafted {
            return Ok(None);
        }
        let context = context.settled(engine, plan)?;
        let seed = seed(engine, &context, plan.planned_tokens, chunk)?;
        Ok(seed.map(|seed| Key { engine, context, chain: Chain::new(&seed, tokens), tokens }))
    }

    /// A session that has read as much as possible of the input, and nothing else. What is damaged is removed.
    pub(crate) fn find(&self, key: &Key<'_>) -> Option<Session> {
        let exact = self.path(&key.chain);
        if exact.is_file()
            && let Some(session) = self.serve(key, &exact)
        {
            return Some(session);
        }
        let mut best: Option<(usize, PathBuf)> = None;
        for entry in self.entries().into_iter().filter(|entry| entry.seed() == key.chain.seed) {
            // What cannot be described now is found damaged when it is opened, or gone.
            let Ok(facts) = Reading::describe(&entry.path) else { continue };
            let common = key.chain.common(facts.chain.as_deref().unwrap_or(&[]));
            let enough = common * chain::BLOCK >= LEAST_TOKENS && entry.path != exact;
            if enough && best.as_ref().is_none_or(|(most, _)| common > *most) {
                best = Some((common, entry.path));
            }
        }
        best.and_then(|(_, path)| self.serve(key, &path))
    }

    fn serve(&self, key: &Key<'_>, path: &Path) -> Option<Session> {
        let opened = Reading::open_with(key.engine, path, key.context.cold_folder.as_deref());
        let reading = match opened {
            Ok(reading) => reading,
            Err(EngineError::Reading(ReadingError::File { source, .. }))
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                return None;
            }
            Err(error) => {
                tracing::warn!("what was kept of an earlier reading is removed: {error}");
                folder::remove(path);
                return None;
            }
        };
        let mut session = reading.into_session();
        let common = session.shared_with(key.tokens);
        if common < session.len() || common < key.tokens.len() {
            match session.cut(common) {
                Ok(left) if left >= LEAST_TOKENS => {}
                // The method cannot go back so far without reading again.
                _ => return None,
            }
        }
        folder::touch(path);
        Some(session)
    }

    /// Keeps what `session` has read: exactly the tokens of `key`. What was used longest ago gives way. A cache that cannot
    /// be written to costs no answer, so all that happens then is a warning.
    pub(crate) fn keep(&self, key: &Key<'_>, plan: &ContextPlan, session: &Session, chunk: usize) {
        let path = self.path(&key.chain);
        if path.is_file() {
            return;
        }
        if session.row_bytes() as u64 > self.limit {
            let (bytes, limit) = (session.row_bytes(), self.limit);
            tracing::warn!(
                "what was read takes {bytes} bytes and is not kept in a cache of {limit}; --cache-size allows more"
            );
            return;
        }
        let kept = folder::make(&self.folder)
            .map_err(|source| EngineError::from(ReadingError::File { path: self.folder.clone(), source }));
        let kept = kept.and_then(|()| {
            let reading = Reading::of_session(
                key.engine,
                &key.context,
                plan,
                session.fork()?,
                key.chain.blocks.clone(),
                chunk,
            )?;
            reading.write(&path, true)
        });
        match kept {
            Ok(_) => {
                self.shrink();
            }
            Err(error) => tracing::warn!("what was read is not kept for later: {error}"),
        }
    }

    fn path(&self, chain: &Chain) -> PathBuf {
        self.folder.join(folder::file_name(&chain.seed, &chain.whole))
    }
}
