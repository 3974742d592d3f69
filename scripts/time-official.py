#!/usr/bin/env python3
"""Times the official PyTorch code of CALM in the jobs of `calm-bench`, for comparisons on the same machine.

`calm-bench --official DIR --python PATH` runs it, with one process per job to measure the peak memory of each job.
To run it directly:

    python3 scripts/time-official.py --official DIR --job train-ae --precision bfloat16 --shape '{"vocabulary": 8192,
      "chunk": 4, "autoencoder_hidden": 256, "autoencoder_intermediate": 640, "latent": 64, "sequences": 4, "tokens": 1024}'

DIR is a checkout of github.com/shaochenze/calm, which this script imports. It requires torch and transformers 4.46.
Weights have the official initialization and ids are random, so only speed and memory are meaningful. The jobs
`tokenizer` and `data` process text like the official training script, but without the library `datasets`. To time a
trained model, name the folder that `calm convert --to official` wrote:

    python3 scripts/time-official.py --official DIR --job generate --checkpoint MODEL --prompt-ids 3,4,5,6 --temperature 0.5

The output is one JSON object.
"""
import argparse
import contextlib
import itertools
import json
import os
import resource
import statistics
import sys
import tempfile
import threading
import time

SPECIAL = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)


def main():
    arguments = parse()
    threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
    result = text_job(arguments) if arguments.job in ("tokenizer", "data") else model_job(arguments)
    result.update(peak_mib=peak_mebibytes())
    print(json.dumps(result))


def end_with(parent):
    """Ends this process if its parent, calm-bench, is killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", required=True, help="a checkout of the official code")
    parser.add_argument(
        "--job", required=True,
        choices=[
            "train-lm", "train-flow", "train-transformer", "train-ae", "generate", "generate-half",
            "generate-transformer", "evaluate", "tokenizer", "data"])
    parser.add_argument("--shape", help="sizes as JSON, in the form that `calm-bench` passes")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=8, help="number of repetitions; the result is their median")
    parser.add_argument("--compile", action="store_true", help="apply torch.compile to the trained module")
    parser.add_argument("--checkpoint", help="a model with the energy head in the official form, for the job generate")
    parser.add_argument("--temperature", type=float, default=1, help="of the job generate")
    parser.add_argument("--prompt-ids", help="token ids, separated by commas, instead of random ones")
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--text", help="JSON Lines file with the field text, for the jobs tokenizer and data")
    parser.add_argument("--tokenizer", help="path of tokenizer.json, for the jobs tokenizer and data")
    arguments = parser.parse_args()
    needs_text = arguments.job in ("tokenizer", "data")
    if needs_text and not (arguments.text and arguments.tokenizer):
        parser.error(f"the job {arguments.job} needs --text and --tokenizer")
    if not needs_text and not arguments.shape and not arguments.checkpoint:
        parser.error(f"the job {arguments.job} needs --shape")
    if arguments.checkpoint and not (arguments.job == "generate" and arguments.prompt_ids):
        parser.error("--checkpoint is for the job generate and needs --prompt-ids")
    return arguments


def model_job(arguments):
    sys.path.insert(0, arguments.official)
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    if arguments.checkpoint:
        from models.modeling_energy import EnergyTransformer

        model = EnergyTransformer.from_pretrained(arguments.checkpoint).to(device)
        ids = torch.tensor([[int(token) for token in arguments.prompt_ids.split(",")]], device=device)
        arguments.prompt_tokens = ids.shape[1]
    else:
        shape = json.loads(arguments.shape)
        ids = torch.randint(3, shape["vocabulary"], (shape["sequences"], shape["tokens"]), device=device)
        model = build(arguments, shape).to(device)

    def autocast():
        if arguments.precision == "bfloat16":
            return torch.autocast(device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    if arguments.job.startswith("train"):
        body, tokens = training_step(torch, model, ids, autocast, arguments.compile), ids.numel()
    elif arguments.job == "evaluate":
        model.eval()

        def body():
            with torch.no_grad(), autocast():
                model(input_ids=ids, labels=ids.clone())

        tokens = ids.numel()
    else:
        model.eval()
        prompt, length = ids[:1, : arguments.prompt_tokens], arguments.prompt_tokens + arguments.new_tokens
        temperature = 0.5 if arguments.job == "generate-half" else arguments.temperature

        # No sequence ends early, because no chunk can contain this id.
        if arguments.job == "generate-transformer":
            options = dict(do_sample=True, top_k=0, eos_token_id=None, pad_token_id=0)
            model.generation_config.eos_token_id = None
        else:
            options = dict(temperature=temperature)
            model.eos_token_id = -1

        def body():
            with autocast():
                model.generate(prompt, max_length=length, **options)

        tokens = arguments.new_tokens
    if device.type == "cuda":
        body = synchronized(torch, body)
    result = timed(body, arguments.steps, tokens, warm_up=2 if arguments.job.startswith("train") else 1)
    if device.type == "cuda":
        result["peak_device_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return result


def build(arguments, shape):
    if arguments.job.endswith("-transformer"):
        return transformer(shape).train()
    from models.configuration_autoencoder import AutoencoderConfig
    from models.configuration_calm import CALMConfig
    from models.modeling_autoencoder import Autoencoder
    from models.modeling_energy import EnergyTransformer
    from models.modeling_flow import FlowTransformer

    is_flow = arguments.job == "train-flow"
    autoencoder = Autoencoder(AutoencoderConfig(
        vocab_size=shape["vocabulary"], hidden_size=shape["autoencoder_hidden"], latent_size=shape["latent"],
        intermediate_size=shape["autoencoder_intermediate"], patch_size=shape["chunk"], **SPECIAL))
    if arguments.job == "train-ae":
        return autoencoder.train()
    with tempfile.TemporaryDirectory() as folder:
        autoencoder.save_pretrained(folder, safe_serialization=False)
        model = (FlowTransformer if is_flow else EnergyTransformer)(CALMConfig(
            ae_path=folder, model_type="flow" if is_flow else "energy", vocab_size=shape["vocabulary"], hidden_size=shape["hidden"],
            intermediate_size=shape["intermediate"], num_hidden_layers=shape["layers"],
            num_attention_heads=shape["heads"], num_key_value_heads=shape["heads"],
            num_mlp_layers=shape["head_blocks"], latent_size=shape["latent"], patch_size=shape["chunk"],
            max_position_embeddings=max(shape["tokens"], 2048), **SPECIAL))
    if is_flow:
        model.num_samples = 8  # read by its loss, but not set by its initializer
    model.train()
    model.ae_model.eval()
    return model


def transformer(shape):
    """The baseline of the official script train/train_ar.py."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(
        vocab_size=shape["vocabulary"], hidden_size=shape["hidden"], intermediate_size=shape["intermediate"],
        num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"],
        max_position_embeddings=max(shape["tokens"], 2048), **SPECIAL))


def training_step(torch, model, ids, autocast, compiled):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1)
    run = torch.compile(model) if compiled else model

    def step():
        with autocast():
            loss = run(input_ids=ids, labels=ids.clone()).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def text_job(arguments):
    os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=arguments.tokenizer)
    counted = 0

    def documents():
        with open(arguments.text, encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)["text"]

    def batches():
        # Batches of 1,000 documents, as `datasets` passes them to the official script.
        source = documents()
        while batch := list(itertools.islice(source, 1000)):
            yield tokenizer(batch)["input_ids"]

    def encode():
        nonlocal counted
        counted = sum(len(ids) for batch in batches() for ids in batch)

    def prepare():
        nonlocal counted
        counted = 0
        import numpy

        block = 2048
        with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "ids"), "wb") as file:
            for batch in batches():
                ids = list(itertools.chain(*batch))
                counted += len(ids)
                blocks = [ids[i : i + block] for i in range(0, len(ids) // block * block, block)]
                numpy.array(blocks, dtype=numpy.int32).tofile(file)

    body = encode if arguments.job == "tokenizer" else prepare
    result = timed(body, arguments.steps, None, warm_up=1)
    result.update(tokens=counted, tokens_per_second=counted / result["seconds_median"])
    return result


def synchronized(torch, body):
    def run():
        body()
        torch.cuda.synchronize()

    return run


def timed(body, steps, tokens, warm_up):
    times = []
    for _ in range(steps + warm_up):
        start = time.perf_counter()
        body()
        times.append(time.perf_counter() - start)
    times = times[warm_up:]
    median = statistics.median(times)
    result = dict(seconds_median=median, seconds_min=min(times))
    if tokens:
        result.update(tokens=tokens, tokens_per_second=tokens / median)
    return result


def peak_mebibytes():
    # ru_maxrss may include the parent's memory at the time of the fork.
    try:
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        scale = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


if __name__ == "__main__":
    main()
