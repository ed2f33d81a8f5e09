//! Damaged and hostile tokenizers end with an error or work; nothing panics or runs on.

use loci_models::tokenizer::{SpecialTokens, Tokenizer, Vocabulary};
use proptest::prelude::*;
use serde_json::{Value, json};

fn use_it(tokenizer: &Tokenizer) {
    for text in ["", "ab abba 12 <s>a</s> é🎉\n\n  x", "aaaaaaaaaaaaaaaaaaaa"] {
        for special in [SpecialTokens::Parse, SpecialTokens::AsText] {
            let tokens = tokenizer.encode(text, special, true).unwrap();
            let mut end = 0;
            for token in &tokens {
                assert!(token.start >= end && token.end >= token.start && token.end <= text.len());
                assert!((token.id as usize) < tokenizer.vocab_size());
                end = token.end;
            }
            let ids: Vec<_> = tokens.iter().map(|token| token.id).collect();
            tokenizer.decode(&ids);
            if special == SpecialTokens::AsText {
                let steering = ids.iter().skip(usize::from(tokenizer.bos().is_some()));
                // What cannot be written otherwise is the unknown token, whatever the file has chosen for it.
                let allowed = |id| !tokenizer.is_special(id) || Some(id) == tokenizer.unknown();
                assert!(steering.copied().all(allowed));
            }
        }
    }
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[ab▁Ġ]{0,3}", Just("<s>".to_owned()), Just("<0x61>".to_owned()), "\\PC{0,2}"]
}

fn vocabulary() -> impl Strategy<Value = Vocabulary> {
    let lists = (
        prop::collection::vec(word(), 0..30),
        prop::collection::vec(prop_oneof![Just(0.0_f32), Just(-0.0), -9.0_f32..9.0, any::<f32>()], 0..30),
        prop::collection::vec(prop_oneof![4 => Just(1), 1 => 0_i32..8], 0..30),
        prop::collection::vec((word(), word()).prop_map(|(a, b)| format!("{a} {b}")), 0..10),
    );
    let fields = (
        prop_oneof![Just("gpt2"), Just("llama"), Just("bert")],
        prop_oneof![Just("smollm"), Just("llama-bpe"), Just("tekken"), Just("")],
        prop::option::of(0_u32..40),
        prop::option::of(0_u32..40),
        any::<bool>(),
        any::<bool>(),
    );
    (lists, fields).prop_map(|((tokens, mut scores, mut types, merges), fields)| {
        let (model, pre, bos, unknown, add_space_prefix, fit) = fields;
        if fit {
            scores.resize(tokens.len(), -1.0);
            types.resize(tokens.len(), 1);
        }
        Vocabulary {
            model: model.to_owned(),
            pre: pre.to_owned(),
            tokens,
            scores,
            types,
            merges,
            bos,
            eos: bos,
            unknown,
            add_space_prefix,
            ..Vocabulary::default()
        }
    })
}

fn component() -> impl Strategy<Value = Value> {
    let kinds =
        ["ByteLevel", "Split", "Digits", "Metaspace", "NFC", "Prepend", "Replace", "Sequence", "Other"];
    let node = (prop::sample::select(kinds.to_vec()), "[ab.*+?()\\[\\]|^$▁ ]{0,6}", any::<bool>()).prop_map(
        |(kind, text, yes)| {
            json!({"type": kind, "pattern": {"Regex": text, "String": " "}, "behavior": "Isolated", "invert": yes,
                   "add_prefix_space": false, "use_regex": yes, "individual_digits": yes, "replacement": "▁",
                   "prepend": "▁", "content": "▁", "prepend_scheme": "first", "split": yes})
        },
    );
    prop_oneof![
        Just(Value::Null),
        node.clone(),
        prop::collection::vec(node, 0..3).prop_map(|list| {
            json!({"type": "Sequence", "pretokenizers": list, "normalizers": list, "processors": list})
        }),
    ]
}

fn file() -> impl Strategy<Value = Value> {
    (
        prop::collection::vec((word(), 0_u32..40), 0..20),
        prop::collection::vec((word(), word()), 0..5),
        prop::collection::vec((word(), 0_u32..60, any::<[bool; 3]>()), 0..4),
        (component(), component(), component()),
        any::<[bool; 3]>(),
        prop::option::of(word()),
    )
        .prop_map(|(vocab, merges, added, (normalizer, pre_tokenizer, post_processor), flags, unknown)| {
            let vocab: serde_json::Map<_, _> = vocab.into_iter().map(|(text, id)| (text, id.into())).collect();
            let added: Vec<_> = added
                .into_iter()
                .map(|(content, id, [special, lstrip, rstrip])| {
                    json!({"content": content, "id": id, "special": special, "lstrip": lstrip, "rstrip": rstrip})
                })
                .collect();
            json!({"version": "1.0", "added_tokens": added, "normalizer": normalizer,
                   "pre_tokenizer": pre_tokenizer, "post_processor": post_processor,
                   "model": {"type": "BPE", "vocab": vocab, "merges": merges, "unk_token": unknown,
                             "byte_fallback": flags[0], "fuse_unk": flags[1], "ignore_merges": flags[2]}})
        })
}

proptest! {
    #[test]
    fn any_vocabulary_works_or_is_refused(vocabulary in vocabulary()) {
        if let Ok(tokenizer) = Tokenizer::from_vocabulary(vocabulary) {
            use_it(&tokenizer);
        }
    }

    #[test]
    fn any_tokenizer_file_works_or_is_refused(file in file(), config in component()) {
        if let Ok(tokenizer) = Tokenizer::from_json(&file.to_string(), &config, &config) {
            use_it(&tokenizer);
        }
    }

    #[test]
    fn a_damaged_file_works_or_is_refused(file in file(), at in 0_usize..4000, byte in 0_u8..128) {
        let mut text = file.to_string().into_bytes();
        let length = text.len();
        text[at % length] = byte;
        if let Ok(text) = String::from_utf8(text)
            && let Ok(tokenizer) = Tokenizer::from_json(&text, &Value::Null, &Value::Null)
        {
            use_it(&tokenizer);
        }
    }

    #[test]
    fn bytes_are_no_tokenizer(text in "(?s).{0,80}") {
        prop_assert!(Tokenizer::from_json(&text, &Value::Null, &Value::Null).is_err());
    }
}
