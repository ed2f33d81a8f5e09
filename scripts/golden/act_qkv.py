"""A plain NumPy reference of ActQKV (Xiao et al., 2025) on a few attention layers, and the fixture made with it.

    python scripts/golden/act_qkv.py            writes crates/loci-context/tests/fixtures/act_qkv.json

The window, the capped distance, blocks and their representative keys are InfLLM's (inf_llm.py says how). Here a group of
queries asks with a weighted mean, blocks answer by cosine, and what a layer reads of a step's blocks depends on the
layers: all groups of the prompt but its last token in order, each through all layers, then every token alone.

Running statistics are kept as the exact mean and unbiased variance of all queries seen by keeping those queries, so that
the update formula of the method is not used where it can be avoided: it equals them while groups are equally long and
fewer than the cap. A shorter last group, the cases that reach the cap, and the released form use the formula.
The input generator is described in layer_stream.py; layer l goes on where layer l - 1 ended.
"""

import math
from pathlib import Path

import numpy as np

import layer_stream
from layer_stream import MASK, Stream, execution_blocks, rounded, softmax, top

FIXTURE = Path(__file__).parents[2] / "crates/loci-context/tests/fixtures/act_qkv.json"


class ByFormula:
    """Mean and variance by the published update; counts at most `cap` earlier groups."""

    def __init__(self, cap):
        self.cap, self.calls, self.mean, self.var = cap, 0, 0.0, 0.0

    def update(self, rows):
        m, mean, var = len(rows), rows.mean(axis=0), rows.var(axis=0)
        u = min(self.calls, self.cap)
        if u == 0:
            self.mean, self.var = mean, var * m / (m - 1)
        else:
            self.var = (self.var * (u - 1 / m) + var + (mean - self.mean) ** 2 / (1 + 1 / u)) / (u + 1 - 1 / m)
            self.mean = (self.mean * u + mean) / (u + 1)
        self.calls += 1


class ByMemory(ByFormula):
    """Mean and variance of everything, from everything, as long as groups are as long as the first."""

    def __init__(self, cap):
        super().__init__(cap)
        self.rows, self.length = [], None

    def update(self, rows):
        self.length = self.length or len(rows)
        if len(rows) != self.length:
            super().update(rows)  # the formula gives a shorter group the weight of a whole one
            return
        self.rows.extend(rows)
        self.calls += 1
        self.mean, self.var = np.mean(self.rows, axis=0), np.var(self.rows, axis=0, ddof=1)


def bias_weights(rows, statistics):
    dev = (rows - statistics.mean) ** 2 / (statistics.var + np.mean(statistics.var) / 100)
    bias = dev.mean(axis=1)
    return bias / bias.sum()


class Layer:
    """One layer's stream, blocks and mass."""

    def __init__(self, stream, window, sinks, block_size, representatives):
        self.stream, self.window, self.sinks = stream, window, sinks
        self.block_size, self.representatives = block_size, representatives
        self.mass = np.zeros((stream.heads, stream.tokens))
        self.out = np.zeros((stream.tokens, stream.heads, stream.head_dim))
        self.sink_end, self.rest, self.blocks, self.keys = 0, 0, [], []
        self.narrow = math.inf

    def queries(self, start, end):
        return self.stream.rotate(self.stream.q[start:end], self.window - 1).reshape(end - start, -1)

    def cosines(self, probe):
        if not self.keys:
            return []
        keys = np.array(self.keys).reshape(len(self.keys), -1)
        return (keys @ probe / (np.linalg.norm(keys, axis=1) * np.linalg.norm(probe))).tolist()

    def attend(self, start, end, chosen):
        stream, window = self.stream, self.window
        for i in range(start, end):
            near = list(range(max(0, i - window + 1), i + 1))
            far = [j for b in chosen for j in range(self.blocks[b], self.blocks[b] + self.block_size)]
            far += list(range(self.sink_end)) + list(range(self.rest, i - window + 1))
            assert len(set(near + far)) == len(near + far)
            for h in range(stream.heads):
                weights = softmax([*stream.near(h, i, near), *stream.far(h, i, far, window - 1)])
                self.out[i, h] = weights @ stream.v[near + far, stream.kv_head(h)]
                self.mass[h, near] += weights[: len(near)]
        spare = end - self.rest - window
        if self.sink_end < self.sinks and spare > 0:
            moved = min(self.sinks - self.sink_end, spare)
            self.sink_end, self.rest = self.sink_end + moved, self.rest + moved
        while end - self.rest - self.block_size >= window:
            key = []
            for h in range(stream.heads):
                best, margin = top(self.mass[h, self.rest : self.rest + self.block_size].tolist(), self.representatives)
                self.narrow = min(self.narrow, margin)
                key.append(stream.k[[self.rest + offset for offset in best], stream.kv_head(h)].mean(axis=0))
            self.blocks.append(self.rest)
            self.keys.append(np.concatenate(key))
            self.rest += self.block_size


def run(streams, prompt, sinks, window, block_size, top_k, k_min, representatives, exec_block, history, statistics,
        temperature, released):
    """Everything that the fixture stores, and the narrowest decisions."""
    count = len(streams)
    layers = [Layer(stream, window, sinks, block_size, representatives) for stream in streams]
    groups = execution_blocks(prompt, streams[0].tokens, exec_block)
    by_formula = released or len(groups) > statistics
    one = ByFormula(statistics)
    running = [one if released else (ByFormula if by_formula else ByMemory)(statistics) for _ in streams]
    entropies = [[] for _ in streams]
    found = {"probes": [], "scores": [], "spreads": [], "counts": [], "chosen": []}
    narrow = {"select": math.inf, "represent": math.inf, "share": math.inf}
    for start, end in groups:
        alone = end - start == 1
        remaining = top_k * count / 2
        for name in found:
            found[name].append([])
        for number, layer in enumerate(layers):
            rows = layer.queries(start, end)
            uniform = np.full(len(rows), 1 / len(rows))
            calls = running[number].calls
            if not alone or (released and calls > 0):
                running[number].update(rows)
            warm = released and calls < statistics + 1
            weights = uniform if alone or warm else bias_weights(rows, running[number])
            probe = weights @ rows
            found["probes"][-1].append(probe)
            blocks = len(layer.blocks)
            scores = layer.cosines(probe)
            spread, taken = None, min(k_min, blocks)
            if blocks > 1:
                p = softmax(np.array(scores) / temperature)
                spread = float(-(p * np.log(p)).sum() / math.log(blocks))
                entropies[number] = (entropies[number] + [spread])[-history:]
                full = all(len(samples) == history for samples in entropies)
                share = 1 / (count - number)
                if alone and full:
                    means = [float(np.mean(samples)) for samples in entropies]
                    share = means[number] / sum(means[number:])
                    exact = share * remaining
                    narrow["share"] = min(narrow["share"], abs(exact - math.floor(exact) - 0.5)) if number + 1 < count else narrow["share"]
                wanted = round(share * remaining)
                most = min(blocks, top_k)
                if not released:
                    most = min(most, max(0, math.floor(remaining - (count - number - 1) * k_min)))
                taken = max(min(wanted, most), min(k_min, blocks, top_k))
                remaining -= taken
            chosen = []
            if blocks:
                chosen, margin = top(scores, taken)
                narrow["select"] = min(narrow["select"], margin)
            layer.attend(start, end, chosen)
            for name, value in [("scores", scores), ("spreads", spread), ("counts", taken), ("chosen", chosen)]:
                found[name][-1].append(value)
    narrow["represent"] = min(layer.narrow for layer in layers)
    return [layer.out for layer in layers], groups, found, narrow


def streams_of(seed, layers, **shape):
    """A stream for each layer, one behind the other in the generator's sequence."""
    first = Stream(seed, **shape)
    drawn = first.tokens * (first.heads + 2 * first.kv_heads) * first.head_dim
    step = drawn * 0x9E3779B97F4A7C15
    return [first] + [Stream((seed + step * layer) & MASK, **shape) for layer in range(1, layers)]


CASES = [
    # name, seed, layers, stream shape, prompt, whole outputs every, parameters
    ("three layers, shares by entropy", 1, 3, dict(tokens=264), 250, 60,
     dict(sinks=6, window=40, block_size=12, top_k=10, k_min=2, representatives=3, exec_block=20, history=4,
          statistics=100, temperature=0.02, released=False)),
    ("one head per key-value head, the past fades, halves are rounded", 2, 2, dict(tokens=200, kv_heads=4), 190, 60,
     dict(sinks=4, window=32, block_size=10, top_k=5, k_min=1, representatives=2, exec_block=16, history=3,
          statistics=4, temperature=0.05, released=False)),
    ("temperature of the paper, history not full", 3, 2, dict(tokens=150), 145, 60,
     dict(sinks=4, window=32, block_size=8, top_k=8, k_min=2, representatives=2, exec_block=16, history=100,
          statistics=1000, temperature=1.0, released=False)),
    ("as released: one statistic, equal weights at first, floor above the average", 4, 2, dict(tokens=180), 170, 60,
     dict(sinks=4, window=32, block_size=8, top_k=8, k_min=6, representatives=2, exec_block=16, history=3,
          statistics=6, temperature=0.05, released=True)),
]  # fmt: skip


def make():
    """All cases; seeds are stepped until no decision was nearly a tie, so that rounding cannot flip one."""
    cases = []
    for name, seed, layers, shape, prompt, every, parameters in CASES:
        best = None
        for attempt in range(seed * 1000, seed * 1000 + 40):
            streams = streams_of(attempt, layers, **shape)
            result = run(streams, prompt, **parameters)
            safe = min(result[-1]["select"] * 10, result[-1]["represent"], result[-1]["share"])
            if best is None or safe > best[0]:
                best = (safe, streams, result)
            if safe > 1e-3:
                break
        _, streams, (outs, groups, found, narrow) = best
        print(f"{name}: seed {streams[0].seed}, narrowest {narrow}, counts {found['counts'][-10:]}")
        width = streams[0].heads * streams[0].head_dim
        weights = np.arange(1, width + 1) / width
        last = max(index for index, (start, end) in enumerate(groups) if end - start > 1)
        cases.append({
            "name": name, **streams[0].describe(), "layers": layers, "prompt": prompt, **parameters, "groups": groups,
            "probe_checks": rounded([[probe @ weights for probe in probes] for probes in found["probes"]]),
            "last_probes": {"group": last, "probes": rounded(found["probes"][last])},
            "scores": [[rounded(scores) for scores in group] for group in found["scores"]],
            "spreads": [[None if spread is None else round(spread, 7) for spread in group] for group in found["spreads"]],
            "counts": found["counts"], "chosen": found["chosen"],
            "narrowest": {n: (None if m == math.inf else round(m, 7)) for n, m in narrow.items()},
            "outputs_of": [layer_stream.outputs(out, every) for out in outs],
        })  # fmt: skip
    return cases


if __name__ == "__main__":
    layer_stream.write(
        FIXTURE,
        "ActQKV on a few layers, by scripts/golden/act_qkv.py. All lists are [group][layer]: probe_checks are the "
        "probes' sums of number * (i + 1) / width; counts are blocks read, chosen their numbers.",
        make(),
    )
