"""A plain NumPy reference of HiP attention (Lee et al., 2024, integer form), two attention layers, and its fixture.

    python scripts/golden/hip_attention.py      writes crates/loci-context/tests/fixtures/hip_attention.json

Layers before `dense_layers` read everything. In the others a group of `queries` queries (a single one while writing)
searches, for each head, the rows between the sinks and the window of the group's first query. With no more than `rows`
of them all are read. Otherwise the B blocks of `key_block` rows are cut into K = ceil(rows / key_block) ranges at
floor(B*i/K); every range is halved, a half is scored by the largest product (both sides at their true positions) of a
query that takes part with a key of the half's sample block, the K best halves stay; log2(B/K) times, rounded up.
A query reads the sinks, the blocks found, and all rows from the end of the searched region up to itself. The queries
that take part are the newest and every `stride`-th before it. While writing, a list serves for `refresh` tokens.
The fixture also holds searches over bare tables of scores. The input generator is described in layer_stream.py.
"""

import math
from pathlib import Path

import numpy as np

import layer_stream
from layer_stream import execution_blocks, layers, runs, softmax, splitmix64, steadiest, top

FIXTURE = Path(__file__).parents[2] / "crates/loci-context/tests/fixtures/hip_attention.json"


def search(scores, wanted, sample):
    """The blocks found among `len(scores)` blocks with these scores, ascending; halvings; the narrowest choice."""
    blocks = len(scores)
    if blocks <= wanted:
        return list(range(blocks)), 0, math.inf
    cut = [math.floor(blocks * i / wanted) for i in range(wanted + 1)]
    nodes = [(cut[i], cut[i + 1] - cut[i]) for i in range(wanted)]
    halvings, narrow, per_node = 0, math.inf, blocks / wanted
    while per_node > 1:
        halves = []
        for start, size in nodes:
            middle = math.floor(start + size / 2)
            halves += [(start, middle - start), (middle, start + size - middle)]
        value = [
            -math.inf if size < 1 else scores[start + (size // 2 if sample == "centre" else 0)]
            for start, size in halves
        ]
        best, margin = top(value, wanted)
        narrow = min(narrow, margin)
        before, nodes = sum(size for _, size in nodes), [halves[half] for half in best]
        assert sum(size for _, size in nodes) <= before and all(size >= 1 for _, size in nodes)
        assert all(a + size <= b for (a, size), (b, _) in zip(nodes, nodes[1:], strict=False))
        halvings, per_node = halvings + 1, per_node / 2
    assert all(size == 1 for _, size in nodes) and halvings == math.ceil(math.log2(blocks / wanted))
    return sorted(start for start, _ in nodes), halvings, narrow


def block_scores(stream, head, queries, sinks, searched, key_block):
    """The score of every block of the searched region for the queries that take part."""
    products = np.stack([stream.near(head, i, list(range(sinks, sinks + searched))) for i in queries])
    starts = range(0, searched, key_block)
    return [float(products[:, start : start + key_block].max()) for start in starts]


def run(stream, dense, prompt, rows, queries, key_block, stride, window, sinks, refresh, sample):
    """Outputs `[n, heads, d]`, positions read per token and head, lists searched for, and the narrowest choice."""
    out = np.zeros((stream.tokens, stream.heads, stream.head_dim))
    reads, narrow, searches = [], math.inf, 0
    lists, region, age = None, 0, 0
    for start, end in execution_blocks(prompt, stream.tokens, queries):
        searched = max(0, start - window + 1 - sinks)
        everything = dense or searched <= rows
        if not everything:
            alone = end - start == 1
            age += 1
            if not alone or lists is None or age >= refresh:
                lists, region, age, searches = [], searched, 0, searches + 1
                part = list(range(end - 1, start - 1, -(1 if alone else stride)))
                for h in range(stream.heads):
                    scores = block_scores(stream, h, part, sinks, searched, key_block)
                    found, _, margin = search(scores, math.ceil(rows / key_block), sample)
                    narrow = min(narrow, margin)
                    lists.append(found)
        for i in range(start, end):
            reads.append([])
            for h in range(stream.heads):
                keys = set(range(i + 1))
                if not everything:
                    found = {sinks + block * key_block + t for block in lists[h] for t in range(key_block)}
                    found = {j for j in found if j < sinks + region}
                    keys = set(range(sinks)) | found | set(range(sinks + region, i + 1))
                    assert set(range(max(0, i - window + 1), i + 1)) <= keys and max(keys) == i
                keys = sorted(keys)
                reads[i].append(runs(keys))
                out[i, h] = softmax(stream.near(h, i, keys)) @ stream.v[keys, stream.kv_head(h)]
        if not everything and not alone:
            lists = None
    return out, reads, searches, narrow


CASES = [
    # name, seed, stream shape, prompt, whole outputs every, parameters
    ("grouped heads, one dense layer", 1, dict(tokens=260), 241, 40, 1,
     dict(rows=32, queries=16, key_block=2, stride=2, window=24, sinks=4, refresh=1, sample="centre")),
    ("a list serves for four tokens, first block of a range", 2, dict(tokens=200), 176, 40, 1,
     dict(rows=24, queries=8, key_block=2, stride=3, window=20, sinks=6, refresh=4, sample="first")),
    ("rows no multiple of the key block, odd sizes", 3, dict(tokens=190, kv_heads=4), 170, 40, 0,
     dict(rows=14, queries=12, key_block=3, stride=1, window=13, sinks=3, refresh=3, sample="centre")),
    ("single keys, single queries, no sinks", 4, dict(tokens=120), 100, 30, 1,
     dict(rows=16, queries=1, key_block=1, stride=2, window=10, sinks=0, refresh=1, sample="centre")),
    ("both layers dense", 5, dict(tokens=90), 80, 30, 2,
     dict(rows=8, queries=8, key_block=2, stride=2, window=10, sinks=2, refresh=2, sample="first")),
    ("everything fits the list", 6, dict(tokens=100), 90, 30, 0,
     dict(rows=77, queries=16, key_block=2, stride=2, window=21, sinks=2, refresh=2, sample="centre")),
]  # fmt: skip

TABLES = [(100, 8), (64, 8), (65, 8), (127, 8), (33, 32), (200, 1), (77, 13), (512, 16), (5, 8)]


def tables():
    """Searches over bare scores: `value()` of the generator for each block in order."""
    found = []
    for seed, (blocks, wanted) in enumerate(TABLES, 1):
        numbers = splitmix64(seed)
        scores = [((next(numbers) >> 53) - 1024) / 1024 for _ in range(blocks)]
        for sample in ("centre", "first"):
            # Equal scores are allowed here: the numbers are exact and the lower block wins.
            which, halvings, _ = search(scores, wanted, sample)
            assert len(which) == min(wanted, blocks) == len(set(which))
            found.append({"seed": seed, "blocks": blocks, "wanted": wanted, "sample": sample,
                          "halvings": halvings, "found": which})  # fmt: skip
    return found


def make():
    """All cases."""
    cases = []
    for name, seed, shape, prompt, every, dense_layers, parameters in CASES:

        def attempt(number, shape=shape, prompt=prompt, dense_layers=dense_layers, parameters=parameters):
            streams = layers(2, number, **shape)
            each = [run(s, layer < dense_layers, prompt, **parameters) for layer, s in enumerate(streams)]
            return min(result[-1] for result in each), streams, each

        narrow, streams, each = steadiest(seed, attempt, 1e-3)
        for layer, (stream, result) in enumerate(zip(streams, each, strict=True)):
            reach = parameters["window"] + parameters["sinks"] + parameters["rows"]
            if layer < dense_layers or stream.tokens <= reach:
                assert np.abs(result[0] - stream.full()).max() < 1e-12
        print(f"{name}: seed {streams[0].seed}, searches {[result[2] for result in each]}, narrowest {narrow}")
        some = [*range(every, prompt, every), *range(prompt - 1, streams[0].tokens)]
        cases.append({
            "name": name, **streams[0].describe(), "prompt": prompt, "dense_layers": dense_layers, **parameters,
            "narrowest_choice": None if narrow == math.inf else round(narrow, 7),
            "layers": [
                {"reads": {str(i): result[1][i] for i in some}, **layer_stream.outputs(result[0], every)}
                for result in each
            ],
        })  # fmt: skip
    return cases


if __name__ == "__main__":
    layer_stream.write(
        FIXTURE,
        "HiP attention on two layers, by scripts/golden/hip_attention.py. The prompt but its last token is read in "
        "groups of `queries`, then every token alone. reads[token][head] are the positions read, as [from, to) runs. "
        "tables: blocks found by scores that are value() of the generator for each block in order.",
        make(),
        tables=tables(),
    )
