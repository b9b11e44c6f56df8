"""PEFT and this project read each other's adapters.

    pip install peft
    streaming export --model runs/tuned --output /tmp/merged --dtype float32
    python3 benchmarks/peft_adapters.py compare runs/tuned/checkpoints/latest /tmp/merged

    python3 benchmarks/peft_adapters.py write BASE /tmp/adapters          # PEFT's own, with random numbers
    streaming export --model /tmp/adapters --output /tmp/merged --dtype float32
    python3 benchmarks/peft_adapters.py compare /tmp/adapters /tmp/merged

compare gives PEFT's model and the merged one the same random tokens; the last line tells how far the logits are apart, as a share of the largest.
"""
import json
import sys

import torch
from transformers import AutoModelForCausalLM

try:
    import peft
except ImportError:
    sys.exit("peft is not installed: pip install peft")


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def write(base, folder):
    torch.manual_seed(0)
    model = peft.get_peft_model(load(base), peft.LoraConfig(r=6, lora_alpha=9, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    model.save_pretrained(folder)


def compare(adapters, merged):
    base = json.load(open(f"{adapters}/adapter_config.json"))["base_model_name_or_path"]
    tuned, whole = peft.PeftModel.from_pretrained(load(base), adapters).eval(), load(merged)
    torch.manual_seed(0)
    tokens = torch.randint(5, whole.config.vocab_size, (2, 32))
    with torch.no_grad():
        one, other, plain = tuned(tokens).logits, whole(tokens).logits, load(base)(tokens).logits
    largest = other.abs().max()
    print(f"PEFT {peft.__version__}: {sum(p.numel() for n, p in tuned.named_parameters() if 'lora_' in n):,} parameters of adapters for {base}")
    print(f"the base model's logits are {((other - plain).abs().max() / largest).item():.2e} away, what PEFT makes of the adapters {((one - other).abs().max() / largest).item():.2e}")


{"write": write, "compare": compare}[sys.argv[1]](*sys.argv[2:4])
