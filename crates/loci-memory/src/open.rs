//! Opening a store by its name: a path, or an address.

use std::path::Path;

use crate::error::MemoryError;
use crate::memory::{Memory, Surroundings};
use crate::record::Scope;

impl Memory {
    /// The memory of `scope` in the store that `store` names: the path of a file, or the address of a database
    /// (`postgres://user@host/database`, with the feature `postgres`; `PGPASSWORD` is used where it has no password).
    ///
    /// # Errors
    /// As [`Memory::open`]; [`MemoryError::Invalid`] for an address that is none, or that this build cannot open.
    pub fn open_at(
        store: impl AsRef<Path>,
        scope: Scope,
        actor: &str,
        surroundings: Surroundings,
    ) -> Result<Self, MemoryError> {
        let store = store.as_ref();
        let address = store.to_str().and_then(|store| Some((store.split_once("://")?.0, store)));
        match address {
            None => Self::open(store, scope, actor, surroundings),
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", store)) => {
                let password = std::env::var("PGPASSWORD").ok();
                let engine = crate::postgres::Postgres::open(store, password.as_deref(), crate::memory::PATIENCE)?;
                Self::over(Box::new(engine), scope, actor, surroundings)
            }
            #[cfg(not(feature = "postgres"))]
            Some(("postgres" | "postgresql", _)) => Err(MemoryError::Invalid(
                "the store is in Postgres, and this program was built without it; build it with `--features postgres`, or name a file"
                    .to_owned(),
            )),
            // Not the whole address, which may hold a password.
            Some((kind, _)) => Err(MemoryError::Invalid(format!(
                "a store cannot be at an address that begins with {kind}://; give a path, or postgres://user@host/database"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(store: &str) -> String {
        Memory::open_at(store, Scope::default(), "test", Surroundings::of_the_system())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn addresses_that_cannot_be_opened_are_refused_without_their_passwords() {
        let other = refused("mysql://me:s3cret@localhost/x");
        assert!(other.contains("mysql://") && !other.contains("s3cret"), "{other}");
        let postgres = refused("postgres://me:s3cret@127.0.0.1:1/x");
        let what = if cfg!(feature = "postgres") { "me@127.0.0.1:1/x failed" } else { "--features postgres" };
        assert!(postgres.contains(what) && !postgres.contains("s3cret"), "{postgres}");
    }
}
