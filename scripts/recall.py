"""Key-value recall: of many lines `key <word>: <number>`, the one that is asked for.

    python scripts/recall.py --lengths 2000,4000 --out docs/results/recall.jsonl

The text is nothing but such lines, each word once, so every line is as likely to be asked for as any other and as much a
rival as any other: harder than a pass key among filler, where the key is the only thing of its kind. Every item is a
fresh `loci ask`. Lengths are tokens, depths the share of the lines before the one asked for, trials are seeds; methods
are compared on the same items. An item that the output file already has is not run again. Needs nothing but Python.
"""

import argparse
import json
import random
import re
import tempfile
import time
from pathlib import Path

from measure import add_common, count_tokens, loci, numbers, run_all, wilson

METHODS = ["full", "inf-llm:window=512,top_k=16,block_size=32,queries=128", "window:window=1024"]
QUESTION = "What is the number of key {word}?"
# Words are put together from syllables: no word of the language brings an answer of its own along.
ONSETS = "b c d f g h k l m n p r s t v w".split()
VOWELS = "a e i o u".split()


def words(draw, count):
    """`count` different words."""
    found = {}
    while len(found) < count:
        found["".join(draw.choice(ONSETS) + draw.choice(VOWELS) for _ in range(3))] = None
    return list(found)


def lines_of(item, count):
    """The lines, the word that is asked for and its number. They depend on length, depth and seed alone."""
    draw = random.Random(f"{item['tokens']} {item['depth']} {item['seed']}")
    pairs = [(word, draw.randrange(1000, 10_000)) for word in words(draw, count)]
    word, number = pairs[min(count - 1, round(item["depth"] * (count - 1)))]
    return [f"key {word}: {number}" for word, number in pairs], word, number


def items(arguments):
    """Everything to run: the shortest lengths of all methods first."""
    for length in arguments.lengths:
        for seed in range(arguments.trials):
            for depth in arguments.depths:
                for method in arguments.methods:
                    yield {"method": method, "tokens": length, "depth": depth, "seed": seed}


def identity(item):
    """What makes two items the same."""
    return item["method"], item["tokens"], item["depth"], item["seed"]


def run_item(arguments, item, per_line, folder):
    """Asks once; the item with its result."""
    count = max(2, int((item["tokens"] - 100) / per_line))  # 100: question and chat template
    lines, word, number = lines_of(item, count)
    path = Path(folder) / "text.txt"
    path.write_text("\n".join(lines))
    began = time.monotonic()
    answer = json.loads(loci(
        arguments.loci, "ask", path, "--no-cache", "-q", arguments.question.format(word=word), "-m", arguments.model, "--method",
        item["method"], "-n", "24", "--json", *arguments.extra,
    ))  # fmt: skip
    # A number of another line does not count, nor an answer that lists several.
    given = re.findall(r"\d+", answer["answer"])
    return {
        **item, "options": " ".join(arguments.extra), "lines": count, "word": word, "number": number,
        "right": given[:1] == [str(number)],
        "of_another_line": bool(given) and given[0] != str(number) and any(line.endswith(given[0]) for line in lines),
        "answer": answer["answer"], "read": answer["context"]["read"], "seconds": round(time.monotonic() - began, 2),
        "evidence_holds_line": any(f"{word}: {number}" in passage["text"] for passage in answer.get("evidence", [])),
    }  # fmt: skip


def table(results, lengths, depths):
    """Markdown: shares with intervals and right answers by depth."""
    heads = [f"{depth:g}" for depth in depths]
    lines = ["| method | tokens | right | n | share | 95 % interval | another line's number | " + " | ".join(heads) + " |",
             "|---" * (7 + len(heads)) + "|"]  # fmt: skip
    for method in dict.fromkeys(result["method"] for result in results):
        for length in lengths:
            group = [r for r in results if r["method"] == method and r["tokens"] == length]
            if not group:
                continue
            right = sum(r["right"] for r in group)
            low, high = wilson(right, len(group))
            cells = []
            for depth in depths:
                at = [r["right"] for r in group if r["depth"] == depth]
                cells.append(f"{sum(at)}/{len(at)}")
            other = sum(r["of_another_line"] for r in group)
            lines.append(f"| {method} | {length} | {right} | {len(group)} | {right / len(group):.1%} | {low:.1%} to "
                         f"{high:.1%} | {other} | " + " | ".join(cells) + " |")  # fmt: skip
    return "\n".join(lines)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, "recall.jsonl")
    parser.add_argument("--method", dest="methods", action="append", help=f"may be given more than once; {METHODS}")
    parser.add_argument("--lengths", type=numbers(int), default=[1000, 2000, 4000])
    parser.add_argument("--depths", type=numbers(float), default=[0.1, 0.3, 0.5, 0.7, 0.9])
    parser.add_argument("--trials", type=int, default=10, help="seeds for each length and depth")
    parser.add_argument("--question", default=QUESTION, help="{word} stands for the word asked for")
    parser.add_argument("extra", nargs="*", help="options for `loci ask`, behind --")
    arguments = parser.parse_args()
    arguments.methods = arguments.methods or METHODS
    with tempfile.TemporaryDirectory() as folder:
        sample = lines_of({"tokens": 0, "depth": 0, "seed": 0}, 200)[0]
        per_line = count_tokens(arguments, "\n".join(sample), folder) / 200
        results = run_all(
            arguments.out, list(items(arguments)), identity, lambda item: run_item(arguments, item, per_line, folder),
            lambda r: f"{r['method']} {r['tokens']} depth {r['depth']} seed {r['seed']}: "
            f"{'right' if r['right'] else 'wrong'} in {r['seconds']} s: {r['answer'][:60]!r}",
        )  # fmt: skip
    print(table(results, arguments.lengths, arguments.depths))


if __name__ == "__main__":
    main()
