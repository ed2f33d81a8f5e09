"""A plain NumPy reference of the scores of retrieval heads (Wu et al., 2024), and the fixture made with it.

    python scripts/golden/retrieval_heads.py      writes crates/loci-engine/tests/fixtures/retrieval_heads.json

For each probe the whole attention matrix of the answer is there: `[steps, heads, n]`, one row for each token written.
Official: a head gets 1/m for each step at which the largest weight of its row lies on a token of the answer's span
(m tokens) that is the token written; of equal weights the lowest position counts. Paper: the share of the places of the
span that were copied at least once. A probe counts if more than half of the answer's words were written. Scores are
means over the probes that count.
"""

import json
from pathlib import Path

import numpy as np

from layer_stream import splitmix64

FIXTURE = Path(__file__).parents[2] / "crates/loci-engine/tests/fixtures/retrieval_heads.json"
HEADS = 6


def recall(written, wanted):
    """Share of the words of `wanted` that were written, each as often as it stands."""
    values, counts = np.unique(wanted, return_counts=True)
    there = np.array([np.count_nonzero(np.asarray(written) == value) for value in values])
    return np.minimum(there, counts).sum() / len(wanted)


def scores(prompt, span, written, attention, mode):
    """`[heads]` of one probe; `attention` is `[steps, heads, n]`."""
    start, end = span
    looks = attention.argmax(axis=2)
    copied = (looks >= start) & (looks < end) & (prompt[looks] == np.asarray(written)[:, None])
    if mode == "official":
        return copied.sum(axis=0) / (end - start)
    return np.array([len(set(looks[copied[:, head], head])) for head in range(HEADS)]) / (end - start)


def probe(numbers):
    """A prompt with an answer in it, what a model wrote, and where its heads looked."""
    draw = lambda bound: next(numbers) % bound
    n, m = 24 + draw(30), 3 + draw(5)
    prompt = np.array([draw(9) for _ in range(n)])
    start = draw(n - m)
    wanted = prompt[start : start + m]
    # Often right, sometimes twice over, sometimes cut short or wrong.
    written = [int(token) if draw(8) else draw(9) for token in np.tile(wanted, 1 + draw(2))]
    written = written[: 1 + draw(len(written))] if draw(3) == 0 else written
    attention = np.array([[[draw(1000) for _ in range(n)] for _ in range(HEADS)] for _ in written], dtype=float)
    for step in range(len(written)):
        place = start + step % m
        attention[step, 0, place] = 2000                      # copies
        attention[step, 1, max(place - 1, 0)] = 2000          # looks one token back
        attention[step, 2, [0, place]] = 2000                 # of two equal weights the first counts
        attention[step, 3, 0 if draw(2) else place] = 2000    # copies now and then
        attention[step, 4, start + draw(m)] = 2000            # somewhere in the span
    return prompt, (start, start + m), written, attention


def main():
    """Writes the fixture."""
    numbers = splitmix64(2024)
    probes, tables = [], {"paper": [], "official": []}
    for _ in range(12):
        prompt, span, written, attention = probe(numbers)
        share = recall(written, prompt[span[0] : span[1]])
        found = {mode: scores(prompt, span, written, attention, mode) for mode in tables}
        if share > 0.5:
            for mode, table in tables.items():
                table.append(found[mode])
        probes.append({
            "prompt": prompt.tolist(), "span": list(span), "written": written,
            "looks": attention.argmax(axis=2).tolist(), "recall": float(share),
            "scores": {mode: found[mode].tolist() for mode in tables},
        })  # fmt: skip
    means = {mode: np.mean(table, axis=0).tolist() for mode, table in tables.items()}
    frequencies = (np.array(tables["paper"]) > 0).mean(axis=0).tolist()
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    case = {"heads": HEADS, "probes": probes, "means": means, "frequencies": frequencies, "accepted": len(tables["paper"])}
    FIXTURE.write_text(json.dumps(case, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
