"""A plain NumPy reference of ThinK (Xu et al., 2024), and the fixture made with it.

    python scripts/golden/think.py      writes crates/loci-context/tests/fixtures/think.json

Two layers. A prompt of P tokens is read with full attention. The last 32 of them observe: a channel's score, for a kv head,
is the Frobenius norm of the products that it alone makes of the observers' rotated queries, of all heads of the group, with
the rotated keys of the first P - 1 rows. Of d channels floor(ratio * d) with the lowest scores are dropped (the higher index
first among equals) from the keys of the rows before P - 1 - recent. The prompt's last token, at position P - 1, and all
later ones read these keys without the dropped channels, and all others whole; logits are still divided by sqrt(d).

The generator is described in layer_stream.py.
"""

import math
from pathlib import Path

import numpy as np

from layer_stream import layers, rounded, softmax, steadiest, top, write

FIXTURE = Path(__file__).parents[2] / "crates/loci-context/tests/fixtures/think.json"
OBSERVERS = 32


def channels(stream, prompt, ratio):
    """Channels of each kv head that stay, and by how much they were chosen."""
    kept, margin, group = [], math.inf, stream.heads // stream.kv_heads
    for g in range(stream.kv_heads):
        queries = np.array([
            stream.rotate(stream.q[i, h], i) for h in range(g * group, (g + 1) * group) for i in range(prompt - OBSERVERS, prompt)
        ])  # fmt: skip
        keys = stream.k_true[: prompt - 1, g]
        scores = [np.linalg.norm(np.outer(queries[:, c], keys[:, c])) for c in range(stream.head_dim)]
        stay, by = top(scores, stream.head_dim - math.floor(ratio * stream.head_dim))
        kept, margin = [*kept, stay], min(margin, by)
    return kept, margin


def read(stream, prompt, recent, kept):
    """The outputs `[n, heads, d]` from the prompt's last token on."""
    out = np.zeros((stream.tokens - prompt + 1, stream.heads, stream.head_dim))
    for i in range(prompt - 1, stream.tokens):
        for h in range(stream.heads):
            g = stream.kv_head(h)
            keys = stream.k_true[: i + 1, g].copy()
            dropped = [c for c in range(stream.head_dim) if c not in kept[g]]
            keys[: max(0, prompt - 1 - recent), dropped] = 0
            out[i - prompt + 1, h] = softmax(keys @ stream.rotate(stream.q[i, h], i) / stream.scale) @ stream.v[: i + 1, g]
    return out


CASES = [
    ("the paper's ratio", 41, dict(tokens=90), 80, 0.4, 12),
    ("most channels dropped", 42, dict(tokens=90), 80, 0.8, 12),
    ("wide heads, each with its own keys", 43, dict(tokens=70, heads=2, kv_heads=2, head_dim=32), 60, 0.5, 5),
    ("many heads on one key", 44, dict(tokens=70, heads=4, kv_heads=1), 60, 0.5, 32),
    ("a prompt within the recent rows", 45, dict(tokens=60), 50, 0.5, 49),
]


def main():
    """All cases."""
    cases = []
    for name, seed, shape, prompt, ratio, recent in CASES:
        def attempt(number, shape=shape, prompt=prompt, ratio=ratio):
            streams = layers(2, number, **shape)
            found = [channels(stream, prompt, ratio) for stream in streams]
            return min(by for _, by in found), streams, [kept for kept, _ in found]

        _, streams, kept = steadiest(seed, attempt, 1e-2)
        cases.append({
            "name": name, **streams[0].describe(), "prompt": prompt, "ratio": ratio, "recent": recent,
            "layers": [
                {"channels": chosen, "outputs": rounded(read(stream, prompt, recent, chosen).reshape(stream.tokens - prompt + 1, -1))}
                for stream, chosen in zip(streams, kept, strict=True)
            ],
        })  # fmt: skip
    write(FIXTURE, "ThinK, two layers; made by scripts/golden/think.py", cases)


if __name__ == "__main__":
    main()
