"""What clients cost a training: a thousand idle connections, twenty that never read, a scrape a second.

    bad_clients.py STREAMING [--rounds 5] [--seconds 12] [-- SETTINGS...]

Starts `STREAMING train` on the built-in sample and takes turns: so many seconds alone, so many beside the clients. Prints the rates of both,
the median of the ratios, and the size and time of a scrape. SETTINGS go to the run as --set does.
"""
import argparse, json, re, socket, statistics, subprocess, tempfile, time, urllib.request

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("streaming"); parser.add_argument("settings", nargs="*")
parser.add_argument("--rounds", type=int, default=5); parser.add_argument("--seconds", type=float, default=12)
a = parser.parse_args()
folder = tempfile.mkdtemp()
settings = ["training.max-steps=10000000", "training.eval-steps=0", "training.save-steps=0", "metrics.port=0", f"run.directory={folder}/run", *a.settings]
run = subprocess.Popen([a.streaming, "train", *[part for s in settings for part in ("--set", s)]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
for line in run.stdout:
    print(line, end="")
    if found := re.search(r"metrics: http://([\d.]+):(\d+)/metrics", line): address = (found[1], int(found[2]))
    if line.startswith("step "): break
get = lambda path: urllib.request.urlopen(f"http://{address[0]}:{address[1]}{path}", timeout=30).read()
status = lambda: json.loads(get("/api/status"))["step"]


def rate(scrapes):
    """Steps a second."""
    began, first = time.perf_counter(), status()
    while time.perf_counter() - began < a.seconds:
        if scrapes: get("/metrics")
        time.sleep(1)
    return (status() - first) / (time.perf_counter() - began)


def clients():
    sockets = [socket.create_connection(address) for _ in range(1020)]
    for deaf in sockets[:20]: deaf.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return sockets


try:
    import threading; threading.Thread(target=lambda: [None for _ in run.stdout], daemon=True).start()
    rate(False)
    alone, beside = [], []
    for _ in range(a.rounds):
        alone.append(rate(False))
        sockets = clients()
        beside.append(rate(True))
        for s in sockets: s.close()
    print("steps a second alone:", *(f"{r:.2f}" for r in alone)); print("beside the clients: ", *(f"{r:.2f}" for r in beside))
    print(f"median ratio {statistics.median(b / a for a, b in zip(alone, beside)):.4f}")
    times = []
    for _ in range(50): began = time.perf_counter(); text = get("/metrics"); times.append(time.perf_counter() - began)
    samples = sum(1 for line in text.decode().splitlines() if line and line[0] != "#")
    print(f"a scrape: {samples} samples, {len(text)} bytes, median {statistics.median(times) * 1e3:.1f} ms; the page: {len(get('/'))} bytes of HTML")
finally:
    run.terminate(); run.wait()
