"""Events of EM-LLM for em_llm.py: surprises, flags, refinement over the graph of keys, cutting.

Surprises come from splitmix64 (layer_stream.py) seeded with `seed ^ 0x5EED`: two values a, b for each token, surprise
2 + 2a, and 6 more where b >= 0.875; token 0 has none (0, left out of mean and deviation). A surprise stands on the
surprising token itself, which is the first of its event. Tokens that are read alone are never flagged.

Everything is float64 and naive: scores of cuts sum over all pairs of tokens, cutting walks over segments.
"""

import math

import numpy as np

from layer_stream import MASK, splitmix64


def values(seed):
    """Endless numbers in [-1, 1)."""
    for number in splitmix64(seed):
        yield ((number >> 53) - 1024) / 1024


def surprises(seed, tokens):
    """Surprise of every token."""
    numbers = values(seed ^ 0x5EED)
    result = []
    for token in range(tokens):
        base, peak = 2 + 2 * next(numbers), next(numbers)
        result.append(0.0 if token == 0 else base + (6.0 if peak >= 0.875 else 0.0))
    return result


def random_flag(seed, position):
    """Whether the control `random` flags a position: about 10 of 512, by the first number of a generator seeded there."""
    state = (seed + position * 0x9E3779B97F4A7C15) & MASK
    return next(splitmix64(state)) % 512 < 10


# ---- the graph of keys ------------------------------------------------------------------------------------------


def modularity(weights, cut):
    """(1/4m) sum over both sides c, i and j in c, of (A_ij - deg_i deg_j / 2m), with m = sum(A) / 2."""
    tokens = len(weights)
    m = weights.sum() / 2
    degree = weights.sum(axis=1)
    total = 0.0
    for i in range(tokens):
        for j in range(tokens):
            if (i < cut) == (j < cut):
                total += weights[i, j] - degree[i] * degree[j] / (2 * m)
    return total / (4 * m)


def conductance(weights, cut):
    """cut(S, S') / min(vol S, total - vol S), vol S the weight inside S; the smaller of both sides' values."""
    tokens = len(weights)
    total = weights.sum()
    sides = [[i for i in range(tokens) if i < cut], [i for i in range(tokens) if i >= cut]]
    between = sum(weights[i, j] for i in sides[0] for j in sides[1])
    found = []
    for side in sides:
        inside = sum(weights[i, j] for i in side for j in side)
        lesser = min(inside, total - inside)
        found.append(between / (lesser if lesser != 0 else 1e-15))
    return min(found)


def refine(weights, metric, min_size, offset, boundaries):
    """Boundaries after refinement, and the narrowest choice among candidates."""
    tokens = len(weights)
    kept = []
    for boundary in boundaries:
        if kept and boundary - kept[-1] < min_size:
            continue
        if not kept and offset > 0 and boundary < min_size:
            continue
        kept.append(boundary)
    previous, refined, narrow = 0, [], math.inf
    for end in kept:
        if end - previous > min_size:
            half = (end - previous) // 2
            low, high = max(0, previous - half), min(tokens, end + half)
            window = weights[low:high, low:high]
            candidates = list(range(max(previous, offset), end))[min_size:]
            if candidates and window.sum() > 0:
                score = modularity if metric == "modularity" else lambda w, cut: -conductance(w, cut)
                scores = [score(window, cut - low) for cut in candidates]
                best = int(np.argmax(scores))
                ranked = sorted(scores, reverse=True)
                if len(ranked) > 1:
                    narrow = min(narrow, ranked[0] - ranked[1])
                end = candidates[best]
        refined.append(end)
        previous = end
    return refined, narrow


# ---- events -----------------------------------------------------------------------------------------------------


class Events:
    """What all layers share: sinks, events, the remainder (all tokens in neither) with surprise and flags."""

    def __init__(self, sinks, window, min_size, max_size, chunk, split, gamma, seed, refine, buffer):
        self.sinks, self.window, self.min_size, self.max_size, self.chunk = sinks, window, min_size, max_size, chunk
        self.split, self.gamma, self.seed, self.metric, self.buffer = split, gamma, seed, refine, buffer
        self.init, self.remainder, self.surprise, self.flags = [], [], {}, {}
        self.events = []  # lists of tokens
        self.narrow = {"flag": math.inf, "refine": math.inf}

    def threshold(self, chunk):
        """Mean + gamma * deviation of the recent past."""
        size, m = len(self.remainder), len(chunk)
        low = max(size - self.window, 0)
        high = max(size - m, self.sinks)
        if chunk[0] == 0 and self.metric != "none":
            high = m
        recent = [self.surprise[t] for t in self.remainder[low:high] if t > 0]
        if len(recent) < 2:
            recent = [self.surprise[t] for t in chunk if t > 0]
        if len(recent) < 2:
            return math.inf
        return np.mean(recent) + self.gamma * np.std(recent, ddof=1)

    def observe(self, chunk, surprise, keys):
        """Takes in a chunk after the last layer; `keys` are the raw keys [layers][n, kv_heads, d] that are compared.
        Returns the events cut."""
        self.remainder += chunk
        for t in chunk:
            self.surprise[t], self.flags[t] = surprise[t], False
        if len(chunk) > 1:
            if self.split == "surprise":
                threshold = self.threshold(chunk)
                flagged = [t for t in chunk if surprise[t] > threshold]
                if math.isfinite(threshold):
                    gaps = [abs(surprise[t] - threshold) for t in chunk]
                    self.narrow["flag"] = min(self.narrow["flag"], *gaps)
            elif self.split == "uniform":
                flagged = [t for t in chunk if t >= self.sinks and (t - self.sinks) % self.max_size == 0]
            else:
                flagged = [t for t in chunk if random_flag(self.seed, t)]
            if self.metric != "none" and flagged:
                flagged = self.refine(chunk, flagged, keys)
            for t in flagged:
                self.flags[t] = True
        # First the sinks, then events.
        if len(self.init) < self.sinks and len(self.remainder) > self.window:
            moved = min(self.sinks - len(self.init), len(self.remainder) - self.window)
            self.init, self.remainder = self.init + self.remainder[:moved], self.remainder[moved:]
        return self.cut()

    def refine(self, chunk, flagged, keys):
        first, offset = chunk[0], 0
        if self.buffer and len(self.remainder) >= 2 * self.chunk:
            before = [t for t in range(first - self.chunk, first) if self.flags[t]]
            offset = first - before[-1] if before else self.chunk
        begin = first - offset
        weights = np.zeros((chunk[-1] + 1 - begin,) * 2)
        for layer in keys:
            for head in range(layer.shape[1]):
                rows = layer[begin : chunk[-1] + 1, head]
                weights += rows @ rows.T
        refined, narrow = refine(weights, self.metric, self.min_size, offset, [t - begin for t in flagged])
        self.narrow["refine"] = min(self.narrow["refine"], narrow)
        return [begin + t for t in refined]

    def cut(self):
        if len(self.remainder) < self.window + self.min_size:
            return []
        eligible = len(self.remainder) - self.window
        borders = [index for index in range(eligible) if self.flags[self.remainder[index]]]
        if not borders:
            borders = list(range(self.max_size, eligible, self.max_size)) if eligible > self.max_size else [eligible]
        ends = [0, *borders, eligible]
        segments = [b - a for a, b in zip(ends, ends[1:]) if b > a]
        sizes, open_tokens = [], 0
        for index, length in enumerate(segments):
            open_tokens += length
            while open_tokens >= self.max_size:
                sizes.append(self.max_size)
                open_tokens -= self.max_size
            if open_tokens < min(self.min_size, eligible):
                continue
            if open_tokens > 0 and index + 1 < len(segments):
                sizes.append(open_tokens)
            open_tokens = 0
        cut = []
        for size in sizes:
            cut.append(self.remainder[:size])
            self.remainder = self.remainder[size:]
        self.events += cut
        return cut
