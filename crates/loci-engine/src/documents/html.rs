//! Web pages: their readable text, one line for each paragraph.

use html2text::render::TrivialDecorator;

/// Wider than any paragraph, so that nothing is wrapped.
const WIDTH: usize = 1_000_000;

/// The readable text of an HTML page in UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<String, String> {
    let page = std::str::from_utf8(bytes).map_err(|error| {
        format!("byte {} is not UTF-8; convert the page first, for example with iconv", error.valid_up_to())
    })?;
    html2text::config::with_decorator(TrivialDecorator::new())
        // Cells one below the other: side by side they would be padded to the width.
        .raw_mode(true)
        .link_footnotes(false)
        .string_from_read(page.as_bytes(), WIDTH)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn tags_scripts_and_entities_are_resolved() {
        let page = "<!doctype html><head><title>T</title><style>p{}</style><script>var x=1;</script></head>\
                    <body><h1>Keys</h1><p>The key is <b>7&amp;1</b>, <a href='u'>see</a>.</p><table><tr><td>a</td><td>b</td></tr></table></body>";
        let text = text(page.as_bytes()).unwrap();
        assert!(text.contains("The key is 7&1, see."), "{text:?}");
        assert!(text.contains("Keys") && text.contains('a') && text.contains('b'));
        assert!(!text.contains("var x") && !text.contains('<') && text.len() < 200, "{text:?}");
    }

    #[test]
    fn deep_nesting_and_other_encodings_do_no_harm() {
        assert!(text(&[b'<', b'p', b'>', 0xe4]).unwrap_err().contains("byte 3"));
        let deep = "<div>".repeat(20_000) + "x";
        // Whatever the reader says about it, it must say it.
        let _said = text(deep.as_bytes());
    }
}
