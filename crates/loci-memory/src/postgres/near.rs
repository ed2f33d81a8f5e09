//! Vectors compared by the database: all of a scope, or by pgvector's graph of near ones (HNSW).

use super::read::Numbers;
use super::session::Session;
use crate::error::MemoryError;
use crate::rows::ScopeRow;
use crate::search::best_items;

/// Items with their scores, best first.
type Ranked = Vec<(i64, f64)>;

/// How the index of a space is called.
fn index(space: &str) -> String {
    let hash = blake3::hash(space.as_bytes()).to_hex();
    format!("embedding_near_{}", hash.get(..16).unwrap_or(""))
}

/// A text as SQL writes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The best `most` items by the inner product of their best key's vector with `query`: every vector of the scope is compared.
pub(super) fn exact(
    session: &mut Session,
    scope: ScopeRow,
    space: &str,
    query: &[f32],
    most: i64,
) -> Result<Ranked, MemoryError> {
    // pgvector gives the negative of an inner product. Of equal scores the newer item first, as everywhere.
    let sql = "SELECT item, 0 - min(numbers <#> $3) AS score FROM embedding WHERE scope = $1 AND space = $2 \
               GROUP BY item ORDER BY score DESC, item DESC LIMIT $4";
    let rows = session.all(sql, &[&scope.0, &space, &Numbers(query.to_vec()), &most])?;
    let read = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, _>>();
    read.map_err(|error| session.about.failed(&error))
}

/// The same by the index of the space; `None` where there is none, or where it gives too few.
pub(super) fn by_index(
    session: &mut Session,
    scope: ScopeRow,
    space: &str,
    query: &[f32],
    most: usize,
) -> Result<Option<Ranked>, MemoryError> {
    if !has_index(session, space)? {
        return Ok(None);
    }
    // As the index has it: a cast to its dimension, and the space written out.
    let near = format!("numbers::vector({}) <#> $2", query.len());
    // An item may have several keys among the nearest.
    let sql = format!(
        "SELECT item, 0 - ({near}) FROM embedding WHERE space = {} AND scope = $1 ORDER BY {near} LIMIT {}",
        quoted(space),
        most.saturating_mul(2)
    );
    // Its estimate of what the index costs is far too high where this many are wanted.
    session.batch("SET LOCAL enable_sort = off")?;
    let rows = session.all(&sql, &[&scope.0, &Numbers(query.to_vec())])?;
    session.batch("SET LOCAL enable_sort = on")?;
    let read = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, _>>();
    let found = best_items(read.map_err(|error| session.about.failed(&error))?, most);
    Ok(Some(found).filter(|found| found.len() >= most))
}

fn has_index(session: &mut Session, space: &str) -> Result<bool, MemoryError> {
    Ok(!session.all("SELECT 1 WHERE to_regclass($1::text) IS NOT NULL", &[&index(space)])?.is_empty())
}

/// Makes the index of a space, within the transaction that adds a vector of `dimension` numbers to it.
pub(super) fn make_index(session: &mut Session, space: &str, dimension: usize) -> Result<(), MemoryError> {
    if has_index(session, space)? {
        return Ok(());
    }
    let name = index(space);
    // Its samples for the planner would be vectors.
    session.batch(&format!(
        "CREATE INDEX {name} ON embedding USING hnsw ((numbers::vector({dimension})) vector_ip_ops) WHERE space = {}; \
         ALTER INDEX {name} ALTER 1 SET STATISTICS 0",
        quoted(space)
    ))
}
