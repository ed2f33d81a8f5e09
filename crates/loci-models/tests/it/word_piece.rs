//! WordPiece against the `tokenizers` library, over generated text.

use std::str::FromStr;
use std::sync::LazyLock;

use crate::common::fixture;
use loci_models::tokenizer::WordPiece;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Case and accents: cased models keep both, uncased ones neither; the other two are possible.
const VARIANTS: [(bool, Value); 4] =
    [(true, Value::Null), (false, Value::Null), (true, Value::Bool(false)), (false, Value::Bool(true))];

fn file(vocabulary: &str, lower: bool, accents: &Value) -> String {
    let vocab: Value =
        vocabulary.lines().enumerate().map(|(id, token)| (token.to_owned(), json!(id))).collect();
    let special = |id: u32, content: &str| {
        json!({"id": id, "content": content, "special": true, "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false})
    };
    let around = |name: &str, id: u32| json!({"id": name, "ids": [id], "tokens": [name]});
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"), special(3, "[SEP]")],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": accents, "lowercase": lower},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [],
            "special_tokens": {"[CLS]": around("[CLS]", 2), "[SEP]": around("[SEP]", 3)}
        },
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab}
    })
    .to_string()
}

/// Every letter and mark of a few scripts as beginning and inner token, so that little is unknown and every difference
/// between two normalisers shows.
fn vocabulary() -> String {
    let mut text = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n".to_owned();
    let ranges = [
        '!'..='~',
        '\u{a1}'..='\u{52f}',
        '\u{590}'..='\u{6ff}',
        '\u{900}'..='\u{97f}',
        '\u{1e00}'..='\u{22ff}',
    ];
    let more =
        ['\u{3000}'..='\u{30ff}', '\u{4e00}'..='\u{4e2f}', '\u{ac00}'..='\u{ac2f}', '\u{1100}'..='\u{11ff}'];
    for symbol in ranges.into_iter().chain(more).flatten().filter(|symbol| !symbol.is_whitespace()) {
        text.push_str(&format!("{symbol}\n##{symbol}\n"));
    }
    text + "the\nth\n##eory\n##ory\nme\n##mory\nmemory\n"
}

fn theirs(file: &str) -> tokenizers::Tokenizer {
    let mut tokenizer = tokenizers::Tokenizer::from_str(file).unwrap();
    // Text is data: "[SEP]" in it is no token.
    tokenizer.set_encode_special_tokens(true);
    tokenizer
}

static PAIRS: LazyLock<Vec<(WordPiece, tokenizers::Tokenizer)>> = LazyLock::new(|| {
    let pair = |(lower, accents): &(bool, Value)| {
        let file = file(&vocabulary(), *lower, accents);
        (WordPiece::from_json(&file, &Value::Null).unwrap(), theirs(&file))
    };
    VARIANTS.iter().map(pair).collect()
});

fn compare(text: &str) {
    for (ours, theirs) in PAIRS.iter() {
        let own = ours.encode(text).unwrap();
        let all = [ours.before(), &own, ours.after()].concat();
        assert_eq!(all, theirs.encode(text, true).unwrap().get_ids(), "{text:?}");
    }
}

/// The library's tables are those of Unicode 8; ours are newer, as are those of the tokenizer that BERT was released with.
/// So they may differ in what came later, and in no script that a vocabulary of that time knows.
#[test]
fn every_character_of_two_planes_alone() {
    let (ours, theirs) = &PAIRS[0];
    let mut later = 0;
    for symbol in (0..0x2_0000_u32).filter_map(char::from_u32) {
        let text = format!("a{symbol}b");
        if ours.encode(&text).unwrap() != theirs.encode(text.as_str(), false).unwrap().get_ids() {
            let old =
                symbol < '\u{61d}' || matches!(symbol, '\u{2000}'..='\u{2e42}' | '\u{3000}'..='\u{9fff}');
            assert!(!old && !matches!(symbol, '\u{ac00}'..='\u{ffff}'), "U+{:04X}", symbol as u32);
            later += 1;
        }
    }
    assert!(later < 700, "{later}");
}

proptest! {
    #[test]
    fn text_of_scripts_with_accents(text in "[a-zA-Z .,'!\u{300}-\u{310}\u{c0}-\u{24f}\u{391}-\u{3c9}\u{410}-\u{45f}\u{1e00}-\u{1eff}]{0,40}") {
        compare(&text);
    }

    #[test]
    fn text_of_scripts_without_spaces(text in "[\u{4e00}-\u{4e40}\u{3040}-\u{30ff}\u{ac00}-\u{ac40}\u{1100}-\u{1175}a-c \u{3000}-\u{3011}]{0,40}") {
        compare(&text);
    }

    #[test]
    fn text_of_words_and_marks(text in "(the|memory|theory|\\[SEP\\]|\\[CLS\\]|##ory|[ \t\r\n\u{0}\u{a0}\u{ad}\u{200b}\u{2028}\u{feff}\u{fffd}.,-])*") {
        compare(&text);
    }

    #[test]
    fn long_words(text in "(memory|the|a){20,60}") {
        compare(&text);
    }
}

#[test]
fn vocab_txt_means_the_same_as_tokenizer_json() {
    let from_text = WordPiece::from_vocabulary(&vocabulary(), &json!({"do_lower_case": true})).unwrap();
    let text = "Théory of [SEP] 中 memory\u{0}s.";
    let (ours, _) = &PAIRS[0];
    assert_eq!(from_text.encode(text).unwrap(), ours.encode(text).unwrap());
    assert_eq!((from_text.before(), from_text.after()), (ours.before(), ours.after()));
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let good: Value = serde_json::from_str(&file(&vocabulary(), true, &Value::Null)).unwrap();
    let cases = [
        ("/model/type", json!("Unigram"), "Unigram"),
        ("/model/vocab", json!([1]), "no table"),
        ("/model/vocab/[CLS]", json!(4_000_000_000_u64), "4000000000"),
        ("/model/unk_token", json!("[NONE]"), "[NONE]"),
        ("/pre_tokenizer/type", json!("Metaspace"), "Metaspace"),
        ("/normalizer", Value::Null, "none"),
        ("/normalizer/type", json!("Lowercase"), "Lowercase"),
        ("/added_tokens/3/special", json!(false), "[SEP]"),
        ("/post_processor/type", json!("Sequence"), "Sequence"),
        ("/post_processor/single/2/SpecialToken/id", json!("[END]"), "[END]"),
        ("/post_processor/single/2/SpecialToken/type_id", json!(1), "template"),
    ];
    for (place, value, word) in cases {
        let mut file = good.clone();
        *file.pointer_mut(place).unwrap() = value;
        let error = WordPiece::from_json(&file.to_string(), &Value::Null).unwrap_err().to_string();
        assert!(error.contains(word), "{place}: {error}");
    }
    assert!(WordPiece::from_json("{", &Value::Null).is_err());
    assert!(WordPiece::from_vocabulary("", &Value::Null).is_err());
}

#[test]
fn the_real_tokenizer_agrees() {
    let Some(path) = loci_testing::real_encoder() else { return };
    let ours = WordPiece::from_folder(&path).unwrap();
    let mut theirs = theirs(&std::fs::read_to_string(path.join("tokenizer.json")).unwrap());
    theirs.with_padding(None).with_truncation(None).unwrap();
    for text in [include_str!("word_piece.rs"), include_str!("encoder.rs"), &vocabulary()] {
        let own = ours.encode(text).unwrap();
        assert_eq!(own, theirs.encode(text, false).unwrap().get_ids());
    }
    assert_eq!(
        fixture("bert-mean").join("vocab.txt").is_file(),
        WordPiece::from_folder(&fixture("bert-mean")).is_ok()
    );
}
