//! Where models come from and where they are kept.
//!
//! A model is named by a path, or by a name of the [`catalogue`]. Files of the catalogue are fetched by
//! [`pull`] only, never on the way to an answer: no command but `loci pull` touches the network.

mod cache;
pub mod catalogue;
mod install;
pub mod pull;

use std::path::{Path, PathBuf};

pub use cache::{CACHE_VARIABLE, data_folder, model_folder};
pub use catalogue::Entry;
pub use install::{Checked, check};

/// The model that is used when none is named.
pub const DEFAULT_MODEL: &str = "smollm2";
/// The sentence encoder that is used when none is named.
pub const DEFAULT_ENCODER: &str = "minilm";

/// Why no model file was found.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It is in the catalogue and has not been fetched.
    #[error("the model {name} is not on this machine yet (looked for {path}); get it with: loci pull {name}")]
    NotPulled {
        /// Name in the catalogue.
        name: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// There is no such file and no such name.
    #[error("there is no model file {name:?}, and the catalogue has no model of that name; it has: {known}")]
    Unknown {
        /// What was typed.
        name: String,
        /// Names of the catalogue.
        known: String,
    },
    /// There is no folder to keep models in.
    #[error(
        "no folder for models is known: neither {CACHE_VARIABLE} nor HOME is set; set one, or name a model file"
    )]
    NoFolder,
    /// The catalogue that was built in is not valid; a defect of this program.
    #[error(transparent)]
    Catalogue(#[from] catalogue::CatalogueError),
}

/// The file or folder of the model called `name`: a name of the catalogue, or a path.
///
/// A name without a path separator that is in the catalogue means the catalogue, even if a file of that name
/// lies in the current folder; `./name` means the file.
///
/// # Errors
/// [`ResolveError`] with the command that would help.
pub fn resolve(name: &str) -> Result<PathBuf, ResolveError> {
    if let Some(entry) = catalogue::find(name)? {
        let models = model_folder().ok_or(ResolveError::NoFolder)?;
        let path = models.join(entry.place());
        // A file of another size is an own one, put there by hand; a folder counts when all of it is there.
        let here = if entry.folder.is_some() { entry.is_here(&models) } else { path.is_file() };
        return if here { Ok(path) } else { Err(ResolveError::NotPulled { name: name.to_owned(), path }) };
    }
    let path = Path::new(name);
    if path.exists() {
        return Ok(path.to_owned());
    }
    Err(ResolveError::Unknown { name: name.to_owned(), known: catalogue::names()?.join(", ") })
}
