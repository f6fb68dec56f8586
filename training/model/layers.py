"""What encoders, decoders and the embedding have in common: layers, and the range of a log-variance."""

from __future__ import annotations

from torch import Tensor, nn

LOG_VARIANCE_RANGE = (-12.0, 4.0)
START_LOG_VARIANCE = -4.0  # certain enough for the linear path to work from the first step


class ResidualBlock(nn.Module):
    """x + linear(silu(norm(x))), width unchanged."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.linear = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.linear(nn.functional.silu(self.norm(x)))
        return out


def zero_linear(in_size: int, out_size: int) -> nn.Linear:
    """A linear layer that starts at zero."""
    layer = nn.Linear(in_size, out_size)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
