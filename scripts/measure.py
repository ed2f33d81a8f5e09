"""What the measuring scripts share: calling the binary, results that are continued, intervals. Nothing but Python."""

import json
import math
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1]
HEAD = (
    "There is important information hidden inside a lot of irrelevant text. Find it and memorize it. You will be asked "
    "about the important information."
)
FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
NEEDLE = "The pass key is {key}. Remember it. {key} is the pass key."
QUESTION = "What is the pass key?"


def loci(binary, *arguments):
    """Standard output of the binary; ends the script when it fails."""
    command = [str(binary), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-1500:]}")
    return done.stdout


def count_tokens(arguments, text, folder):
    """Tokens of a text by the model's own tokenizer."""
    path = Path(folder) / "count.txt"
    path.write_text(text)
    return int(loci(arguments.loci, "tokenize", path, "-m", arguments.model, "--count").strip())


def document(repetitions, depth, key):
    """The pass-key text, and the number of filler repetitions before the key."""
    before = round(repetitions * depth)
    parts = [HEAD, " ".join([FILLER] * before), NEEDLE.format(key=key), " ".join([FILLER] * (repetitions - before))]
    return "\n".join(part for part in parts if part), before


def filler_sizes(arguments, folder):
    """Tokens of one repetition of the filler, and of everything else in a pass-key prompt."""
    two, ten = (count_tokens(arguments, document(n, 0.5, 12345)[0], folder) for n in (2, 10))
    return (ten - two) // 8, two - 2 * ((ten - two) // 8) + 100  # 100: question and chat template


def wilson(right, n, z=1.959964):
    """95 % interval of a share."""
    if n == 0:
        return 0.0, 1.0
    share, spread = right / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def numbers(kind):
    """A comma-separated list of `kind`."""
    return lambda text: [kind(part) for part in text.split(",")]


def add_common(parser, out):
    """The options that all scripts have."""
    parser.add_argument("--loci", default=FOLDER / "target/release/loci", help="the binary")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--out", type=Path, default=FOLDER / "docs/results" / out, help="continued if it exists")


def table(rows):
    """Markdown; the first row is the head."""
    head, *rest = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] + ["---:"] * (len(head) - 1), *rest])


def write_between(path, script, text):
    """Replaces what `script` wrote on a page by `text`, or adds it at the end."""
    begin, end = f"<!-- written by scripts/{script} -->", f"<!-- end of scripts/{script} -->\n"
    page = path.read_text()
    before, found, rest = page.partition(begin)
    before, behind = (before, rest.partition(end)[2]) if found else (f"{page.rstrip()}\n\n", "")
    path.write_text(f"{before}{begin}\n{text.strip()}\n{end}{behind}")


def run_all(out, wanted, identity, run, say):
    """Results of the `wanted` items in their order. Those that the file has already are not run again; each new one is
    written at once, so a script may be interrupted. `say` makes a line of a result."""
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = out.read_text().splitlines() if out.exists() else []
    done = {identity(result): result for result in map(json.loads, lines)}
    missing = [item for item in wanted if identity(item) not in done]
    with out.open("a") as file:
        for number, item in enumerate(missing, 1):
            result = run(item)
            done[identity(item)] = result
            file.write(json.dumps(result, ensure_ascii=False) + "\n")
            file.flush()
            print(f"{number}/{len(missing)} {say(result)}", file=sys.stderr)
    return [done[identity(item)] for item in wanted]
