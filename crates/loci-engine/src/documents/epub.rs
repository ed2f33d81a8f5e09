//! Electronic books: their chapters in reading order.

use std::io::Cursor;

use rbook::Epub;

/// The readable text of all chapters of an EPUB, in the order of its spine.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, String> {
    let book = Epub::read(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let mut text = String::new();
    for chapter in book.reader() {
        let chapter = chapter.map_err(|error| error.to_string())?;
        text.push_str(&super::html::text(chapter.content().as_bytes())?);
        text.push_str("\n\n");
    }
    Ok(text)
}
