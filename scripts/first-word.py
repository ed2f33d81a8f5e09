"""How soon a follow-up question is answered: python scripts/first-word.py http://127.0.0.1:8080 --tokens 16000 [--text FILE]

A text of about so many tokens is given to a running server to read, then asked several questions as streams; told is the
time from each request to the first word of its answer, beside the time that reading took. The reading is removed again.
Prints one JSON object. Nothing but Python.
"""

import argparse
import json
import statistics
import time
import urllib.request
from pathlib import Path

FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n"
NEEDLE = "The pass key is 71432. Remember it. 71432 is the pass key.\n"
QUESTIONS = ["What is the pass key?", "Of what colour is the grass?", "Of what colour is the sky?", "What comes again?"]


def call(url, path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"content-type": "application/json"}, method=method)
    return urllib.request.urlopen(request, timeout=3600)


def load(url, path, body=None, method=None):
    with call(url, path, body, method) as response:
        return json.load(response)


def ask(url, reading, question):
    """Seconds to the first word, tokens that were read for it, and the answer."""
    body = {
        "messages": [{"role": "user", "content": question}],
        "max_tokens": 12,
        "stream": True,
        "stream_options": {"include_usage": True},
        "loci": {"reading": reading},
    }
    began, first, words, report = time.monotonic(), None, "", {}
    with call(url, "/v1/chat/completions", body) as response:
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line[6:])
            report = chunk.get("loci") or report
            for choice in chunk["choices"]:
                piece = choice["delta"].get("content") or ""
                if piece and first is None:
                    first = time.monotonic() - began
                words += piece
    return {"question": question, "first_word_s": first, "read_tokens": report["timing"]["prefill_tokens"], "answer": words}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--tokens", type=int, default=16000)
    parser.add_argument("--text", type=Path, help="a file whose beginning is read instead of a made text")
    parser.add_argument("--method", default="inf-llm")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    url = arguments.url.rstrip("/")
    text = arguments.text.read_text() if arguments.text else FILLER * (arguments.tokens // 20)
    # Cut where the server's own tokens say.
    count = lambda text: len(load(url, "/v1/tokenize", {"text": text})["tokens"])
    text = text[: len(text) * arguments.tokens // count(text)]
    half = text.find("\n", len(text) // 2) + 1
    text = text[:half] + NEEDLE + text[half:]
    began = time.monotonic()
    body = {"documents": [{"name": "text.txt", "text": text}], "method": arguments.method}
    reading = load(url, "/v1/loci/readings", body)["id"]
    while (view := load(url, f"/v1/loci/readings/{reading}"))["status"] in ("queued", "reading"):
        time.sleep(0.1)
    read_s = time.monotonic() - began
    if view["status"] != "ready":
        raise SystemExit(view["error"])
    answers = [ask(url, reading, question) for _ in range(arguments.rounds) for question in QUESTIONS]
    load(url, f"/v1/loci/readings/{reading}", method="DELETE")
    first = [answer["first_word_s"] for answer in answers]
    found = {
        "tokens": view["tokens"],
        "method": view["method"],
        "read_s": read_s,
        "first_word_s": {"median": statistics.median(first), "worst": max(first), "n": len(first)},
        "answers": answers[: len(QUESTIONS)],
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
