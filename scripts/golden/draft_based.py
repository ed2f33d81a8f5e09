"""A plain NumPy reference of SpecKV, SpecPC and SpecKV-PC (Galim et al., 2025), and the fixture made with it.

    python scripts/golden/draft_based.py      writes crates/loci-context/tests/fixtures/draft_based.json

SpecKV, two layers. A prompt of P tokens, then a draft of A tokens, are read with full attention. Observers are the last
W + 1 tokens of the prompt and the draft. A row's score is the largest softmax weight that an observer gives it in a head
of the kv head's group (each observer's softmax runs over all rows up to itself, the draft's included), then the largest
over K neighbouring positions; scored are the first P - 1 - W rows. A kv head keeps the C - W highest, the lower position
first among equals, and the W before the prompt's last token. The prompt's last token and the answer's tokens, at
positions P - 1, P, ..., read what is kept and each other; the draft is gone. Case `snapped` says what a head keeps
without a draft.

SpecPC, several layers. The last W of P tokens observe with full attention; their softmax rows are weighted from 0 (oldest)
to 1 (last) in equal steps. Of A drafted tokens the first A - 1 are read too, at positions P, P + 1, ...; their rows, over
all keys up to themselves and then cut to the prompt's, have weight 1. Importance is the largest over observers, heads and layers from `from_layer` on. It is pooled
(largest, stride 1, floor((p-1)/2) zeros on the left, the rest on the right). The first C positions in descending order
(the lower first among equals) are expanded to b neighbours each, nearest first, cut to the text; of that list, behind the
last W positions and the fixed ones, the first C different positions are kept.

SpecKV-PC: of a prompt SpecPC leaves what the model reads, at positions 0, 1, ...; SpecKV then decides about that with the
same draft behind it. Here model and draft have the same layers.

Prompt and answer are one stream, the draft another with the next seed. The generator is described in layer_stream.py.
"""

import copy
import math
from pathlib import Path

import numpy as np

import layer_stream
from layer_stream import layers, rounded, runs, softmax, steadiest, top

FIXTURE = Path(__file__).parents[2] / "crates/loci-context/tests/fixtures/draft_based.json"


def pooled(scores, before, behind):
    """Largest of each position's neighbourhood, zeros outside."""
    padded = np.concatenate([np.zeros(before), scores, np.zeros(behind)])
    return np.array([padded[i : i + before + behind + 1].max() for i in range(len(scores))])


def weights(query, keys, stream):
    """Softmax weights of a rotated query over rotated keys."""
    return softmax(keys @ query / stream.scale)


def spec_kv(stream, draft, prompt, budget, window, kernel):
    """Kept rows of each kv head, and by how much they were chosen."""
    old, ahead = prompt - 1 - window, 0 if draft is None else draft.tokens
    kept, margin, group = [], math.inf, stream.heads // stream.kv_heads
    for g in range(stream.kv_heads):
        keys = [stream.k_true[:prompt, g]]
        keys += [stream.rotate(draft.k[i : i + 1, g], prompt + i) for i in range(ahead)]
        keys = np.concatenate(keys)
        best = np.zeros(old)
        for h in range(g * group, (g + 1) * group):
            for i in range(old, prompt):
                best = np.maximum(best, weights(stream.rotate(stream.q[i, h], i), keys[: i + 1], stream)[:old])
            for i in range(ahead):
                query = stream.rotate(draft.q[i, h], prompt + i)
                best = np.maximum(best, weights(query, keys[: prompt + i + 1], stream)[:old])
        chosen, by = top(pooled(best, kernel // 2, kernel // 2), budget - window)
        # Neighbours of one peak have the same score: such ties are exact and go to the lower position.
        margin = min(margin, by if by > 0 else math.inf)
        kept.append(chosen + list(range(old, prompt - 1)))
    return kept, margin


def answer(stream, kept, prompt):
    """Outputs from the prompt's last token on, `[tokens, heads, d]`."""
    out = []
    for i in range(prompt - 1, stream.tokens):
        row = []
        for h in range(stream.heads):
            keys = kept[stream.kv_head(h)] + list(range(prompt - 1, i + 1))
            row.append(softmax(stream.near(h, i, keys)) @ stream.v[keys, stream.kv_head(h)])
        out.append(row)
    return np.array(out)


def importance(streams, drafts, prompt, window, from_layer):
    """`[prompt]`."""
    found, count = np.zeros(prompt), min(window, prompt)
    trust = np.linspace(0, 1, count) if count > 1 else np.ones(1)
    for stream, draft in list(zip(streams, drafts, strict=True))[from_layer:]:
        for h in range(stream.heads):
            for share, i in zip(trust, range(prompt - count, prompt), strict=True):
                row = softmax(stream.near(h, i, list(range(i + 1)))) * share
                found[: i + 1] = np.maximum(found[: i + 1], row)
            keys = [stream.k_true[:prompt, stream.kv_head(h)]]
            for step in range(0 if draft is None else draft.tokens - 1):
                at = prompt + step
                keys.append(stream.rotate(draft.k[step : step + 1, stream.kv_head(h)], at))
                row = weights(stream.rotate(draft.q[step, h], at), np.concatenate(keys), stream)
                found = np.maximum(found, row[:prompt])
    return found


def only(stream, kept):
    """The stream of some of its tokens, at positions of their own."""
    part = copy.copy(stream)
    part.q, part.k, part.v, part.tokens = stream.q[kept], stream.k[kept], stream.v[kept], len(kept)
    part.k_true = np.stack([part.rotate(row, position) for position, row in enumerate(part.k)])
    return part


def spec_pc(scores, fixed, budget, window, pool, neighbours):
    """Positions that are kept."""
    n = len(scores)
    if n <= budget:
        return list(range(n))
    left = (pool - 1) // 2
    smooth = pooled(scores, left, pool - 1 - left)
    ranked = sorted(range(n), key=lambda i: (-smooth[i], i))[:budget]
    offsets = sorted(range(-((neighbours - 1) // 2), neighbours // 2 + 1), key=abs)
    listed = fixed + list(range(n - window, n)) + [min(max(i + o, 0), n - 1) for i in ranked for o in offsets]
    return sorted(list(dict.fromkeys(listed))[:budget])


KV = [
    # name, seed, stream shape, prompt, draft tokens, parameters
    ("grouped heads", 1, dict(tokens=90), 80, 6, dict(budget=30, window=8, kernel=5)),
    ("one token of draft, no pooling", 2, dict(tokens=70), 64, 1, dict(budget=20, window=4, kernel=1)),
    ("a long draft", 3, dict(tokens=110), 100, 80, dict(budget=24, window=8, kernel=7)),
    ("each head its own keys", 4, dict(tokens=75, heads=4, kv_heads=4), 66, 9, dict(budget=16, window=1, kernel=3)),
    ("no draft", 5, dict(tokens=90), 80, 0, dict(budget=30, window=8, kernel=5)),
    ("all but one row", 6, dict(tokens=60), 50, 5, dict(budget=48, window=16, kernel=5)),
]

PC = [
    # name, seed, layers, stream shape, from_layer, parameters, fixed, draft tokens
    ("odd widths", 11, 3, dict(tokens=100), 1, dict(budget=40, window=8, pool=5, neighbours=5), [], 1),
    ("even widths", 12, 3, dict(tokens=100), 1, dict(budget=40, window=8, pool=4, neighbours=6), [], 1),
    ("single tokens", 13, 2, dict(tokens=80), 0, dict(budget=25, window=6, pool=1, neighbours=1), [], 1),
    ("wide neighbourhoods", 14, 2, dict(tokens=120), 1, dict(budget=50, window=16, pool=32, neighbours=32), [], 1),
    ("fixed tokens", 15, 2, dict(tokens=90), 0, dict(budget=30, window=4, pool=3, neighbours=3), [0, 1, 2, 40, 41, 80], 1),
    ("a window of one", 16, 2, dict(tokens=60), 0, dict(budget=20, window=1, pool=3, neighbours=2), [], 1),
    ("a window over everything", 17, 2, dict(tokens=30), 1, dict(budget=40, window=64, pool=3, neighbours=2), [], 1),
    ("a draft that writes", 18, 2, dict(tokens=90), 0, dict(budget=30, window=4, pool=3, neighbours=3), [], 9),
    ("two drafted tokens", 19, 3, dict(tokens=70), 1, dict(budget=24, window=8, pool=1, neighbours=1), [3], 2),
]  # fmt: skip

BOTH = [
    # name, seed, stream shape, prompt, draft tokens, parameters of SpecPC, of SpecKV
    ("a cascade", 31, dict(tokens=150), 140, 7, dict(budget=60, window=10, pool=4, neighbours=6),
     dict(budget=20, window=5, kernel=3)),
    ("a cascade, one token of draft", 32, dict(tokens=110), 100, 1, dict(budget=50, window=8, pool=1, neighbours=1),
     dict(budget=16, window=8, kernel=5)),
    ("a cascade that drops nothing", 33, dict(tokens=90), 80, 5, dict(budget=30, window=8, pool=3, neighbours=4),
     dict(budget=29, window=4, kernel=3)),
]  # fmt: skip


def make_kv():
    """All cases of SpecKV."""
    cases = []
    for name, seed, shape, prompt, ahead, parameters in KV:
        def attempt(number, shape=shape, prompt=prompt, ahead=ahead, parameters=parameters):
            streams = layers(2, number, **shape)
            drafts = layers(2, number + 1, **{**shape, "tokens": ahead}) if ahead else [None, None]
            found = [spec_kv(s, d, prompt, **parameters) for s, d in zip(streams, drafts, strict=True)]
            return min(margin for _, margin in found), streams, [kept for kept, _ in found]

        _, streams, kept = steadiest(seed, attempt, 1e-5)
        snapped = [spec_kv(s, None, prompt, **parameters)[0] for s in streams]
        if ahead > 1 and parameters["budget"] < prompt - 3:
            assert kept != snapped, name
        cases.append({
            "name": name, **streams[0].describe(), "prompt": prompt, "lookahead": ahead, **parameters,
            "layers": [
                {
                    "kept": [runs(rows) for rows in rows_of_heads],
                    "snapped": [runs(rows) for rows in snapped_rows],
                    "outputs": rounded(answer(s, rows_of_heads, prompt).reshape(s.tokens - prompt + 1, -1)),
                }
                for s, rows_of_heads, snapped_rows in zip(streams, kept, snapped, strict=True)
            ],
        })  # fmt: skip
    return cases


def make_pc():
    """All cases of SpecPC."""
    cases = []
    for name, seed, count, shape, from_layer, parameters, fixed, ahead in PC:
        streams = layers(count, seed * 1000, **shape)
        drafts = layers(count, seed * 1000 + 1, **{**shape, "tokens": ahead})
        n = streams[0].tokens
        scores = importance(streams, drafts, n, parameters["window"], from_layer)
        if ahead > 1:
            assert not np.allclose(scores, importance(streams, [None] * count, n, parameters["window"], from_layer))
        kept = spec_pc(scores, fixed, **parameters)
        assert len(kept) == min(n, parameters["budget"]) and set(fixed) <= set(kept)
        cases.append({
            "name": name, **streams[0].describe(), "layers": count, "from_layer": from_layer, **parameters,
            "lookahead": ahead, "fixed": fixed, "importance": np.round(scores, 9).tolist(), "kept": runs(kept),
        })  # fmt: skip
    return cases


def make_both():
    """All cases of SpecKV-PC."""
    cases = []
    for name, seed, shape, prompt, ahead, shorter, fewer in BOTH:
        def attempt(number, shape=shape, prompt=prompt, ahead=ahead, shorter=shorter, fewer=fewer):
            streams = layers(2, number, **shape)
            drafts = layers(2, number + 1, **{**shape, "tokens": ahead})
            read = spec_pc(importance(streams, drafts, prompt, shorter["window"], 0), [], **shorter)
            parts = [only(s, read + list(range(prompt, s.tokens))) for s in streams]
            found = [spec_kv(s, d, len(read), **fewer) for s, d in zip(parts, drafts, strict=True)]
            return min(margin for _, margin in found), streams, (read, parts, [kept for kept, _ in found])

        _, streams, (read, parts, kept) = steadiest(seed, attempt, 1e-5)
        cases.append({
            "name": name, **streams[0].describe(), "prompt": prompt, "lookahead": ahead,
            **fewer, **{f"prompt_{key}": value for key, value in shorter.items()}, "read": runs(read),
            "layers": [
                {
                    "kept": [runs(rows) for rows in rows_of_heads],
                    "outputs": rounded(answer(s, rows_of_heads, len(read)).reshape(s.tokens - len(read) + 1, -1)),
                }
                for s, rows_of_heads in zip(parts, kept, strict=True)
            ],
        })  # fmt: skip
    return cases


if __name__ == "__main__":
    layer_stream.write(
        FIXTURE,
        "SpecKV (cases), SpecPC (shortened) and SpecKV-PC (cascades), by scripts/golden/draft_based.py. kept: rows or tokens that stay, as "
        "[from, to) runs, for SpecKV of each kv head of a layer; outputs: from the prompt's last token on, "
        "[tokens][heads * head_dim].",
        make_kv(),
        shortened=make_pc(),
        cascades=make_both(),
    )
