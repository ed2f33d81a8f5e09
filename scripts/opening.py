#!/usr/bin/env python3
"""Compares opening a saved reading with reading the text again, at several lengths.

    scripts/opening.py --loci target/release/loci --model smollm2 --lengths 4000,16000

For each length a text of so many tokens is read and saved once, then asked `--repeats` times: from the file, and from the
text without a cache. Answers must agree, or nothing is printed. Times are medians.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n"
NEEDLE = "The pass key is 71432. Remember it. 71432 is the pass key.\n"
TOKENS_PER_LINE = 24.5


def run(*command):
    """Output and seconds of a command."""
    began = time.monotonic()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout), time.monotonic() - began


def measure(arguments, folder, length):
    lines = int(length / TOKENS_PER_LINE)
    text, saved = folder / "text.txt", folder / "text.loci"
    text.write_text(FILLER * (lines // 3) + NEEDLE + FILLER * (lines - lines // 3))
    common = ["-m", arguments.model, "--method", arguments.method, "--json", *arguments.extra]
    question = ["-q", "What is the pass key?", "-n", "32"]
    read, _ = run(arguments.loci, "read", text, "-o", saved, "--force", *common)
    opened, fresh = [], []
    for _ in range(arguments.repeats):
        opened.append(run(arguments.loci, "ask", saved, *question, *common))
        fresh.append(run(arguments.loci, "ask", text, "--no-cache", *question, *common))
    for (found, _), (expected, _) in zip(opened, fresh):
        for key in ["answer", "evidence", "context"]:
            if found[key] != expected[key]:
                raise SystemExit(f"{length} tokens: {key} differs: {found[key]!r} and {expected[key]!r}")

    def reading(answer):
        return answer["timing"]["prefill_tokens"] / answer["timing"]["prefill_tokens_per_s"]

    def written(answer):
        return answer["timing"]["decode_tokens_per_s"]

    def median(values):
        return statistics.median(values)

    open_s = median([answer["timing"]["open_ms"] / 1e3 for answer, _ in opened])
    question_s = median([reading(answer) for answer, _ in opened])
    again_s = median([reading(answer) for answer, _ in fresh])
    return {
        "tokens": read["tokens"],
        "file_bytes": read["bytes"],
        "save_s": read["timing"]["save_ms"] / 1e3,
        "open_s": open_s,
        "question_s": question_s,
        "read_again_s": again_s,
        "opening_is_faster": again_s / open_s,
        "to_the_first_token_is_faster": again_s / (open_s + question_s),
        "written_per_s": {"opened": median([written(a) for a, _ in opened]), "read_again": median([written(a) for a, _ in fresh])},
        "process_s": {"opened": median([s for _, s in opened]), "read_again": median([s for _, s in fresh])},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loci", type=Path, default=Path("target/release/loci"))
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--method", default="inf-llm")
    parser.add_argument("--lengths", default="4000,16000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("extra", nargs="*", help="further flags of loci, behind --")
    arguments = parser.parse_args()
    arguments.loci = arguments.loci.resolve()
    with tempfile.TemporaryDirectory() as folder:
        for length in arguments.lengths.split(","):
            print(json.dumps(measure(arguments, Path(folder), int(length))), flush=True)


if __name__ == "__main__":
    main()
