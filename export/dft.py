"""Real DFTs as matrix products, for graphs of standard operators (ONNX's own DFT operator is slow on CPUs).

A transform of length L = P * Q is split in two (four-step) and written so that the twiddle factors vanish into the
second matrix. With n = Q p + q and k = k1 + P k2:

    X[k1 + P k2] = sum_q e^(-2 pi j q (k1 + P k2) / L)  sum_p e^(-2 pi j p k1 / P) x[Q p + q]

A real signal needs only k1 = 0 .. P/2. Bins come out in the order of (k1, k2): layers before and after have their rows
put in that order (`bins`), values are brought to it (`ordered`). Costs per grain of 2048 samples: 0.27 million
multiplications each way, where a full DFT matrix takes 4.2 million.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class RealDFT(nn.Module):
    """DFT and inverse DFT of real signals of length L, a power of two; phases are those around sample `center`.

    Spectra are real and imaginary parts of the shape [K, B, Q], K = P/2 + 1, apart: to split and to join them
    would cost onnxruntime a tenth of the decoder.
    """

    reversed: Tensor
    forward_inner: Tensor
    to_real: Tensor
    to_imaginary: Tensor
    from_real: Tensor
    from_imaginary: Tensor
    inverse_inner: Tensor

    def __init__(self, length: int, center: int = 0, gain: float = 1.0) -> None:
        """`gain` is that of the inverse."""
        super().__init__()
        p_size = 2 ** round(np.log2(2 * length) / 2)
        q_size = length // p_size
        self.length, self.p_size, self.q_size, self.k_size = length, p_size, q_size, p_size // 2 + 1
        p, q, k1, k2 = np.arange(p_size), np.arange(q_size), np.arange(self.k_size), np.arange(q_size)
        # places past L/2 hold mirrored bins, from the last row back
        order = k1[:, None] + p_size * np.where(k2 < q_size // 2, k2, 3 * q_size // 2 - 1 - k2)[None]
        folded = np.minimum(order, length - order).reshape(-1)
        first = np.unique(folded, return_index=True)[1]
        self.bins = torch.from_numpy(folded)  # the bin 0 .. L/2 at each place of the order, [K * Q]
        self.register_buffer("reversed", torch.arange(self.k_size - 1, -1, -1))
        self.is_first = torch.zeros(len(folded), dtype=torch.bool)  # bins of k1 = 0 and P/2 come twice
        self.is_first[torch.from_numpy(first)] = True

        inner = np.exp(-2j * np.pi * np.outer(k1, p) / p_size)
        outer = np.exp(-2j * np.pi * (q[None, :, None] - center) * order[:, None, :] / length)
        self._constant("forward_inner", np.stack([inner.real, inner.imag], 1).reshape(2 * self.k_size, p_size))
        to_real, to_imaginary = np.split(_complex_blocks(outer), 2, axis=2)
        self._constant("to_real", to_real)
        self._constant("to_imaginary", to_imaginary)
        back = outer.conj().transpose(0, 2, 1) * (gain / length)
        from_real, from_imaginary = np.split(_complex_blocks(back), 2, axis=1)
        self._constant("from_real", from_real)
        self._constant("from_imaginary", from_imaginary)
        weight = np.where((k1 == 0) | (k1 == p_size // 2), 1.0, 2.0)  # the conjugate bins that are left out
        inverse = inner.conj().T * weight
        self._constant("inverse_inner", np.stack([inverse.real, -inverse.imag], 2).reshape(p_size, 2 * self.k_size))

    def _constant(self, name: str, value: np.ndarray) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32)))

    def ordered(self, values: Tensor, odd: bool = False) -> Tensor:
        """Values of the bins 0 .. L/2, [B, L/2+1], in the order of spectra: [K, B, Q].

        Past L/2 a spectrum holds the conjugates of the bins: `odd` values, such as phases, change their sign there.
        (Cut and transposed: gathering bin by bin takes onnxruntime several times longer.)
        """
        rows = self.q_size // 2
        below = values[:, :-1].reshape(-1, rows, self.p_size)[:, :, : self.k_size].permute(2, 0, 1)
        above = values[:, 1:].reshape(-1, rows, self.p_size)[:, :, self.p_size // 2 - 1 :].permute(2, 0, 1)
        above = above.index_select(0, self.reversed)
        return torch.cat((below, -above if odd else above), 2)

    def forward(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Signals [B, L] -> real and imaginary parts [K, B, Q]."""
        inner = self.forward_inner @ signal.reshape(-1, self.p_size, self.q_size)
        inner = inner.reshape(-1, self.k_size, 2 * self.q_size).transpose(0, 1)
        return inner @ self.to_real, inner @ self.to_imaginary

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Real and imaginary parts [K, B, Q] -> signals [B, L]."""
        inner = (real @ self.from_real + imaginary @ self.from_imaginary).transpose(0, 1)
        return (self.inverse_inner @ inner.reshape(-1, 2 * self.k_size, self.q_size)).reshape(-1, self.length)


def _complex_blocks(matrices: np.ndarray) -> np.ndarray:
    """Complex [K, Q, Q] to real [K, 2Q, 2Q] that multiply rows of (real parts, imaginary parts)."""
    top = np.concatenate([matrices.real, matrices.imag], 2)
    return np.concatenate([top, np.concatenate([-matrices.imag, matrices.real], 2)], 1)
