"""Noise that depends on the seed and on the image, on nothing else.

The same image meets the same noise at every epoch and in every network (common random numbers), whatever the
order of the images, the batches or the workers.
"""

import hashlib

import torch
from torch import Tensor


def image_generator(seed: int, image: Tensor) -> torch.Generator:
    """A generator whose state derives from `seed` and the bytes of one image (C, H, W)."""
    digest = hashlib.sha256(f"{seed}|{tuple(image.shape)}|{image.dtype}|".encode())
    digest.update(image.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    generator = torch.Generator()
    generator.manual_seed(int.from_bytes(digest.digest()[:8], "big") >> 1)
    return generator


def normal(generators: list[torch.Generator], samples: int, like: Tensor) -> Tensor:
    """(B, samples, C, H, W) standard normal values for B images; `like` is one image (C, H, W)."""
    drawn = [torch.randn((samples, *like.shape), generator=g, dtype=like.dtype) for g in generators]
    return torch.stack(drawn).to(like.device)
