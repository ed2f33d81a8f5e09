"""Far beyond the window: does the answer hold the five digits that stand somewhere in a long text?

    python scripts/passkey.py --model smollm2 --out docs/results/passkey.jsonl

The text is the usual one: a line that says what will be asked, then filler with one line that gives the key; the
question comes last. Every item is a fresh
`loci ask`. Lengths are tokens, depths the share of the filler before the key, trials are seeds. An item that the
output file already has is not run again, so the script may be interrupted. Needs nothing but Python.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from pathlib import Path

from measure import QUESTION, add_common, document, filler_sizes, loci, numbers, run_all, wilson

INF_LLM = "inf-llm:window=2048,top_k=16,block_size=64"
METHODS = [f"{INF_LLM},repr_top_k=16", INF_LLM, "full", "window:window=2048"]


def is_right(answer, key):
    """Whether the digits stand in the answer as a number of their own."""
    return str(key) in re.findall(r"\d+", answer)


def items(arguments):
    """Everything to run: the shortest lengths of all methods first."""
    for length in arguments.lengths:
        for seed in range(arguments.trials):
            for depth in arguments.depths:
                for method in arguments.methods:
                    if seed < arguments.trials_of.get(method.split(":")[0], arguments.trials):
                        yield {"method": method, "tokens": length, "depth": depth, "seed": seed}


def identity(item):
    """What makes two items the same."""
    return item["method"], item["tokens"], item["depth"], item["seed"]


def run_item(arguments, item, sizes, folder):
    """Asks once; the item with its result."""
    # The key depends on length, depth and seed only, so that methods are compared on the same items.
    key = random.Random(f"{item['tokens']} {item['depth']} {item['seed']}").randrange(10_000, 100_000)
    per_filler, fixed = sizes
    repetitions = max(1, (item["tokens"] - fixed) // per_filler)
    text, before = document(repetitions, item["depth"], key)
    path = Path(folder) / "text.txt"
    path.write_text(text)
    began = time.monotonic()
    answer = json.loads(loci(
        arguments.loci, "ask", path, "--no-cache", "-q", arguments.question, "-m", arguments.model, "--method", item["method"],
        "--json", *arguments.extra,
    ))  # fmt: skip
    return {
        **item, "options": " ".join(arguments.extra), "key": key, "right": is_right(answer["answer"], key),
        "answer": answer["answer"],
        "tokens_behind_key": (repetitions - before) * per_filler, "context": answer["context"],
        "timing": answer["timing"], "seconds": round(time.monotonic() - began, 2),
        "evidence_holds_key": any(str(key) in passage["text"] for passage in answer.get("evidence", [])),
        "first_evidence_holds_key": any(str(key) in passage["text"] for passage in answer.get("evidence", [])[:1]),
        "weighed_by": answer.get("weighed_by"),
    }  # fmt: skip


def table(results, lengths, depths):
    """Markdown: shares with intervals, then right answers by depth."""
    lines = ["| method | tokens | right | n | share | 95 % interval | key among the evidence | key in its first passage, "
             "of the right ones |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    by_depth = ["| method | tokens | " + " | ".join(f"{depth:g}" for depth in depths) + " |",
                "|---|---|" + "---|" * len(depths)]  # fmt: skip
    for method in dict.fromkeys(result["method"] for result in results):
        for length in lengths:
            group = [r for r in results if r["method"] == method and r["tokens"] == length]
            if not group:
                continue
            right = sum(r["right"] for r in group)
            low, high = wilson(right, len(group))
            evidence = sum(r["evidence_holds_key"] for r in group)
            # Older results do not say.
            first = [r["first_evidence_holds_key"] for r in group if r["right"] and "first_evidence_holds_key" in r]
            lines.append(f"| {method} | {length} | {right} | {len(group)} | {right / len(group):.1%} | "
                         f"{low:.1%} to {high:.1%} | {evidence} | {sum(first)}/{len(first)} |")  # fmt: skip
            cells = []
            for depth in depths:
                at = [r["right"] for r in group if r["depth"] == depth]
                cells.append(f"{sum(at)}/{len(at)}" if at else "")
            by_depth.append(f"| {method} | {length} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", "By depth:", "", *by_depth])


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, "passkey.jsonl")
    parser.add_argument("--method", dest="methods", action="append", help=f"may be given more than once; {METHODS}")
    parser.add_argument("--lengths", type=numbers(int), default=[12_000, 16_000, 32_000])
    parser.add_argument("--depths", type=numbers(float), default=[d / 10 for d in range(1, 10)])
    parser.add_argument("--trials", type=int, default=3, help="seeds for each length and depth")
    parser.add_argument("--trials-of", action="append", default=[], metavar="ID=N", help="fewer for one method: full=1")
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--require", action="append", default=[], metavar="ID=SHARE",
                        help="exit code 1 when a method's share at any length is lower: inf-llm=0.95")  # fmt: skip
    parser.add_argument("extra", nargs="*", help="options for `loci ask`, behind --")
    arguments = parser.parse_args()
    arguments.methods = arguments.methods or METHODS
    arguments.trials_of = {name: int(n) for name, n in (text.split("=") for text in arguments.trials_of)}
    required = {name: float(share) for name, share in (text.split("=") for text in arguments.require)}

    with tempfile.TemporaryDirectory() as folder:
        sizes = None

        def run(item):
            nonlocal sizes
            sizes = sizes or filler_sizes(arguments, folder)
            return run_item(arguments, item, sizes, folder)

        results = run_all(arguments.out, list(items(arguments)), identity, run, lambda result: (
            f"{result['method']} {result['tokens']} depth {result['depth']} seed {result['seed']}: "
            f"{'right' if result['right'] else 'wrong'} in {result['seconds']} s: {result['answer'][:60]!r}"
        ))  # fmt: skip
    print(table(results, arguments.lengths, arguments.depths))
    failed = False
    for name, share in required.items():
        for length in arguments.lengths:
            group = [r["right"] for r in results if r["method"].split(":")[0] == name and r["tokens"] == length]
            if group and sum(group) / len(group) < share:
                print(f"{name} at {length}: {sum(group)} of {len(group)} is below {share:.0%}", file=sys.stderr)
                failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
