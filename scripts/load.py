"""Many clients at once against a running server: python scripts/load.py http://127.0.0.1:8080 --clients 50 --seconds 60

Each client chats over and over, half of them with streams, some leave in the middle. Counts what was answered, what a stated
limit refused (429), and what failed otherwise; the last must be 0. Prints the server's memory before, in between and after.
Nothing but Python.
"""

import argparse
import json
import random
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter


def call(url, path, body=None, timeout=600):
    """A request; the response is open."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"content-type": "application/json"})
    return urllib.request.urlopen(request, timeout=timeout)


def status(url):
    """What the server says of itself."""
    with call(url, "/v1/loci/status") as response:
        return json.load(response)


def chat(url, draw, counts, times):
    """One request, counted by what became of it."""
    words = " ".join(draw.choice(["grass", "sky", "sun", "green", "blue", "key"]) for _ in range(draw.randrange(5, 200)))
    stream, leave = draw.random() < 0.5, draw.random() < 0.1
    body = {
        "messages": [{"role": "user", "content": f"{words}. What was said?"}],
        "max_tokens": draw.randrange(1, 32),
        "temperature": draw.choice([0, 1]),
        "seed": draw.randrange(1000),
        "stream": stream,
    }
    began = time.monotonic()
    try:
        with call(url, "/v1/chat/completions", body) as response:
            if stream and leave:
                response.read(100)
                counts["left"] += 1
                return
            text = response.read().decode()
        fine = text.rstrip().endswith("[DONE]") if stream else json.loads(text)["choices"][0]["finish_reason"]
        counts["answered" if fine else "broken"] += 1
        times.append(time.monotonic() - began)
    except urllib.error.HTTPError as error:
        code = json.load(error)["error"]["code"]
        counts[f"refused: {code}" if error.code == 429 else f"failed: {error.code} {code}"] += 1
        time.sleep(0.5)
    except OSError as error:
        counts[f"failed: {error}"] += 1


def main():
    """Runs the clients and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts, times, memory = Counter(), [], [status(arguments.url)["memory"]["resident_bytes"]]
    ends = time.monotonic() + arguments.seconds

    def client(number):
        draw = random.Random(arguments.seed * 1000 + number)
        while time.monotonic() < ends:
            chat(arguments.url, draw, counts, times)

    threads = [threading.Thread(target=client, args=[number]) for number in range(arguments.clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(2)
        memory.append(status(arguments.url)["memory"]["resident_bytes"])
    after = status(arguments.url)
    times.sort()
    report = {
        "clients": arguments.clients,
        "seconds": arguments.seconds,
        "counts": dict(sorted(counts.items())),
        "median_s": round(times[len(times) // 2], 2) if times else None,
        "slowest_s": round(times[-1], 2) if times else None,
        "resident_mib": {"before": memory[0] >> 20, "highest": max(memory) >> 20, "after": memory[-1] >> 20},
        "server": {"requests": after["requests"], "tokens": after["tokens"], "speed": after["speed"]},
    }
    print(json.dumps(report, indent=1))
    bad = sum(count for what, count in counts.items() if what.startswith(("failed", "broken")))
    sys.exit(f"{bad} requests failed" if bad else 0)


main()
