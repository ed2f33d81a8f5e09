"""Writes crates/loci-kernels/tests/fixtures/quant_<TYPE>.bin: random blocks of every format that Loci reads,
with the values that the Python package `gguf` (the format's reference) gives for them.

Layout: number of weights (u32), the blocks, the weights (f32), little endian.
Needs: pip install gguf numpy. Run from the root of the repository.
"""
import pathlib
import struct

import gguf
import numpy as np

FOLDER = pathlib.Path("crates/loci-kernels/tests/fixtures")
# Byte offsets of the f16 factors in a block; all other bytes may hold anything.
HALVES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def main() -> None:
    generator = np.random.default_rng(7)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ["F32", "F16", "BF16", *HALVES]:
        kind = gguf.GGMLQuantizationType[name]
        length, size = gguf.GGML_QUANT_SIZES[kind]
        if name in HALVES:
            blocks = generator.integers(0, 256, (3, size), dtype=np.uint8)
            for offset in HALVES[name]:
                factors = generator.normal(0, 0.02, (3, 1)).astype("<f2")
                blocks[:, offset:offset + 2] = factors.view(np.uint8)
        else:
            numbers = generator.normal(0, 1, (1, 40)).astype("<f4")
            blocks = {"F32": numbers.view(np.uint8), "F16": numbers.astype("<f2").view(np.uint8),
                      "BF16": gguf.quants.quantize(numbers, kind).view(np.uint8)}[name]
        if name == "F32":
            weights = numbers
        elif name == "F16":
            weights = numbers.astype("<f2").astype("<f4")
        else:
            weights = gguf.quants.dequantize(blocks, kind)
        raw = blocks.tobytes()
        assert weights.size == len(raw) // size * length
        output = struct.pack("<I", weights.size) + raw + weights.astype("<f4").tobytes()
        (FOLDER / f"quant_{name}.bin").write_bytes(output)


if __name__ == "__main__":
    main()
