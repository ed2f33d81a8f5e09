"""A plain NumPy reference of LongHeads (Lu et al., 2024) on one attention layer, and the fixture made with it.

    python scripts/golden/long_heads.py         writes crates/loci-context/tests/fixtures/long_heads.json

A token before `begin` reads everything at true distances. A later one in chunk `a` reads, for each head, chunk 0,
chunk a-1, its own chunk up to itself, and of chunks 1..a-2 those whose keys have the largest product with the
unrotated query; `attention / chunk_size` chunks in all. Their unrotated keys are written down side by side and
rotated at the places 0, 1, 2, ... where they then stand, the query at the last. The key of a chunk is made for each
query head: the chunk attends to itself both ways at local positions, the mean of the outputs is a query whose
attention over the chunk's rotated keys, taken as values too, is the key.
Choices left open by the published code: the query's own key is always read, and the chunk a token stands in counts as
its own chunk, complete or not. The input generator is described in layer_stream.py.
"""

import math
from pathlib import Path

import numpy as np

import layer_stream
from layer_stream import Stream, softmax, steadiest, top

FIXTURE = Path(__file__).parents[2] / "crates/loci-context/tests/fixtures/long_heads.json"


def chunk_key(stream, head, first, chunk_size):
    """The key of the chunk that begins at `first`, for one query head."""
    own = range(chunk_size)
    q = np.stack([stream.rotate(stream.q[first + t, head], t) for t in own])
    k = np.stack([stream.rotate(stream.k[first + t, stream.kv_head(head)], t) for t in own])
    v = stream.v[first : first + chunk_size, stream.kv_head(head)]
    out = np.stack([softmax(row @ k.T / stream.scale) @ v for row in q])
    return softmax(out.mean(axis=0) @ k.T / stream.scale) @ k


def run(stream, prompt, chunk_size, attention, begin):
    """Outputs `[n, heads, d]`, chunks read per token and head, and the narrowest choice."""
    chunks, narrow, chosen = attention // chunk_size, math.inf, {}
    out = np.zeros((stream.tokens, stream.heads, stream.head_dim))
    complete = range(stream.tokens // chunk_size)
    keys = [[chunk_key(stream, h, c * chunk_size, chunk_size) for c in complete] for h in range(stream.heads)]
    for i in range(stream.tokens):
        for h in range(stream.heads):
            kv = stream.kv_head(h)
            if i < begin:
                out[i, h] = softmax(stream.near(h, i, list(range(i + 1)))) @ stream.v[: i + 1, kv]
                continue
            own = i // chunk_size
            read = list(range(own + 1))
            if len(read) > chunks:
                best = []
                if chunks > 3:
                    best, margin = top([float(stream.q[i, h] @ keys[h][c]) for c in range(1, own - 1)], chunks - 3)
                    narrow = min(narrow, margin)
                read = [0, *[c + 1 for c in best], own - 1, own]
            assert len(read) == min(chunks, own + 1) and sorted(set(read)) == read
            chosen.setdefault(str(i), []).append(read)
            rows = [j for c in read for j in range(c * chunk_size, (c + 1) * chunk_size) if j <= i]
            assert rows[-1] == i and len(rows) <= attention
            k = np.stack([stream.rotate(stream.k[j, kv], place) for place, j in enumerate(rows)])
            q = stream.rotate(stream.q[i, h], len(rows) - 1)
            out[i, h] = softmax(q @ k.T / stream.scale) @ stream.v[rows, kv]
    return out, chosen, narrow


CASES = [
    # name, seed, stream shape, prompt, whole outputs every, parameters
    ("grouped heads", 1, dict(tokens=260), 240, 20, dict(chunk_size=16, attention=80, begin=80)),
    ("reads everything for longer than it must, chunks of odd length", 2, dict(tokens=200), 180, 20,
     dict(chunk_size=11, attention=44, begin=66)),
    ("no free choice, one head per key-value head", 3, dict(tokens=150, kv_heads=4), 140, 15,
     dict(chunk_size=8, attention=24, begin=24)),
    ("written token by token over several chunks", 4, dict(tokens=150), 90, 15,
     dict(chunk_size=8, attention=40, begin=40)),
    ("a prompt shorter than the part that reads everything", 5, dict(tokens=120, heads=6), 30, 15,
     dict(chunk_size=10, attention=50, begin=50)),
    ("as long as the part that reads everything", 6, dict(tokens=80), 70, 20,
     dict(chunk_size=16, attention=80, begin=80)),
]  # fmt: skip


def make():
    """All cases."""
    cases = []
    for name, seed, shape, prompt, every, parameters in CASES:

        def attempt(number, shape=shape, prompt=prompt, parameters=parameters):
            stream = Stream(number, **shape)
            result = run(stream, prompt, **parameters)
            return result[-1], stream, result

        _, stream, (out, chosen, narrow) = steadiest(seed, attempt, 3e-4)
        if stream.tokens <= parameters["begin"]:
            assert np.abs(out - stream.full()).max() < 1e-12
        print(f"{name}: seed {stream.seed}, narrowest choice {narrow}")
        cases.append({
            "name": name, **stream.describe(), "prompt": prompt, **parameters,
            "chosen": {i: chosen[i] for i in chosen if int(i) % every == 0},
            "narrowest_choice": None if narrow == math.inf else round(narrow, 7),
            **layer_stream.outputs(out, every),
        })  # fmt: skip
    return cases


if __name__ == "__main__":
    layer_stream.write(
        FIXTURE,
        "LongHeads on one layer, by scripts/golden/long_heads.py. chosen[token][head] are the chunks read, ascending, "
        "of some tokens (absent before `begin`: everything).",
        make(),
    )
