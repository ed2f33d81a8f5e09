"""What methods cost: `loci bench speed` of each at each length, one process a run, `loci bench flat` of those that read a
bounded number of rows for a token, and the tables of docs/methods/README.md.

    python scripts/methods-speed.py
    python scripts/methods-speed.py --report

Wants a machine that does nothing else, more than an hour. Results are kept in docs/results/methods-speed.jsonl and
methods-flat.jsonl and not measured again: the script goes on where it was stopped; begin with empty files on another machine.
`duo-attention` gets the gates that `loci inspect heads` writes first. --report only writes the tables. Nothing but Python.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from measure import FOLDER, add_common, loci, numbers, run_all, table, write_between

LENGTHS = [32000, 16000, 8000, 4000]
# What they read for a token has a bound; the longest, `lm-infinite`'s window, is full at the first of these lengths.
BOUNDED = [
    "window", "lm-infinite", "inf-llm", "em-llm", "act-qkv", "long-heads", "sir-llm", "random-rows", "snap-kv", "spec-kv",
    "spec-pc", "spec-kv-pc",
]  # fmt: skip
FLAT = [8000, 32000]


def run(arguments, gates, length, method):
    """One run of one method; the method's parameters are told in it."""
    options = ["--heads", gates] if method == "duo-attention" else []
    told = loci(
        arguments.loci, "bench", "speed", "-m", arguments.model, "--methods", method, "--lengths", length,
        "--repeats", 1, "--decode", 64, "--json", *options,
    )  # fmt: skip
    return json.loads(told)["results"][0]


def run_flat(arguments, method):
    """Writing after a short and after a long prompt, by turns."""
    told = loci(
        arguments.loci, "bench", "flat", "-m", arguments.model, "--method", method,
        "--lengths", ",".join(map(str, FLAT)), "--turns", 20, "--json",
    )  # fmt: skip
    return {"requested": method, **json.loads(told)}


def tables(results, flat):
    """All tables: speeds, bytes, writing by turns."""
    lengths = sorted({result["length"] for result in results})
    methods = dict.fromkeys(result["requested"] for result in results)
    found = {(result["requested"], result["length"]): result for result in results}

    def of(say):
        cells = lambda method: (say(found[method, length]) if (method, length) in found else "–" for length in lengths)
        return table([["method", *(f"{length:,}" for length in lengths)], *([f"`{method}`", *cells(method)] for method in methods)])

    mebibytes = lambda count: f"{count / 2**20:.0f}"
    speed = lambda one: f"{one['prefill_tokens_per_s'][0]:,.0f} / {one['decode_tokens_per_s'][0]:.0f}"
    size = lambda one: f"{mebibytes(one['row_bytes'])} / {mebibytes(one['peak_rss_bytes'])}"
    return f"""Tokens per second while reading / while writing:

{of(speed)}

MiB of keys and values once the prompt was read / peak of the process:

{of(size)}

Tokens per second while writing after {FLAT[0]:,} and after {FLAT[1]:,} tokens in one process, 20 tokens by turns, medians of 20
turns, so that what else the machine does hits both alike:

{of_flat(flat)}
"""


def of_flat(flat):
    """The table of writing by turns."""
    rows = [["method", *(f"{length:,}" for length in FLAT), "share kept"]]
    for one in flat:
        speeds = [f"{statistics.median(result['decode_tokens_per_s']):.0f}" for result in one["results"]]
        rows.append([f"`{one['requested']}`", *speeds, f"{one['results'][-1]['ratio']:.2f}"])
    return table(rows)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, "methods-speed.jsonl")
    parser.add_argument("--lengths", type=numbers(int), default=LENGTHS, help="measured in this order")
    parser.add_argument("--methods", type=numbers(str), help="all")
    parser.add_argument("--report", action="store_true", help="measures nothing, only writes the tables")
    arguments = parser.parse_args()
    flat = arguments.out.with_name("methods-flat.jsonl")
    if not arguments.report:
        methods = arguments.methods
        if methods is None:
            known = json.loads(loci(arguments.loci, "methods", "--json"))["methods"]
            methods = [method["id"] for method in known if method["family"] == "context"]
        with tempfile.TemporaryDirectory() as folder:
            gates = Path(folder) / "gates.tsv"
            if "duo-attention" in methods:
                loci(arguments.loci, "inspect", "heads", "-m", arguments.model, "--lengths", "512,1024", "--probes", 2,
                     "--gates", gates, "--out", folder, "--no-keep")  # fmt: skip
            run_all(
                arguments.out,
                [{"length": length, "requested": method} for length in arguments.lengths for method in methods],
                lambda item: (item["length"], item["requested"]),
                lambda item: run(arguments, gates, item["length"], item["requested"]),
                lambda one: f"{one['requested']} {one['length']}: {one['prefill_tokens_per_s'][0]:.0f} tokens/s",
            )
            run_all(
                flat,
                [{"requested": method} for method in BOUNDED if method in methods],
                lambda item: item["requested"],
                lambda item: run_flat(arguments, item["requested"]),
                lambda one: f"{one['requested']}: by turns",
            )
    path = FOLDER / "docs/methods/README.md"
    results = [[json.loads(line) for line in file.read_text().splitlines()] for file in (arguments.out, flat)]
    write_between(path, "methods-speed.py", tables(*results))
    print(path)


if __name__ == "__main__":
    main()
