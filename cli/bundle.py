"""`ngs info` and `ngs validate`: what is in a bundle, and whether it computes here what it did when it was exported."""

from __future__ import annotations

import json
import math
import platform
import sys
from pathlib import Path

import click

from ngs.cli import options
from ngs.runtime.console.parameters import BUNDLE


@click.command()
@click.argument("bundle", required=False, type=BUNDLE)
@click.option("--json", "as_json", is_flag=True, help="Print the bundle's manifest as JSON.")
def info(bundle: Path | None, as_json: bool) -> None:
    """Show what is in BUNDLE: sample rate, sizes, classes, and the model card.

    BUNDLE is a .ngs folder or file. Leave it out to see the drums that come with ngs.

    \b
    Example:
      ngs info
    """
    from ngs.runtime.bundle.bundle import Bundle

    manifest = Bundle.open(bundle, provider="cpu").manifest
    if as_json:
        click.echo(json.dumps(manifest.to_dict(), indent=2))
        return
    rows = {
        "name": manifest.name,
        "created": manifest.created,
        "format": str(manifest.format_version),
        **manifest.facts(),
        "graphs": ", ".join(manifest.graphs),
    }
    card = {f"card: {name.replace('_', ' ')}": text for name, text in manifest.model_card.items()}
    width = max(map(len, (*rows, *card))) + 2
    for name, text in (*rows.items(), *card.items()):
        click.echo(f"{name:<{width}}" + text.replace("\n", "\n" + " " * width))


@click.command()
@click.argument("bundle", required=False, type=BUNDLE)
@options.provider
@options.as_json
def validate(bundle: Path | None, provider: str, as_json: bool) -> None:
    """Check that BUNDLE is intact and that this machine computes with it what torch did when it was exported.

    Checks the hash of every file and the signature of every graph, and runs each on the golden vectors, the inputs and
    outputs that the bundle carries. Also says how grains are filled when sound is decoded offline: with numpy, which is
    faster, or by the synthesis graph, and why. The exit status is 1 if anything is wrong.

    BUNDLE is a .ngs folder or file. Leave it out to check the drums that come with ngs.

    \b
    Example:
      ngs validate
    """
    import onnxruntime

    from ngs.runtime.bundle.bundle import Bundle
    from ngs.runtime.bundle.golden import TOLERANCE, largest_errors

    opened = Bundle.open(bundle, provider, verify=True)
    errors = largest_errors(opened)
    _ = opened.latent_map  # reading it checks it
    providers = {name: opened.session(name).get_providers() for name in errors}
    used = list(dict.fromkeys(provider for names in providers.values() for provider in names))
    failed = [name for name, error in errors.items() if not error <= TOLERANCE]
    machine = f"{platform.machine()}, {platform.system()} {platform.release()}"
    if as_json:
        numbers = {name: error if math.isfinite(error) else None for name, error in errors.items()}  # JSON has no NaN
        click.echo(json.dumps({
            "valid": not failed, "tolerance": TOLERANCE, "largest_errors": numbers, "providers": providers,
            "offline_decoding": opened.offline_decoding, "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(), "machine": machine,
        }))  # fmt: skip
    else:
        width = max(map(len, errors)) + 2
        for name, error in errors.items():
            click.echo(f"{name:<{width}}largest error {error:.1e}  {'FAILED' if name in failed else 'ok'}")
        click.echo(f"Offline decoding fills grains with {opened.offline_decoding}.")
        click.echo(f"onnxruntime {onnxruntime.__version__} ({', '.join(used)}), {machine}")
        if not failed:
            click.echo(f"{opened.path} is valid: hashes, signatures, golden vectors within {TOLERANCE:.0e}.")
    if failed:
        click.echo(f"Error: {opened.path}: more than {TOLERANCE:.0e} from torch: {', '.join(failed)}", err=True)
        sys.exit(1)
