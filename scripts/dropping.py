"""What dropping costs: pass keys found, and divergence from full attention, over the rows that are kept.

    python scripts/dropping.py BOOK.txt --budgets 128,256,512,1024 --out docs/results/dropping.jsonl

Methods that drop rows stand next to one that drops as many by chance (`random-rows`): what does not beat it has chosen no
better than chance. Two measures for each budget and seed: whether `loci ask` finds a pass key in filler of --tokens
tokens, and `loci score --against full`: the mean KL divergence of the next-token distributions over the tokens behind a
prompt of --tokens tokens, which is an excerpt of the book. Methods are compared on the same texts. `spec-pc` drops tokens
before they are read instead of rows afterwards, and what stays stands closer together: its divergence counts both.
Nothing but Python.
"""

import argparse
import json
import math
import random
import re
import tempfile
from pathlib import Path

from measure import QUESTION, add_common, document, filler_sizes, loci, numbers, run_all, wilson

# How each method is told to keep so many rows.
METHODS = {
    "random-rows": "random-rows:budget={budget},seed={seed}",
    "snap-kv": "snap-kv:budget={budget}",
    # The first layers of the model draft. The cascade reads twice as many tokens as it keeps rows.
    "spec-kv": "spec-kv:budget={budget}",
    "spec-pc": "spec-pc:budget={budget}",
    "spec-kv-pc": "spec-kv-pc:budget={budget},prompt={twice}",
    "think": "think:budget={budget}",
    "sir-llm": "sir-llm:surprising={surprising},turn=64",
    "sir-llm-near": "sir-llm:surprising={surprising},turn=64,neighbours=2",
    "sir-llm-recent": "sir-llm:surprising={half},recent={half},turn=64,neighbours=2",
    # The control of `sir-llm`, which drops while it reads, not at the end of the prompt as the others do.
    "sir-llm-random": "sir-llm:surprising={surprising},turn=64,score=random,seed={seed}",
    "full": "full",
}


def spec(method, budget, seed):
    """The method as typed."""
    return METHODS[method].format(budget=budget, seed=seed, surprising=budget - 4, half=budget // 2 - 2, twice=2 * budget)


def pass_key(arguments, item, text, folder):
    """Whether the key is found."""
    per_filler, fixed = text["sizes"]
    draw = random.Random(f"{arguments.tokens} {item['seed']}")
    key, depth = draw.randrange(10_000, 100_000), draw.random()
    path = Path(folder) / "text.txt"
    path.write_text(document(max(1, (arguments.tokens - fixed) // per_filler), depth, key)[0])
    answer = json.loads(loci(
        arguments.loci, "ask", path, "--no-cache", "-q", QUESTION, "-m", arguments.model, "--method", item["spec"], "-n", "24", "--json",
    ))  # fmt: skip
    found = str(key) in re.findall(r"\d+", answer["answer"])
    return {"right": found, "key": key, "depth": round(depth, 3), "answer": answer["answer"]}


def divergence(arguments, item, text, folder):
    """KL divergence from full attention behind a prompt."""
    # Six letters a token are enough, and excerpts do not overlap.
    length = 6 * (arguments.tokens + arguments.scored)
    book = text["book"]
    start = (20_000 + item["seed"] * length) % max(1, len(book) - length)
    path = Path(folder) / "text.txt"
    path.write_text(book[start : start + length])
    score = json.loads(loci(
        arguments.loci, "score", path, "-m", arguments.model, "--method", item["spec"], "--against", "full",
        "--prompt-tokens", arguments.tokens, "--limit", arguments.tokens + arguments.scored, "--json",
    ))  # fmt: skip
    return {name: score[name] for name in ("kl", "kl_standard_error", "same_first", "nll", "nll_against", "scored")}


MEASURES = {"pass-key": pass_key, "kl": divergence}


def items(arguments):
    """Everything to run; full attention has no budget."""
    for seed in range(arguments.trials):
        for measure in MEASURES:
            for budget in arguments.budgets:
                for method in arguments.methods:
                    if method == "full" and (measure == "kl" or budget != arguments.budgets[0]):
                        continue
                    yield {"measure": measure, "method": method, "budget": budget, "seed": seed,
                           "tokens": arguments.tokens, "spec": spec(method, budget, seed)}  # fmt: skip


def identity(item):
    """What makes two items the same."""
    return item["measure"], item["spec"], item["seed"], item["tokens"]


def mean(values):
    """Mean and its 95 % half width."""
    middle = sum(values) / len(values)
    variance = sum((value - middle) ** 2 for value in values) / max(1, len(values) - 1)
    return middle, 1.96 * math.sqrt(variance / len(values))


def table(results, arguments):
    """Markdown, with random dropping at the same budget beside each method."""
    lines = ["| rows kept | method | keys found | 95 % interval | KL from full, nats | same first token | KL / random's |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for budget in arguments.budgets:
        def group(method, measure, budget=budget):
            return [r for r in results if r["measure"] == measure and r["method"] == method and r["budget"] == budget]

        chance = [r["kl"] for r in group("random-rows", "kl")]
        for method in arguments.methods:
            found, far = group(method, "pass-key"), group(method, "kl")
            if not found and not far:
                continue
            right = sum(r["right"] for r in found)
            low, high = wilson(right, len(found))
            kl, half = mean([r["kl"] for r in far]) if far else (0.0, 0.0)
            same = sum(r["same_first"] for r in far) / len(far) if far else 1.0
            ratio = f"{kl / mean(chance)[0]:.2f}" if chance and far else ""
            lines.append(f"| {budget if method != 'full' else 'all'} | {method} | {right}/{len(found)} | {low:.0%} to "
                         f"{high:.0%} | {kl:.3f} ± {half:.3f} | {same:.0%} | {ratio} |")  # fmt: skip
    return "\n".join(lines)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("book", type=Path, help="a long text of the usual kind; scripts/fetch-book.sh gets one")
    add_common(parser, "dropping.jsonl")
    parser.add_argument("--methods", type=lambda text: text.split(","), default=list(METHODS))
    parser.add_argument("--budgets", type=numbers(int), default=[128, 256, 512, 1024])
    parser.add_argument("--tokens", type=int, default=3000, help="tokens of a prompt")
    parser.add_argument("--scored", type=int, default=128, help="tokens behind it that are compared")
    parser.add_argument("--trials", type=int, default=10, help="keys and excerpts for each budget")
    arguments = parser.parse_args()
    unknown = [method for method in arguments.methods if method not in METHODS]
    if unknown:
        parser.error(f"this script has no budget for {', '.join(unknown)}; it knows {', '.join(METHODS)}")
    with tempfile.TemporaryDirectory() as folder:
        text = {"book": arguments.book.read_text(), "sizes": filler_sizes(arguments, folder)}
        results = run_all(
            arguments.out, list(items(arguments)), identity,
            lambda item: {**item, **MEASURES[item["measure"]](arguments, item, text, folder)},
            lambda r: f"{r['measure']} {r['spec']} seed {r['seed']}: "
            + (f"{'right' if r['right'] else 'wrong'}" if "right" in r else f"{r['kl']:.4f} nats"),
        )  # fmt: skip
    print(table(results, arguments))


if __name__ == "__main__":
    main()
