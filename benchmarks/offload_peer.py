"""PyTorch with the optimiser's state on the CPU: a Transformers Mistral in bf16 on the GPU, float32 master weights and moments in host memory.

    offload_peer.py --config models/mistral-300m/config.json --micro 32 --sequences 256 [--compile] [--checkpoint]

As ZeRO-Offload does it (Ren et al. 2021), with what PyTorch itself has, and in favour of this peer where there is a choice: gradients are
summed in bf16 on the GPU; each one's copy into page-locked memory starts as soon as the last backward pass has made it; the update is
PyTorch's fused AdamW on all cores, parameter after parameter, while others are still being copied in or out. The norm of all gradients is
known before the first update, as clipping needs it.

Micro-batches and the update are timed apart, whole steps too where --steps is not 0: a step of many micro-batches is their sum.
"""
import argparse, json, time, torch
from transformers import AutoConfig, MistralForCausalLM

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--config", required=True)
parser.add_argument("--micro", type=int, default=32, help="sequences a micro-batch")
parser.add_argument("--sequences", type=int, default=256, help="sequences a step")
parser.add_argument("--block", type=int, default=1024)
parser.add_argument("--steps", type=int, default=2, help="whole steps timed; 0 times one micro-batch and one update only")
parser.add_argument("--compile", action="store_true")
parser.add_argument("--checkpoint", action="store_true", help="gradient checkpointing, layer by layer")
a = parser.parse_args()

config = AutoConfig.from_pretrained(a.config, attn_implementation="sdpa", use_cache=False)
config.sliding_window = None  # longer than the block
torch.set_default_dtype(torch.bfloat16)
with torch.device("cuda"):
    model = MistralForCausalLM(config)
if a.checkpoint:
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=dict(use_reentrant=False))
model.train()
parameters = list(model.parameters())
count = sum(p.numel() for p in parameters)
forward = torch.compile(model) if a.compile else model

master = [p.detach().float().cpu() for p in parameters]
first = [torch.zeros_like(m) for m in master]
second = [torch.zeros_like(m) for m in master]
# Page-locked rooms that gradients come into and weights go out of; as many as fit into 8 GiB, in turn.
largest, slots = max(p.numel() for p in parameters), 0
rooms, free = [], []
budget = 8 << 30
while slots < len(parameters) and (slots + 1) * largest * 2 <= budget:
    rooms.append(torch.empty(largest, dtype=torch.bfloat16, pin_memory=True)); slots += 1
inward, outward = torch.cuda.Stream(), torch.cuda.Stream()
step_number = torch.zeros((), dtype=torch.float32)


def update(learning_rate=1e-4, limit=1.0):
    norms = torch._foreach_norm([p.grad for p in parameters], dtype=torch.float32)
    norm = torch.linalg.vector_norm(torch.stack(norms))
    factor = float(torch.clamp(limit / (norm + 1e-6), max=1.0))  # waits for the last backward pass
    step_number.add_(1)
    arrived, gone = [None] * len(parameters), [None] * len(rooms)

    def fetch(i):
        room = i % len(rooms)
        if gone[room] is not None:
            gone[room].synchronize()
        with torch.cuda.stream(outward):
            rooms[room][: parameters[i].numel()].copy_(parameters[i].grad.view(-1), non_blocking=True)
            arrived[i] = torch.cuda.Event(); arrived[i].record()

    ahead = max(1, len(rooms) // 2)
    for i in range(min(ahead, len(parameters))):
        fetch(i)
    for i, p in enumerate(parameters):
        room = rooms[i % len(rooms)][: p.numel()]
        arrived[i].synchronize()
        gradient = room.float().view_as(master[i]).mul_(factor)
        torch._fused_adamw_([master[i]], [gradient], [first[i]], [second[i]], [], [step_number], lr=learning_rate, beta1=0.9, beta2=0.95,
            weight_decay=0.1, eps=1e-8, amsgrad=False, maximize=False, grad_scale=None, found_inf=None)
        room.copy_(master[i].view(-1))
        with torch.cuda.stream(inward):
            p.data.view(-1).copy_(room, non_blocking=True)
            gone[i % len(rooms)] = torch.cuda.Event(); gone[i % len(rooms)].record()
        if i + ahead < len(parameters):
            fetch(i + ahead)
    torch.cuda.synchronize()
    for p in parameters:
        p.grad = None


generator = torch.Generator().manual_seed(0)
micro_batches = a.sequences // a.micro
batches = [torch.randint(config.vocab_size, (a.micro, a.block), generator=generator) for _ in range(micro_batches)]


def micro(i):
    x = batches[i % micro_batches].cuda(non_blocking=True)
    loss = forward(input_ids=x, labels=x).loss / micro_batches
    loss.backward()
    return loss.detach()


def timed(work):
    torch.cuda.synchronize(); began = time.perf_counter(); work(); torch.cuda.synchronize()
    return time.perf_counter() - began


began = time.perf_counter()
micro(0); update()
warm = time.perf_counter() - began
micro(0)  # gradients are there: from here on micro-batches add to them
micro_seconds = min(timed(lambda: micro(1)) for _ in range(3))
update_seconds = timed(update)
whole = [timed(lambda: ([micro(i) for i in range(micro_batches)], update())) for _ in range(a.steps)]
step = sorted(whole)[len(whole) // 2] if whole else micro_batches * micro_seconds + update_seconds
print(json.dumps(dict(peer="torch, AdamW on the CPU", parameters=count, micro=a.micro, micro_batches=micro_batches, compiled=a.compile, checkpointing=a.checkpoint,
    tok_s=round(a.sequences * a.block / step), step_s=round(step, 3), measured_whole=bool(whole), micro_s=round(micro_seconds, 4), update_s=round(update_seconds, 3),
    update_share=round(update_seconds / step, 3), warm_s=round(warm, 1), peak_gib=round(torch.cuda.max_memory_allocated() / 2**30, 2),
    host_gib=round(int([l for l in open("/proc/self/status") if l.startswith("VmHWM")][0].split()[1]) / 2**20, 1), threads=torch.get_num_threads())))
