//! Electronic books, put together here so that no foreign file is kept in the repository.
#![cfg(feature = "epub")]

use std::io::{Cursor, Write};

use loci_engine::documents::{DocumentError, from_bytes};

fn book(chapters: &[&str]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let how = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut add = |name: &str, text: &str| {
        archive.start_file(name, how).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    };
    add("mimetype", "application/epub+zip");
    add(
        "META-INF/container.xml",
        r#"<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"#,
    );
    let manifest: String = (0..chapters.len())
        .map(|n| format!(r#"<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>"#))
        .collect();
    // The spine, not the manifest, says in which order chapters are read.
    let spine: String = (0..chapters.len()).rev().map(|n| format!(r#"<itemref idref="c{n}"/>"#)).collect();
    add(
        "book.opf",
        &format!(
            r#"<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">x</dc:identifier><dc:title>T</dc:title><dc:language>en</dc:language></metadata><manifest>{manifest}<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/></manifest><spine>{spine}</spine></package>"#
        ),
    );
    add(
        "nav.xhtml",
        r#"<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body><nav epub:type="toc"><ol><li><a href="c0.xhtml">C</a></li></ol></nav></body></html>"#,
    );
    for (n, chapter) in chapters.iter().enumerate() {
        add(
            &format!("c{n}.xhtml"),
            &format!(r#"<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{chapter}</p></body></html>"#),
        );
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn chapters_come_in_the_order_of_the_spine() {
    let document = from_bytes("book.epub", "epub", book(&["The end.", "Call me <i>Ishmael</i>."])).unwrap();
    let first = document.text.find("Call me Ishmael.").expect("the first chapter");
    let last = document.text.find("The end.").expect("the last chapter");
    assert!(first < last, "{:?}", document.text);
}

#[test]
fn a_cut_book_is_refused_with_its_name() {
    let whole = book(&["Text."]);
    let error = from_bytes("book.epub", "epub", whole[..whole.len() / 2].to_vec()).unwrap_err();
    assert!(matches!(error, DocumentError::Extract { .. }), "{error}");
    assert!(error.to_string().contains("book.epub"));
}
