"""Tiny random sentence encoders with what transformers and sentence-transformers compute, and the vectors that
sentence-transformers gives with a real model.

Writes crates/loci-models/tests/fixtures/<name>/: a folder as sentence-transformers reads it (config.json, safetensors,
vocab.txt, modules.json, ...) and expected.json with, for each text, `tokens`, the first text's `states` [tokens, hidden]
and `vectors`, rounded to 6 digits. With the folder of all-MiniLM-L6-v2 (scripts/fetch-encoder.sh prints it) it also
writes fixtures/minilm.json.

Needs torch, transformers, sentence-transformers and safetensors:
    python scripts/golden/encoder.py [FOLDER]
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel

FIXTURES = Path(__file__).resolve().parents[2] / "crates/loci-models/tests/fixtures"
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a mem ##ory pal ##ace is in ##s walk ##ed . , ! ' 中 cafe ##e n o ##t".split()
TEXTS = [
    "The memory palace is in the palace.",
    "",
    "a mem",
    "He walked, 中中! Café's memorys not known",
    " ".join(["walk walked mems"] * 3),
]
SENTENCES = [
    "The method of loci places what is to be remembered in a palace.",
    "A memory palace holds things in its rooms.",
    "Rain is expected in the north tomorrow.",
    "",
    "Ünïcödé, 中文 and emoji 🙂 — all in one (sentence)!",
    "one two three " * 60,
]


def rounded(tensor, digits=6):
    return json.loads(json.dumps(tensor.tolist()), parse_float=lambda text: round(float(text), digits))


def make(name, seed, dtype, prefix, pooling, normalize, **config):
    """One checkpoint, whose weights are neither tiny nor symmetric."""
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "1_Pooling").mkdir(parents=True)
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=len(WORDS), type_vocab_size=2, max_position_embeddings=24, **config)
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            base = 1.0 if key.endswith("LayerNorm.weight") else 0.0
            weight.copy_(base + 0.35 * torch.randn_like(weight) + (0.05 if weight.dim() == 1 else 0.0))
    tensors = {prefix + key: weight.to(dtype).contiguous() for key, weight in model.state_dict().items()}
    tensors = {key: weight for key, weight in tensors.items() if not key.endswith("position_ids")}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    written = {key: value for key, value in config.to_dict().items() if key in KEPT}
    write(folder / "config.json", {"architectures": ["BertModel"], "model_type": "bert", **written})
    write(folder / "tokenizer_config.json", {"do_lower_case": True, "tokenizer_class": "BertTokenizer"})
    (folder / "vocab.txt").write_text("".join(word + "\n" for word in WORDS))
    kinds = ["Transformer", "Pooling"] + ["Normalize"] * normalize
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (kind, path) in enumerate(zip(kinds, paths))
    ]
    write(folder / "modules.json", modules)
    write(folder / "sentence_bert_config.json", {"max_seq_length": 20, "do_lower_case": False})
    modes = {f"pooling_mode_{mode}": mode == pooling for mode in ["cls_token", "mean_tokens", "max_tokens"]}
    write(folder / "1_Pooling/config.json", {"word_embedding_dimension": config.hidden_size, **modes})

    reader = SentenceTransformer(str(folder), device="cpu")
    bare = BertModel.from_pretrained(folder, add_pooling_layer=False, dtype=torch.float32).eval()
    tokens = [reader.tokenizer(text)["input_ids"] for text in TEXTS]
    assert sum(ids.count(1) for ids in tokens) == 4, "four words of the texts are unknown"
    with torch.no_grad():
        states = bare(torch.tensor([tokens[0]])).last_hidden_state[0]
    vectors = reader.float().encode(TEXTS, convert_to_tensor=True, batch_size=len(TEXTS))
    assert all(len(ids) <= 20 for ids in tokens), [len(ids) for ids in tokens]
    write(
        folder / "expected.json",
        {"texts": TEXTS, "tokens": tokens, "states": rounded(states), "vectors": rounded(vectors)},
    )


KEPT = {
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "hidden_act",
    "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "position_embedding_type",
}


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False) + "\n")


def real(folder):
    """Vectors of all-MiniLM-L6-v2; none of the sentences is longer than it reads at once."""
    reader = SentenceTransformer(folder, device="cpu")
    tokens = [len(reader.tokenizer(text, padding=False, truncation=False)["input_ids"]) for text in SENTENCES]
    assert max(tokens) <= reader.max_seq_length, tokens
    vectors = reader.encode(SENTENCES, convert_to_tensor=True)
    write(FIXTURES / "minilm.json", {"texts": SENTENCES, "tokens": tokens, "vectors": rounded(vectors, 5)})


make("bert-mean", 1, torch.float32, "", "mean_tokens", True, hidden_size=24, num_attention_heads=3,
     intermediate_size=40, num_hidden_layers=2, hidden_act="gelu", layer_norm_eps=1e-12)
make("bert-cls", 2, torch.bfloat16, "bert.", "cls_token", False, hidden_size=20, num_attention_heads=2,
     intermediate_size=36, num_hidden_layers=1, hidden_act="gelu_new", layer_norm_eps=1e-5)
if len(sys.argv) > 1:
    real(sys.argv[1])
