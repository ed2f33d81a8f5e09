"""Whether Loci and llama.cpp compute the same: losses on a text and greedy continuations, with the same model file."""

import json
from pathlib import Path

import llama
import numpy as np

ORACLE = Path(__file__).parents[2] / "crates/loci/tests/fixtures/oracle"
# In logits. llama.cpp rounds activations to 8 bits, as Loci does: 95 % of its own gaps between the two likeliest tokens
# are within 0.31 of those computed from the same weights without rounding (`exact_gaps` in greedy.json).
NEAR_TIE = 0.32
PERPLEXITY_LIMIT = 0.005  # relative


def cut(model, text, tokens):
    """The start of `text`, cut at a line's end, with at least `tokens` tokens if it has so many."""
    end = 0
    while end < len(text):
        end = text.find("\n", max(end + 1, min(len(text), end + tokens // 4)))
        end = len(text) if end < 0 else end + 1
        if len(model.tokenize(text[:end])) >= tokens:
            break
    return text[:end]


def perplexity(model, loci, text, n_ctx, threads):
    """Both programs' losses in independent windows of `n_ctx` tokens; nothing predicts a window's first token."""
    ids = model.tokenize(text)
    context = llama.Context(model, n_ctx, flash=False, kv="f32", threads=threads)
    windows = [ids[start : start + n_ctx] for start in range(0, len(ids), n_ctx)]
    theirs = np.concatenate([context.nll(window) for window in windows if len(window) > 1])
    context.close()
    answer = loci.score(text, n_ctx)
    tokens = answer["per_token"]
    ours = np.array([token["nll"] for token in tokens if token["nll"] is not None])
    result = {
        "tokens": len(ids), "n_ctx": n_ctx, "scored": len(theirs),
        "same_ids": [token["id"] for token in tokens] == ids,
        "loci_perplexity": answer["perplexity"], "llama_cpp_perplexity": float(np.exp(theirs.mean())),
    }  # fmt: skip
    result["ratio"] = result["loci_perplexity"] / result["llama_cpp_perplexity"]
    if len(ours) == len(theirs):
        result["mean_difference"] = float(np.abs(ours - theirs).mean())
        result["largest_difference"] = float(np.abs(ours - theirs).max())
    result["passed"] = (
        result["same_ids"] and len(ours) == len(theirs) and abs(result["ratio"] - 1) <= PERPLEXITY_LIMIT
    )
    return result


def greedy(model, loci, threads, steps=64):
    """Continuations of the fixture's prompts, equal but where llama.cpp itself had a near-tie.

    Behind a near-tie that went the other way Loci goes on from llama.cpp's tokens, so that one early near-tie does
    not excuse all the steps after it. Where that text would be cut into other tokens, the comparison ends; `compared`
    says how many steps it reached.
    """
    context = llama.Context(model, 1024, flash=False, kv="f32", threads=threads)
    found = []
    for prompt in json.loads((ORACLE / "greedy.json").read_text())["prompts"]:
        ids = model.tokenize(prompt["text"], special=True)
        if ids != model.tokenize(prompt["text"]):
            continue  # `loci run` reads markers such as <|im_start|> as plain text, which they are in a user's file
        context.clear()
        theirs = context.greedy(ids, steps)
        # An end token ends the comparison: Loci stops before it, so reaching it there is agreement.
        ends = next((at for at, step in enumerate(theirs) if model.is_end(step[0])), steps)
        tokens = [step[0] for step in theirs[:ends]]
        item = {"name": prompt["name"], "steps": ends, "compared": 0, "ties": [], "gap": None}
        text = prompt["text"]
        while item["compared"] < ends and item["gap"] is None:
            ours = loci.greedy(text, ends - item["compared"])
            for token in ours:
                at = item["compared"]
                if token != tokens[at]:
                    break
                item["compared"] += 1
            else:
                if item["compared"] < ends:
                    item["gap"] = float("inf")  # it stopped early: no near-tie explains that
                continue
            gap = theirs[at][2]
            if tokens[: at + 1] == prompt["tokens"][: at + 1] and token == prompt["runners_up"][at]:
                gap = abs(prompt["exact_gaps"][at])  # without llama.cpp's own rounding
            if gap >= NEAR_TIE:
                item["gap"] = gap
                break
            item["ties"].append([at, round(gap, 4)])
            item["compared"] += 1
            text = prompt["text"] + model.text(tokens[: item["compared"]])
            if model.tokenize(text, special=True) != ids + tokens[: item["compared"]]:
                break
        found.append({**item, "passed": item["gap"] is None})
    context.close()
    compared = sum(item["compared"] for item in found)
    enough = compared >= 0.8 * sum(item["steps"] for item in found)
    passed = enough and all(item["passed"] for item in found)
    return {"steps": steps, "near_tie": NEAR_TIE, "compared": compared, "prompts": found, "passed": passed}


def check(model, loci, threads, text=None, tokens=4000):
    """Both comparisons; speeds may be shown only if `passed`."""
    text = text or (ORACLE / "passage.txt").read_text()
    losses = perplexity(model, loci, cut(model, text, tokens), 512, threads)
    # The wiring is compared with exact rows; what the measured rows lose, the perplexity above says.
    steps = greedy(model, loci.with_rows("f32"), threads)
    return {"passed": losses["passed"] and steps["passed"], "perplexity": losses, "greedy": steps}


def describe(result):
    """Lines for a person."""
    losses, steps = result["perplexity"], result["greedy"]
    lines = [
        f"perplexity over {losses['scored']} tokens in windows of {losses['n_ctx']}: loci {losses['loci_perplexity']:.4f}, "
        f"llama.cpp {losses['llama_cpp_perplexity']:.4f}, ratio {losses['ratio']:.5f}, same token ids: {losses['same_ids']}: "
        + ("passed" if losses["passed"] else f"FAILED (limit {PERPLEXITY_LIMIT:.1%})")
    ]
    for item in steps["prompts"]:
        ties = ", near-ties at " + ", ".join(f"{at} ({gap})" for at, gap in item["ties"]) if item["ties"] else ""
        ending = "passed" if item["passed"] else f"FAILED (different where the gap is {item['gap']:.3f})"
        lines.append(f"greedy, {item['name']}: {item['compared']} of {item['steps']} steps compared{ties}: {ending}")
    total = sum(item["steps"] for item in steps["prompts"])
    lines.append(f"greedy: {steps['compared']} of {total} steps compared, at least 80 % are needed: "
                 + ("passed" if steps["passed"] else "FAILED"))  # fmt: skip
    return "\n".join(lines)
