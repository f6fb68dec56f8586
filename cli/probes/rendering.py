"""Probes of rendering: does the bundle that comes with ngs play, on the CPU and on the GPU?"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

from ngs.cli.probes.finding import MISSING, NOTE, OK, Finding, why_not_loaded

GPU = "To render on it: pip install '.[gpu]' in the folder of ngs"
CPU_ONLY = "sounds are rendered on the CPU"


def of_bundle() -> Finding:
    """Whether the bundle that comes with ngs plays on the CPU."""
    found, details = _play_shipped("cpu")
    return Finding(OK, found, details=details)


def of_cuda() -> Finding:
    """Whether CUDA works: the driver, a device, the libraries, and last a sound rendered with them."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Finding(NOTE, f"no NVIDIA driver: {CPU_ONLY}", details={"usable": False, "driver": None, "devices": []})
    version, devices = _devices(driver)
    details: dict[str, Any] = {"usable": False, "driver": version, "devices": devices}
    if not devices:
        advice = "If there is one: nvidia-smi says more"
        return Finding(NOTE, f"driver for CUDA {version}, but no device it can use: {CPU_ONLY}", advice, details)
    device = f"{', '.join(devices)}, driver for CUDA {version}"

    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return Finding(MISSING, f"{device}, but onnxruntime was built without CUDA", GPU, details)
    onnxruntime.preload_dlls()
    details["cudnn"] = not why_not_loaded("cudnn64_9.dll" if sys.platform == "win32" else "libcudnn.so.9")
    folder = Path(onnxruntime.__file__).parent / "capi"
    for library in ("libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"):
        problem = why_not_loaded(str(folder / library)) if (folder / library).exists() else ""
        if problem:
            return Finding(MISSING, f"{device}, but {problem}", GPU, details)
    found, played = _play_shipped("cuda")
    if played["provider"] != "CUDAExecutionProvider":
        return Finding(MISSING, f"{device}, but onnxruntime does not use it", GPU, details)
    return Finding(OK, f"{device}; {found}", details=details | {"usable": True})


def _play_shipped(provider: str) -> tuple[str, dict[str, Any]]:
    """Render a sound of the bundle that comes with ngs: a line to show, and details. Raises for silence."""
    import numpy as np

    from ngs.runtime.bundle.bundle import Bundle
    from ngs.runtime.offline.render import sample
    from ngs.runtime.temperature import TEMPERATURE

    bundle = Bundle.open(provider=provider)
    sound = sample(bundle, bundle.condition({}), TEMPERATURE, 0, 0)
    if not (np.isfinite(sound).all() and np.abs(sound).max() > 0):
        raise RuntimeError(f"{bundle.path} gives silence, or samples that are not numbers")
    name, rate = bundle.manifest.name, bundle.manifest.sample_rate
    details = {
        "path": str(bundle.path), "name": name, "sample_rate": rate,
        "provider": bundle.session("decoder").get_providers()[0],
    }  # fmt: skip
    return f"{name}, {rate} Hz, plays", details


def _devices(driver: Any) -> tuple[str, list[str]]:
    """CUDA version of the NVIDIA driver, and the names of the devices it can use."""
    version, count, device = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    if driver.cuInit(0) == 0:
        driver.cuDeviceGetCount(ctypes.byref(count))
    names = []
    for index in range(count.value):
        name = ctypes.create_string_buffer(256)
        driver.cuDeviceGet(ctypes.byref(device), index)
        driver.cuDeviceGetName(name, len(name), device)
        names.append(name.value.decode(errors="replace"))
    return f"{version.value // 1000}.{version.value % 1000 // 10}", names
