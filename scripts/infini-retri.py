"""Reading without an index: is a sentence hidden in a long text kept by `infini-retri`, and does the answer name it?

    python scripts/infini-retri.py --lengths 64000 --trials 4
    python scripts/infini-retri.py --lengths 8000 --strategies infini-retri,infini-retri:above=2 --hay book --book FILE

The text is filler, or a book, with one line that gives a key; every item is a fresh `loci ask --read`. Besides the answer
it is noted whether the key stands in what was kept to the end, how many tokens that are, and the process's largest
resident size. Other strategies may stand beside it. Lengths are tokens, depths the share of the text before the key, trials
are seeds. An item that the output file already has is not run again. Needs nothing but Python.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import HEAD, NEEDLE, QUESTION, add_common, count_tokens, document, filler_sizes, numbers, run_all, wilson
from passkey import is_right


def book_text(book, tokens, per_byte, depth, key, seed):
    """A part of the book with the needle between two of its paragraphs."""
    size = int(tokens / per_byte)
    start = random.Random(f"{seed} {tokens}").randrange(max(1, len(book) - size))
    paragraphs = book[start : start + size].split("\n\n")[1:-1]
    at = round(depth * len(paragraphs))
    return "\n\n".join([HEAD, *paragraphs[:at], NEEDLE.format(key=key), *paragraphs[at:]])


def ask(arguments, path, strategy):
    """The answer of a process of its own, and the largest resident size of that process in MiB."""
    command = [str(word) for word in (arguments.loci, "ask", path, "-q", QUESTION, "-m", arguments.model,
                                      "--read", strategy, "--json", "-n", 32)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as running:
        out, error = running.stdout.read(), running.stderr.read()
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        sys.exit(f"{' '.join(command)}: exit code {running.returncode}\n{error.decode()[-1500:]}")
    return json.loads(out), usage.ru_maxrss // 1024


def run_item(arguments, item, sizes, folder):
    """Asks once; the item with its result."""
    key = random.Random(f"{item['tokens']} {item['depth']} {item['seed']}").randrange(10_000, 100_000)
    if item["hay"] == "filler":
        per_filler, fixed = sizes["filler"]
        text = document(max(1, (item["tokens"] - fixed) // per_filler), item["depth"], key)[0]
    else:
        text = book_text(sizes["book"], item["tokens"], sizes["per_byte"], item["depth"], key, item["seed"])
    path = Path(folder) / "text.txt"
    path.write_text(text)
    began = time.monotonic()
    answer, peak = ask(arguments, path, item["strategy"])
    whole = text.encode()
    shown = [whole[place["start"] : place["end"]].decode() for place in answer["reading"]["places"]]
    reading = {name: value for name, value in answer["reading"].items() if name != "places"}
    return {
        **item, "key": key, "right": is_right(answer["answer"], key), "kept": any(str(key) in part for part in shown),
        "answer": answer["answer"], "reading": reading, "timing": answer["timing"], "peak_mib": peak,
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def table(results):
    """Markdown: for each strategy, text and length how often the key was kept and named."""
    lines = ["| strategy | text | tokens | kept to the end | right | n | 95 % of right | tokens shown | peak MiB |",
             "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    groups = {}
    for result in results:
        groups.setdefault((result["strategy"], result["hay"], result["tokens"]), []).append(result)
    for (strategy, hay, tokens), group in groups.items():
        n, right, kept = len(group), sum(r["right"] for r in group), sum(r["kept"] for r in group)
        low, high = wilson(right, n)
        shown = sorted(r["reading"]["shown"] for r in group)[n // 2]
        lines.append(f"| `{strategy}` | {hay} | {tokens} | {kept} | {right} | {n} | {low:.2f} to {high:.2f} | {shown} | "
                     f"{max(r['peak_mib'] for r in group)} |")  # fmt: skip
    return "\n".join(lines)


def main():
    """Runs what is missing and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, "infini-retri.jsonl")
    parser.add_argument("--strategies", type=lambda text: text.split(";"), default=["infini-retri"],
                        help="separated by semicolons")  # fmt: skip
    parser.add_argument("--lengths", type=numbers(int), default=[8000])
    parser.add_argument("--depths", type=numbers(float), default=[0.0, 0.25, 0.5, 0.75, 1.0])
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--hay", choices=["filler", "book"], default="filler")
    parser.add_argument("--book", type=Path, help="a long text, for --hay book")
    arguments = parser.parse_args()
    items = [
        {"strategy": strategy, "hay": arguments.hay, "tokens": tokens, "depth": depth, "seed": seed}
        for tokens in arguments.lengths
        for seed in range(arguments.trials)
        for depth in arguments.depths
        for strategy in arguments.strategies
    ]
    with tempfile.TemporaryDirectory() as folder:
        sizes = {}
        if arguments.hay == "filler":
            sizes["filler"] = filler_sizes(arguments, folder)
        else:
            sizes["book"] = arguments.book.read_text()
            sizes["per_byte"] = count_tokens(arguments, sizes["book"][:100_000], folder) / 100_000
        results = run_all(
            arguments.out,
            items,
            lambda item: tuple(item[name] for name in ("strategy", "hay", "tokens", "depth", "seed")),
            lambda item: run_item(arguments, item, sizes, folder),
            lambda result: f"{result['strategy']} {result['hay']} {result['tokens']} at {result['depth']}: kept {result['kept']}, "
            f"right {result['right']}, {result['seconds']} s",
        )
    print(table(results))


if __name__ == "__main__":
    main()
