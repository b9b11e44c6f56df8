"""What Transformers makes of a model's folder, and folders as Transformers writes them; commands are parted by a +.

    transformers_folders.py make CONFIG FOLDER [dtype=bfloat16] [shard=100MB] [tokenizer=PAIRS.model] [seed=0]
    transformers_folders.py expect FOLDER [only=REGEX]       writes FOLDER/expected.safetensors: logits, losses, gradients, greedy tokens
    transformers_folders.py load FOLDER [like=FOLDER] [dtype=float32]      keys that miss, are too many or misfit; logits beside those of another
    transformers_folders.py greedy FOLDER OURS [dtype=float32] [device=cpu]      beside `streaming generate --model FOLDER --greedy --ignore-eos --jsonl > OURS`

`make` draws random weights; with a byte-pair model of SentencePiece it also writes the tokenizer's files as Mistral 7B v0.1 has them.
A folder with expected.safetensors is a reference of tests/Model.Tests: STREAMING_TRANSFORMERS_REFERENCES=FOLDER:FOLDER dotnet test
tests/Model.Tests --filter FullyQualifiedName~TransformersReferenceSpec
"""
import json
import re
import shutil
import sys

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

ROWS, LENGTH, PROMPT, ADDED = 2, 24, 8, 24


def open_model(folder, dtype="float32", device="cpu", info=False):
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), attn_implementation="eager", output_loading_info=info)
    model, *rest = loaded if info else (loaded,)
    return (model.to(device).eval(), *rest)


def random_tokens(config):
    return torch.randint(0, config.vocab_size, (ROWS, LENGTH), generator=torch.Generator().manual_seed(7))


def make(config, folder, dtype="float32", shard="5GB", tokenizer=None, seed="0"):
    torch.manual_seed(int(seed))
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(config), dtype=getattr(torch, dtype))
    model.save_pretrained(folder, max_shard_size=shard)
    files = sorted(__import__("pathlib").Path(folder).glob("*.safetensors"))
    names = [name for file in files for name in safe_open(file, "pt").keys()]
    print(f"{folder}: {type(model).__name__}, {len(files)} files; layer 0 as written:", *sorted({re.sub(r'experts\.\d+', 'experts.N', n) for n in names if ".layers.0." in n}))
    if tokenizer:
        write_tokenizer(tokenizer, folder)


def write_tokenizer(path, folder):
    import sentencepiece
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
    shutil.copy(path, f"{folder}/tokenizer.model")
    source = sentencepiece.SentencePieceProcessor(model_file=path)
    pieces = [(source.id_to_piece(i), source.get_score(i)) for i in range(source.vocab_size())]
    ids = {piece: i for i, (piece, _) in enumerate(pieces)}
    splits = [(-score, ids[piece[:cut]], piece[:cut], piece[cut:]) for piece, score in pieces[259:] for cut in range(1, len(piece)) if piece[:cut] in ids and piece[cut:] in ids]
    library = Tokenizer(models.BPE(ids, [pair[2:] for pair in sorted(splits)], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    special = {name: AddedToken(name, normalized=False, special=True) for name in ("<unk>", "<s>", "</s>")}
    library.add_special_tokens(list(special.values()))
    library.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    library.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    library.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    library.save(f"{folder}/tokenizer.json")
    fields = dict(lstrip=False, normalized=False, rstrip=False, single_word=False)
    roles = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    with open(f"{folder}/tokenizer_config.json", "w") as file:
        json.dump({
            "add_bos_token": True, "add_eos_token": False, "additional_special_tokens": [], "clean_up_tokenization_spaces": False, "legacy": True,
            "added_tokens_decoder": {str(i): {"content": name, "special": True, **fields} for i, name in enumerate(special)}, **roles, "pad_token": None,
            "model_max_length": 1000000000000000019884624838656, "sp_model_kwargs": {}, "spaces_between_special_tokens": False,
            "tokenizer_class": "LlamaTokenizer", "use_default_system_prompt": False}, file, indent=2)
    with open(f"{folder}/special_tokens_map.json", "w") as file:
        json.dump({role: {"content": name, **fields} for role, name in roles.items()}, file, indent=2)


def expect(folder, only=""):
    model, = open_model(folder)
    ids = random_tokens(model.config)
    with_experts = hasattr(model.config, "num_local_experts")
    expected = {"input_ids": ids, "logits": model(ids).logits.detach()}
    for prefix, arguments in [("", {"output_router_logits": False} if with_experts else {}), ("balanced_", {"output_router_logits": True})][:1 + with_experts]:
        model.zero_grad()
        loss = model(ids, labels=ids, **arguments).loss
        loss.backward()
        expected[prefix + "loss"] = loss.detach()
        for name, gradient in gradients(model):
            if re.search(only, name):
                expected[f"{prefix}grad.{name}"] = gradient.clone()
    with torch.no_grad():
        expected["prompt"] = ids[:1, :PROMPT]
        expected["greedy"] = model.generate(ids[:1, :PROMPT], do_sample=False, max_new_tokens=ADDED, eos_token_id=None)
    save_file({name: value.clone().contiguous() for name, value in expected.items()}, f"{folder}/expected.safetensors")
    print(f"{folder}: loss {expected['loss'].item():.6f}, with balancing {expected.get('balanced_loss', expected['loss']).item():.6f}, {len(expected)} tensors expected")


def gradients(model):
    """Those of the experts by the names of Mixtral's files, one expert each."""
    for name, parameter in model.named_parameters():
        layer = name.split("mlp.")[0].split("block_sparse_moe.")[0] + "block_sparse_moe."
        if name.endswith("experts.gate_up_proj"):
            for expert, both in enumerate(parameter.grad):
                first, third = both.chunk(2)
                yield f"{layer}experts.{expert}.w1.weight", first
                yield f"{layer}experts.{expert}.w3.weight", third
        elif name.endswith("experts.down_proj"):
            for expert, second in enumerate(parameter.grad):
                yield f"{layer}experts.{expert}.w2.weight", second
        else:
            yield name.replace("mlp.gate.weight", "block_sparse_moe.gate.weight"), parameter.grad


def load(folder, like=None, dtype="float32"):
    model, info = open_model(folder, dtype, info=True)
    ids = random_tokens(model.config)
    wrong = {key: sorted(map(str, value)) for key, value in info.items() if value}
    said = f"{folder}: {type(model).__name__} loads, " + (f"with {wrong}" if wrong else "no key missing, unexpected or mismatched")
    if like:
        other, = open_model(like, dtype)
        with torch.no_grad():
            one, two = model(ids).logits.float(), other(ids).logits.float()
        said += f"; logits in {dtype} against {like}: largest difference {(one - two).abs().max().item():.3g} of {two.abs().max().item():.3g}"
    print(said)


@torch.no_grad()
def greedy(folder, ours, dtype="float32", device="cpu"):
    model, = open_model(folder, dtype, device)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ends = [model.config.eos_token_id]  # as --ignore-eos
    texts = equal = tokens = same = 0
    for text in map(json.loads, open(ours, encoding="utf-8")):
        ids = torch.tensor([tokenizer.encode(text["prompt"])], device=device)
        theirs = model.generate(ids, do_sample=False, max_new_tokens=len(text["token_ids"]), suppress_tokens=ends)[0, ids.shape[1]:].tolist()
        mine = text["token_ids"]
        agreed = next((i for i, (a, b) in enumerate(zip(mine, theirs)) if a != b), min(len(mine), len(theirs)))
        texts, equal, tokens, same = texts + 1, equal + (mine == theirs), tokens + len(mine), same + agreed
        if ids.shape[1] != text["prompt_tokens"]:
            print(f"  prompt of {text['prompt_tokens']} tokens here, {ids.shape[1]} there: {text['prompt'][:30]}")
        elif mine != theirs and agreed < min(len(mine), len(theirs)):
            scores = model(torch.tensor([ids[0].tolist() + mine[:agreed]], device=device)).logits[0, -1].float()
            print(f"  apart at token {agreed}: logits {scores[theirs[agreed]].item():.5f} and {scores[mine[agreed]].item():.5f}")
    print(f"{folder}, greedy in {dtype} on {device}: {equal} of {texts} texts equal, {same} of {tokens} tokens before a first difference")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    print(f"Transformers {transformers.__version__}, PyTorch {torch.__version__}")
    command = []
    for word in [*sys.argv[1:], "+"]:
        if word != "+":
            command.append(word)
            continue
        plain = [part for part in command[1:] if "=" not in part]
        globals()[command[0]](*plain, **dict(part.split("=", 1) for part in command[1:] if "=" in part))
        sys.stdout.flush()
        command = []
