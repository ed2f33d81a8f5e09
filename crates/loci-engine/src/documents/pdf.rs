//! Page descriptions: the text that they show, page by page.

use lopdf::Document;

/// The text of all pages.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, String> {
    let document = Document::load_mem(&bytes).map_err(|error| error.to_string())?;
    if document.is_encrypted() {
        return Err("it is encrypted; save an open copy first".to_owned());
    }
    let mut text = String::new();
    let mut failures = Vec::new();
    for (page, _) in document.get_pages() {
        for piece in document.extract_text_chunks(&[page]) {
            match piece {
                Ok(piece) => text.push_str(&piece),
                Err(error) => failures.push(format!("page {page}: {error}")),
            }
        }
        text.push('\n');
    }
    if let Some(first) = failures.first() {
        if text.trim().is_empty() {
            return Err(first.clone());
        }
        tracing::warn!("{} parts of the PDF could not be read and are missing; {first}", failures.len());
    }
    Ok(without_ligatures(&text))
}

/// Printed ligatures as the letters they stand for: models and searches know words by their letters.
fn without_ligatures(text: &str) -> String {
    const LETTERS: [&str; 7] = ["ff", "fi", "fl", "ffi", "ffl", "st", "st"];
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        let letters = u32::from(character)
            .checked_sub(0xFB00)
            .and_then(|offset| LETTERS.get(usize::try_from(offset).ok()?));
        match letters {
            Some(letters) => plain.push_str(letters),
            None => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PDF of one page that shows `text`, with a right cross-reference table.
    pub(crate) fn page(text: &str) -> Vec<u8> {
        let stream = format!("BT /F1 12 Tf 72 700 Td ({text}) Tj ET");
        let objects = [
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
                .to_owned(),
            format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
        ];
        let mut file = "%PDF-1.4\n".to_owned();
        let mut offsets = Vec::new();
        for (index, object) in objects.iter().enumerate() {
            offsets.push(file.len());
            file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
        }
        let table = file.len();
        file.push_str("xref\n0 6\n0000000000 65535 f \n");
        for offset in offsets {
            file.push_str(&format!("{offset:010} 00000 n \n"));
        }
        file.push_str(&format!("trailer << /Size 6 /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"));
        file.into_bytes()
    }

    #[test]
    fn the_text_of_a_page_is_found() {
        assert_eq!(text(page("The pass key is 71432.")).unwrap().trim(), "The pass key is 71432.");
    }

    #[test]
    fn damaged_files_give_a_reason() {
        let whole = page("x");
        for cut in [6, 60] {
            assert!(text(whole[..cut].to_vec()).is_err(), "cut at {cut}");
        }
        // Behind the pages a reader may find its way without the table; whatever it says, it must not fall over.
        for cut in 60..whole.len() {
            let _said = text(whole[..cut].to_vec());
        }
    }

    #[test]
    fn ligatures_become_letters() {
        assert_eq!(without_ligatures("ﬁle oﬃce ﬂow"), "file office flow");
    }
}
