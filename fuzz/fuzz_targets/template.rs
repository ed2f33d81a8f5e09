//! Any text as a chat template, with any text as messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use loci_models::template::{ChatTemplate, Message};

fuzz_target!(|input: (&str, &str, &str)| {
    let (source, first, second) = input;
    if let Ok(template) = ChatTemplate::new(source, "<s>", "</s>") {
        let messages = [Message::new("user", first), Message::new("assistant", second)];
        let _rendered = template.render(&messages, true);
        let _parts = template.render_parts(&messages, true);
    }
});
