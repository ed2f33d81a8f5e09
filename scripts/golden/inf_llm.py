"""A plain NumPy reference of InfLLM (Xiao et al., 2024) on one attention layer, and the fixture made with it.

    python scripts/golden/inf_llm.py            writes crates/loci-context/tests/fixtures/inf_llm.json

Exact partition: a query sees a past token once, in the window at its true distance (distances 0..window-1), or
outside it with the query turned to the fixed angle window-1 and the key unrotated. Per execution block one list
of memory blocks is chosen for all heads, by the mean of the turned queries; a memory block is found by the mean
key, per query head, of those of its tokens that collected the most attention while they were in the window.
The input generator is described in layer_stream.py.
"""

import math
from pathlib import Path

import numpy as np

import layer_stream
from layer_stream import Stream, execution_blocks, softmax, steadiest, top

FIXTURE = Path(__file__).parents[2] / "crates/loci-context/tests/fixtures/inf_llm.json"


def run(stream, prompt, sinks, window, block_size, top_k, representatives, exec_block):
    """Outputs `[n, heads, d]`, execution blocks, ids chosen for each, blocks cut, and the narrowest choices."""
    heads, head_dim, cap = stream.heads, stream.head_dim, window - 1
    out = np.zeros((stream.tokens, heads, head_dim))
    mass = np.zeros((heads, stream.tokens))  # softmax weight received inside the window
    sink_end = 0  # tokens 0..sink_end are sinks
    rest = 0  # first token that is neither sink nor in a block
    blocks = []  # first tokens
    keys = []  # [heads * d] for each block
    chosen_ids, margins = [], {"select": math.inf, "represent": math.inf}
    cuts = execution_blocks(prompt, stream.tokens, exec_block)
    for start, end in cuts:
        turned = stream.rotate(stream.q[start:end], cap)  # [m, heads, d]
        mean = turned.mean(axis=0).reshape(-1)
        chosen = list(range(len(blocks)))
        if len(blocks) > top_k:
            chosen, margin = top([float(key @ mean) for key in keys], top_k)
            margins["select"] = min(margins["select"], margin)
        chosen_ids.append(chosen)
        for i in range(start, end):
            near = [j for j in range(max(0, i - window + 1), i + 1)]
            far = [j for b in chosen for j in range(blocks[b], blocks[b] + block_size)]
            far += list(range(sink_end)) + [j for j in range(rest, i - window + 1)]
            assert len(set(near + far)) == len(near + far)
            assert all(i - j >= window for j in far)
            for h in range(heads):
                weights = softmax([*stream.near(h, i, near), *stream.far(h, i, far, cap)])
                out[i, h] = weights @ stream.v[near + far, stream.kv_head(h)]
                mass[h, near] += weights[: len(near)]
        # The memory takes the block in only after its outputs: first sinks, then whole memory blocks.
        spare = end - rest - window
        if sink_end < sinks and spare > 0:
            moved = min(sinks - sink_end, spare)
            sink_end, rest = sink_end + moved, rest + moved
        while end - rest - block_size >= window:
            key = np.zeros((heads, head_dim))
            for h in range(heads):
                best, margin = top(mass[h, rest : rest + block_size].tolist(), representatives)
                margins["represent"] = min(margins["represent"], margin)
                key[h] = stream.k[[rest + offset for offset in best], stream.kv_head(h)].mean(axis=0)
            blocks.append(rest)
            keys.append(key.reshape(-1))
            rest += block_size
    return out, cuts, chosen_ids, blocks, keys, margins


def capped(stream, window):
    """Attention over all past tokens, those outside the window at the cap: what `top_k` >= all blocks must give."""
    out = np.zeros((stream.tokens, stream.heads, stream.head_dim))
    for i in range(stream.tokens):
        split = max(0, i - window + 1)
        far, near = list(range(split)), list(range(split, i + 1))
        for h in range(stream.heads):
            logits = [*stream.far(h, i, far, window - 1), *stream.near(h, i, near)]
            out[i, h] = softmax(logits) @ stream.v[: i + 1, stream.kv_head(h)]
    return out


CASES = [
    # name, seed, stream shape, prompt, whole outputs every, parameters
    ("grouped heads", 1, dict(tokens=400), 377, 16,
     dict(sinks=8, window=64, block_size=16, top_k=4, representatives=4, exec_block=32)),
    ("window and block not powers of two", 2, dict(tokens=300), 290, 30,
     dict(sinks=5, window=40, block_size=10, top_k=3, representatives=3, exec_block=20)),
    ("one head per key-value head, execution block as long as the window", 3, dict(tokens=200, kv_heads=4), 190, 30,
     dict(sinks=4, window=32, block_size=8, top_k=2, representatives=1, exec_block=32)),
    ("top_k takes every block", 4, dict(tokens=160), 150, 30,
     dict(sinks=4, window=32, block_size=16, top_k=64, representatives=4, exec_block=16)),
    ("shorter than the window", 5, dict(tokens=64), 60, 16,
     dict(sinks=8, window=64, block_size=16, top_k=4, representatives=4, exec_block=32)),
]  # fmt: skip


def make():
    """All cases."""
    cases = []
    for name, seed, shape, prompt, every, parameters in CASES:

        def attempt(number, shape=shape, prompt=prompt, parameters=parameters):
            stream = Stream(number, **shape)
            result = run(stream, prompt, **parameters)
            return min(result[-1].values()), stream, result

        _, stream, (out, cuts, chosen, blocks, keys, margins) = steadiest(seed, attempt, 1.5e-3)
        if parameters["top_k"] >= len(blocks):
            assert np.abs(out - capped(stream, parameters["window"])).max() < 1e-12
        if stream.tokens <= parameters["window"]:
            assert np.abs(out - stream.full()).max() < 1e-12
        print(f"{name}: seed {stream.seed}, {len(blocks)} blocks, narrowest choices {margins}")
        cases.append({
            "name": name, **stream.describe(), "prompt": prompt, **parameters,
            "exec_blocks": cuts, "chosen": chosen, "block_starts": blocks,
            "last_block_key": layer_stream.rounded(keys[-1]) if keys else [],
            "narrowest_choice": {n: (None if m == math.inf else round(m, 7)) for n, m in margins.items()},
            **layer_stream.outputs(out, every),
        })  # fmt: skip
    return cases


if __name__ == "__main__":
    layer_stream.write(
        FIXTURE,
        "InfLLM on one layer, by scripts/golden/inf_llm.py. The prompt but its last token is read in exec_blocks, "
        "then every token alone; chosen[e] are the memory blocks read by exec_blocks[e], ascending; block b holds "
        "tokens block_starts[b] .. + block_size; the sinks are tokens 0..sinks.",
        make(),
    )
