#!/usr/bin/env python3
"""Writes the golden files of loci-models' text tests: tokens and prompts as other programs make them.

    python scripts/golden/tokenizer.py crates/loci-models/tests/fixtures/text [SMOLLM2.gguf]

Needs sentencepiece, tokenizers and jinja2; with a GGUF file also llama-cpp-python. The texts and templates are our
own. Training is deterministic, so a second run with the same versions writes the same files.
"""

import json
import sys
import tempfile
from pathlib import Path

TEXTS = [
    "",
    " ",
    "a",
    "Hello, world!",
    "The quick brown fox doesn't jump; it's walking 12345 miles for $3.50.",
    "  two leading spaces, two   inside, two trailing  ",
    "line one\nline two\n\n\nline five\r\n\ttabbed\t\tlast\n",
    "def f(x):\n    if x > 0:\n        return x ** 2  # square\n    return None\n",
    "I'll we've they'd YOU'RE can'T l'été",
    "Überraschung: naïve café façade, e\u0301 composed? \u212b \ufb01",
    "记忆宫殿是一种把要记住的东西放在某个地方的方法。",
    "かな カタカナ 한국어 ไทย हिन्दी עברית العربية",
    "👩‍👩‍👧 🎉🎉 flag 🇩🇪 ∀x∈ℝ: ⌈x⌉ = −⌊−x⌋ ½ Ⅷ ²",
    "\u00a0nbsp\u2003em\u200bzero\u2028sep\ufeffbom",
    "\x00\x01\x1b[0m\x7f",
    "x=1,y=2;z={'k':[1,2,3]} // --> <=> != === && || ::",
    "<|im_start|>user\nhi<|im_end|>\n<|endoftext|> <s> </s> [INST] <0x0A>",
    "https://example.org/a/b?c=d&e=%20#f aaaaaaaaaaaaaaaaaaaaaaaa 0000000000",
    "▁already▁marked ▁ x",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 \U0010fffd",
]

TRAINING = [
    "The method of loci is a memory palace: what is to be remembered is put in a place.",
    "A model reads the text from left to right and writes down keys and values for every token.",
    "Later a query comes, and the memory gives back what was put there, or says that it is gone.",
    "She walked through the rooms of the house and found 12 apples, 345 pears and 6789 plums.",
    "It's raining; they've gone home. Don't wait for us, we'll be there when it's over.",
    "def remember(place, thing):\n    palace[place] = thing\n    return palace\n",
    "if x == 1:\n        print('one')\n    else:\n        print('other')\n",
    "Über den Wolken, naïve café, façade, déjà vu.",
    "记忆宫殿是一种方法。 记忆宫殿。",
    "hello hello hello world world the the the them then there these those",
]

TEMPLATES = {
    "chatml": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nAnswer briefly.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "llama2": "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
    "{% set turns = messages[1:] %}{% else %}{% set system = false %}{% set turns = messages %}{% endif %}"
    "{% for turn in turns %}{% if (turn.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('user and assistant must take turns') }}{% endif %}"
    "{% if loop.index0 == 0 and system %}{% set text = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + turn.content %}"
    "{% else %}{% set text = turn.content %}{% endif %}"
    "{% if turn.role == 'user' %}{{ bos_token + '[INST] ' + text.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + text.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "llama3": "{{- bos_token }}\n{%- for message in messages %}\n"
    "    {{- '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' }}\n"
    "    {{- message['content'] | trim + '<|eot_id|>' }}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}\n{%- endif %}\n",
    "mistral": "{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content'] %}\n"
    "    {%- set loop_messages = messages[1:] %}\n{%- else %}\n    {%- set loop_messages = messages %}\n{%- endif %}\n"
    "{{- bos_token }}\n{%- for message in loop_messages %}\n    {%- if message['role'] == 'user' %}\n"
    "        {%- if loop.last and system_message is defined %}\n"
    "            {{- '[INST] ' + system_message + '\n\n' + message['content'] + '[/INST]' }}\n        {%- else %}\n"
    "            {{- '[INST] ' + message['content'] + '[/INST]' }}\n        {%- endif %}\n"
    "    {%- elif message['role'] == 'assistant' %}\n        {{- ' ' + message['content'] + eos_token }}\n"
    "    {%- else %}\n        {{- raise_exception('unknown role ' ~ message.role) }}\n    {%- endif %}\n{%- endfor %}\n",
    "qwen": "{%- set ns = namespace(seen=false) %}\n{%- if messages[0].role != 'system' %}\n"
    "    {{- '<|im_start|>system\nBe of help.<|im_end|>\n' }}\n{%- endif %}\n"
    "{%- for message in messages %}\n    {%- if message.content is string and not ns.seen %}\n"
    "        {%- set ns.seen = true %}\n    {%- endif %}\n"
    "    {%- if message.role in ['user', 'system'] or (message.role == 'assistant' and not message.tool_calls) %}\n"
    "        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}\n    {%- endif %}\n"
    "{%- endfor %}\n{%- if tools %}{{ tools | tojson }}{% endif %}\n"
    "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\n' }}\n{%- endif %}\n",
    "blocks": "{% for message in messages %}\n    {% if message.role == 'user' %}\n  Q: {{ message.content }}\n"
    "    {% else %}\n  A: {{ message.content }}\n    {% endif %}\n{% endfor %}\n"
    "{{ {'n': messages | length, 'list': [1, 'a<b']} | tojson }}\n",
}

SYSTEM = {"role": "system", "content": "You keep notes."}
USER = {"role": "user", "content": "  Where are my keys? <|im_end|> "}
ANSWER = {"role": "assistant", "content": "On the\nshelf."}
AGAIN = {"role": "user", "content": "And {{ my }} hat?"}
TALKS = [[USER], [SYSTEM, USER], [USER, ANSWER, AGAIN], [SYSTEM, USER, ANSWER, AGAIN]]


def write(folder, name, value):
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    (folder / name).write_text(text + "\n")
    print(name, len(text))


def sentence_piece(folder):
    """A tiny SentencePiece BPE model, as the metadata of a GGUF file would hold it."""
    import sentencepiece

    with tempfile.TemporaryDirectory() as temporary:
        prefix = str(Path(temporary) / "spm")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TRAINING * 3),
            model_prefix=prefix,
            model_type="bpe",
            vocab_size=512,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            num_threads=1,
            minloglevel=2,
        )
        model = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    size = model.get_piece_size()
    kinds = [(2, model.is_unknown), (3, model.is_control), (5, model.is_unused), (6, model.is_byte)]
    types = [next((code for code, test in kinds if test(id)), 1) for id in range(size)]
    write(
        folder,
        "sentencepiece.json",
        {
            "tokens": [model.id_to_piece(id) for id in range(size)],
            "scores": [model.get_score(id) for id in range(size)],
            "types": types,
            "texts": [text for text in TEXTS + TRAINING],
            "ids": [model.encode(text) for text in TEXTS + TRAINING],
            "decoded": [model.decode(model.encode(text)) for text in TEXTS + TRAINING],
        },
    )


def byte_level(folder):
    """Tiny byte-level BPE tokenizers with the pre-tokenizers of several families, as `tokenizer.json`."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    last = r"\s*[\r\n]+|\s+(?!\S)|\s+"
    llama = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + last
    qwen = llama.replace("{1,3}", "")
    upper, lower = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    word = r"[^\r\n\p{L}\p{N}]?"
    tekken = f"{word}{upper}*{lower}+|{word}{upper}+{lower}*|" + r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + last
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)

    def after(pattern):
        return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), plain])

    stages = {
        "gpt-2": gpt2,
        "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2]),
        "llama-bpe": after(llama),
        "qwen2": after(qwen),
        "tekken": after(tekken),
    }
    out = []
    for name, stage in stages.items():
        tokenizer = Tokenizer(models.BPE(ignore_merges=name in ("llama-bpe", "tekken")))
        tokenizer.pre_tokenizer = stage
        tokenizer.decoder = decoders.ByteLevel()
        if name == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        trainer = trainers.BpeTrainer(
            vocab_size=440, initial_alphabet=alphabet, special_tokens=special, show_progress=False
        )
        tokenizer.train_from_iterator(TRAINING * 3, trainer)
        tokenizer.add_tokens([AddedToken("remembered thing", normalized=False)])
        as_text = Tokenizer.from_str(tokenizer.to_str())
        as_text.encode_special_tokens = True
        out.append(
            {
                "pre": name,
                "file": json.loads(tokenizer.to_str()),
                "parsed": [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS + TRAINING],
                "as_text": [as_text.encode(text, add_special_tokens=False).ids for text in TEXTS + TRAINING],
            }
        )
    write(folder, "byte-level.json", {"texts": TEXTS + TRAINING, "tokenizers": out})


def templates(folder):
    """Prompts as jinja2 renders them with the settings of `transformers`."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Refused(Exception):
        pass

    def refuse(message):
        raise Refused(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    out = []
    for name, source in TEMPLATES.items():
        template = environment.from_string(source)
        for talk in TALKS:
            for prompt in (False, True):
                text = template.render(
                    messages=talk, add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>", tools=None
                )
                out.append({"template": name, "messages": talk, "add_generation_prompt": prompt, "text": text})
    write(folder, "templates.json", {"sources": TEMPLATES, "prompts": out})


def byte_characters():
    """GPT-2's character for each byte."""
    table, extra = {}, 0
    for byte in range(256):
        if 0x21 <= byte <= 0x7E or 0xA1 <= byte <= 0xAC or 0xAE <= byte <= 0xFF:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(0x100 + extra)
            extra += 1
    return table


def smollm2(folder, model):
    """Tokens of SmolLM2 as llama.cpp makes them, with the part of its vocabulary that these texts can reach.

    A merge whose result does not occur in the texts can never be applied to them, so leaving it out changes nothing.
    """
    import gguf
    import llama_cpp

    fields = gguf.GGUFReader(str(model)).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = fields["tokenizer.ggml.merges"].contents()
    llama = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)

    texts = TEXTS + TRAINING
    table = byte_characters()
    written = "\n".join("".join(table[byte] for byte in text.encode()) for text in texts)
    keep = [id for id, text in enumerate(tokens) if types[id] != 1 or len(text) == 1 or text in written]
    known = {tokens[id] for id in keep}
    write(
        folder,
        "smollm2.json",
        {
            "ids": keep,
            "tokens": [tokens[id] for id in keep],
            "types": [types[id] for id in keep],
            "merges": [merge for merge in merges if merge.replace(" ", "") in known],
            "texts": texts,
            "as_text": [llama.tokenize(text.encode(), add_bos=False, special=False) for text in texts],
            "parsed": [llama.tokenize(text.encode(), add_bos=False, special=True) for text in texts],
        },
    )


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    sentence_piece(folder)
    byte_level(folder)
    templates(folder)
    if len(sys.argv) > 2:
        smollm2(folder, sys.argv[2])


if __name__ == "__main__":
    main()
