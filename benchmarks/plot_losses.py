"""Loss curves as a picture, and how far they lie from the first: plot_losses.py OUT.svg NAME=RUN.jsonl NAME=RUN.jsonl..."""
import json, sys

COLOURS, WIDTH, LEFT, RIGHT, TOP = ["#777777", "#1f6fd0", "#d0451f", "#2a9d4a"], 760, 60, 740, 20
out, curves = sys.argv[1], []
for argument in sys.argv[2:]:
    name, path = argument.split("=", 1)
    curves.append((name, {r["step"]: r["loss"] for r in map(json.loads, open(path)) if "loss" in r}))
steps = sorted(curves[0][1])


def panel(lines, series, top, height, low, high, ticks, title):
    """One set of axes; series are (colour, [(step, value)])."""
    x = lambda step: LEFT + (RIGHT - LEFT) * (step - steps[0]) / (steps[-1] - steps[0])
    y = lambda value: top + height * (1 - (min(max(value, low), high) - low) / (high - low))
    for tick in ticks:
        lines.append(f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#dddddd"/><text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for step in [steps[0]] + [s for s in steps if s % 50 == 0]:
        lines.append(f'<text x="{x(step):.1f}" y="{top + height + 16}" text-anchor="middle">{step}</text>')
    lines.append(f'<text x="14" y="{top + height / 2}" transform="rotate(-90 14 {top + height / 2})" text-anchor="middle">{title}</text>')
    for colour, points in series:
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.3" points="' + " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in points) + '"/>')


lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 590" font-family="sans-serif" font-size="12"><rect width="{WIDTH}" height="590" fill="white"/>']
panel(lines, [(c, sorted(curve.items())) for c, (_, curve) in zip(COLOURS, curves)], TOP, 320, 7, 11.2, range(7, 12), "training loss, nats per token")
first = curves[0][1]
apart = [(c, [(s, curve[s] - first[s]) for s in steps if s in curve]) for c, (_, curve) in list(zip(COLOURS, curves))[1:]]
widest = next((w for w in (0.005, 0.02, 0.1) if all(abs(d) <= w for _, points in apart for _, d in points)), 0.1)
panel(lines, apart, 385, 150, -widest, widest, [-widest, -widest / 2, 0, widest / 2, widest], f"difference from {curves[0][0]}")
for i, (colour, (name, _)) in enumerate(zip(COLOURS, curves)):
    lines.append(f'<line x1="560" x2="590" y1="{40 + 18 * i}" y2="{40 + 18 * i}" stroke="{colour}" stroke-width="2"/><text x="598" y="{44 + 18 * i}">{name}</text>')
lines.append(f'<text x="{(LEFT + RIGHT) / 2}" y="578" text-anchor="middle">optimiser step (65,536 tokens each)</text></svg>')
open(out, "w").write("\n".join(lines) + "\n")

for name, curve in curves[1:]:
    common = [s for s in steps if s in curve]
    means = [abs(sum(first[s] - curve[s] for s in common[k:k + 10])) / 10 for k in range(0, len(common) - 9, 10)]
    single = [abs(first[s] - curve[s]) for s in common]
    print(f"{name}: largest difference {max(single):.4f} at step {common[single.index(max(single))]}, {sum(d > 0.02 for d in single)} of {len(single)} steps over 0.02; "
          f"means over 10 steps {max(means):.4f} at most; mean of the last 50 {sum(curve[s] for s in common[-50:]) / 50:.4f}, {sum(first[s] for s in common[-50:]) / 50:.4f}")
