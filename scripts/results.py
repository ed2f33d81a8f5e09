"""All context methods on the same tasks: runs `loci eval` and writes docs/results.md, and each method's figures on its page in
docs/methods, from the answers.

    python scripts/results.py --lengths 8k,16k,32k --n 2
    python scripts/results.py --report

Answers are kept in docs/results/eval-own.jsonl and eval-stretched.jsonl and never asked twice: the script goes on where it
was stopped, with more lengths, texts or methods as well as after an interruption. Short lengths come first. --minutes ends
it after so long; --report only writes the pages. Methods that leave keys at their true distances get, beyond the model's
trained window, a schedule under which full attention still finds a pass key: `--rope ntk:factor=5` up to 16,000 tokens,
`yarn:factor=4` up to 32,000; they are compared with full attention under the same schedule. Of data sets of others (`--data`)
only scores are kept, not what is right and what was answered. Nothing but Python and `scripts/fetch-book.sh`.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import FOLDER, add_common, table, write_between

# Positions stay within the trained window at any length; `full`, `window`, `retrieval` and `closed-book` are controls.
OWN = [
    "full", "window", "lm-infinite", "inf-llm:repr_top_k=16", "em-llm:repr_top_k=16", "act-qkv:repr_top_k=16", "long-heads",
    "sir-llm", "spec-pc", "retrieval", "closed-book",
]  # fmt: skip
# Keys stand at their true distances.
TRUE_DISTANCE = [
    "full", "window", "random-rows", "duo-attention", "hip-attention", "recycled-attention", "squeezed-attention", "snap-kv",
    "spec-kv", "spec-kv-pc", "think",
]  # fmt: skip
WINDOW = 8192
# By the most tokens that it is good for.
STRETCH = {16_000: "ntk:factor=5", 32_000: "yarn:factor=4"}

TASKS = {
    "needle": ["needle:questions=5", "--haystack", "BOOK", "--choose"],
    "key-value": ["key-value:form=lines,kind=words,pairs=50,questions=5", "--choose"],
    "perplexity": ["perplexity", "--haystack", "BOOK"],
    "lines": ["lines:form=line,questions=5", "--choose"],
    "passkey": ["passkey", "--depths", "0.1,0.5,0.9"],
    "long-bench": ["long-bench:truncate=7500", "--data", "DATA"],
}
PARTS = 21  # of LongBench: an example of each counts as one text


def tokens(text):
    """A number of tokens as it is typed."""
    return int(float(text[:-1]) * 1000) if text.endswith("k") else int(text)


def stretch(length):
    """The schedule for so many tokens; none for more than any is good for."""
    return next((rope for most, rope in STRETCH.items() if length <= most), None)


def steps(arguments):
    """The commands, shortest texts first: file of the answers, arguments."""
    for n in range(1, arguments.n + 1):
        for length in sorted(arguments.lengths, key=tokens):
            groups = {"own": OWN, "stretched": TRUE_DISTANCE}
            if tokens(length) <= WINDOW:
                groups = {"own": OWN + [method for method in TRUE_DISTANCE if method not in OWN]}
            for task in arguments.tasks:
                if task == "long-bench" and (length != min(arguments.lengths, key=tokens) or not arguments.data):
                    continue
                for group, methods in groups.items():
                    if task == "perplexity":  # nothing is asked there that passages could be found for
                        methods = [method for method in methods if method not in ("retrieval", "closed-book")]
                    typed = [
                        {"BOOK": arguments.book, "DATA": arguments.data}.get(word, word) for word in TASKS[task]
                    ]
                    texts = n * PARTS if task == "long-bench" else n
                    yield group, [*typed, "--lengths", length, "--n", texts, "--methods", ",".join(methods),
                                  *(["--rope", stretch(tokens(length))] if group == "stretched" else [])]  # fmt: skip


def run(arguments, deadline):
    """Runs what is missing until `deadline`."""
    for group, typed in steps(arguments):
        left = deadline - time.monotonic()
        if left <= 0:
            print("time is up", file=sys.stderr)
            return
        command = [str(word) for word in
                   [arguments.loci, "eval", *typed, "-m", arguments.model, "-o", arguments.work / group, "--json"]]  # fmt: skip
        print(" ".join(command[1:]), file=sys.stderr)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
            try:
                _, error = running.communicate(timeout=left)
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGINT)
                running.communicate()
                print("time is up", file=sys.stderr)
                return
        if running.returncode:
            sys.exit(f"{' '.join(command)}: exit code {running.returncode}\n{error[-1500:]}")


def without_others_texts(path):
    """Takes what is right and what was answered out of the answers over data sets of others, which are not ours to keep."""
    answers = [json.loads(line) for line in path.read_text().splitlines()]
    others = [one for one in answers if "DATA" in TASKS.get(one["task"].split(":")[0], []) and (one["gold"] or one["answer"])]
    if not others:
        return
    for one in others:
        one.update(gold=[], answer="")
    new = path.with_suffix(".new")
    new.write_text("".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in answers))
    new.replace(path)


def kept(arguments, group):
    """Where a group's answers stay."""
    return arguments.out / f"eval-{group}.jsonl"


def reports(arguments):
    """The report of each group that has answers."""
    for group in ("own", "stretched"):
        if kept(arguments, group).exists():
            done = subprocess.run(
                [arguments.loci, "eval", "report", kept(arguments, group), "--against", "full", "--json"],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            yield group, json.loads(done.stdout)


def name(length):
    """A length as it is typed."""
    return f"{length // 1000}k" if length % 1000 == 0 else str(length)


def scores(task):
    """Methods by lengths: score, its interval, and texts and questions behind it."""
    lengths = sorted({cell["length"] for cell in task["cells"]})
    cells = {(cell["method"], cell["length"]): cell for cell in task["cells"]}
    further = [figure for figure in ("perplexity", "kl") if any(figure in cell.get("also", {}) for cell in task["cells"])]
    columns = [(length, figure) for length in lengths for figure in ["score", *further]]
    rows = [["method", *(f"{name(length) if length else ''} {figure if figure != 'score' else task['metric']}".strip()
                         for length, figure in columns)]]  # fmt: skip
    for method in dict.fromkeys(cell["method"] for cell in task["cells"]):
        row = [f"`{method}`"]
        for length, figure in columns:
            cell = cells.get((method, length))
            if cell is None or cell.get("score") is None:
                row.append("–" if cell is None else "failed")
            elif figure == "score":
                score = cell["score"]
                digits = 3 if further else 2  # the likelihood of a token is a small number
                row.append(f"{score['mean']:.{digits}f} ({score['low']:.2f} to {score['high']:.2f}; "
                           f"{score['n']} · {cell['questions'] / score['n']:.0f})")  # fmt: skip
            else:
                value = cell.get("also", {}).get(figure)
                row.append("–" if value is None else f"{value:.1f}" if figure == "perplexity" else f"{value:.3f}")
        rows.append(row)
    return table(rows)


def glance(tasks, methods):
    """Methods by tasks: the means alone, one for each length."""
    lengths = sorted({cell["length"] for task in tasks for cell in task["cells"] if cell["length"]})

    def mean(task, cell):
        if cell is None or cell.get("score") is None:
            return "–"
        return f"{cell['also']['perplexity']:.0f}" if task["id"] == "perplexity" else f"{cell['score']['mean']:.2f}"

    rows = [["method", *(task["id"] for task in tasks)]]
    for method in methods:
        row = [f"`{method}`"]
        for task in tasks:
            cells = {cell["length"]: cell for cell in task["cells"] if cell["method"] == method}
            own = lengths if any(cell["length"] for cell in task["cells"]) else [0]
            row.append(" / ".join(mean(task, cells.get(length)) for length in own))
        rows.append(row)
    return f"Means at {' / '.join(map(name, lengths))} tokens, of `perplexity` the perplexity:\n\n" + table(rows)


def against(task):
    """Each method against full attention, all lengths together."""
    rows = [["method", "texts", "difference", "95 %", "p", "p (Holm)", "p (BH)", "Cliff's delta"]]
    for one in task["comparisons"]:
        if one.get("length") is not None:
            continue
        delta = one.get("cliffs_delta")
        rows.append([f"`{one['method']}`", str(one["n"]), f"{one['difference']:+.3f}", f"{one['low']:+.2f} to {one['high']:+.2f}",
                     *(f"{one[p]:.3f}" for p in ("p", "p_holm", "p_bh")), "–" if delta is None else f"{delta:+.2f}"])  # fmt: skip
    return table(rows)


ROPES = ", ".join(f"`--rope {rope}` up to {most:,} tokens" for most, rope in STRETCH.items())
TITLES = {
    "own": "With the model's own positions",
    "stretched": f"With stretched positions ({ROPES})",
}
HEAD = """<!-- written by scripts/results.py; run it to change this page -->
# Results

All context methods of Loci on the same tasks, with SmolLM2-135M-Instruct Q4_1, 8-bit rows and default parameters but for
those shown. `python scripts/results.py` goes on where it was stopped, with more lengths and texts; raw answers lie in
[docs/results](results/README.md). Speeds are left out: other work ran beside; [what methods cost](methods/README.md) was
measured by itself.

A cell reads: mean score (95 % interval; texts · questions a text). Questions about one text are not independent, so texts are
what is counted: Wilson intervals for right and wrong, else a percentile bootstrap over texts; one text alone says nothing of
others, and its interval is all there is. Differences are to full attention on the same texts, all lengths together, by a
paired permutation test; p-values are corrected over all comparisons of the section. A dash was not run. The model was
trained for 8,192 tokens. Beyond them `full` with the model's own positions is lost itself: what differs from it there, in kl
or otherwise, is no worse for that. Where `full` scores as `closed-book` does, which sees no text, the model cannot do the task
at all, and its numbers tell nothing of methods.
"""


# What a method's own page tells of a task.
ON_PAGES = {
    "passkey": "pass key in filler",
    "needle": "sentence in prose, one of 5 phrases",
    "key-value": "value of a line in prose, one of 10",
    "lines": "number of a line among its like, one of 10",
    "perplexity": "KL from `full` on prose, nats a token",
}


def figure(task, cell, full):
    """A cell of the table on a method's page, beside full attention's in the same column."""
    if task["id"] == "perplexity":
        kl = cell.get("also", {}).get("kl")
        return None if kl is None or full is cell else f"{kl:.3f}"
    if not cell.get("score"):
        return None
    # Words of a phrase may be right where the phrase is not.
    share = lambda one: one.get("also", {}).get("phrase", one["score"]["mean"])
    right = [round(share(one) * one["questions"]) for one in (cell, full) if one and one.get("score")]
    beside = f" (`full` {right[1]})" if len(right) > 1 and full is not cell else ""
    return f"{right[0]} of {cell['questions']}{beside}"


def of_methods(all_reports):
    """Method as typed -> task -> (length, group) -> figure."""
    found = {}
    for group, report in all_reports:
        for task in report["tasks"]:
            if task["id"] not in ON_PAGES:
                continue
            full = {cell["length"]: cell for cell in task["cells"] if cell["method"] == "full"}
            for cell in task["cells"]:
                # Beyond the window full attention with the model's own positions is lost itself.
                lost = task["id"] == "perplexity" and group == "own" and cell["length"] > WINDOW
                told = None if lost else figure(task, cell, full.get(cell["length"]))
                if told:
                    row = found.setdefault(cell["method"], {}).setdefault(task["id"], {})
                    row[cell["length"], group] = told
    return found


def method_pages(all_reports):
    """Writes each method's figures on its page."""
    for method, tasks in of_methods(all_reports).items():
        path = FOLDER / "docs/methods" / f"{method.split(':')[0]}.md"
        if not path.exists():  # a control
            continue
        columns = sorted({column for row in tasks.values() for column in row}, key=lambda column: (column[1], column[0]))
        rows = [["tokens", *(f"{length:,}{', stretched' * (group == 'stretched')}" for length, group in columns)]]
        rows += [[ON_PAGES[task], *(tasks[task].get(column, "–") for column in columns)] for task in ON_PAGES if task in tasks]
        stretched = f"\nStretched: {ROPES}." if any(group == "stretched" for _, group in columns) else ""
        write_between(path, "results.py", f"""
Right answers of `{method}` beside all other methods, 8-bit rows, seed 42, one text for each depth of a pass key and one text
with five questions for each other task, unless more are counted; intervals and tests: [results](../results.md).{stretched}

    python3 scripts/results.py

{table(rows)}
""")


def page(arguments):
    """Writes docs/results.md and the figures on methods' pages."""
    text = HEAD
    all_reports = list(reports(arguments))
    method_pages(all_reports)
    for group, report in all_reports:
        text += f"\n## {TITLES[group]}\n\n{report['card']['correction']}.\n"
        tasks = sorted(report["tasks"], key=lambda task: list(TASKS).index(task["id"]))
        held = {cell["method"] for task in tasks for cell in task["cells"]}
        text += "\n" + glance(tasks, [method for method in dict.fromkeys(OWN + TRUE_DISTANCE) if method in held]) + "\n"
        for task in tasks:
            text += f"\n### {task['task']}\n\n{task['title']} Diffusion {task['diffusion']}, scope {task['scope']}.\n\n"
            text += scores(task) + "\n"
            if any(one["n"] > 1 for one in task["comparisons"]):
                text += "\n" + against(task) + "\n"
    path = FOLDER / "docs/results.md"
    path.write_text(text)
    print(path)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, "")
    parser.add_argument("--lengths", type=lambda text: text.split(","), default=["8k", "16k", "32k"])
    parser.add_argument("--tasks", type=lambda text: text.split(","), default=list(TASKS), help=", ".join(TASKS))
    parser.add_argument("--n", type=int, default=2, help="texts of each length (and depth)")
    parser.add_argument("--data", help="folder with data sets; without it long-bench is left out")
    parser.add_argument("--book", help="text that needles are hidden in and whose end is predicted [Moby-Dick, fetched once]")
    parser.add_argument("--minutes", type=float, default=10_000, help="ends after so long")
    parser.add_argument("--report", action="store_true", help="runs nothing, only writes the pages")
    arguments = parser.parse_args()
    unknown = [task for task in arguments.tasks if task not in TASKS]
    if unknown:
        parser.error(f"there is no task {', '.join(unknown)}; there are {', '.join(TASKS)}")
    if not all(stretch(tokens(length)) for length in arguments.lengths):
        parser.error(f"no schedule is known that is good for more than {max(STRETCH):,} tokens")
    if not arguments.report:
        if arguments.book is None:
            arguments.book = subprocess.check_output([FOLDER / "scripts/fetch-book.sh"], text=True).strip()
        with tempfile.TemporaryDirectory() as folder:
            arguments.work = Path(folder)
            for group in ("own", "stretched"):
                (arguments.work / group).mkdir()
                # Answers stay where they are written, also when this is killed.
                (arguments.work / group / "answers.jsonl").symlink_to(kept(arguments, group).resolve())
            run(arguments, time.monotonic() + 60 * arguments.minutes)
        for path in (kept(arguments, group) for group in ("own", "stretched")):
            if path.exists():
                without_others_texts(path)
    page(arguments)


if __name__ == "__main__":
    main()
