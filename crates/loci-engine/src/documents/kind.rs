//! What a file is, told from its first bytes and, where these do not say, from its name.

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text, Markdown included.
    Text,
    /// A web page.
    Html,
    /// An electronic book.
    Epub,
    /// A page description.
    Pdf,
}

impl Kind {
    /// The kind of a document with these bytes and this file name extension.
    pub fn of(bytes: &[u8], extension: &str) -> Self {
        let extension = extension.to_ascii_lowercase();
        // The signature may stand a little behind the beginning; readers accept the first KiB.
        let head = bytes.get(..bytes.len().min(1024)).unwrap_or(bytes);
        if bytes.starts_with(b"%PDF-") || (extension == "pdf" && find(head, b"%PDF-")) {
            return Self::Pdf;
        }
        if bytes.starts_with(b"PK\x03\x04") && (extension == "epub" || find(head, b"application/epub+zip")) {
            return Self::Epub;
        }
        if matches!(extension.as_str(), "html" | "htm" | "xhtml") {
            return Self::Html;
        }
        // Only input without a telling name is judged by its text: a Markdown file may begin with HTML.
        if extension.is_empty() {
            let start: Vec<u8> = head
                .iter()
                .skip_while(|byte| byte.is_ascii_whitespace())
                .take(15)
                .map(u8::to_ascii_lowercase)
                .collect();
            if start.starts_with(b"<!doctype html") || start.starts_with(b"<html") {
                return Self::Html;
            }
        }
        Self::Text
    }

    /// What to call it in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Html => "HTML",
            Self::Epub => "EPUB",
            Self::Pdf => "PDF",
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn kinds_are_told_by_bytes_first_and_by_name_second() {
        for (bytes, extension, kind) in [
            (&b"%PDF-1.7\n"[..], "", Kind::Pdf),
            (b"%PDF-1.7\n", "txt", Kind::Pdf),
            (b"PK\x03\x04..mimetypeapplication/epub+zip", "", Kind::Epub),
            (b"PK\x03\x04", "epub", Kind::Epub),
            (b"PK\x03\x04", "docx", Kind::Text),
            (b"  <!DOCTYPE html><p>", "", Kind::Html),
            (b"<html>", "md", Kind::Text),
            (b"plain", "HTM", Kind::Html),
            (b"plain", "", Kind::Text),
            (b"", "", Kind::Text),
        ] {
            assert_eq!(Kind::of(bytes, extension), kind, "{:?} .{extension}", String::from_utf8_lossy(bytes));
        }
    }
}
