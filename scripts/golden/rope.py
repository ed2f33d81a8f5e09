#!/usr/bin/env python3
"""Golden values of the RoPE schedules, from formulas written in NumPy independently of the Rust code.

Writes crates/loci-models/tests/fixtures/rope.json. Where torch and transformers are installed, the schedules that
transformers has too are compared with it first.

    python3 scripts/golden/rope.py
"""

import json
import math
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/loci-models/tests/fixtures/rope.json"


def stock(base, d):
    return float(base) ** (-np.arange(0, d, 2, dtype=np.float64) / d)


def giraffe(base, d, scale=1.0, power=0.0, window=None):
    f = stock(base, d) / scale
    i = np.arange(d // 2)
    f = f * (1 - i / (d / 2)) ** power
    if window is not None:
        c = 2 * math.pi / window
        f = np.where(f >= c, f, np.where(f >= c / 8, 2 * math.pi / (16 * window), 0.0))
    return f


def ntk(base, d, factor):
    return stock(base * factor ** (d / (d - 2)), d)


def dynamic(base, d, window, planned, factor):
    n = max(planned, window)
    return stock(base * (factor * n / window - (factor - 1)) ** (d / (d - 2)), d)


def yarn(base, d, window, factor, fast=32.0, slow=1.0, rounded=True):
    def where(turns):
        return d * math.log(window / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = where(fast), where(slow)
    if rounded:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, d - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(d // 2) - low) / (high - low), 0, 1)
    f = stock(base, d)
    return f / factor * ramp + f * (1 - ramp)


def llama3(base, d, window, factor, low=1.0, high=4.0):
    out = []
    for f in stock(base, d):
        length = 2 * math.pi / f
        if length < window / high:
            out.append(f)
        elif length > window / low:
            out.append(f / factor)
        else:
            smooth = (window / length - low) / (high - low)
            out.append((1 - smooth) * f / factor + smooth * f)
    return np.array(out)


def case(spec, frequencies, base, d, window, planned=0, attention_scale=1.0):
    return {
        "spec": spec,
        "base": float(base),
        "head_dim": d,
        "trained_window": window,
        "planned_tokens": planned,
        "attention_scale": attention_scale,
        "frequencies": [float(f) for f in frequencies],
    }


MODELS = [(1e4, 16, 2048), (1e4, 128, 4096), (1e5, 64, 8192), (5e5, 64, 131072)]


def cases():
    for base, d, w in MODELS:
        model = (base, d, w)
        yield case("none", stock(base, d), *model)
        yield case("linear:factor=4", stock(base, d) / 4, *model)
        yield case("linear:factor=2.5", stock(base, d) / 2.5, *model)
        yield case("ntk:factor=4", ntk(base, d, 4), *model)
        for planned in (w // 2, w, w + 1, 5 * w + 17):
            for factor in (1, 2):
                f = dynamic(base, d, w, planned, factor)
                yield case(f"dynamic-ntk:factor={factor}", f, *model, planned=planned)
        for factor, extra in ((4, {}), (32, {}), (8, {"fast": 16.0, "slow": 2.0, "rounded": False})):
            text = f"yarn:factor={factor}" + (",beta_fast=16,beta_slow=2,round=false" if extra else "")
            yield case(text, yarn(base, d, w, factor, **extra), *model, attention_scale=0.1 * math.log(factor) + 1)
        yield case("llama3", llama3(base, d, w, 8), *model)
        yield case("llama3:factor=32,original=8192", llama3(base, d, 8192, 32), *model)
        yield case("abf", stock(5e5, d), *model)
        yield case("abf:base=5000000", stock(5e6, d), *model)
        yield case("truncated", giraffe(base, d, window=w), *model)
        yield case("truncated:window=64", giraffe(base, d, window=64), *model)
        yield case("truncated:window=2048,factor=4,exponent=0.5", giraffe(base, d, 4, 0.5, 2048), *model)
        yield case("power", giraffe(base, d, power=0.5), *model)
        yield case("power:exponent=0.1,factor=2", giraffe(base, d, 2, 0.1), *model)
        for planned in (1, w, w + 1, 7 * w):
            yield case("e2", stock(base, d) / max(1, math.ceil(planned / w)), *model, planned=planned)
        yield case("e2:factor=1.5", stock(base, d) / 1.5, *model, planned=w + w // 2)


def compare_with_transformers():
    try:
        import torch
        from transformers import LlamaConfig
        from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
    except ImportError as missing:
        print(f"not compared with transformers: {missing}")
        return
    for base, d, w in MODELS:
        original = 8192
        for kind, ours, scale, parameters, length in [
            ("linear", stock(base, d) / 4, 1.0, {"factor": 4.0}, None),
            ("dynamic", dynamic(base, d, w, 5 * w + 17, 2), 1.0, {"factor": 2.0}, 5 * w + 17),
            ("dynamic", dynamic(base, d, w, w // 2, 2), 1.0, {"factor": 2.0}, w // 2),
            (
                "yarn",
                yarn(base, d, w, 4),
                0.1 * math.log(4) + 1,
                {"factor": 4.0, "original_max_position_embeddings": w},
                None,
            ),
            (
                "llama3",
                llama3(base, d, original, 32),
                1.0,
                {
                    "factor": 32.0,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0,
                    "original_max_position_embeddings": original,
                },
                None,
            ),
        ]:
            parameters = {"rope_type": kind, "rope_theta": base, **parameters}
            config = LlamaConfig(
                hidden_size=d * 2,
                num_attention_heads=2,
                head_dim=d,
                max_position_embeddings=w,
                rope_theta=base,
                rope_scaling=parameters,
            )
            theirs, their_scale = ROPE_INIT_FUNCTIONS[kind](config, torch.device("cpu"), seq_len=length)
            np.testing.assert_allclose(ours, theirs.double().numpy(), rtol=3e-6, err_msg=f"{kind} {base} {d} {w}")
            assert abs(their_scale - scale) < 1e-6, (kind, their_scale, scale)
    print("equal to transformers: linear, dynamic, yarn, llama3")


def main():
    compare_with_transformers()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(each) for each in cases())
    OUT.write_text(f"[\n{lines}\n]\n")
    print(f"wrote {OUT.name}")


if __name__ == "__main__":
    main()
