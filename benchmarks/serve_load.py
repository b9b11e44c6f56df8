"""Concurrent requests to `streaming serve`: tokens a second of all together, and when the first one comes.

    streaming serve --model MODEL --port 8000
    python3 benchmarks/serve_load.py --port 8000 --requests 64 [--stream] [--body '{"temperature": 0.9, "top_k": 50, "top_p": 0.95}']

All requests leave at once; each asks for as many tokens and does not end before.
"""
import argparse
import http.client
import json
import statistics
import threading
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--port", type=int, default=8000)
parser.add_argument("--requests", type=int, default=64)
parser.add_argument("--tokens", type=int, default=256)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--stream", action="store_true")
parser.add_argument("--body", type=json.loads, default={}, help="further fields, as JSON")
a = parser.parse_args()


def ask(index, ready, results, failures):
    body = {"prompt": f"日本の首都{index}は", "max_tokens": a.tokens, "ignore_eos": True, "seed": index, "stream": a.stream, **a.body}
    if a.stream:
        body["stream_options"] = {"include_usage": True}
    connection = http.client.HTTPConnection("127.0.0.1", a.port, timeout=300)
    ready.wait()
    began = time.perf_counter()
    try:
        connection.request("POST", "/v1/completions", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
    except OSError as failure:
        failures.append(f"port {a.port}: {failure}")
        return
    if answer.status != 200:
        failures.append(f"{answer.status}: {answer.read()[:300].decode()}")
        return
    first, last = None, None
    for line in answer if a.stream else [b"data: " + answer.read()]:
        if line.startswith(b"data: {"):
            first = first or time.perf_counter() - began
            last = line
    results.append((json.loads(last[6:])["usage"]["completion_tokens"], first))


for _ in range(a.rounds):
    ready, results, failures = threading.Barrier(a.requests + 1), [], []
    threads = [threading.Thread(target=ask, args=(index, ready, results, failures)) for index in range(a.requests)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if failures:
        raise SystemExit(f"{len(failures)} of {a.requests} requests failed, the first with {failures[0]}")
    tokens = sum(count for count, _ in results)
    print(f"{len(results)} of {a.requests} requests, {tokens:,} tokens in {seconds:.3f} s: {tokens / seconds:,.0f} tokens/s, first {'token' if a.stream else 'answer'} after {statistics.median(first for _, first in results) * 1000:.1f} ms in the median")
