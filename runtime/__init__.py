"""Play bundles: numpy and onnxruntime, no torch. `Bundle.open`, then the functions of `ngs.runtime.render`."""

from ngs.runtime.bundle import Bundle
from ngs.runtime.manifest import BundleError, Manifest

__all__ = ["Bundle", "BundleError", "Manifest"]
