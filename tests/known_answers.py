"""Known answers of Philox4x64-10, of Random123 (kat_vectors): counter, key, and the words that they give."""

from __future__ import annotations

ONES = "f" * 16
KNOWN_ANSWERS = (
    ("0 0 0 0", "0 0", "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
    (
        f"{ONES} {ONES} {ONES} {ONES}",
        f"{ONES} {ONES}",
        "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0",
    ),
    (
        "243f6a8885a308d3 13198a2e03707344 a4093822299f31d0 082efa98ec4e6c89",
        "452821e638d01377 be5466cf34e90c6c",
        "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
    ),
)
