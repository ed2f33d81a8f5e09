"""Tiny random checkpoints of each architecture, with the logits an independent implementation gives.

Writes crates/loci-models/tests/fixtures/<name>/: a Hugging Face folder (config.json and safetensors) or a GGUF
file, and expected.safetensors with `tokens` [40] and `logits` [40, vocab]. The logits come from transformers in
f32; for quantised GGUF files from the same model with the weights that the file holds after dequantisation.

Needs torch, transformers, safetensors and gguf:
    python scripts/golden/tiny_checkpoints.py
"""

import json
import math
import shutil
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

FIXTURES = Path(__file__).resolve().parents[2] / "crates/loci-models/tests/fixtures"
TOKENS = 40
COMMON = dict(
    vocab_size=128,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    rms_norm_eps=1e-5,
    bos_token_id=1,
    eos_token_id=2,
)
LLAMA3 = dict(
    rope_type="llama3",
    factor=4.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
    rope_theta=500.0,
)


def model(config, kind, seed, dtype=torch.float32):
    """A model whose weights are neither tiny nor symmetric, rounded to the type they will be stored in."""
    torch.manual_seed(seed)
    made = kind(config)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "norm" in name:
                weight.copy_(1 + 0.2 * torch.randn_like(weight))
            elif name.endswith("bias"):
                weight.copy_(0.3 * torch.randn_like(weight))
            else:
                gain = 1.0 if "embed" in name or "lm_head" in name else 1.6
                weight.copy_(gain * torch.randn_like(weight) / math.sqrt(weight.shape[-1]))
            weight.copy_(weight.to(dtype).float())
    return made.eval()


def expect(made, folder):
    """Writes the tokens and the logits behind each of them."""
    generator = torch.Generator().manual_seed(7)
    tokens = torch.randint(0, made.config.vocab_size, (1, TOKENS), generator=generator)
    with torch.no_grad():
        logits = made(tokens).logits[0]
    save_file(
        {"tokens": tokens[0].int().contiguous(), "logits": logits.float().contiguous()},
        folder / "expected.safetensors",
    )


def fresh(name):
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def save_folder(name, made, dtype=torch.float32, shard=None, edit=None):
    folder = fresh(name)
    expect(made, folder)
    made.to(dtype).save_pretrained(folder, max_shard_size=shard or "1GB")
    made.float()
    (folder / "generation_config.json").unlink(missing_ok=True)
    if edit:
        path = folder / "config.json"
        config = json.loads(path.read_text())
        edit(config)
        path.write_text(json.dumps(config, indent=2) + "\n")


def old_rope(config):
    """The form of config.json before transformers 5: rope_theta and rope_scaling."""
    parameters = config.pop("rope_parameters")
    config["rope_theta"] = parameters.pop("rope_theta")
    config["rope_scaling"] = parameters
    config["torch_dtype"] = config.pop("dtype", "float32")


NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    fixed = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in fixed:
        return fixed[name]
    if name == "lm_head.weight":
        return "output.weight"
    _, _, layer, rest = name.split(".", 3)
    part, kind = rest.rsplit(".", 1)
    return f"blk.{layer}.{NAMES[part]}.{kind}"


def interleave(rows, heads):
    """From half-split pairs (i, i + n/2) to neighbours (2i, 2i + 1), as llama files in GGUF have them."""
    size = rows.shape[0] // heads
    return rows.reshape(heads, 2, size // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def save_gguf(name, made, arch, ty, factors=None):
    """Writes the model and replaces its weights by those the file holds."""
    folder, config = fresh(name), made.config
    writer = gguf.GGUFWriter(folder / "model.gguf", arch)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if getattr(config, "head_dim", None):
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    if factors is not None:
        writer.add_tensor("rope_freqs.weight", np.asarray(factors, dtype=np.float32))
    tied = config.tie_word_embeddings
    with torch.no_grad():
        for source, weight in made.named_parameters():
            if source == "lm_head.weight" and tied:
                continue
            rows = weight.numpy().astype(np.float32)
            heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
            part = source.split(".")[-2]
            turned = arch == "llama" and part in heads
            if turned:
                rows = interleave(rows, heads[part])
            kind = ty if rows.ndim == 2 else gguf.GGMLQuantizationType.F32
            data = gguf.quants.quantize(rows, kind)
            writer.add_tensor(gguf_name(source), data, raw_dtype=kind)
            held = gguf.quants.dequantize(data, kind).reshape(rows.shape)
            if turned:
                size = held.shape[0] // heads[part]
                held = held.reshape(heads[part], size // 2, 2, *held.shape[1:]).swapaxes(1, 2).reshape(held.shape)
            weight.copy_(torch.from_numpy(held.copy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expect(made, folder)


def llama3_factors(config):
    """The divisors that a converter writes into rope_freqs.weight."""
    rope = config.rope_parameters
    size = config.hidden_size // config.num_attention_heads
    original = rope["original_max_position_embeddings"]
    low, high = original / rope["low_freq_factor"], original / rope["high_freq_factor"]
    factors = []
    for pair in range(size // 2):
        length = 2 * math.pi * rope["rope_theta"] ** (2 * pair / size)
        if length < high:
            factors.append(1.0)
        elif length > low:
            factors.append(rope["factor"])
        else:
            turns = original / length
            smooth = (turns - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return factors


def main():
    plain = dict(rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    tied = LlamaConfig(**COMMON, **plain, tie_word_embeddings=True, attention_bias=True)
    untied = LlamaConfig(**COMMON, **plain, tie_word_embeddings=False)
    llama3 = LlamaConfig(**COMMON, rope_parameters=LLAMA3, tie_word_embeddings=False)
    mistral = MistralConfig(**COMMON, **plain, sliding_window=None, head_dim=8)
    yarn = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=1000.0)
    qwen2 = Qwen2Config(**COMMON, rope_parameters=yarn, tie_word_embeddings=True, use_sliding_window=False)
    qwen3 = Qwen3Config(**COMMON, **plain, head_dim=16, tie_word_embeddings=False)

    save_folder("llama-tied", model(tied, LlamaForCausalLM, 1))
    save_folder("llama-sharded", model(untied, LlamaForCausalLM, 2), shard="48KB")
    save_folder("llama3-bf16", model(llama3, LlamaForCausalLM, 3, torch.bfloat16), torch.bfloat16, edit=old_rope)
    save_folder("mistral-f16", model(mistral, MistralForCausalLM, 4, torch.float16), torch.float16)
    save_folder("qwen2-yarn", model(qwen2, Qwen2ForCausalLM, 5))
    save_folder("qwen3", model(qwen3, Qwen3ForCausalLM, 6))

    types = gguf.GGMLQuantizationType
    save_gguf("gguf-llama-f32", model(tied, LlamaForCausalLM, 1), "llama", types.F32)
    save_gguf("gguf-llama3-f16", model(llama3, LlamaForCausalLM, 3), "llama", types.F16, llama3_factors(llama3))
    save_gguf("gguf-qwen3-bf16", model(qwen3, Qwen3ForCausalLM, 6), "qwen3", types.BF16)
    for ty in (types.Q8_0, types.Q4_0, types.Q4_1):
        save_gguf(f"gguf-llama-{ty.name.lower()}", model(untied, LlamaForCausalLM, 2), "llama", ty)


if __name__ == "__main__":
    main()
