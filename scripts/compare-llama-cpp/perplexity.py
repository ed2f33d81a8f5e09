"""Perplexity of a book's start by both programs, with the same model file.

    python scripts/compare-llama-cpp/perplexity.py BOOK.txt --model MODEL.gguf [--tokens 4000] [--n-ctx 512]

Exit code 1 when token ids differ or the perplexities differ by more than 0.5 %.
"""

import argparse
import json
import sys
from pathlib import Path

import agreement
import llama
from loci import Loci

FOLDER = Path(__file__).parents[2]


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("book", type=Path, help="UTF-8 text")
    parser.add_argument("--model", required=True, help="GGUF file, read by both programs")
    parser.add_argument("--loci", default=FOLDER / "target/release/loci", help="the binary")
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--n-ctx", type=int, action="append", help="window; may be given more than once (512)")
    parser.add_argument("--skip", type=int, default=0, help="characters to leave out at the start")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kv", help="Loci's format of keys and values")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    arguments = parser.parse_args()
    model = llama.Model(arguments.model, repack=False)
    loci = Loci(arguments.loci, arguments.model, arguments.threads, arguments.kv)
    text = agreement.cut(model, arguments.book.read_text()[arguments.skip :], arguments.tokens)
    results = [agreement.perplexity(model, loci, text, n_ctx, arguments.threads) for n_ctx in arguments.n_ctx or [512]]
    if arguments.json:
        print(json.dumps({"book": arguments.book.name, "results": results}, indent=1))
    else:
        for result in results:
            print(f"n_ctx {result['n_ctx']}: loci {result['loci_perplexity']:.4f}, llama.cpp {result['llama_cpp_perplexity']:.4f}, "
                  f"ratio {result['ratio']:.5f}, mean |difference| per token {result.get('mean_difference', float('nan')):.4f}, "
                  f"{result['scored']} of {result['tokens']} tokens scored, same ids: {result['same_ids']}: "
                  + ("passed" if result["passed"] else "FAILED"))  # fmt: skip
    sys.exit(0 if all(result["passed"] for result in results) else 1)


if __name__ == "__main__":
    main()
