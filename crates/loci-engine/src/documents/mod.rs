//! From files to text: UTF-8 text and Markdown as they are, HTML, EPUB and PDF by their readable text.
//!
//! Evidence refers to bytes of the text made here. For text files these are the bytes of the file itself.

#[cfg(feature = "epub")]
mod epub;
#[cfg(feature = "html")]
mod html;
mod kind;
#[cfg(feature = "pdf")]
mod pdf;

use std::io::Read;
use std::path::Path;

pub use kind::Kind;

/// The name that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// A text to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// How reports call it: the path as given.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The system refused to read it.
    #[error("{name} could not be read: {source}")]
    Read {
        /// The document.
        name: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is a folder.
    #[error("{name} is a folder; name the files in it, for example {name}/*.md")]
    Folder {
        /// The document.
        name: String,
    },
    /// There is nothing in it.
    #[error("{name} is empty")]
    Empty {
        /// The document.
        name: String,
    },
    /// Its bytes are not text.
    #[error(
        "{name} is not a text: byte {position} is {found}; Loci reads UTF-8 text, Markdown, HTML, EPUB and PDF, so convert other encodings first, for example with iconv"
    )]
    NotText {
        /// The document.
        name: String,
        /// Where the first byte that is no text stands, counted from 0.
        position: usize,
        /// What is there.
        found: String,
    },
    /// It is damaged, or holds no text.
    #[error("no text could be taken from {name}, which looks like {kind}: {reason}")]
    Extract {
        /// The document.
        name: String,
        /// What it looks like.
        kind: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// This build does not read this kind.
    #[error("{name} looks like {kind}, which this build does not read; build with --features {feature}")]
    NotBuilt {
        /// The document.
        name: String,
        /// What it looks like.
        kind: &'static str,
        /// The feature that is missing.
        feature: &'static str,
    },
}

/// Reads the document at `path`, or standard input for `-`.
///
/// # Errors
/// [`DocumentError`] with the document's name and the way out.
pub fn read(path: &Path) -> Result<Document, DocumentError> {
    let name = path.display().to_string();
    let failed = |source| DocumentError::Read { name: name.clone(), source };
    let bytes = if path.as_os_str() == STANDARD_INPUT {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
        bytes
    } else {
        if path.is_dir() {
            return Err(DocumentError::Folder { name });
        }
        std::fs::read(path).map_err(failed)?
    };
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    from_bytes(&name, extension, bytes)
}

/// Makes a document of `bytes`; `extension` helps where the bytes alone do not tell the kind.
///
/// # Errors
/// [`DocumentError`] as [`read`].
pub fn from_bytes(name: &str, extension: &str, bytes: Vec<u8>) -> Result<Document, DocumentError> {
    let empty = || DocumentError::Empty { name: name.to_owned() };
    if bytes.is_empty() {
        return Err(empty());
    }
    let kind = Kind::of(&bytes, extension);
    let text = match kind {
        Kind::Text => as_text(name, bytes)?,
        _ => extract(kind, bytes).map_err(|failure| match failure {
            Failure::Reason(reason) => {
                DocumentError::Extract { name: name.to_owned(), kind: kind.name(), reason }
            }
            Failure::NotBuilt(feature) => {
                DocumentError::NotBuilt { name: name.to_owned(), kind: kind.name(), feature }
            }
        })?,
    };
    if text.trim().is_empty() {
        return Err(match kind {
            Kind::Text => empty(),
            _ => DocumentError::Extract {
                name: name.to_owned(),
                kind: kind.name(),
                reason: "it holds no text, perhaps only pictures of it".to_owned(),
            },
        });
    }
    Ok(Document { name: name.to_owned(), text })
}

/// Why a kind's reader gave no text.
#[derive(Debug)]
enum Failure {
    /// The reader's reason.
    Reason(String),
    /// The feature that this build lacks.
    #[allow(dead_code)] // a build with all features lacks none
    NotBuilt(&'static str),
}

fn extract(kind: Kind, bytes: Vec<u8>) -> Result<String, Failure> {
    match kind {
        Kind::Text => String::from_utf8(bytes).map_err(|error| Failure::Reason(error.to_string())),
        #[cfg(feature = "html")]
        Kind::Html => html::text(&bytes).map_err(Failure::Reason),
        #[cfg(not(feature = "html"))]
        Kind::Html => Err(Failure::NotBuilt("html")),
        #[cfg(feature = "epub")]
        Kind::Epub => epub::text(bytes).map_err(Failure::Reason),
        #[cfg(not(feature = "epub"))]
        Kind::Epub => Err(Failure::NotBuilt("epub")),
        #[cfg(feature = "pdf")]
        Kind::Pdf => pdf::text(bytes).map_err(Failure::Reason),
        #[cfg(not(feature = "pdf"))]
        Kind::Pdf => Err(Failure::NotBuilt("pdf")),
    }
}

/// `bytes` as UTF-8 without a byte order mark at the front.
fn as_text(name: &str, bytes: Vec<u8>) -> Result<String, DocumentError> {
    let not_text =
        |position: usize, found: String| DocumentError::NotText { name: name.to_owned(), position, found };
    if let Some(position) = bytes.iter().position(|byte| *byte == 0) {
        return Err(not_text(position, "zero, as in binary files".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let position = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(position).copied().unwrap_or(0);
        not_text(position, format!("0x{byte:02x}, which is not UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_taken_byte_for_byte() {
        let text = "\u{feff}Zeile 1\r\nZeile 2\tü\n";
        let document = from_bytes("a.md", "md", text.as_bytes().to_vec()).unwrap();
        assert_eq!(document.text, text, "offsets must stay those of the file");
    }

    #[test]
    fn bytes_that_are_no_text_are_named_with_their_position() {
        let error = from_bytes("x", "", b"abc\0def".to_vec()).unwrap_err().to_string();
        assert!(error.contains("byte 3 is zero"), "{error}");
        let error = from_bytes("x", "txt", b"ab\xffc".to_vec()).unwrap_err().to_string();
        assert!(error.contains("byte 2 is 0xff"), "{error}");
        assert!(matches!(from_bytes("x", "", Vec::new()), Err(DocumentError::Empty { .. })));
        assert!(matches!(from_bytes("x", "", b" \n\t".to_vec()), Err(DocumentError::Empty { .. })));
    }

    #[test]
    fn a_folder_and_a_missing_file_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(DocumentError::Folder { .. })));
        assert!(matches!(read(&folder.path().join("missing.txt")), Err(DocumentError::Read { .. })));
    }
}
