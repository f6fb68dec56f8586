"""Render four new hits of a class from a bundle, with nothing but what docs/bundle-format.md describes.

python examples/numpy_host.py BUNDLE CLASS OUT.wav [SEED]
"""

import json
import sys
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime import InferenceSession

HITS = {0.0: 1.0, 0.25: 0.4, 0.5: 0.7, 0.625: 0.5}  # seconds: level; one voice each


class Graph:
    """A graph that is called again and again. It keeps the states of its rows, the voices, between calls."""

    def __init__(self, files: Any, spec: Any) -> None:
        self.session = InferenceSession((files / spec["file"]).read_bytes(), providers=["CPUExecutionProvider"])
        self.states = {state["name"]: np.zeros((len(HITS), *state["shape"][1:])) for state in spec["states"]}

    def __call__(self, **inputs: Any) -> Any:
        values = {name: np.float32(value) for name, value in {**inputs, **self.states}.items()}
        results = self.session.run(None, values)
        self.states = dict(zip(self.states, results[len(results) - len(self.states) :], strict=True))
        return results


def words(purpose: int, seed: int, index: int, count: int) -> Any:
    """Random words: "Chance" in docs/bundle-format.md."""
    return np.random.Philox(key=np.uint64([seed, purpose]), counter=np.uint64([0, index, 0, 0])).random_raw(count)


def normals(seed: int, index: int, count: int) -> Any:
    first, second = ((words(1, seed, index, count + count % 2) >> np.uint64(11)) / 2**53).reshape(-1, 2).T
    radius, angle = np.sqrt(-2 * np.log(1 - first)), 2 * np.pi * second
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1).ravel()[:count]


def main(bundle: str, class_name: str, out: str, seed: str = "0") -> None:
    files: Any = zipfile.Path(bundle) if Path(bundle).is_file() else Path(bundle)
    manifest = json.loads((files / "manifest.json").read_bytes())
    write, play = (Graph(files, manifest["graphs"][name]) for name in ("embedding_step", "decoder_stream"))
    begin = Graph(files, manifest["graphs"]["onset"]) if "onset" in manifest["graphs"] else None  # tones, format 4
    rate, hop, grains = manifest["sample_rate"], manifest["hop_length"], manifest["path_length"]

    classes, *others = [each["classes"] for each in manifest.get("attributes") or manifest["conditions"]]  # in format 3
    condition = np.zeros((len(HITS), len(classes) + sum(map(len, others))))  # other attributes stay open
    if class_name not in classes:
        sys.exit(f"{class_name} is not one of the classes: {', '.join(classes)}")
    condition[:, classes.index(class_name)] = 1
    sounds = range(len(HITS))
    embedding = np.stack([normals(int(seed), sound, manifest["embedding_size"]) for sound in sounds])
    if "prior" in manifest["graphs"]:  # not in format 3: draws have to become embeddings of the class
        embedding = Graph(files, manifest["graphs"]["prior"])(normal=embedding, condition=condition)[0]
    noise = np.stack([words(0, int(seed), sound, (grains + 6) * hop // 4) for sound in sounds]).view("<i2") / 32768

    held = np.ones((len(HITS), grains))
    if "loudness" in manifest:  # not in format 3: a hit is as loud as real ones, as far as its embedding tells
        predicted, envelope = Graph(files, manifest["graphs"]["loudness"])(embedding=embedding, condition=condition)
        known = manifest["loudness"][classes.index(class_name)]
        wanted = np.interp(predicted, known["drawn"], known["real"])
        held = 10 ** ((np.clip(wanted - predicted, -24, 24) + np.clip(envelope, -48, 48)) / 20)

    path, heard = list[Any](), list[Any]()
    shapes = {tensor["name"]: tensor["shape"][1:] for tensor in manifest["graphs"]["decoder_stream"]["inputs"]}
    begun = {"motion": np.zeros((len(HITS), *shapes["motion"]))} if "motion" in shapes else {}  # no style moves it
    for grain in range(grains + 3):  # the last grain rings out for three hops
        path = path or [*write(embedding=embedding, condition=condition)[0].swapaxes(0, 1)]
        onset = np.full((len(HITS), 1), grain == 0)
        level = held[:, [min(grain, grains - 1)]] * np.c_[list(HITS.values())] * (grain < grains)
        window = noise[:, grain * hop : (grain + 4) * hop]
        given = {"latent": path.pop(0), "condition": condition, "noise": window}
        if begin and grain == 0:
            begun["first"], play.states["phase"] = begin(**given)
        heard.append(play(**given, onset=onset, level=level, **begun)[0])

    mix = np.zeros(round(max(HITS) * rate) + len(heard) * hop)
    for seconds, sound in zip(HITS, np.concatenate(heard, axis=1), strict=True):
        mix[round(seconds * rate) :][: len(sound)] += sound  # to the sample: the hops of voices need not be aligned
    with open(out, "wb") as target, wave.open(target) as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((32767 * mix / max(1, np.abs(mix).max())).round().astype("<i2").tobytes())
    print(f"{out}: {len(HITS)} hits of {class_name}, {len(mix) / rate:.2f} seconds")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5) or not all(map(str.isdecimal, sys.argv[4:])):
        sys.exit("Usage: python numpy_host.py BUNDLE CLASS OUT.wav [SEED]; a seed is a whole number from 0")
    try:
        main(*sys.argv[1:])
    except Exception as error:  # file errors, bad contents, and those of onnxruntime have no common base class
        sys.exit(f"{sys.argv[1]} cannot be played into {sys.argv[3]}: {type(error).__name__}, {error}")
