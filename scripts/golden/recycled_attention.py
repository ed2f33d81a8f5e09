"""A plain NumPy reference of Recycled Attention (Xu et al., 2024), two attention layers, and its fixture.

    python scripts/golden/recycled_attention.py   writes crates/loci-context/tests/fixtures/recycled_attention.json

A prompt is read with full attention. From the attention row of its last token (step 0) each kv head makes a list: the
largest weight over its query heads, then over `kernel` neighbouring positions, the K highest, the lower position first
among equals, held in ascending order. A later token appends itself to the list, reads it, and the entry in front goes
once there are more than K. At steps that are multiples of `stride` everything is read instead and the list made anew;
with `threshold` < 1 a layer does so only if the cosine between the mean of its rotated queries over heads and that of
its last full step is not above `threshold`. K = max(rows, floor(share * tokens so far)).
The input generator is described in layer_stream.py.
"""

import math
from pathlib import Path

import numpy as np

import layer_stream
from layer_stream import layers, runs, softmax, steadiest

FIXTURE = Path(__file__).parents[2] / "crates/loci-context/tests/fixtures/recycled_attention.json"


def make_list(weights, kernel, count, evictions):
    """The list made from the weights `[heads of the group][tokens]`, lowest first, and the narrowest relative gap
    between different scores that decides what is taken or which of the first `evictions` entries goes earlier."""
    largest = np.max(weights, axis=0)
    reach = kernel // 2
    pooled = [largest[max(0, j - reach) : j + reach + 1].max() for j in range(len(largest))]
    order = sorted(range(len(pooled)), key=lambda j: (-pooled[j], j))
    taken = order[:count][::-1]
    deciding = [pooled[j] for j in taken[: evictions + 1]] + [pooled[j] for j in order[count : count + 1]]
    deciding.sort()
    gaps = [(b - a) / b for a, b in zip(deciding, deciding[1:], strict=False) if b > a]
    return taken, min(gaps, default=math.inf)


def cosine(a, b):
    """Of two vectors."""
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


def run(stream, prompt, rows, share, stride, threshold, kernel):
    """Outputs `[n, heads, d]`, positions read per token and kv head, full steps, and the narrowest choice."""
    out = np.zeros((stream.tokens, stream.heads, stream.head_dim))
    group = stream.heads // stream.kv_heads
    reads, full_steps, narrow = [], [], math.inf
    lists, last_mean = None, None
    for i in range(stream.tokens):
        step = i - (prompt - 1)
        size = max(rows, math.floor(share * (i + 1)))
        mean = stream.rotate(stream.q[i], i).mean(axis=0)
        full = step <= 0
        if step > 0 and step % stride == 0:
            full = True
            if threshold < 1:
                alike = cosine(mean, last_mean)
                full, narrow = alike <= threshold, min(narrow, abs(alike - threshold))
        if not full:
            for entries in lists:
                entries.append(i)
        weights = []
        reads.append([])
        for h in range(stream.heads):
            keys = list(range(i + 1)) if full else sorted(lists[stream.kv_head(h)])
            assert len(set(keys)) == len(keys) and keys[-1] == i
            weights.append(softmax(stream.near(h, i, keys)))
            out[i, h] = weights[h] @ stream.v[keys, stream.kv_head(h)]
            if h % group == 0:
                reads[i].append(runs(keys))
        if full and step >= 0:
            groups = [weights[h : h + group] for h in range(0, stream.heads, group)]
            made = [make_list(rows_of_group, kernel, size, stride) for rows_of_group in groups]
            lists, last_mean = [entries for entries, _ in made], mean
            narrow = min([narrow, *[gap for _, gap in made]])
            full_steps.append(step)
        elif not full:
            lists = [entries[1:] if len(entries) > size else entries for entries in lists]
            assert all(len(entries) == min(size, i + 1) for entries in lists)
    return out, reads, full_steps, narrow


CASES = [
    # name, seed, stream shape, prompt, whole outputs every, parameters
    ("grouped heads, fixed steps", 1, dict(tokens=180), 150, 30,
     dict(rows=20, share=0.0, stride=5, threshold=1.0, kernel=7)),
    ("a layer skips while its query stays alike", 2, dict(tokens=170), 120, 30,
     dict(rows=16, share=0.0, stride=3, threshold=0.1, kernel=5)),
    ("a share of all rows, which grows", 3, dict(tokens=150, kv_heads=4), 110, 30,
     dict(rows=1, share=0.125, stride=12, threshold=1.0, kernel=1)),
    ("never again", 4, dict(tokens=130, heads=6), 90, 30,
     dict(rows=12, share=0.0, stride=1000, threshold=1.0, kernel=7)),
    ("everything is in the list", 5, dict(tokens=90), 60, 30,
     dict(rows=1, share=1.0, stride=7, threshold=1.0, kernel=7)),
    ("a prompt shorter than the list", 6, dict(tokens=70), 10, 20,
     dict(rows=30, share=0.0, stride=100, threshold=1.0, kernel=3)),
]  # fmt: skip


def make():
    """All cases."""
    cases = []
    for name, seed, shape, prompt, every, parameters in CASES:

        def attempt(number, shape=shape, prompt=prompt, parameters=parameters):
            streams = layers(2, number, **shape)
            each = [run(stream, prompt, **parameters) for stream in streams]
            return min(result[-1] for result in each), streams, each

        narrow, streams, each = steadiest(seed, attempt, 1e-3)
        if parameters["share"] == 1:
            for stream, result in zip(streams, each, strict=True):
                assert np.abs(result[0] - stream.full()).max() < 1e-12
        if parameters["threshold"] < 1:
            assert each[0][2] != each[1][2], "the layers should decide differently"
        print(f"{name}: seed {streams[0].seed}, full steps {[result[2] for result in each]}, narrowest {narrow}")
        cases.append({
            "name": name, **streams[0].describe(), "prompt": prompt, **parameters,
            "narrowest_choice": None if narrow == math.inf else round(narrow, 7),
            "layers": [
                {
                    "full_steps": result[2],
                    "reads": {str(i): result[1][i] for i in range(prompt - 2, stream.tokens)},
                    **layer_stream.outputs(result[0], every),
                }
                for stream, result in zip(streams, each, strict=True)
            ],
        })  # fmt: skip
    return cases


if __name__ == "__main__":
    layer_stream.write(
        FIXTURE,
        "Recycled Attention on two layers, by scripts/golden/recycled_attention.py. The prompt but its last token is "
        "read together, then every token alone; step 0 is the prompt's last token. reads[token][kv head] are "
        "the positions read, as [from, to) runs.",
        make(),
    )
