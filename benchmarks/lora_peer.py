"""LoRA in PyTorch and Transformers: every linear layer of the layers wrapped as PEFT wraps it, AdamW on the adapters, bf16 base.

    python3 benchmarks/lora_peer.py --model FOLDER --micro 8 --accumulate 4 --steps 3 [--rank 16] [--checkpoint] [--compile]
"""
import argparse, json, time
import torch
from torch import nn
from transformers import AutoModelForCausalLM

a = argparse.ArgumentParser()
a.add_argument("--model"); a.add_argument("--micro", type=int, default=8); a.add_argument("--accumulate", type=int, default=4)
a.add_argument("--steps", type=int, default=3); a.add_argument("--rank", type=int, default=16); a.add_argument("--block", type=int, default=1024)
a.add_argument("--checkpoint", action="store_true"); a.add_argument("--compile", action="store_true")
a = a.parse_args()


class Adapted(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.a = nn.Linear(base.in_features, a.rank, bias=False, device="cuda", dtype=torch.float32)
        self.b = nn.Linear(a.rank, base.out_features, bias=False, device="cuda", dtype=torch.float32)
        nn.init.kaiming_uniform_(self.a.weight, a=5 ** 0.5)
        nn.init.zeros_(self.b.weight)

    def forward(self, x):
        return self.base(x) + self.b(self.a(x)) * (16 / a.rank)


torch.backends.cuda.matmul.allow_tf32 = True
model = AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.bfloat16, attn_implementation="sdpa").cuda()
model.requires_grad_(False)
model.config.use_cache = False
for layer in model.model.layers:
    for part in (layer.self_attn, layer.mlp):
        for name, child in list(part.named_children()):
            if isinstance(child, nn.Linear):
                setattr(part, name, Adapted(child))
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=6e-4, fused=True)
if a.checkpoint:
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.enable_input_require_grads()
model.train()
run = torch.compile(model) if a.compile else model
tokens = torch.randint(0, model.config.vocab_size, (a.accumulate, a.micro, a.block), device="cuda")
times = []
for step in range(a.steps + 1):
    torch.cuda.synchronize(); began = time.time()
    for batch in tokens:
        with torch.autocast("cuda", torch.bfloat16):
            loss = run(input_ids=batch, labels=batch).loss / a.accumulate
        loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step(); optimizer.zero_grad(set_to_none=True)
    torch.cuda.synchronize(); times.append(time.time() - began)
best = sorted(times[1:])[len(times[1:]) // 2]
print(json.dumps({"peer": "torch + transformers LoRA", "compile": a.compile, "checkpoint": a.checkpoint, "micro": a.micro, "trained": sum(p.numel() for p in trained),
                  "tok_s": round(tokens.numel() / best), "step_s": round(best, 3), "peak_gib": round(torch.cuda.max_memory_reserved() / 2**30, 2), "loss": round(loss.item() * a.accumulate, 3)}))
