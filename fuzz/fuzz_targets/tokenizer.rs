//! Any text, or a damaged tokenizer, as `tokenizer.json`, and any text through a tokenizer.
#![no_main]

mod edits;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use loci_models::tokenizer::{SpecialTokens, Tokenizer};
use serde_json::Value;

const SMALL: &str = r#"{"version":"1.0","added_tokens":[{"id":0,"content":"<s>","special":true,"lstrip":false,
"rstrip":true,"normalized":false,"single_word":false}],"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},
{"type":"Replace","pattern":{"String":" "},"content":"_"},{"type":"Prepend","prepend":"_"}]},"pre_tokenizer":
{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{L}+|\\p{N}{1,3}| +"},"behavior":"Isolated",
"invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]},"post_processor":
null,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","unk_token":"<s>","byte_fallback":true,"ignore_merges":true,
"vocab":{"<s>":0,"a":1,"b":2,"ab":3,"abab":4,"_":5,"<0x61>":6},"merges":["a b",["ab","ab"]]}}"#;

#[derive(Arbitrary, Debug)]
enum File<'a> {
    Text(&'a str),
    Damaged { edits: Vec<(u32, u8)>, length: Option<u32> },
}

fuzz_target!(|input: (File<'_>, &str)| {
    let (file, text) = input;
    let file = match file {
        File::Text(text) => text.to_owned(),
        File::Damaged { edits, length } => {
            String::from_utf8_lossy(&edits::edited(SMALL.into(), &edits, length)).into_owned()
        }
    };
    if let Ok(tokenizer) = Tokenizer::from_json(&file, &Value::Null, &Value::Null)
        && let Ok(tokens) = tokenizer.encode(text, SpecialTokens::AsText, true)
    {
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let _decoded = tokenizer.decode(&ids);
        assert!(tokens.iter().all(|token| token.start <= token.end && token.end <= text.len()));
    }
});
