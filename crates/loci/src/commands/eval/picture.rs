//! Figures as PNG, for places that show no SVG.

#[cfg(feature = "png")]
mod painter {
    use std::sync::Arc;

    use resvg::tiny_skia::{Pixmap, Transform};
    use resvg::usvg::fontdb::{Database, Family, Query};
    use resvg::usvg::{Options, Tree};

    use crate::error::CliError;

    /// Dots of a picture for each unit of a figure: sharp on screens with many dots, and in print at half its size.
    const SCALE: f32 = 2.0;
    /// Fonts that figures name, then those that stand in for them, in the order in which they are looked for.
    const FONTS: [&str; 10] = [
        "Helvetica",
        "Arial",
        "Liberation Sans",
        "Nimbus Sans",
        "Segoe UI",
        "Helvetica Neue",
        "Noto Sans",
        "DejaVu Sans",
        "Cantarell",
        "FreeSans",
    ];

    /// Draws figures with the fonts of this machine.
    pub(crate) struct Painter(Options<'static>);

    impl Painter {
        /// Looks for a font.
        ///
        /// # Errors
        /// Without one that figures can be written in.
        pub(crate) fn new() -> Result<Self, CliError> {
            let mut fonts = Database::new();
            fonts.load_system_fonts();
            Self::with(fonts)
        }

        fn with(mut fonts: Database) -> Result<Self, CliError> {
            let there = |name: &&str| {
                let query = Query { families: &[Family::Name(name)], ..Query::default() };
                fonts.query(&query).is_some()
            };
            let Some(font) = FONTS.into_iter().find(there) else {
                return Err(CliError::failed(format!(
                    "--png: no font to write figures in: none of {} is installed; install one (fonts-liberation or \
                     fonts-dejavu-core, as many systems call them), or leave --png out: the SVG files need none here",
                    FONTS.join(", ")
                )));
            };
            fonts.set_sans_serif_family(font);
            Ok(Self(Options { font_family: font.to_owned(), fontdb: Arc::new(fonts), ..Options::default() }))
        }

        /// A figure as PNG.
        ///
        /// # Errors
        /// For an SVG that cannot be read, and one too large for memory.
        pub(crate) fn png(&self, svg: &str) -> Result<Vec<u8>, CliError> {
            let failed = |why: String| CliError::failed(format!("--png: {why}"));
            let tree = Tree::from_str(svg, &self.0).map_err(|error| failed(error.to_string()))?;
            let (width, height) = (tree.size().width() * SCALE, tree.size().height() * SCALE);
            let mut picture = Pixmap::new(width.ceil() as u32, height.ceil() as u32)
                .ok_or_else(|| failed(format!("a figure of {width} x {height} dots is too large")))?;
            resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut picture.as_mut());
            picture.encode_png().map_err(|error| failed(error.to_string()))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const SVG: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"60\" height=\"20\">\
            <rect width=\"60\" height=\"20\" fill=\"#fff\"/>TEXT</svg>";
        const TEXT: &str = "<text x=\"4\" y=\"15\" font-size=\"12\" font-family=\"Helvetica, Arial, sans-serif\">score</text>";

        #[test]
        fn without_a_font_the_missing_ones_are_named() {
            let said = format!("{:?}", Painter::with(Database::new()).err().unwrap());
            assert!(said.contains("Helvetica") && said.contains("install"), "{said}");
        }

        #[test]
        fn texts_are_drawn() {
            let Ok(painter) = Painter::new() else {
                eprintln!("skipped: this machine has none of the fonts");
                return;
            };
            let of = |text: &str| painter.png(&SVG.replace("TEXT", text)).unwrap();
            let (with, without) = (of(TEXT), of(""));
            assert!(with.starts_with(b"\x89PNG") && with.len() > without.len() + 100);
            // Width and height stand in the first chunk.
            assert_eq!(
                (&with[16..20], &with[20..24]),
                (&120_u32.to_be_bytes()[..], &40_u32.to_be_bytes()[..])
            );
            assert!(painter.png("<svg").is_err());
        }
    }
}

#[cfg(not(feature = "png"))]
mod painter {
    use crate::error::CliError;

    /// Draws nothing: this build has no painter.
    pub(crate) struct Painter;

    impl Painter {
        /// Refused.
        pub(crate) fn new() -> Result<Self, CliError> {
            Err(CliError::usage(
                "--png: this build draws SVG only; build it with the feature png (cargo build --release --features png)",
            ))
        }

        /// Never reached: there is no painter to call it on.
        pub(crate) fn png(&self, _svg: &str) -> Result<Vec<u8>, CliError> {
            Self::new().map(|_| Vec::new())
        }
    }
}

pub(super) use painter::Painter;
