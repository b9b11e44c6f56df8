"""Loads a checkpoint of adapters with PEFT and compares it with the model that `streaming export` makes of it.

    pip install peft
    streaming export --model runs/tuned --output /tmp/merged --dtype float32
    python3 benchmarks/peft_adapters.py runs/tuned/checkpoints/latest /tmp/merged

Both are given the same random tokens; the last line tells how far the logits are apart, as a share of the largest.
"""
import json
import sys

import torch
from transformers import AutoModelForCausalLM

try:
    from peft import PeftModel
except ImportError:
    sys.exit("peft is not installed: pip install peft")

adapters, merged = sys.argv[1:3]
base = json.load(open(f"{adapters}/adapter_config.json"))["base_model_name_or_path"]
tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapters).eval()
whole = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).eval()
torch.manual_seed(0)
tokens = torch.randint(5, whole.config.vocab_size, (2, 32))
with torch.no_grad():
    one, other = tuned(tokens).logits, whole(tokens).logits
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()(tokens).logits
largest = other.abs().max()
print(f"adapters: {sum(p.numel() for n, p in tuned.named_parameters() if 'lora_' in n):,} parameters for {base}")
print(f"the base model's logits are {((other - plain).abs().max() / largest).item():.2e} away, what PEFT makes of the adapters {((one - other).abs().max() / largest).item():.2e}")
