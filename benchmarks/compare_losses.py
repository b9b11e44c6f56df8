"""How far loss curves lie apart: compare_losses.py REFERENCE.jsonl OTHER.jsonl..."""
import json, sys
def load(p): return {r["step"]: r for r in map(json.loads, open(p)) if "loss" in r and "step" in r}
a = load(sys.argv[1])
for p in sys.argv[2:]:
    b = load(p); c = sorted(set(a) & set(b)); d = [(abs(a[s]["loss"] - b[s]["loss"]), s) for s in c]
    print(p, "steps", len(c), "largest difference %.4f at step %d" % max(d), "mean %.5f" % (sum(x for x, _ in d) / len(d)), "steps over 0.02:", sum(x > 0.02 for x, _ in d), "mean of the last 50: %.4f / %.4f" % (sum(a[s]["loss"] for s in c[-50:]) / len(c[-50:]), sum(b[s]["loss"] for s in c[-50:]) / len(c[-50:])))
    print("   ", [(s, round(a[s]["loss"], 4), round(b[s]["loss"], 4)) for s in c if s in (1, 2, 3, 10, 30, 50, 100, 150, 200, 250, 300)])
