"""How often a memory says that it supports an answer: of the user who asks, and of other users' memories.

    python scripts/supports.py --data FOLDER

Each question of LongMemEval's samples is asked of the memory with its own history, and of those with the other histories, where
nothing can support an answer but by chance. Questions of the kind `abstention` have no answer in their own history either. What the
user said is remembered round by round; the rule is that of `loci memory search` (`supported`), by words, by meaning and by both.
Writes docs/results/memory-supports.json. Nothing but Python, and the encoder of `loci pull minilm`, or of --encoder.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from measure import FOLDER

KINDS = ["words", "meaning", "fused"]


def records(folder):
    """Questions with their histories."""
    found = []
    for path in sorted((folder / "long-mem-eval").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            said = [turn["content"] for turn in record["conversation"] if turn["role"] == "user"]
            question = record["questions"][0]["question"]
            answered = record["question_type"] != "abstention"
            found.append({"question": question, "answered": answered, "said": [text for text in said if text != question]})
    return found


def main():
    """Asks every question of every memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with long-mem-eval/*.jsonl")
    parser.add_argument("--loci", default=FOLDER / "target/release/loci", help="the binary")
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--out", type=Path, default=FOLDER / "docs/results/memory-supports.json")
    arguments = parser.parse_args()
    all_records = records(arguments.data)
    counts = {by: {"own": [0, 0], "abstention": [0, 0], "others": [0, 0]} for by in KINDS}
    with tempfile.TemporaryDirectory() as folder:

        def loci(*words, text=None):
            command = [arguments.loci, "memory", *words, "--store", f"{folder}/memory.db"]
            return subprocess.run(command, input=text, text=True, capture_output=True, check=True).stdout

        for number, record in enumerate(all_records):
            lines = [
                json.dumps(
                    {
                        "id": f"{number:08x}{place:08x}", "learned": "2023-06-01T00:00:00Z", "state": "released",
                        "text": text, "kind": "round", "speaker": "user", "trust": 80,
                    }
                )
                for place, text in enumerate(record["said"])
            ]  # fmt: skip
            loci("import", "-", "--user", f"u{number}", text="\n".join(lines) + "\n")
        for by in KINDS:
            for number, record in enumerate(all_records):
                for other in range(len(all_records)):
                    found = loci(
                        "search", record["question"], "--by", by, "--encoder", arguments.encoder, "--user", f"u{other}",
                        "--no-days", "--json",
                    )  # fmt: skip
                    kind = "others" if other != number else "own" if record["answered"] else "abstention"
                    counts[by][kind][0] += json.loads(found)["supported"]
                    counts[by][kind][1] += 1
            print(by, {kind: f"{yes} of {all_}" for kind, (yes, all_) in counts[by].items()}, flush=True)
    arguments.out.write_text(json.dumps({"supported of asked": counts}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
