"""The `loci` binary as a subprocess with JSON answers, and a description of this machine."""

import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path

FLAGS = ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "avx_vnni",
         "amx_int8", "asimddp", "i8mm", "sve"]  # fmt: skip


class LociError(RuntimeError):
    """The binary failed, or answered something else than one JSON object."""


class Loci:
    """Calls one binary with one model; `kv` (the format of keys and values) is the same in every call, so that what
    is measured is what was compared."""

    def __init__(self, binary, model, threads=2, kv=None):
        self.binary = str(binary)
        self.common = ["-m", model, "--threads", threads, *(["--kv", kv] if kv else [])]
        if not Path(self.binary).is_file():
            raise LociError(f"{binary} is not there; build it with `cargo build --release` or name it with --loci")

    def with_rows(self, kv):
        """The same binary and model with keys and values in another format."""
        other = object.__new__(Loci)
        other.binary = self.binary
        at = self.common.index("--kv") if "--kv" in self.common else len(self.common)
        other.common = [*self.common[:at], *self.common[at + 2 :], "--kv", kv]
        return other

    def call(self, *arguments):
        """Standard output of `loci ARGUMENTS`."""
        command = [self.binary, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise LociError(f"{' '.join(command)[:300]}: exit code {done.returncode}\n{done.stderr[-1500:]}")
        return done.stdout

    def json(self, *arguments):
        """The JSON object that `loci ARGUMENTS --json` prints."""
        text = self.call(*arguments, "--json")
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            command = " ".join(map(str, arguments))[:300]
            raise LociError(f"loci {command}: not one JSON object: {error}\n{text[:300]}") from error

    def version(self):
        """First line of `loci --version`."""
        return self.call("--version").splitlines()[0]

    def speed(self, method, length, decode):
        """One repeat of `bench speed`: tokens/s of prefill and decode (`None` when not asked), the whole answer."""
        answer = self.json("bench", "speed", *self.common, "--lengths", length, "--methods", method,
                           "--repeats", 1, "--decode", decode)  # fmt: skip
        result = answer["results"][0]
        if result.get("error"):
            raise LociError(f"{method} at {length}: {result['error']}")
        if (result["length"], result["requested"]) != (length, method):
            raise LociError(f"asked for {method} at {length}, measured was {result['requested']} at {result['length']}")
        decoded = result["decode_tokens_per_s"]
        return result["prefill_tokens_per_s"][0], decoded[0] if decoded else None, answer

    def flat(self, method, lengths):
        """`bench flat`: decode after all lengths by turns, the whole answer."""
        return self.json("bench", "flat", *self.common, "--method", method, "--lengths", ",".join(map(str, lengths)))

    def greedy(self, prompt, count):
        """Token ids of a greedy continuation of raw text; fewer than `count` where an end token came."""
        return self.json("run", *self.common, "--raw", "--temperature", 0, "-n", count, "-p", prompt)["tokens"]

    def score(self, text, n_ctx):
        """`score --per-token` of a text: the whole answer."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "text.txt"
            path.write_text(text)
            return self.json("score", path, *self.common, "--n-ctx", n_ctx, "--per-token")


def machine(threads):
    """What a result depends on besides the programs."""
    info = {"processor": platform.processor() or platform.machine(), "flags": []}
    for line in _lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            info["processor"] = value.strip()
        if name.strip() in ("flags", "Features"):
            info["flags"] = [flag for flag in FLAGS if flag in value.split()]
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal"):
            info["memory_bytes"] = int(line.split()[1]) * 1024
    return {**info, "cpus": os.cpu_count(), "threads": threads, "system": f"{platform.system()} {platform.release()}",
            "load_at_start": round(os.getloadavg()[0], 2)}  # fmt: skip


def _lines(path):
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
