"""Transformers on the blocks that our own text path makes, from the same weights, with the same schedule: the loss of every step.

    hf_real_text.py write WEIGHTS                             writes the initial weights to the folder WEIGHTS
    hf_real_text.py train WEIGHTS IDS OUT [--steps 300] ...   trains on IDS (a line of token ids a sentence), a JSON line a step to OUT

IDS comes from: xz -dc TEXT... | streaming normalize | streaming tokenize --tokenizer MODEL > IDS

How far two runs of Transformers itself lie apart shows what agreement can be asked of anyone else. The same mathematics rounded elsewhere:
    --attention flash|cudnn|efficient|math   another attention kernel
    --micro 16                               the same 64 rows of a step in other micro-batches
    --compile none                           without torch.compile, which leaves out roundings between fused operations
    --precision float32                      no bf16 at all
"""
import argparse, contextlib, json, math, time, torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import MistralConfig, MistralForCausalLM, get_cosine_schedule_with_warmup
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
commands = parser.add_subparsers(dest="mode", required=True)
commands.add_parser("write").add_argument("weights")
train = commands.add_parser("train")
for name in ("weights", "ids", "out"): train.add_argument(name)
train.add_argument("--steps", type=int, default=300); train.add_argument("--warmup", type=int, default=30)
train.add_argument("--schedule-steps", type=int, default=300); train.add_argument("--epsilon", type=float, default=1e-8)
train.add_argument("--micro", type=int, default=32, choices=[1, 2, 4, 8, 16, 32, 64])
train.add_argument("--attention", default="auto", choices=["auto", "flash", "cudnn", "efficient", "math"])
train.add_argument("--compile", default="default", choices=["default", "none"])
train.add_argument("--precision", default="bf16", choices=["bf16", "float32"])
a = parser.parse_args()
rows, block = 64, 1024
cfg = MistralConfig(vocab_size=50257, hidden_size=1024, intermediate_size=2400, num_hidden_layers=24, num_attention_heads=16, num_key_value_heads=8,
    max_position_embeddings=4096, sliding_window=None, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=False, use_cache=False, attn_implementation="sdpa")
if a.mode == "write":
    torch.manual_seed(0); MistralForCausalLM(cfg).save_pretrained(a.weights); raise SystemExit
torch.set_float32_matmul_precision("high" if a.precision == "bf16" else "highest")
kernels = dict(flash=SDPBackend.FLASH_ATTENTION, cudnn=SDPBackend.CUDNN_ATTENTION, efficient=SDPBackend.EFFICIENT_ATTENTION, math=SDPBackend.MATH)
attention = lambda: contextlib.nullcontext() if a.attention == "auto" else sdpa_kernel(kernels[a.attention])
m = MistralForCausalLM.from_pretrained(a.weights, config=cfg, dtype=torch.float32).cuda()
ids = []
for line in open(a.ids): ids.extend(map(int, line.split())); ids.append(3)
accum, need = rows // a.micro, a.steps * rows * block
t = torch.tensor(ids, dtype=torch.int32); print("tokens an epoch", len(t), flush=True)
t = t.repeat(math.ceil(need / len(t)))[:need].view(a.steps, accum, a.micro, block)
opt = torch.optim.AdamW(m.parameters(), lr=6e-4, betas=(0.9, 0.95), eps=a.epsilon, weight_decay=0.1, fused=True)
sch = get_cosine_schedule_with_warmup(opt, a.warmup, a.schedule_steps)
f = torch.compile(m) if a.compile == "default" else m
out = open(a.out, "w"); t0 = time.time()
for s in range(a.steps):
    tot = 0.0
    for i in range(accum):
        x = t[s, i].long().cuda()
        with attention():
            with torch.autocast("cuda", torch.bfloat16, enabled=a.precision == "bf16"): loss = f(input_ids=x, labels=x).loss / accum
            loss.backward()
        tot += loss.detach()
    n = torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0); opt.step(); sch.step(); opt.zero_grad(set_to_none=True)
    out.write(json.dumps(dict(step=s + 1, loss=float(tot), gradient_norm=float(n), seconds=time.time() - t0)) + "\n"); out.flush()
print("hf", a.steps, "steps in", round(time.time() - t0, 1), "s", flush=True)
