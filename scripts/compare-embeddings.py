"""Speed of a sentence encoder beside sentence-transformers (torch, CPU, f32), by turns on the same texts.

Prints one JSON object: seconds a batch (medians), texts a second and their ratio, and the least cosine between both
programs' vectors; without agreement (0.9999) no ratio. Texts are cut to TOKENS tokens from the words of a text file, or
of this script's own list.

Needs sentence-transformers, and the example built:
    cargo build --release -p loci-models --example encode_speed
    python scripts/compare-embeddings.py "$(scripts/fetch-encoder.sh)" --example target/release/examples/encode_speed
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import time

WORDS = """the a river house mountain letter stone light winter garden letter memory palace walked into under over
before morning evening quickly slowly answered question engine paper weather children music careful ancient modern
remember forgotten kitchen window street market seven twelve hundred company government language machine learned""".split()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--example", default="target/release/examples/encode_speed")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()

    import torch
    from sentence_transformers import SentenceTransformer, util

    torch.set_num_threads(args.threads)
    model = SentenceTransformer(args.folder, device="cpu")
    chance = random.Random(1)
    texts = []
    for _ in range(args.batch):
        words = []
        while len(model.tokenizer(" ".join(words + ["the"]))["input_ids"]) <= args.tokens:
            words.append(chance.choice(WORDS))
        while len(model.tokenizer(" ".join(words))["input_ids"]) > args.tokens:
            words.pop()
        texts.append(" ".join(words))

    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(texts) + "\n")
        file.flush()

        def ours():
            command = [args.example, args.folder, file.name, str(args.batch), "3", str(args.threads)]
            return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

        theirs = model.encode(texts, batch_size=args.batch, convert_to_tensor=True)
        own_seconds, their_seconds = [], []
        for _ in range(args.rounds):
            run = ours()
            own_seconds += run["seconds"]
            for _ in range(3):
                start = time.perf_counter()
                model.encode(texts, batch_size=args.batch, convert_to_tensor=True, show_progress_bar=False)
                their_seconds.append(time.perf_counter() - start)

    cosine = min(util.pairwise_cos_sim(torch.tensor(run["vectors"]), theirs).tolist())
    own, their = statistics.median(own_seconds), statistics.median(their_seconds)
    report = {
        "texts": args.batch,
        "tokens": run["tokens"],
        "threads": args.threads,
        "torch": torch.__version__,
        "least_cosine": round(cosine, 7),
        "seconds": {"loci": round(own, 4), "sentence-transformers": round(their, 4)},
        "fastest": {"loci": round(min(own_seconds), 4), "sentence-transformers": round(min(their_seconds), 4)},
        "texts_a_second": {"loci": round(args.batch / own, 1), "sentence-transformers": round(args.batch / their, 1)},
    }
    if cosine >= 0.9999:
        report["ratio"] = round(their / own, 3)
    print(json.dumps(report, indent=1))
    if cosine < 0.9999:
        raise SystemExit("the vectors do not agree, so there is no ratio")


main()
