"""A plain NumPy reference of DuoAttention (Xiao et al., 2024), two attention layers, and the fixture made with it.

    python scripts/golden/duo_attention.py      writes crates/loci-context/tests/fixtures/duo_attention.json

Each kv head has a score. A head is full if its score, clipped to [0, 1], is at or above the quantile `sparsity` of
all scores of the model (linear interpolation; 0 or below: all full, 1 or above: none). A full head reads everything.
profile "exact": a streaming head reads, at true positions, the first `sinks` tokens and the last `recent` + 1, the
query included. profile "released": the first chunk is read in full by all heads; later a chunk of `queries` tokens
(a single one while writing) reads the first `sinks` and the last `recent` tokens before the chunk, and the chunk.
The input generator is described in layer_stream.py.
"""

from pathlib import Path

import numpy as np

import layer_stream
from layer_stream import execution_blocks, layers, runs, softmax, splitmix64

FIXTURE = Path(__file__).parents[2] / "crates/loci-context/tests/fixtures/duo_attention.json"


def full_heads(scores, sparsity):
    """Which kv heads of each layer are full."""
    scores = np.clip(np.asarray(scores, dtype=np.float64), 0, 1)
    if sparsity <= 0 or sparsity >= 1:
        return np.full(scores.shape, sparsity <= 0)
    return scores >= np.quantile(scores, sparsity, method="linear")


def run(stream, full, prompt, sinks, recent, queries, profile):
    """Outputs `[n, heads, d]` and positions read per token and kv head."""
    out = np.zeros((stream.tokens, stream.heads, stream.head_dim))
    reads, group = [], stream.heads // stream.kv_heads
    for start, end in execution_blocks(prompt, stream.tokens, queries):
        for i in range(start, end):
            reads.append([])
            for h in range(stream.heads):
                first_recent = start - recent if profile == "released" else i - recent
                whole = full[stream.kv_head(h)] or (profile == "released" and start == 0)
                keys = [j for j in range(i + 1) if whole or j < sinks or j >= first_recent]
                if h % group == 0:
                    reads[i].append(runs(keys))
                out[i, h] = softmax(stream.near(h, i, keys)) @ stream.v[keys, stream.kv_head(h)]
    return out, reads


def different(seed, layer_count, kv_heads):
    """Scores `[layers][kv_heads]`, all different, in an order drawn from the generator."""
    numbers = splitmix64(seed)
    drawn = [(next(numbers) >> 53) / 2048 for _ in range(layer_count * kv_heads)]
    order = np.argsort(drawn)
    table = np.zeros(layer_count * kv_heads)
    table[order] = (1 + np.arange(layer_count * kv_heads)) / (layer_count * kv_heads + 2)
    return table.reshape(layer_count, kv_heads).tolist()


CASES = [
    # name, seed, stream shape, prompt, whole outputs every, sparsity, parameters
    ("grouped heads", 1, dict(tokens=220), 200, 40, 0.5, dict(sinks=6, recent=30, queries=256, profile="exact")),
    ("three of four heads stream", 2, dict(tokens=200, heads=4, kv_heads=4), 180, 40, 0.75,
     dict(sinks=4, recent=17, queries=32, profile="exact")),
    ("all stream, no sinks", 3, dict(tokens=120), 100, 30, 1.0, dict(sinks=0, recent=12, queries=16, profile="exact")),
    ("none streams", 4, dict(tokens=90), 80, 30, 0.0, dict(sinks=4, recent=8, queries=16, profile="exact")),
    ("as published, prompt of several chunks", 5, dict(tokens=200), 170, 40, 0.5,
     dict(sinks=5, recent=20, queries=32, profile="released")),
    ("as published, written on inside what would be the first chunk", 6, dict(tokens=330), 100, 60, 0.5,
     dict(sinks=5, recent=20, queries=256, profile="released")),
    ("shorter than sinks and window", 7, dict(tokens=40), 35, 10, 0.5,
     dict(sinks=8, recent=31, queries=16, profile="exact")),
]  # fmt: skip


def make():
    """All cases."""
    cases = []
    for name, seed, shape, prompt, every, sparsity, parameters in CASES:
        streams = layers(2, seed * 1000, **shape)
        scores = different(seed + 20, 2, streams[0].kv_heads)
        full = full_heads(scores, sparsity)
        each = [run(stream, full[layer], prompt, **parameters) for layer, stream in enumerate(streams)]
        for layer, (stream, result) in enumerate(zip(streams, each, strict=True)):
            if full[layer].all() or stream.tokens <= parameters["sinks"] + parameters["recent"] + 1:
                assert np.abs(result[0] - stream.full()).max() < 1e-12
        print(f"{name}: full heads {full.tolist()}")
        some = sorted({*range(0, streams[0].tokens, 7), *range(prompt - 1, streams[0].tokens, 3)})
        cases.append({
            "name": name, **streams[0].describe(), "prompt": prompt, "sparsity": sparsity, **parameters,
            "head_scores": scores, "full_heads": full.tolist(),
            "layers": [
                {"reads": {str(i): result[1][i] for i in some}, **layer_stream.outputs(result[0], every)}
                for result in each
            ],
        })  # fmt: skip
    return cases


def tables():
    """Which heads are full, by tables of scores of several sizes."""
    found = []
    for seed, (layer_count, kv_heads, sparsity) in enumerate(
        [(30, 3, 0.5), (30, 3, 0.25), (8, 8, 0.75), (5, 2, 0.99), (5, 2, 0.01), (1, 1, 0.5), (4, 3, 0.0), (4, 3, 1.0)]
    ):
        scores = different(seed, layer_count, kv_heads)
        full = full_heads(scores, sparsity)
        found.append({"sparsity": sparsity, "head_scores": scores, "full_heads": full.tolist()})
    return found


if __name__ == "__main__":
    layer_stream.write(
        FIXTURE,
        "DuoAttention on two layers, by scripts/golden/duo_attention.py. The prompt but its last token is read in "
        "chunks of `queries`, then every token alone. reads[token][kv head] are the positions read, as [from, to) "
        "runs. tables: which kv heads are full, [layers][kv_heads].",
        make(),
        tables=tables(),
    )
