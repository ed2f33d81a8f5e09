"""A plain NumPy reference of LM-Infinite (Han et al., 2023) on one attention layer, and the fixture made with it.

    python scripts/golden/lm_infinite.py        writes crates/loci-context/tests/fixtures/lm_infinite.json

A query at position i sees keys i-window+1..=i at their true distance, and the sinks outside the window with the
query turned to the fixed angle `window` (the cap: one beyond the largest distance inside the window) and the key
unrotated. With recall (`top_k` > 0), a token that is read alone also sees, per query head, the `top_k` keys of the
middle with the largest product with the query turned to `insert_at`; those products are their logits. A middle of
fewer than `top_k` keys stays hidden. The input generator is described in layer_stream.py.
"""

import math
from pathlib import Path

import numpy as np

import layer_stream
from layer_stream import Stream, execution_blocks, softmax, steadiest, top

FIXTURE = Path(__file__).parents[2] / "crates/loci-context/tests/fixtures/lm_infinite.json"


def run(stream, prompt, sinks, window, top_k, insert_at):
    """Outputs `[n, heads, d]`, recalled keys per single token and head, and the narrowest choice."""
    out = np.zeros((stream.tokens, stream.heads, stream.head_dim))
    recalled, narrow = {}, math.inf
    for start, end in execution_blocks(prompt, stream.tokens, prompt):
        for i in range(start, end):
            alone = i >= prompt - 1
            near = list(range(max(0, i - window + 1), i + 1))
            far = [j for j in range(sinks) if i - j >= window]
            middle = list(range(sinks, i - window + 1))
            for h in range(stream.heads):
                keys = near + far
                logits = [*stream.near(h, i, near), *stream.far(h, i, far, window)]
                if top_k and alone and len(middle) >= top_k:
                    scores = stream.far(h, i, middle, insert_at).tolist()
                    best, margin = top(scores, top_k)
                    narrow = min(narrow, margin)
                    keys = keys + [middle[index] for index in best]
                    logits += [scores[index] for index in best]
                    recalled.setdefault(i, []).append([middle[index] for index in best])
                assert len(set(keys)) == len(keys)
                out[i, h] = softmax(logits) @ stream.v[keys, stream.kv_head(h)]
    return out, recalled, narrow


CASES = [
    # name, seed, stream shape, prompt, whole outputs every, parameters
    ("grouped heads", 1, dict(tokens=350), 340, 16, dict(sinks=4, window=64, top_k=0, insert_at=0)),
    ("recall for tokens read alone", 2, dict(tokens=330), 310, 20, dict(sinks=4, window=64, top_k=5, insert_at=48)),
    ("recall with a middle too small at first", 3, dict(tokens=60, kv_heads=4), 26, 10,
     dict(sinks=3, window=20, top_k=5, insert_at=16)),
    ("odd window, more sinks than fit at first, one head per key-value head", 4, dict(tokens=90, kv_heads=4), 80, 15,
     dict(sinks=10, window=7, top_k=0, insert_at=0)),
    ("one longer than the window", 5, dict(tokens=33), 33, 8, dict(sinks=4, window=32, top_k=0, insert_at=0)),
    ("as long as the window", 6, dict(tokens=32), 32, 8, dict(sinks=4, window=32, top_k=5, insert_at=16)),
]  # fmt: skip


def make():
    """All cases."""
    cases = []
    for name, seed, shape, prompt, every, parameters in CASES:

        def attempt(number, shape=shape, prompt=prompt, parameters=parameters):
            stream = Stream(number, **shape)
            result = run(stream, prompt, **parameters)
            return result[2], stream, result

        _, stream, (out, recalled, narrow) = steadiest(seed, attempt, 1.5e-3)
        if stream.tokens <= parameters["window"]:
            assert np.abs(out - stream.full()).max() < 1e-12
        print(f"{name}: seed {stream.seed}, {len(recalled)} tokens recalled, narrowest choice {narrow}")
        cases.append({
            "name": name, **stream.describe(), "prompt": prompt, **parameters, "cap": parameters["window"],
            "recalled": {str(i): lists for i, lists in recalled.items()},
            "narrowest_choice": None if narrow == math.inf else round(narrow, 7),
            **layer_stream.outputs(out, every),
        })  # fmt: skip
    return cases


if __name__ == "__main__":
    layer_stream.write(
        FIXTURE,
        "LM-Infinite on one layer, by scripts/golden/lm_infinite.py. Tokens 0..prompt-1 are read together, then every "
        "token from prompt-1 on alone; recalled[token][head] are the middle keys it saw, ascending (absent: none).",
        make(),
    )
