//! Removing what forgetting leaves in files, and checking the tables.

use std::time::{Duration, Instant};

use super::LOOK;
use super::session::Session;
use crate::error::MemoryError;

/// Tables whose rows are forgotten.
const TABLES: [&str; 5] = ["item", "key", "posting", "embedding", "extraction"];

/// Writes the tables anew without what was removed, and their indexes with them; the old files go.
///
/// The server's write-ahead log has what was written, too. Where the user may, it is closed and a checkpoint made, after which the
/// server needs no segment from before: it removes or overwrites them as it is set to.
///
/// # Errors
/// [`MemoryError::Busy`] while somebody reads an older state, and what the database fails with.
pub(super) fn scrub(session: &mut Session, lock: i64, patience: Duration) -> Result<(), MemoryError> {
    // Nobody writes meanwhile. A lock of the session's, because a vacuum is no part of a transaction.
    session.all("SELECT pg_advisory_lock($1)", &[&lock])?;
    let done = rewrite(session, patience);
    let freed = session.batch(&format!("SELECT pg_advisory_unlock({lock})"));
    session.forget_prepared();
    done.and(freed)
}

fn rewrite(session: &mut Session, patience: Duration) -> Result<(), MemoryError> {
    let until = Instant::now() + patience;
    // Rows that somebody may still see would be written anew with the others. Forgetting changes a row of this table, whatever
    // it removes elsewhere, and what nobody sees in one table nobody sees in another.
    loop {
        session.batch("VACUUM item")?;
        let rows = session.all(
            "SELECT CASE WHEN current_setting('track_counts')::boolean THEN n_dead_tup END \
             FROM pg_stat_user_tables WHERE relid = 'item'::regclass",
            &[],
        )?;
        match rows.first().and_then(|row| row.get::<_, Option<i64>>(0)) {
            Some(0) => break,
            Some(_) if Instant::now() < until => std::thread::sleep(LOOK),
            Some(_) => return Err(session.about.busy()),
            None => {
                return Err(session.about.message(
                    "the server does not count rows (track_counts is off), and whether what was forgotten is gone cannot be told"
                        .to_owned(),
                ));
            }
        }
    }
    for table in TABLES {
        session.batch(&format!("VACUUM (FULL, ANALYZE) {table}"))?;
    }
    // Both need rights that a user of the database rarely has.
    for sql in ["SELECT pg_switch_wal()", "CHECKPOINT"] {
        if session.batch(sql).is_err() && session.gone {
            return Err(session.about.lost());
        }
    }
    Ok(())
}

/// Checks that rows belong together; what is wrong, if anything. Where the extension `amcheck` is installed, and may be used, the
/// indexes too.
pub(super) fn check(session: &mut Session) -> Result<Vec<String>, MemoryError> {
    let mut wrong = Vec::new();
    for (what, sql) in [
        // The database sees to the references, unless somebody told it not to.
        (
            "rows that name what is not there",
            "SELECT (SELECT count(*) FROM item WHERE scope NOT IN (SELECT row FROM scope)) \
             + (SELECT count(*) FROM key LEFT JOIN item ON item.row = key.item WHERE item.row IS NULL) \
             + (SELECT count(*) FROM key WHERE scope NOT IN (SELECT row FROM scope)) \
             + (SELECT count(*) FROM embedding LEFT JOIN key ON key.row = embedding.key WHERE key.row IS NULL) \
             + (SELECT count(*) FROM extraction LEFT JOIN item ON item.row = extraction.item WHERE item.row IS NULL) \
             + (SELECT count(*) FROM log WHERE scope NOT IN (SELECT row FROM scope))",
        ),
        (
            "keys of items of other scopes",
            "SELECT count(*) FROM key JOIN item ON item.row = key.item WHERE item.scope <> key.scope",
        ),
        (
            "vectors of other items or scopes than their keys",
            "SELECT count(*) FROM embedding JOIN key ON key.row = embedding.key \
             WHERE key.item <> embedding.item OR key.scope <> embedding.scope",
        ),
        (
            "words without a key",
            "SELECT count(*) FROM posting LEFT JOIN key ON key.row = posting.key WHERE key.row IS NULL",
        ),
    ] {
        let rows = session.all(sql, &[])?;
        let count: i64 = rows.first().map_or(0, |row| row.get(0));
        if count > 0 {
            wrong.push(format!("{count} {what}"));
        }
    }
    if !session.all("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'", &[])?.is_empty() {
        let indexes = session.all(
            "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid \
             JOIN pg_am ON pg_am.oid = relam WHERE amname = 'btree' AND indrelid = ANY ($1::text[]::regclass[])",
            &[&TABLES.as_slice()],
        )?;
        for index in indexes {
            let name: String = index.get(0);
            let checked = session.client.query("SELECT bt_index_check($1::text::regclass)", &[&name]);
            match checked.map_err(|error| session.failed(error)) {
                Ok(_) => {}
                Err(MemoryError::Damaged(what)) => wrong.push(what),
                Err(error) if session.gone => return Err(error),
                // Not allowed, or in a schema that is not looked in.
                Err(_) => break,
            }
        }
    }
    Ok(wrong)
}
