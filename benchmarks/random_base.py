"""Writes a Mistral folder with random bf16 weights, to measure with: random_base.py CONFIG.json FOLDER"""
import json
import os
import sys

import torch
from safetensors.torch import save_file

config, folder = json.load(open(sys.argv[1])), sys.argv[2]
device = "cuda" if torch.cuda.is_available() else "cpu"
hidden, inner, vocabulary, layers = (config[key] for key in ("hidden_size", "intermediate_size", "vocab_size", "num_hidden_layers"))
head = config.get("head_dim") or hidden // config["num_attention_heads"]
queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
os.makedirs(folder, exist_ok=True)
json.dump(config, open(f"{folder}/config.json", "w"))
torch.manual_seed(0)
files = {}


def matrix(*shape):
    return (torch.randn(*shape, device=device, dtype=torch.bfloat16) * 0.02).cpu()


def norm():
    return torch.ones(hidden, dtype=torch.bfloat16)


def save(name, tensors):
    save_file(tensors, f"{folder}/{name}", metadata={"format": "pt"})
    files.update({tensor: name for tensor in tensors})


save("model-ends.safetensors", {"model.embed_tokens.weight": matrix(vocabulary, hidden), "lm_head.weight": matrix(vocabulary, hidden), "model.norm.weight": norm()})
for start in range(0, layers, 8):
    tensors = {}
    for layer in range(start, min(layers, start + 8)):
        prefix = f"model.layers.{layer}."
        tensors |= {
            prefix + "self_attn.q_proj.weight": matrix(queries, hidden),
            prefix + "self_attn.k_proj.weight": matrix(keys, hidden),
            prefix + "self_attn.v_proj.weight": matrix(keys, hidden),
            prefix + "self_attn.o_proj.weight": matrix(hidden, queries),
            prefix + "mlp.gate_proj.weight": matrix(inner, hidden),
            prefix + "mlp.up_proj.weight": matrix(inner, hidden),
            prefix + "mlp.down_proj.weight": matrix(hidden, inner),
            prefix + "input_layernorm.weight": norm(),
            prefix + "post_attention_layernorm.weight": norm(),
        }
    save(f"model-{start:02d}.safetensors", tensors)
json.dump({"metadata": {"total_size": 0}, "weight_map": files}, open(f"{folder}/model.safetensors.index.json", "w"))
