"""onnxruntime sessions: the one place that makes them, with guards against graphs that nobody here wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.graph_check import check_graph, largest_constant
from ngs.runtime.bundle.specs import GraphSpec
from ngs.runtime.errors import reason

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
NO_FOLDER = "/nonexistent"
MAX_MEMORY_BYTES = 2 << 30  # all sessions of a process together, weights not counted


def make_session(
    model: bytes, provider: str, threads: int, name: str, captured: bool = False, profile: str = ""
) -> onnxruntime.InferenceSession:
    """An onnxruntime session that neither spins nor prints, and whose memory is bounded.

    `name` is what errors call the graph. `captured`: replay calls as a CUDA graph. `profile`: write onnxruntime's
    profile to a file whose path begins so. Raises BundleError for a graph that `ngs export` would not write, or that
    onnxruntime cannot load.
    """
    import onnxruntime

    check_graph(model, name)
    _bound_memory()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # failures are raised as well
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # subnormal numbers stall an audio thread
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    # weights are inside the graph; files that it names would be looked for in the current folder
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NO_FOLDER)
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry(
        "optimization.constant_folding_max_output_size_in_bytes", str(largest_constant(model))
    )
    cuda = (
        PROVIDERS["cuda"],
        {"gpu_mem_limit": str(MAX_MEMORY_BYTES), "use_tf32": "0", "enable_cuda_graph": str(int(captured))},
    )
    providers = [cuda, PROVIDERS["cpu"]] if provider == "cuda" else [PROVIDERS["cpu"]]
    try:
        # with CUDA, onnxruntime falls back to the CPU and prints why; on the CPU there is nothing to fall back to
        return onnxruntime.InferenceSession(model, options, providers, enable_fallback=int(provider == "cuda"))
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise BundleError(f"{name} is not a graph that onnxruntime can load ({reason(error)})") from error


@cache
def _bound_memory() -> None:
    """Let all sessions share one arena of bounded size."""
    import onnxruntime as ort

    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg({"max_mem": MAX_MEMORY_BYTES}))


def signature(values: Iterable[Any], file: str) -> list[tuple[str, str, tuple[int | str, ...]]]:
    """Name, dtype and shape of each of a session's inputs or outputs; a dynamic dimension is "batch".

    `file` is what errors call the graph. Raises BundleError.
    """
    dtypes = {"tensor(float)": "float32"}
    try:
        return [
            (value.name, dtypes.get(value.type, str(value.type)),
             tuple(size if isinstance(size, int) else "batch" for size in value.shape))
            for value in values
        ]  # fmt: skip
    except UnicodeDecodeError as error:
        raise BundleError(f"{file}: names of inputs and outputs are not text ({reason(error)})") from error


def check_signature(session: onnxruntime.InferenceSession, spec: GraphSpec) -> None:
    """Raise BundleError unless a session's inputs and outputs are those of the manifest."""
    for kind, found, specs in (
        ("inputs", signature(session.get_inputs(), spec.file), spec.inputs),
        ("outputs", signature(session.get_outputs(), spec.file), spec.outputs),
    ):
        expected = [(tensor.name, tensor.dtype, tensor.shape) for tensor in specs]
        if found != expected:
            raise BundleError(f"{spec.file}: {kind} are {found}, the manifest says {expected}")


def choose_provider(wanted: str) -> str:
    """Decide between "cpu" and "cuda": "auto" uses CUDA if a driver is installed and onnxruntime supports it.

    Looks first, because onnxruntime prints errors when it is asked for CUDA in vain. Raises ValueError if "cuda" is
    asked for and cannot work.
    """
    if wanted == "cpu":
        return "cpu"
    import ctypes

    import onnxruntime

    usable = PROVIDERS["cuda"] in onnxruntime.get_available_providers()
    if usable:
        try:
            ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        except OSError:
            usable = False
    if usable and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    if wanted == "cuda" and not usable:
        raise ValueError(
            "The provider cuda needs an NVIDIA GPU with its driver, and: pip install '.[gpu]' in the folder of ngs"
        )
    return "cuda" if usable else "cpu"
