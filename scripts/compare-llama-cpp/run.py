"""Loci's speed as a ratio to llama.cpp's, both measured in one run, by turns.

    python scripts/compare-llama-cpp/run.py --model SmolLM2-135M-Instruct.Q4_1.gguf --date 2026-01-31

llama.cpp gets its fastest form of the same model: requantised to Q4_0, weights repacked for this processor, flash
attention on; which batch size, format of keys and values, and format of the output head it is fastest with is tried
first, for reading and writing separately. Nothing is printed as a ratio unless both programs agree on the
original file (see agreement.py). Raw numbers go to docs/results/.
"""

import argparse
import importlib.metadata
import json
import statistics
import subprocess
import sys
from pathlib import Path

import agreement
import llama
import llama_cpp
from loci import Loci, LociError, machine

FOLDER = Path(__file__).parents[2]
METHODS = ["full", "inf-llm:window=2048,top_k=16,block_size=64"]
HEADS = {"q8_0 head": {}, "q4_0 head": {"pure": True}}  # formats of the tied embedding and output matrix
FAR = 0.85
CHOICES = [(kv, batch) for kv in ("f16", "q8_0") for batch in (512, 2048)]
TUNED_UP_TO = 2048  # longer inputs take what was fastest at the longest tried


def prompt(length, n_vocab=49_000):
    """Token ids; speed does not depend on which."""
    return [(i * 7919 + 13) % n_vocab for i in range(length)]


def say(text):
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


class LlamaCpp:
    """llama.cpp at its best: tries what there is to choose, then measures the winner."""

    def __init__(self, source, folder, threads, decode):
        self.threads, self.decode, self.models, self.trials, self.best = threads, decode, {}, [], {}
        folder.mkdir(parents=True, exist_ok=True)
        for head, options in HEADS.items():
            path = folder / f"{source.stem.rsplit('.', 1)[0]}.Q4_0.{head.replace(' ', '-')}.gguf"
            if not path.exists():
                part = path.with_suffix(".part")
                llama.quantize(source, part, threads=threads, **options)
                part.rename(path)
            model = llama.Model(path)
            if not model.repack_buffer():
                say(f"{path.name}: llama.cpp did not repack the weights; is the package built for this processor?")
            self.models[head] = model

    def measure(self, head, kv, batch, length, decode):
        """Prefill and decode speed in a fresh context."""
        context = llama.Context(
            self.models[head], length + decode + 8, flash=True, kv=kv, n_batch=batch, threads=self.threads
        )
        try:
            return context.speed(prompt(length), decode)
        finally:
            context.close()

    def tune(self, lengths):
        """Finds the fastest settings of each length up to `TUNED_UP_TO`. A setting that is far behind both for prefill
        and for decode is not tried at longer inputs."""
        candidates = [(head, kv, batch) for head in self.models for kv, batch in CHOICES]
        for length in [length for length in sorted(lengths) if length <= TUNED_UP_TO] or [min(lengths)]:
            found = []
            for head, kv, batch in candidates:
                if batch > length and batch != min(batch for _, batch in CHOICES):
                    continue
                prefill, decode = self.measure(head, kv, batch, length, self.decode)
                found.append((prefill, decode, (head, kv, batch)))
                self.trials.append({"length": length, "head": head, "kv": kv, "n_batch": batch,
                                    "prefill_tokens_per_s": prefill, "decode_tokens_per_s": decode})  # fmt: skip
                say(f"llama.cpp {length}: {head}, {kv} keys and values, batch {batch}: {prefill:.0f}, {decode or 0:.1f} tokens/s")
            # One setting for both where it is best for both; else prefill and decode each get their own.
            self.best[length] = max(found)[2], max(found, key=lambda trial: trial[1] or 0)[2]
            first, second = (max(trial[what] or 0 for trial in found) for what in (0, 1))
            far_behind = {trial[2] for trial in found if trial[0] < FAR * first and (trial[1] or 0) < FAR * second}
            candidates = [candidate for candidate in candidates if candidate not in far_behind]

    def choice(self, length):
        """Settings for prefill and for decode at a length."""
        known = [tried for tried in self.best if tried <= length]
        return self.best[max(known) if known else min(self.best)]

    def repeat(self, length, decode):
        """One measurement of each, `None` for decode when `decode` is 0."""
        for_prefill, for_decode = self.choice(length)
        if not decode or for_prefill == for_decode:
            return self.measure(*for_prefill, length, decode)
        prefill, _ = self.measure(*for_prefill, length, 0)
        return prefill, self.measure(*for_decode, length, decode)[1]


def collect(arguments, theirs, loci):
    """All repeats, by turns: for each length, for each repeat, llama.cpp and then each method."""
    lengths = sorted({*arguments.lengths, *arguments.decode_lengths, *arguments.loci_lengths})
    results = []
    for length in lengths:
        programs = [] if length in arguments.loci_lengths and length not in arguments.lengths else ["llama.cpp"]
        programs += arguments.methods if loci else []
        if length > arguments.full_up_to:
            programs = [name for name in programs if name.split(":")[0] != "full"]
        if not programs:
            continue
        decode = arguments.decode if length in (*arguments.decode_lengths, *arguments.loci_lengths) else 0
        found = {name: {"program": name, "length": length, "decode_tokens": decode, "prefill_tokens_per_s": [],
                        "decode_tokens_per_s": []} for name in programs}  # fmt: skip
        for repeat in range(arguments.repeats if length <= 8000 else arguments.long_repeats):
            # Whoever goes first changes, so that a drift of the clock or of the load hits all alike.
            for name in programs[repeat % len(programs) :] + programs[: repeat % len(programs)]:
                try:
                    if name == "llama.cpp":
                        prefill, speed = theirs.repeat(length, decode)
                    else:
                        prefill, speed, answer = loci.speed(name, length, decode)
                        found[name]["loci"] = {key: answer.get(key) for key in ("isa", "kv", "threads")}
                except (LociError, llama.LlamaError) as error:
                    say(f"{name} {length}: {error}")
                    found[name]["error"] = str(error)[:300]
                    continue
                found[name]["prefill_tokens_per_s"].append(round(prefill, 3))
                if speed:
                    found[name]["decode_tokens_per_s"].append(round(speed, 3))
                say(f"{name} {length}, repeat {repeat + 1}: {prefill:.0f}, {speed or 0:.1f} tokens/s")
        results += found.values()
    return results


def median(results, program, length, what):
    """Median of a program's repeats, or `None`."""
    for result in results:
        if result["program"] == program and result["length"] == length and result[what]:
            return statistics.median(result[what])
    return None


def table(results, methods):
    """Markdown: medians, and ratios to llama.cpp."""
    columns = [(what, result["length"]) for what in ("prefill_tokens_per_s", "decode_tokens_per_s")
               for result in sorted(results, key=lambda result: result["length"]) if result[what]]  # fmt: skip
    columns = list(dict.fromkeys(columns))
    lines = ["| tokens/s | " + " | ".join(f"{'prefill' if what[0] == 'p' else 'decode after'} {length:,}" for what, length in columns) + " |",
             "|---|" + "---|" * len(columns)]  # fmt: skip

    def row(name, cells):
        lines.append(f"| {name} | " + " | ".join(cells) + " |")

    base = [median(results, "llama.cpp", length, what) for what, length in columns]
    row("llama.cpp", [f"{value:.1f}" if value else "" for value in base])
    for method in methods:
        ours = [median(results, method, length, what) for what, length in columns]
        row(method, [f"{value:.1f}" if value else "" for value in ours])
        row(f"{method.split(':')[0]} / llama.cpp", [f"{a / b:.2f}x" if a and b else "" for a, b in zip(ours, base)])
    return "\n".join(lines)


def revision():
    """The commit that is checked out, if git knows."""
    done = subprocess.run(["git", "-C", str(FOLDER), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or None


def numbers(text):
    """A comma-separated list of whole numbers; empty text gives none."""
    return [int(part) for part in text.split(",") if part]


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="the GGUF file that Loci reads (Q4_1)")
    parser.add_argument("--loci", default=FOLDER / "target/release/loci", help="the binary")
    parser.add_argument("--only-llama-cpp", action="store_true", help="no ratios: measure llama.cpp alone")
    parser.add_argument("--method", dest="methods", action="append", help=f"may be given more than once; {METHODS}")
    parser.add_argument("--lengths", type=numbers, default=[512, 2048, 8000, 16000], help="prefill, both programs")
    parser.add_argument("--loci-lengths", type=numbers, default=[32000], help="prefill and decode, Loci alone")
    parser.add_argument("--decode-lengths", type=numbers, default=[512, 2048, 4000, 8000])
    parser.add_argument("--flat", type=numbers, default=[4000, 32000], help="decode of the last method by turns, Loci alone")
    parser.add_argument("--full-up-to", type=int, default=16000, help="`full` is not run on longer inputs")
    parser.add_argument("--decode", type=int, default=32, help="tokens to write")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--long-repeats", type=int, default=2, help="repeats above 8,000 tokens")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kv", help="Loci's format of keys and values, in the comparison and the measurement alike")
    parser.add_argument("--quantised", type=Path, default=FOLDER / "target/compare-llama-cpp", help="folder for Q4_0 files")
    parser.add_argument("--date", help="date to write into the results; the script does not ask the clock")
    parser.add_argument("--out", type=Path, default=FOLDER / "docs/results/compare-llama-cpp.json")
    arguments = parser.parse_args()
    arguments.methods = arguments.methods or METHODS

    record = {
        "what": "compare-llama-cpp", "date": arguments.date, "command": " ".join(sys.argv), "machine": machine(arguments.threads),
        "versions": {
            "llama-cpp-python": importlib.metadata.version("llama-cpp-python"),
            "llama.cpp": llama_cpp.llama_print_system_info().decode().strip(), "python": sys.version.split()[0],
            "revision": revision(),
        },
        "model": arguments.model.name,
    }  # fmt: skip
    loci = None
    if not arguments.only_llama_cpp:
        loci = Loci(arguments.loci, arguments.model, arguments.threads, arguments.kv)
        record["versions"]["loci"] = loci.version()
        original = llama.Model(arguments.model, repack=False)
        record["agreement"] = agreement.check(original, loci, arguments.threads)
        original.close()
        print(agreement.describe(record["agreement"]))
        if not record["agreement"]["passed"]:
            sys.exit("the programs do not compute the same: no speeds are measured")

    theirs = LlamaCpp(arguments.model, arguments.quantised, arguments.threads, arguments.decode)
    record["versions"]["repacked"] = {head: model.repack_buffer() for head, model in theirs.models.items()}
    theirs.tune({*arguments.lengths, *arguments.decode_lengths})
    record["llama_cpp_tried"] = theirs.trials
    record["results"] = collect(arguments, theirs, loci)
    for result in record["results"]:
        if result["program"] == "llama.cpp":
            result["settings"] = dict(zip(("prefill", "decode"), map(list, theirs.choice(result["length"]))))
    flat = None
    if loci and arguments.flat:
        say(f"decode after {arguments.flat} tokens, by turns")
        flat = record["flat"] = loci.flat(arguments.methods[-1], arguments.flat)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    print()
    print(table(record["results"], [] if arguments.only_llama_cpp else arguments.methods))
    for result in flat["results"] if flat else []:
        print(f"{flat['method']}, decode after {result['length']:,}, by turns: {result['ratio']:.2f}x of the first")
    print(f"\nraw numbers: {arguments.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
