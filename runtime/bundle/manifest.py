"""The manifest of a bundle, read from and written to JSON. Nothing in it is trusted; every field is checked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from ngs.runtime.bundle.fields import (
    BundleError as BundleError,
    as_integer,
    as_object,
    as_text,
    member,
    refuse_number,
    unique_members,
    wrong,
)
from ngs.runtime.bundle.signatures import check_signatures, required_graphs
from ngs.runtime.bundle.specs import (
    Attribute as Attribute,
    FileSpec,
    GraphSpec,
    LoudnessRange,
    read_attributes,
    read_file,
    read_graph,
    read_loudness,
)

FORMAT_VERSION = 4
NAME_OF_ATTRIBUTES = {3: "conditions", 4: "attributes"}  # in each version that can be read
MAX_MANIFEST_BYTES = 4 << 20
REQUIRED_FILES = ("latent_map", "golden")


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself: sizes, attributes, graphs and files."""

    name: str
    sample_rate: int  # hertz
    grain_length: int  # samples
    hop_length: int  # samples, a quarter of a grain
    latent_size: int
    embedding_size: int
    path_length: int  # grains of one embedded sound
    attributes: tuple[Attribute, ...]
    graphs: dict[str, GraphSpec]
    files: dict[str, FileSpec]
    created: str  # ISO date
    model_card: dict[str, str]
    loudness: tuple[LoudnessRange, ...] = ()  # of each class of the first attribute, last of no class; none in format 3
    format_version: int = FORMAT_VERSION

    @property
    def condition_size(self) -> int:
        """Length C of a condition: the number of classes of all attributes."""
        return sum(len(attribute.classes) for attribute in self.attributes)

    @property
    def has_onset(self) -> bool:
        """Whether sounds begin with a grain of their own, from the graph `onset`."""
        return any(tensor.name == "first" for tensor in self.graphs["decoder_stream"].inputs)

    @property
    def motion_points(self) -> int:
        """How many numbers `decoder_stream` takes as `motion`; 0 if it takes none."""
        shapes = {tensor.name: tensor.shape for tensor in self.graphs["decoder_stream"].inputs}
        return int(shapes["motion"][1]) if "motion" in shapes else 0

    @property
    def has_style(self) -> bool:
        """Whether other sounds can be brought to the grains of the corpus, by the graph `style`."""
        return "style" in self.graphs

    @property
    def places(self) -> dict[str, slice]:
        """Where in a condition the classes of each attribute are, one attribute after the other."""
        ends = list(accumulate(len(attribute.classes) for attribute in self.attributes))
        starts = (0, *ends)
        return {a.name: slice(start, end) for a, start, end in zip(self.attributes, starts, ends, strict=False)}

    def to_dict(self) -> dict[str, Any]:
        """The JSON document, with the names of its format version."""
        document = asdict(self)
        if self.format_version < 4:
            del document["loudness"]
        return {NAME_OF_ATTRIBUTES[self.format_version]: document.pop("attributes"), **document}

    def facts(self) -> dict[str, str]:
        """Sample rate, sizes and classes in words, by title."""
        seconds = self.path_length * self.hop_length / self.sample_rate
        return {
            "sample rate": f"{self.sample_rate} Hz",
            "grain": f"{self.grain_length} samples, one every {self.hop_length}",
            "latent": f"{self.latent_size} numbers for each grain",
            "embedding": f"{self.embedding_size} numbers for each sound of {seconds:.2f} s",
            **{attribute.name: ", ".join(attribute.classes) for attribute in self.attributes},
        }

    @classmethod
    def from_dict(cls, data: object) -> Manifest:
        """A manifest from its JSON document. Raises BundleError for the first field that is missing or wrong."""
        fields = as_object(data, "content")
        version = member(fields, "format_version")
        if not isinstance(version, int) or version not in NAME_OF_ATTRIBUTES:
            problem = wrong("format_version", " or ".join(map(str, NAME_OF_ATTRIBUTES)), version)
            raise BundleError(f"{problem}: export the run anew, or use the version of ngs that wrote this bundle")
        grain_length = as_integer(member(fields, "grain_length"), "grain_length", 64, 65536)
        if grain_length & (grain_length - 1):
            raise wrong("grain_length", "a power of two", grain_length)
        attributes = read_attributes(member(fields, NAME_OF_ATTRIBUTES[version]), NAME_OF_ATTRIBUTES[version])
        manifest = cls(
            name=as_text(member(fields, "name"), "name"),
            created=as_text(member(fields, "created"), "created"),
            model_card=check_model_card(member(fields, "model_card")),
            sample_rate=as_integer(member(fields, "sample_rate"), "sample_rate", 1000, 384000),
            grain_length=grain_length,
            hop_length=as_integer(member(fields, "hop_length"), "hop_length", grain_length // 4, grain_length // 4),
            latent_size=as_integer(member(fields, "latent_size"), "latent_size", 1, 4096),
            embedding_size=as_integer(member(fields, "embedding_size"), "embedding_size", 1, 4096),
            path_length=as_integer(member(fields, "path_length"), "path_length", 1, 65536),
            format_version=version,
            attributes=attributes,
            loudness=() if version < 4 else read_loudness(member(fields, "loudness"), "loudness"),
            graphs={
                as_text(name, "graphs"): read_graph(value, f"graphs.{name}")
                for name, value in as_object(member(fields, "graphs"), "graphs").items()
            },
            files={
                as_text(name, "files"): read_file(value, f"files.{name}")
                for name, value in as_object(member(fields, "files"), "files").items()
            },
        )
        for field, names, required in (
            ("graphs", manifest.graphs, required_graphs(version)), ("files", manifest.files, REQUIRED_FILES)
        ):  # fmt: skip
            for name in required:
                if name not in names:
                    raise wrong(f"{field}.{name}", "an entry", "none")
        check_signatures(manifest)
        entries = len(attributes[0].classes) + 1
        if manifest.loudness and len(manifest.loudness) != entries:
            raise wrong("loudness", f"{entries} entries", f"{len(manifest.loudness)} entries")
        return manifest


def read_manifest(content: bytes) -> Manifest:
    """A manifest from the content of manifest.json. Raises BundleError."""
    try:
        document = json.loads(content.decode(), object_pairs_hook=unique_members, parse_constant=refuse_number)
        return Manifest.from_dict(document)
    except BundleError:
        raise
    except RecursionError as error:
        raise BundleError("manifest.json is nested too deeply") from error
    except ValueError as error:  # not UTF-8, not JSON, or a number of thousands of digits
        raise BundleError(f"manifest.json is not JSON ({error})") from error


def check_model_card(value: object) -> dict[str, str]:
    """The entries of a model card, printable text by printable names. Raises BundleError."""
    return {
        as_text(key, "model_card"): as_text(text, f"model_card.{key}", 65536, lines=True)
        for key, text in as_object(value, "model_card").items()
    }
