"""Writes the files in this folder with PyTorch and the safetensors package (made with 2.13.0 and 0.8.0)."""

import os

import torch
from safetensors.torch import save_file


class Hostile:
    """Runs a command when an ordinary unpickler meets it."""

    def __reduce__(self):
        return os.system, ("echo this must never run",)


parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
tensors = {
    "transposed": torch.arange(6.0).reshape(2, 3).t(),
    "strided": torch.arange(12)[3:9:2],
    "parameter": parameter,
    "tied": parameter,
    "bool": torch.tensor([True, False]),
    "bfloat16": torch.tensor(1.5, dtype=torch.bfloat16),
    "empty": torch.empty(0, 3),
    "uint8": torch.tensor([0, 255], dtype=torch.uint8),
    "int32": torch.tensor([-1, 2**31 - 1], dtype=torch.int32),
    "float16": torch.tensor([0.5, 65504.0], dtype=torch.float16),
    "float64": torch.tensor([1e300], dtype=torch.float64),
}
torch.save(tensors, "types.bin")
save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, "types.safetensors",
          metadata={"format": "pt"})
torch.save({"w": torch.ones(1)}, "legacy.bin", _use_new_zipfile_serialization=False)
torch.save({"w": torch.ones(1), "x": Hostile()}, "hostile.bin")
