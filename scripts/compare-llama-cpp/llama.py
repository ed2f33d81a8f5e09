"""llama.cpp through llama-cpp-python's C bindings: one model, one context, logits and times.

The high-level class of that package copies all logits and hides several settings (type of the flash-attention
switch, extra buffer types, the log), which measurements need to set and see.
"""

import ctypes
import re
import time

import llama_cpp as lib
import numpy as np

F32, F16, Q8_0 = 0, 1, 8  # ggml's numbers for the rows of keys and values
KV = {"f32": F32, "f16": F16, "q8_0": Q8_0}
Q4_0 = 2  # LLAMA_FTYPE_MOSTLY_Q4_0

_log_lines = []


@lib.llama_log_callback
def _collect(_level, text, _data):
    _log_lines.append(text.decode("utf-8", "replace"))


lib.llama_log_set(_collect, None)
lib.llama_backend_init()


def log():
    """What llama.cpp has logged since the last call."""
    text = "".join(_log_lines)
    _log_lines.clear()
    return text


class LlamaError(RuntimeError):
    """llama.cpp refused."""


class Model:
    """Weights and vocabulary."""

    def __init__(self, path, repack=True):
        log()
        parameters = lib.llama_model_default_params()
        parameters.use_extra_bufts = repack
        parameters.n_gpu_layers = 0
        self.path, self.handle = str(path), lib.llama_model_load_from_file(str(path).encode(), parameters)
        self.load_log = log()
        if not self.handle:
            raise LlamaError(f"{path}: llama.cpp cannot load it\n{self.load_log[-1000:]}")
        self.vocab = lib.llama_model_get_vocab(self.handle)
        self.n_vocab = lib.llama_vocab_n_tokens(self.vocab)
        self.add_bos = bool(lib.llama_vocab_get_add_bos(self.vocab))

    def repack_buffer(self):
        """The log's line on repacked weights, or an empty string when nothing was repacked."""
        found = re.search(r"^.*(?:REPACK|AARCH64).*buffer size.*$", self.load_log, re.MULTILINE)
        return found.group(0).strip() if found else ""

    def tokenize(self, text, special=False):
        """Token ids; a first BOS only if the model's file asks for one."""
        data = text.encode()
        room = len(data) + 8
        ids = (lib.llama_token * room)()
        count = lib.llama_tokenize(self.vocab, data, len(data), ids, room, True, special)
        if count < 0:
            raise LlamaError(f"the text needs {-count} tokens, room was {room}")
        return list(ids[:count])

    def text(self, ids):
        """Text of token ids, special tokens included."""
        room = 32 * len(ids) + 64
        buffer = ctypes.create_string_buffer(room)
        array = (lib.llama_token * len(ids))(*ids)
        count = lib.llama_detokenize(self.vocab, array, len(ids), buffer, room, False, True)
        return buffer.raw[: max(count, 0)].decode("utf-8", "replace")

    def is_end(self, token):
        """Whether programs stop writing at this token."""
        return bool(lib.llama_vocab_is_eog(self.vocab, token))

    def close(self):
        """Frees the weights."""
        lib.llama_model_free(self.handle)


class Context:
    """Keys and values of one sequence, read in batches of `n_batch`."""

    def __init__(self, model, n_ctx, flash=True, kv="f16", n_batch=512, n_ubatch=None, threads=2):
        parameters = lib.llama_context_default_params()
        parameters.n_ctx = n_ctx
        parameters.n_batch = n_batch
        parameters.n_ubatch = n_ubatch or n_batch
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.type_k = parameters.type_v = KV[kv]
        parameters.no_perf = True
        self.model, self.n_ctx, self.n_batch, self.length = model, n_ctx, n_batch, 0
        log()
        self.handle = lib.llama_init_from_model(model.handle, parameters)
        self.init_log = log()
        if not self.handle:
            raise LlamaError(f"no context of {n_ctx} tokens\n{self.init_log[-1000:]}")
        self.batch = lib.llama_batch_init(n_batch, 0, 1)

    def clear(self):
        """Forgets everything read."""
        lib.llama_memory_clear(lib.llama_get_memory(self.handle), False)
        self.length = 0

    def truncate(self, length):
        """Forgets tokens from `length` on."""
        lib.llama_memory_seq_rm(lib.llama_get_memory(self.handle), 0, length, -1)
        self.length = length

    def read(self, ids, logits="last"):
        """Reads tokens. Logits `[rows, n_vocab]` of the `last` one, of `all` (a generator of batches), or `none`."""
        if logits == "all":
            return self._read_all(ids)
        rows = None
        for rows in self._batches(ids, logits == "last"):
            pass
        return rows

    def _read_all(self, ids):
        yield from self._batches(ids, True, every=True)

    def _batches(self, ids, wanted, every=False):
        n_vocab = self.model.n_vocab
        for start in range(0, len(ids), self.n_batch):
            part = ids[start : start + self.n_batch]
            last = start + len(part) == len(ids)
            batch = self.batch
            batch.n_tokens = len(part)
            for row, token in enumerate(part):
                batch.token[row], batch.pos[row] = token, self.length + row
                batch.n_seq_id[row], batch.seq_id[row][0] = 1, 0
                batch.logits[row] = wanted and (every or (last and row == len(part) - 1))
            code = lib.llama_decode(self.handle, batch)
            if code:
                raise LlamaError(f"llama_decode returned {code} at token {self.length + start}\n{log()[-1000:]}")
            lib.llama_synchronize(self.handle)
            self.length += len(part)
            if every:
                yield np.ctypeslib.as_array(lib.llama_get_logits(self.handle), (len(part), n_vocab))
            elif last:
                yield (np.ctypeslib.as_array(lib.llama_get_logits_ith(self.handle, -1), (n_vocab,)) if wanted else None)

    def greedy(self, ids, count):
        """Reads `ids` and continues; `(token, runner-up, gap of their logits)` for each of `count` steps."""
        steps, row = [], self.read(ids)
        for step in range(count):
            second, first = np.argpartition(row, -2)[-2:]
            first, second = (first, second) if row[first] >= row[second] else (second, first)
            steps.append((int(first), int(second), float(row[first] - row[second])))
            if step + 1 < count:
                row = self.read([int(first)])
        return steps

    def nll(self, ids):
        """`-ln p(ids[i] | ids[..i])` in nats for i >= 1, from an empty memory: `len(ids) - 1` numbers."""
        self.clear()
        found, start = [], 0
        for rows in self.read(ids, "all"):
            targets = np.array(ids[start + 1 : start + 1 + len(rows)])
            rows = rows[: len(targets)].astype(np.float64)
            highest = rows.max(axis=1)
            total = np.log(np.exp(rows - highest[:, None]).sum(axis=1)) + highest
            found.append(total - rows[np.arange(len(targets)), targets])
            start += self.n_batch
        return np.concatenate(found)

    def speed(self, ids, decode):
        """Tokens per second of reading `ids` into an empty memory, and of `decode` greedy tokens behind them."""
        self.clear()
        began = time.perf_counter()
        row = self.read(ids)
        token = int(np.argmax(row))
        prefill = len(ids) / (time.perf_counter() - began)
        if not decode:
            return prefill, None
        began = time.perf_counter()
        for _ in range(decode):
            token = int(np.argmax(self.read([token])))
        return prefill, decode / (time.perf_counter() - began)

    def close(self):
        """Frees the memory."""
        lib.llama_batch_free(self.batch)
        lib.llama_free(self.handle)


def quantize(source, target, ftype=Q4_0, embedding=None, output=None, pure=False, threads=2):
    """Writes `target` from `source` in another format; requantising is allowed."""
    parameters = lib.llama_model_quantize_default_params()
    parameters.nthread, parameters.ftype = threads, ftype
    parameters.allow_requantize, parameters.quantize_output_tensor, parameters.pure = True, True, pure
    if embedding is not None:
        parameters.token_embedding_type = embedding
    if output is not None:
        parameters.output_tensor_type = output
    log()
    code = lib.llama_model_quantize(str(source).encode(), str(target).encode(), parameters)
    text = log()
    if code:
        raise LlamaError(f"{source}: cannot be requantised ({code})\n{text[-1000:]}")
    return text
