"""`ngs info` and `ngs validate`: what a bundle holds, and whether this machine plays it as it was exported."""

from __future__ import annotations

import json
import math
import platform
import sys
from pathlib import Path

import click

from ngs.runtime.console import BUNDLE


@click.command(short_help="Say what a bundle holds.")
@click.argument("bundle", required=False, type=BUNDLE)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def info(bundle: Path | None, as_json: bool) -> None:
    """Say what BUNDLE, a .ngs folder or file, holds: rate, sizes, classes, model card.

    Without BUNDLE: the drums that come with ngs.

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


@click.command(short_help="Check a bundle: hashes, signatures, golden vectors.")
@click.argument("bundle", required=False, type=BUNDLE)
@click.option("--provider", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def validate(bundle: Path | None, provider: str, as_json: bool) -> None:
    """Check the hashes and signatures of BUNDLE and run every graph against what torch computed at export.

    Exit status 1 where something is wrong. Without BUNDLE: the drums that come with ngs.

    \b
    Example:
      ngs validate
    """
    import onnxruntime

    from ngs.runtime.bundle.bundle import Bundle
    from ngs.runtime.bundle.golden import TOLERANCE, largest_errors

    opened = Bundle.open(bundle, provider)
    errors = largest_errors(opened)
    _ = opened.latent_map  # checked when it is read
    providers = {name: opened.session(name).get_providers() for name in errors}
    used = list(dict.fromkeys(provider for names in providers.values() for provider in names))
    failed = [name for name, error in errors.items() if not error <= TOLERANCE]
    machine = f"{platform.machine()}, {platform.system()} {platform.release()}"
    if as_json:
        numbers = {name: error if math.isfinite(error) else None for name, error in errors.items()}  # JSON has no NaN
        click.echo(json.dumps({
            "valid": not failed, "tolerance": TOLERANCE, "largest_errors": numbers, "providers": providers,
            "onnxruntime": onnxruntime.__version__, "python": platform.python_version(), "machine": machine,
        }))  # fmt: skip
    else:
        width = max(map(len, errors)) + 2
        for name, error in errors.items():
            click.echo(f"{name:<{width}}largest error {error:.1e}  {'FAILED' if name in failed else 'ok'}")
        click.echo(f"onnxruntime {onnxruntime.__version__} ({', '.join(used)}), {machine}")
        if not failed:
            click.echo(f"{opened.path} is valid: hashes, signatures, golden vectors within {TOLERANCE:.0e}.")
    if failed:
        click.echo(f"Error: {opened.path}: more than {TOLERANCE:.0e} from torch: {', '.join(failed)}", err=True)
        sys.exit(1)
