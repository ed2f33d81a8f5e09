"""A plain NumPy reference of EM-LLM (Fountas et al., 2025), and the fixture made with it.

    python scripts/golden/em_llm.py             writes crates/loci-context/tests/fixtures/em_llm.json

Attention, sinks, the description of a block and the exact partition into near and far are InfLLM's (inf_llm.py). Here
blocks are events: they are cut at the end of each chunk, for all layers alike, at tokens flagged for their surprise;
flags may be moved to where the graph of the keys falls apart best; events are recalled to a budget of tokens, and
neighbours of recalled ones from a list that each layer keeps over steps.

How surprises are made, flagged, moved and cut is in em_llm_events.py; the input generator in layer_stream.py.
"""

import copy
import math
from pathlib import Path

import numpy as np

import layer_stream
from em_llm_events import Events, conductance, modularity, refine, surprises, values
from layer_stream import Stream, execution_blocks, softmax, top

FIXTURE = Path(__file__).parents[2] / "crates/loci-context/tests/fixtures/em_llm.json"


# ---- recall -----------------------------------------------------------------------------------------------------


def closest(order, sizes, capacity):
    """Events in this order until their tokens reach the capacity; the last goes if it is then at least as close."""
    taken, tokens = [], 0
    for event in order:
        if tokens >= capacity:
            break
        taken.append(event)
        tokens += sizes[event]
    if taken and tokens > capacity and capacity - (tokens - sizes[taken[-1]]) <= tokens - capacity:
        taken.pop()
    return taken


def renewed(held, similar, sizes, capacity):
    """The list of neighbours, the youngest last, after `similar` events (best first) were chosen."""
    listed = []
    for event in similar:
        for beside in (event + 1, event - 1):
            if 0 <= beside < len(sizes) and beside not in similar and beside not in listed:
                listed.append(beside)
    new = closest(listed, sizes, capacity)[::-1]
    held = [event for event in held if event not in similar and event not in new]  # set union: none is there twice
    tokens = lambda events: sum(sizes[event] for event in events)  # noqa: E731
    if not held or tokens(new) >= capacity:
        return new
    if tokens(held) + tokens(new) <= capacity:
        return held + new
    result = list(new)
    while held and tokens(result) + sizes[held[-1]] <= capacity:
        result.insert(0, held.pop())
    return result


class Layer:
    """One layer: attention mass, event keys, the list of neighbours."""

    def __init__(self, stream, representatives):
        self.stream, self.representatives = stream, representatives
        self.out = np.zeros((stream.tokens, stream.heads, stream.head_dim))
        self.mass = np.zeros((stream.heads, stream.tokens))
        self.keys, self.neighbours = [], []
        self.narrow = {"select": math.inf, "represent": math.inf}

    def choose(self, events, start, end, recall, contiguity):
        """Similar events (best first) and neighbours for the queries start..end."""
        sizes = [len(event) for event in events.events]
        if not sizes:
            return [], []
        waiting = max(len(events.remainder) + end - start - events.window, 0)
        filled = len(events.init) if end > events.window else 0
        capacity = max(events.sinks + events.chunk + recall - waiting - filled, 0)
        share = 0
        if contiguity > 0:
            share = int(contiguity * capacity + 1) if contiguity < 1 else int(contiguity)
            share = min(share, capacity)
        capacity -= share
        similar = list(range(len(sizes)))
        if sum(sizes) > capacity:
            stream = self.stream
            mean = stream.rotate(stream.q[start:end], events.window - 1).mean(axis=0).reshape(-1)
            scores = [float(key @ mean) for key in self.keys]
            order = sorted(range(len(sizes)), key=lambda event: (-scores[event], event))
            similar = closest(order, sizes, capacity)
            ranked = [scores[event] for event in order[: len(similar) + 2]]
            if len(ranked) > 1:
                self.narrow["select"] = min(self.narrow["select"], *(a - b for a, b in zip(ranked, ranked[1:])))
        if share:
            self.neighbours = renewed(self.neighbours, similar, sizes, share)
        return similar, (list(self.neighbours) if share else [])

    def attend(self, events, start, end, chosen):
        stream, cap = self.stream, events.window - 1
        recalled = [t for event in sorted(chosen) for t in events.events[event]]
        waiting = events.remainder + list(range(start, end))
        for i in range(start, end):
            near = list(range(max(0, i - events.window + 1), i + 1))
            far = events.init + recalled + [j for j in waiting if i - j >= events.window]
            assert len(set(near + far)) == len(near + far)
            for h in range(stream.heads):
                weights = softmax([*stream.near(h, i, near), *stream.far(h, i, far, cap)])
                self.out[i, h] = weights @ stream.v[near + far, stream.kv_head(h)]
                self.mass[h, near] += weights[: len(near)]

    def describe(self, cut):
        stream = self.stream
        for event in cut:
            key = np.zeros((stream.heads, stream.head_dim))
            for h in range(stream.heads):
                best, margin = top(self.mass[h, event].tolist(), min(self.representatives, len(event)))
                self.narrow["represent"] = min(self.narrow["represent"], margin)
                key[h] = stream.k[[event[row] for row in best], stream.kv_head(h)].mean(axis=0)
            self.keys.append(key.reshape(-1))


def layer_streams(seed, layers, tokens, **shape):
    """The streams of several layers: all tokens of the first, then all of the next, from one generator."""
    whole = Stream(seed, tokens * layers, **shape)
    streams = []
    for layer in range(layers):
        stream = copy.copy(whole)
        rows = slice(layer * tokens, (layer + 1) * tokens)
        stream.tokens, stream.q, stream.k, stream.v = tokens, whole.q[rows], whole.k[rows], whole.v[rows]
        stream.k_true = np.stack([stream.rotate(row, position) for position, row in enumerate(stream.k)])
        streams.append(stream)
    return streams


def run(streams, prompt, recall, contiguity, representatives, from_layer, **rule):
    """Layers with their outputs, the events, what was chosen."""
    events = Events(**rule)
    layers = [Layer(stream, representatives) for stream in streams]
    surprise = surprises(streams[0].seed, streams[0].tokens)
    chosen = []
    for start, end in execution_blocks(prompt, streams[0].tokens, events.chunk):
        for number, layer in enumerate(layers):
            similar, neighbours = layer.choose(events, start, end, recall, contiguity)
            assert not set(similar) & set(neighbours)
            layer.attend(events, start, end, similar + neighbours)
            if number == 0:
                chosen.append([sorted(similar), neighbours])
        cut = events.observe(list(range(start, end)), surprise, [stream.k for stream in streams[from_layer:]])
        for layer in layers:
            layer.describe(cut)
    return layers, events, chosen


# ---- the fixture ------------------------------------------------------------------------------------------------

BASE = dict(sinks=5, window=40, min_size=4, max_size=14, chunk=16, split="surprise", gamma=1.0, seed=0,
            refine="none", buffer=True, recall=40, contiguity=0.0, representatives=3, from_layer=0)  # fmt: skip

CASES = [
    # name, seed, layers, stream shape, prompt, changes to BASE
    ("S", 1, 1, dict(tokens=240), 221, {}),
    ("SM+C in two layers", 2, 2, dict(tokens=220), 201, dict(refine="modularity", contiguity=0.3)),
    ("SC+C, neighbours in tokens, the upper of two layers compared, no buffer", 3, 2, dict(tokens=150), 140,
     dict(refine="conductance", buffer=False, contiguity=12.0, from_layer=1, gamma=0.5)),
    ("uniform, one head per key-value head", 4, 1, dict(tokens=200, kv_heads=4), 190,
     dict(split="uniform", contiguity=0.7)),
    ("chunk as long as the window, no sinks", 5, 1, dict(tokens=200), 190,
     dict(sinks=0, window=24, chunk=24, min_size=1, max_size=9, contiguity=0.2)),
    ("SC, chunks without a flag", 7, 1, dict(tokens=260), 255,
     dict(refine="conductance", chunk=12, min_size=2, max_size=20, contiguity=0.7)),
    ("shorter than the window", 6, 1, dict(tokens=60), 50, dict(window=64)),
]  # fmt: skip

CUTS = [
    # tokens, prompt, changes to BASE
    (600, 560, {}),
    (600, 590, dict(gamma=0.25, min_size=8, max_size=9)),
    (600, 500, dict(gamma=-1.0, min_size=1, max_size=50, sinks=20, window=33, chunk=30)),
    (600, 590, dict(gamma=math.inf)),
    (600, 590, dict(gamma=-math.inf)),
    (600, 590, dict(split="uniform", min_size=2)),
    (900, 890, dict(split="random", seed=7, max_size=40)),
    (300, 290, dict(sinks=0, window=16)),
]


def rule(parameters):
    """The part of the parameters that says how events are cut."""
    names = ["sinks", "window", "min_size", "max_size", "chunk", "split", "gamma", "seed", "refine", "buffer"]
    return {name: parameters[name] for name in names}


def cases():
    """Whole layers; seeds are stepped until no choice was nearly a tie, so that rounding cannot flip one."""
    found = []
    for name, seed, count, shape, prompt, changes in CASES:
        parameters = {**BASE, **changes}
        best = None
        for attempt in range(seed * 1000, seed * 1000 + 25):
            streams = layer_streams(attempt, count, **shape)
            layers, events, chosen = run(streams, prompt, **parameters)
            narrow = dict(events.narrow)
            for kind in ("select", "represent"):
                narrow[kind] = min(layer.narrow[kind] for layer in layers)
            worst = min(narrow.values())
            if best is None or worst > best[0]:
                best = (worst, narrow, layers, events, chosen)
            if worst > 5e-4:
                break
        _, narrow, layers, events, chosen = best
        stream = layers[0].stream
        covered = events.init + [t for event in events.events for t in event] + events.remainder
        assert covered == list(range(stream.tokens))
        if stream.tokens <= parameters["window"]:
            assert np.abs(layers[0].out - stream.full()).max() < 1e-12
        print(f"{name}: seed {stream.seed}, {len(events.events)} events, narrowest choices {narrow}")
        found.append({
            "name": name, **parameters, "split_seed": parameters["seed"], **stream.describe(), "layers": count,
            "prompt": prompt,
            "event_ends": [event[-1] + 1 for event in events.events],
            "chosen": chosen,
            "narrowest_choice": {kind: (None if m == math.inf else round(m, 7)) for kind, m in narrow.items()},
            "per_layer": [layer_stream.outputs(layer.out, 70) for layer in layers],
        })  # fmt: skip
    return found


def cuts():
    """Events alone, over longer streams of surprises."""
    found = []
    for number, (tokens, prompt, changes) in enumerate(CUTS):
        parameters = {**BASE, **changes}
        seed = 40 + number
        events = Events(**rule(parameters))
        surprise = surprises(seed, tokens)
        for start, end in execution_blocks(prompt, tokens, parameters["chunk"]):
            events.observe(list(range(start, end)), surprise, [])
        assert events.narrow["flag"] > 1e-6
        # JSON knows no infinity.
        gamma = parameters["gamma"]
        shown = gamma if math.isfinite(gamma) else str(gamma)
        ends = [event[-1] + 1 for event in events.events]
        found.append({**rule(parameters), "gamma": shown, "stream": seed, "tokens": tokens, "prompt": prompt,
                      "event_ends": ends})  # fmt: skip
        print(f"cuts {number}: {len(ends)} events")
    return found


def topic_keys(seed, tokens, head_dim, topic, noise, shift):
    """Keys of a text whose topic changes every `topic` tokens: `shift` + the topic's numbers + `noise` * its own."""
    numbers = values(seed)
    keys = np.zeros((tokens, head_dim))
    for t in range(tokens):
        if t % topic == 0:
            current = np.array([next(numbers) for _ in range(head_dim)])
        keys[t] = shift + current + noise * np.array([next(numbers) for _ in range(head_dim)])
    return keys


def graphs():
    """Scores of cuts and refined boundaries in graphs of keys."""
    found = []
    for seed, tokens, head_dim, topic, noise, shift in [(11, 48, 8, 12, 0.5, 0.25), (12, 60, 4, 17, 0.25, 0.0),
                                                        (13, 40, 8, 9, 2.0, 0.0)]:  # fmt: skip
        keys = topic_keys(seed, tokens, head_dim, topic, noise, shift)
        weights = keys @ keys.T
        scores = []
        for low, high in [(0, tokens), (3, tokens - 5), (10, 24)]:
            for cut in range(low + 1, high, 5):
                window = weights[low:high, low:high]
                scores.append([low, high, cut, modularity(window, cut - low), conductance(window, cut - low)])
        moves = []
        for metric in ("modularity", "conductance"):
            for min_size, offset, boundaries in [(3, 0, [14, 15, 20, 28, 39]), (2, 10, [11, 19, 30, 31, 38]),
                                                 (5, 7, [3, 9, 15, 21, 36]), (1, 0, [0, 1, 2, 30])]:  # fmt: skip
                refined, narrow = refine(weights, metric, min_size, offset, boundaries)
                assert narrow > 1e-7
                moves.append({"metric": metric, "min_size": min_size, "offset": offset, "boundaries": boundaries,
                              "refined": refined})  # fmt: skip
        found.append({"seed": seed, "tokens": tokens, "head_dim": head_dim, "topic": topic, "noise": noise,
                      "shift": shift, "scores": scores, "moves": moves})  # fmt: skip
    return found


if __name__ == "__main__":
    layer_stream.write(
        FIXTURE,
        "EM-LLM by scripts/golden/em_llm.py. cases: whole layers; event e ends before token event_ends[e], the first "
        "begins behind the sinks; chosen[c] are the similar events (ascending) and the neighbours (youngest last) that "
        "chunk c read in layer 0. cuts: events alone, surprises seeded by `stream`. graphs: keys[t] = shift + topic + "
        "noise * own, numbers drawn from `seed`, a topic's before the first token of each `topic` tokens; scores are "
        "[window begin, window end, cut, modularity, conductance].",
        cases(),
        cuts=cuts(),
        graphs=graphs(),
    )
