"""DFTs of real signals as matrix products: ONNX's own DFT operator is slow on CPUs.

A transform of length L = P * Q is split in two (the four-step algorithm), and the second matrix takes up the twiddle
factors. With n = Q p + q and k = k1 + P k2:

    X[k1 + P k2] = sum_q e^(-2 pi j q (k1 + P k2) / L)  sum_p e^(-2 pi j p k1 / P) x[Q p + q]

A real signal needs only k1 = 0 .. P/2. Bins come out in the order of (k1, k2). `bins` is that order, for the weights of
neighbouring layers; `ordered` brings values to it. A grain of 2048 samples costs 0.27 million multiplications each way,
a full DFT matrix 4.2 million.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn


class RealDFT(nn.Module):
    """DFT and inverse DFT of real signals of length L, a power of two. Phases are relative to sample `center`.

    Real and imaginary parts of spectra, [K, B, Q] with K = P/2 + 1, stay apart: splitting and joining them would cost
    onnxruntime a tenth of the decoder's time.

    The outer matrices are cosines and sines of a table of angles, which onnxruntime computes when it loads a graph: a
    file holds 2 bytes instead of 32.
    """

    reversed: Tensor
    places: Tensor
    signs: Tensor
    forward_inner: Tensor
    angles: Tensor
    inverse_inner: Tensor

    def __init__(self, length: int, center: int = 0, gain: float = 1.0) -> None:
        """`gain` scales the inverse."""
        super().__init__()
        p_size = 2 ** round(np.log2(2 * length) / 2)
        q_size = length // p_size
        self.length, self.p_size, self.q_size, self.k_size = length, p_size, q_size, p_size // 2 + 1
        p, q, k1, k2 = np.arange(p_size), np.arange(q_size), np.arange(self.k_size), np.arange(q_size)
        # past L/2 come the mirrored bins, in reverse
        order = k1[:, None] + p_size * np.where(k2 < q_size // 2, k2, 3 * q_size // 2 - 1 - k2)[None]
        folded = np.minimum(order, length - order).reshape(-1)
        first = np.unique(folded, return_index=True)[1]
        self.bins = torch.from_numpy(folded)  # [K * Q], the bin, 0 .. L/2, at each place of the order
        self.register_buffer("reversed", torch.arange(self.k_size - 1, -1, -1))
        self.is_first = torch.zeros(len(folded), dtype=torch.bool)  # [K * Q]; bins of k1 = 0 and P/2 occur twice
        self.is_first[torch.from_numpy(first)] = True
        # where each bin is found, and whether only its conjugate is there
        self.register_buffer("places", torch.from_numpy(first))
        mirrored = order.reshape(-1)[first] > length // 2
        self.register_buffer("signs", torch.from_numpy(np.where(mirrored, -1.0, 1.0)).float())

        inner = np.exp(-2j * np.pi * np.outer(k1, p) / p_size)
        turns = ((q[None, :, None] - center) * order[:, None, :] + length // 2) % length - length // 2
        self.register_buffer("angles", torch.from_numpy(turns.astype(np.int16)))  # [K, Q, Q], in turns / L
        self.gain = gain / length
        self._constant("forward_inner", np.stack([inner.real, inner.imag], 1).reshape(2 * self.k_size, p_size))
        weight = np.where((k1 == 0) | (k1 == p_size // 2), 1.0, 2.0)  # for the conjugate bins that are left out
        inverse = inner.conj().T * weight
        self._constant("inverse_inner", np.stack([inverse.real, -inverse.imag], 2).reshape(p_size, 2 * self.k_size))

    def _constant(self, name: str, value: np.ndarray) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32)))

    def ordered(self, values: Tensor, odd: bool = False) -> Tensor:
        """Bring values of the bins 0 .. L/2, [B, L/2+1], to the order of spectra: [K, B, Q].

        Past L/2 a spectrum holds the conjugates of the bins: there `odd` values, such as phases, change sign.
        """
        # slices and transposes: gathering bin by bin takes onnxruntime several times as long
        rows = self.q_size // 2
        below = values[:, :-1].reshape(-1, rows, self.p_size)[:, :, : self.k_size].permute(2, 0, 1)
        above = values[:, 1:].reshape(-1, rows, self.p_size)[:, :, self.p_size // 2 - 1 :].permute(2, 0, 1)
        above = above.index_select(0, self.reversed)
        return torch.cat((below, -above if odd else above), 2)

    def of_bins(self, values: Tensor) -> Tensor:
        """Bring odd values in the order of spectra, [K, B, Q], to that of the bins: [B, L/2+1]."""
        flat = values.transpose(0, 1).reshape(-1, self.k_size * self.q_size)
        return flat.index_select(1, self.places) * self.signs

    def forward(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Signals [B, L] -> real and imaginary part, each [K, B, Q]."""
        inner = self.forward_inner @ signal.reshape(-1, self.p_size, self.q_size)
        inner = inner.reshape(-1, self.k_size, 2 * self.q_size).transpose(0, 1)
        cosine, sine = self._outer()
        return inner @ torch.cat((cosine, sine), 1), inner @ torch.cat((-sine, cosine), 1)

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Real and imaginary part, each [K, B, Q] -> signals [B, L]."""
        cosine, sine = (self.gain * part.transpose(1, 2) for part in self._outer())
        from_real, from_imaginary = torch.cat((cosine, sine), 2), torch.cat((-sine, cosine), 2)
        inner = (real @ from_real + imaginary @ from_imaginary).transpose(0, 1)
        return (self.inverse_inner @ inner.reshape(-1, 2 * self.k_size, self.q_size)).reshape(-1, self.length)

    def _outer(self) -> tuple[Tensor, Tensor]:
        """Real part and negative imaginary part of the second matrix, [K, Q, Q]."""
        angles = self.angles.float() * (2 * math.pi / self.length)
        return torch.cos(angles), torch.sin(angles)
