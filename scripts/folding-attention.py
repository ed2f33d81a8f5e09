"""Does folding old updates give the newest value of a key more of the attention, as the Sculptor paper reports?

    python scripts/folding-attention.py

A stream of `key: value` lines sets six keys again and again; the question asks for one of them. The same stream is read
whole, and with all but its last 3 of 10 parts folded to the markers that `--read sculptor` shows. `loci inspect attention`
tells which share of the attention, averaged over layers and heads, the line with the newest value got while the answer was
written. Only keys whose newest line is not folded are asked for. Items that the output file already has are not run again.
Needs nothing but Python.
"""

import argparse
import json
import random
import tempfile
from pathlib import Path

from measure import add_common, loci, numbers, run_all

KEYS = ["weather", "harbour", "captain", "garden", "bridge", "market"]
VALUES = """anchor basket candle donkey engine feather goblet hammer island jacket kettle ladder mirror needle orchid
 pepper quiver ribbon saddle teapot umbrella violin walnut yarrow zebra acorn blanket compass dagger emerald flute
 grape helmet ivory jasmine lantern marble nutmeg oyster parrot rocket spoon turnip velvet wagon""".split()
HEAD = "Below are updates of values, one a line, in the order in which they were made. A later one replaces an earlier one.\n"
PARTS, KEPT = 10, 3


def stream(updates, seed):
    """Lines in order, and for each key the number of its last line."""
    draw = random.Random(f"{updates} {seed}")
    keys = [key for key in KEYS for _ in range(updates)]
    draw.shuffle(keys)
    newest = dict(zip(KEYS, draw.sample(VALUES, len(KEYS))))
    old = [value for value in VALUES if value not in newest.values()]
    last = {key: max(at for at, other in enumerate(keys) if other == key) for key in KEYS}
    return [f"{key}: {newest[key] if last[key] == at else draw.choice(old)}" for at, key in enumerate(keys)], last


def folded(lines):
    """The text of all parts, those but the last ones as markers; and how many lines are folded."""
    size = -(-len(lines) // PARTS)
    parts = [lines[at : at + size] for at in range(0, len(lines), size)]
    out = []
    for number, part in enumerate(parts):
        text = "\n".join(part)
        hide = number < len(parts) - KEPT
        out.append(f"[folded f{number:05d} {len(text)}: {text[:8]}]" if hide else text)
    return "\n".join(out), sum(len(part) for part in parts[:-KEPT])


def share(arguments, folder, text, key, line):
    """Share of the attention that `line` got, and the answer."""
    path = Path(folder) / "stream.txt"
    path.write_text(HEAD + text)
    question = f"What is the current value of {key}? Answer with that word alone."
    found = json.loads(loci(arguments.loci, "inspect", "attention", path, "-q", question, "--mark", line, "--json",
                            "-n", 6, "-m", arguments.model, "--method", "full"))  # fmt: skip
    return found["marks"][-1]["mass"], found["answer"]["answer"]


def run_item(arguments, item, folder):
    """One key of one stream, whole and folded."""
    lines, last = stream(item["updates"], item["seed"])
    line = lines[last[item["key"]]]
    value = line.split(": ")[1]
    result = dict(item)
    for form, text in (("whole", "\n".join(lines)), ("folded", folded(lines)[0])):
        mass, answer = share(arguments, folder, text, item["key"], line)
        result |= {f"{form}_share": mass, f"{form}_answer": answer, f"{form}_right": value in answer.lower()}
    return result


def table(results):
    """Markdown: for each number of updates how often the share rose, by how much, and how often the answer was right."""
    lines = ["| updates a key | keys asked for | share rose | whole | folded | right, whole | right, folded |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for updates in sorted({result["updates"] for result in results}):
        group = [result for result in results if result["updates"] == updates]
        mean = lambda name: sum(result[name] for result in group) / len(group)  # noqa: E731
        rose = sum(result["folded_share"] > result["whole_share"] for result in group)
        lines.append(f"| {updates} | {len(group)} | {rose} | {100 * mean('whole_share'):.2f} % | "
                     f"{100 * mean('folded_share'):.2f} % | {sum(r['whole_right'] for r in group)} | "
                     f"{sum(r['folded_right'] for r in group)} |")  # fmt: skip
    return "\n".join(lines)


def main():
    """Runs what is missing and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, "folding-attention.jsonl")
    parser.add_argument("--updates", type=numbers(int), default=[4, 16])
    parser.add_argument("--trials", type=int, default=3)
    arguments = parser.parse_args()
    items = []
    for updates in arguments.updates:
        for seed in range(arguments.trials):
            lines, last = stream(updates, seed)
            visible = [key for key in KEYS if last[key] >= folded(lines)[1]]
            items += [{"updates": updates, "seed": seed, "key": key} for key in visible]
    with tempfile.TemporaryDirectory() as folder:
        results = run_all(
            arguments.out,
            items,
            lambda item: (item["updates"], item["seed"], item["key"]),
            lambda item: run_item(arguments, item, folder),
            lambda result: f"{result['updates']} {result['key']}: {result['whole_share']:.4f} to {result['folded_share']:.4f}",
        )
    print(table(results))


if __name__ == "__main__":
    main()
