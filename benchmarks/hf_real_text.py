"""Transformers on the blocks that our own text path makes, from the same weights, with the same schedule: the loss of every step.

    hf_real_text.py write 0 0 WEIGHTS                  writes the initial weights to the folder WEIGHTS
    hf_real_text.py train STEPS WARMUP WEIGHTS IDS OUT  trains on IDS (a line of token ids a sentence), a JSON line a step to OUT

IDS comes from: xz -dc TEXT... | streaming normalize | streaming tokenize --tokenizer MODEL > IDS
"""
import json, math, sys, time, torch
from transformers import MistralConfig, MistralForCausalLM, get_cosine_schedule_with_warmup
mode, steps, warmup = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
micro, accum, block = 32, 2, 1024
cfg = MistralConfig(vocab_size=50257, hidden_size=1024, intermediate_size=2400, num_hidden_layers=24, num_attention_heads=16, num_key_value_heads=8,
    max_position_embeddings=4096, sliding_window=None, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=False, use_cache=False, attn_implementation="sdpa")
torch.set_float32_matmul_precision("high")
if mode == "write":
    torch.manual_seed(0); MistralForCausalLM(cfg).save_pretrained(sys.argv[4]); sys.exit()
m = MistralForCausalLM.from_pretrained(sys.argv[4], config=cfg, dtype=torch.float32).cuda()
ids = []
for line in open(sys.argv[5]): ids.extend(map(int, line.split())); ids.append(3)
need = steps * micro * accum * block
t = torch.tensor(ids, dtype=torch.int32); print("tokens an epoch", len(t), flush=True)
t = t.repeat(math.ceil(need / len(t)))[:need].view(steps, accum, micro, block)
opt = torch.optim.AdamW(m.parameters(), lr=6e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, fused=True)
sch = get_cosine_schedule_with_warmup(opt, warmup, 300)
f = torch.compile(m); out = open(sys.argv[6], "w"); t0 = time.time()
for s in range(steps):
    tot = 0.0
    for a in range(accum):
        x = t[s, a].long().cuda()
        with torch.autocast("cuda", torch.bfloat16): loss = f(input_ids=x, labels=x).loss / accum
        loss.backward(); tot += loss.detach()
    n = torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0); opt.step(); sch.step(); opt.zero_grad(set_to_none=True)
    out.write(json.dumps(dict(step=s + 1, loss=float(tot), gradient_norm=float(n), seconds=time.time() - t0)) + "\n"); out.flush()
print("hf", steps, "steps in", round(time.time() - t0, 1), "s", flush=True)
