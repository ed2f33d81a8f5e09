"""What llama.cpp says: greedy continuations and losses that Loci's own numbers are compared with.

    python -m venv VENV && VENV/bin/pip install -r scripts/golden/requirements.txt
    VENV/bin/python scripts/golden/oracle.py MODEL.gguf

Writes crates/loci/tests/fixtures/oracle/{greedy,perplexity}.json. The reference settings are the most exact that
llama.cpp has on a CPU: flash attention off, keys and values in f32, weights not repacked. Its products of quantised
weights still round activations to eight bits, so two programs agree up to near-ties only: `gap`, the difference of
the two highest logits, says where a near-tie is. How large that rounding is can be seen from `exact_gaps`: the same
weights dequantised to f32, so that nothing is rounded, read along the same tokens.
"""

import argparse
import hashlib
import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "compare-llama-cpp"))
import llama  # noqa: E402

from passage import passage  # noqa: E402

FOLDER = Path(__file__).parents[2] / "crates/loci/tests/fixtures/oracle"
STEPS, WINDOW, TOKENS, GROUP = 64, 512, 4000, 8

PROMPTS = {
    "story": "The old clock in the hall struck four, and nobody in the house moved. Then, from the floor above, came",
    "definition": "Photosynthesis is the process by which plants",
    "code": 'def median(values):\n    """Return the median of a list of numbers."""\n    ordered = sorted(values)\n',
    "list": "Things to pack for a week in the mountains:\n1. A warm coat\n2. Two pairs of boots\n3.",
    "dialogue": '"Where have you been?" asked Miriam.\n"Out," said her brother, and put a dead pike on the table.\n"',
    "numbers": "2, 4, 8, 16, 32, 64, 128, 256, 512, 1024,",
    "letter": "Dear Mrs. Hallam,\n\nThank you for your letter of 14 March 1907. I'm sorry to say we've had no news of the "
    "parcel; it hasn't been seen since Crewe, where (so they'll tell you) it was put on the 9:45.\n\nI remain,",
    "other languages": "Bonjour, je m'appelle Camille et j'habite à Lyon. Größe, naïve, España, 東京, Привет! In French,",
    "chat": "<|im_start|>user\nName three uses of a brick.<|im_end|>\n<|im_start|>assistant\n",
    "long": "A river does not run in a straight line for long. Where the ground is soft the water cuts into the outer "
    "bank of every small bend, because it moves faster there, and it drops sand on the inner bank, where it moves "
    "slowly. So the bend grows. After some hundreds of years it may have grown into a loop, with only a narrow neck of "
    "land between the two ends, and in some wet spring the river breaks through the neck and leaves the loop behind as "
    "a still lake in the shape of a horseshoe. Maps that are a century old show such rivers in beds that are now "
    "meadows. Farmers know the old beds by the colour of the grass, and lawyers know them too, because a border that "
    "follows a river does not always move when the river does. There is a village that went to sleep in one county and "
    "woke up in another. To sum up, a river bends because",
}


def log_softmax(row):
    """`ln p` of a row of logits."""
    row = row.astype(np.float64)
    return row - row.max() - np.log(np.exp(row - row.max()).sum())


def greedy(model, threads):
    """Continuations of `PROMPTS`."""
    context = llama.Context(model, 1024, flash=False, kv="f32", threads=threads)
    found = []
    for name, text in PROMPTS.items():
        ids = model.tokenize(text, special=True)
        context.clear()
        first = log_softmax(context.read(ids))
        best = np.argsort(-first)[:8]
        context.clear()
        steps = context.greedy(ids, STEPS)
        found.append({
            "name": name, "text": text, "ids": ids,
            "first": [[int(token), round(float(first[token]), 4)] for token in best],
            "tokens": [step[0] for step in steps],
            "runners_up": [step[1] for step in steps],
            "gaps": [round(step[2], 4) for step in steps],
            "continuation": model.text([step[0] for step in steps]),
        })  # fmt: skip
        print(f"{name}: {len(ids)} tokens, narrowest gap {min(s[2] for s in steps):.4f}: {found[-1]['continuation']!r}")
    context.close()
    return found


def add_exact(source, prompts, threads):
    """Puts `exact_gaps` into the prompts; returns how far the reference's gaps are from them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f32.gguf"
        llama.quantize(source, path, ftype=llama.F32, embedding=llama.F32, output=llama.F32)
        model = llama.Model(path, repack=False)
        context = llama.Context(model, 1024, flash=False, kv="f32", threads=threads)
        errors = []
        for prompt in prompts:
            context.clear()
            batches = context.read(prompt["ids"] + prompt["tokens"][:-1], "all")
            rows = np.concatenate([batch.copy() for batch in batches])[len(prompt["ids"]) - 1 :]
            step = np.arange(len(rows))
            exact = rows[step, prompt["tokens"]] - rows[step, prompt["runners_up"]]
            prompt["exact_gaps"] = [round(float(gap), 4) for gap in exact]
            errors += list(np.abs(np.array(prompt["gaps"]) - exact))
        context.close()
        model.close()
    errors = np.array(errors)
    return {name: round(float(value), 4) for name, value in (
        ("rms", np.sqrt((errors**2).mean())), ("p95", np.quantile(errors, 0.95)), ("p99", np.quantile(errors, 0.99)))}  # fmt: skip


def losses(model, ids, window, threads):
    """Loss of each token in independent windows; `nan` for the first of each, which nothing predicts."""
    context = llama.Context(model, max(window, 64), flash=False, kv="f32", threads=threads)
    found = []
    for start in range(0, len(ids), window):
        part = ids[start : start + window]
        found += [np.nan, *(context.nll(part) if len(part) > 1 else [])]
    context.close()
    return np.array(found)


def summary(nll, window):
    """Mean loss, perplexity, and mean losses of groups of tokens (unscored ones left out)."""
    groups = [float(np.nanmean(nll[start : start + GROUP])) for start in range(0, len(nll), GROUP)]
    mean = float(np.nanmean(nll))
    return {
        "n_ctx": window, "scored": int(np.isfinite(nll).sum()), "nll": round(mean, 6),
        "perplexity": round(float(np.exp(mean)), 5), "group_nll": [round(value, 4) for value in groups],
    }  # fmt: skip


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    model = llama.Model(arguments.model, repack=False)
    about = {
        "made_by": "scripts/golden/oracle.py",
        "reference": f"llama-cpp-python {importlib.metadata.version('llama-cpp-python')}, CPU, flash attention off, "
        "f32 keys and values, weights not repacked",
        "model": arguments.model.name,
        "model_sha256": hashlib.sha256(arguments.model.read_bytes()).hexdigest(),
        "add_bos": model.add_bos,
    }
    FOLDER.mkdir(parents=True, exist_ok=True)

    note = (
        "Prompts are raw text (markers such as <|im_start|> are special tokens). gaps[i]: highest minus second highest "
        "logit at step i; runners_up[i]: the second; first: the eight likeliest first tokens with ln p. "
        "exact_gaps[i]: logit of tokens[i] minus logit of runners_up[i] with the weights dequantised to f32 and nothing "
        "rounded, negative where that prefers the runner-up; reference_gap_error: how far gaps are from exact_gaps."
    )
    prompts = greedy(model, arguments.threads)
    errors = add_exact(arguments.model, prompts, arguments.threads)
    print(f"the reference's own gaps are off by {errors}")
    write(FOLDER / "greedy.json",
          {**about, "note": note, "steps": STEPS, "reference_gap_error": errors, "prompts": prompts})  # fmt: skip

    (FOLDER / "passage.txt").write_text(passage())
    ids = model.tokenize(passage())[:TOKENS]
    assert len(ids) == TOKENS, f"the passage has only {len(ids)} tokens"
    note = (
        "The first tokens of passage.txt. A window is read from an empty memory; nll is the mean of "
        "-ln p(token i | tokens 0..i-1 of the window) over i >= 1 of all windows, the last window being shorter; "
        "group_nll[g] is the mean over the scored ones of tokens group*g .. group*(g+1)."
    )
    windows = [summary(losses(model, ids, window, arguments.threads), window) for window in (WINDOW, TOKENS)]
    for window in windows:
        print(f"n_ctx {window['n_ctx']}: perplexity {window['perplexity']} over {window['scored']} tokens")
    write(FOLDER / "perplexity.json",
          {**about, "note": note, "file": "passage.txt", "group": GROUP, "ids": ids, "windows": windows})  # fmt: skip


def write(path, data):
    """JSON, compact, with a line for each entry of the outer object and of the lists in it."""
    lines = []
    for key, value in data.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n" + ",\n".join(json.dumps(item, separators=(",", ":"), ensure_ascii=False) for item in value) + "]"
        else:
            text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        lines.append(f"{json.dumps(key)}:{text}")
    path.write_text("{" + ",\n".join(lines) + "}\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
