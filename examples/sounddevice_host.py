"""A live instrument on any sound card: PortAudio's callback plays a bundle, through the package sounddevice.

python examples/sounddevice_host.py [BUNDLE] [--frames N] [--device DEVICE] [--state FILE.json]

It reads lines. A class plays a hit ("Kick"); "hold Crash" freezes one into a sound that stays; "off" ends all that
sounds, and "quit" the program. --state restores what was held, from the file, and saves it there at the end; a BUNDLE
plays it instead of the one that was stored. It needs: pip install sounddevice, and on Linux the library PortAudio
(libportaudio2)
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ngs.runtime import Bundle, Engine, EngineBusy, Note

CHANNELS = 2
HELD = {"position": 0.02, "freeze": 1, "gain": 0.5}


class Host:
    """An engine between the lines, from the main thread, and PortAudio's thread, which calls `callback`."""

    def __init__(self, bundle: Bundle, sample_rate: int, frames: int) -> None:
        """`frames`: what the sound card asks for at once."""
        self.engine = Engine(bundle, sample_rate, channels=CHANNELS, max_block=frames)
        self.block = np.zeros((CHANNELS, frames), np.float32)  # made once: the callback takes no memory
        self.played = self.underflows = 0

    def callback(self, outdata: Any, frames: int, when: Any, status: Any) -> None:
        """Fill `outdata`, float32 [frames, channels]: interleaved, so the engine fills a block that is then copied."""
        block = self.block[:, :frames]
        self.engine.process(block)
        outdata[:] = block.T
        self.underflows += bool(status)

    def do(self, line: str) -> None:
        """Carry a line out. Raises ValueError, EngineBusy."""
        if line == "off":
            self.engine.all_off(release=0.5)
        elif line:
            hold = line.startswith("hold ")
            chosen = line.removeprefix("hold ")
            self.engine.note_on(Note(chosen, index=self.played, hold=hold, controls=HELD if hold else {}))
            self.played += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", help="the one that comes with ngs, if none is given")
    parser.add_argument("--frames", type=int, default=256, metavar="N", help="that the sound card asks for at once")
    parser.add_argument("--device", help="a number or a part of a name; python -m sounddevice lists them")
    parser.add_argument("--state", type=Path, metavar="FILE")
    options = parser.parse_args()
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the library PortAudio is missing
        sys.exit(f"sounddevice is missing ({error}): pip install sounddevice, and the library PortAudio")
    device = int(options.device) if (options.device or "").isdecimal() else options.device
    try:
        rate = int(sounddevice.query_devices(device, "output")["default_samplerate"])
        with Bundle.open(options.bundle) as bundle:
            named = bundle if options.bundle else None
            play(sounddevice, Host(bundle, rate, options.frames), device, options.state, named)
    except (ValueError, OSError, sounddevice.PortAudioError) as error:  # BundleError is a ValueError
        sys.exit(str(error))


def play(sounddevice: Any, host: Host, device: Any, state: Path | None, named: Bundle | None) -> None:
    """Play until the lines end. `named`: plays what is restored, instead of the bundle that was stored."""
    engine, frames = host.engine, host.block.shape[1]
    stream = sounddevice.OutputStream(
        samplerate=engine.sample_rate, blocksize=frames, device=device, channels=CHANNELS, dtype="float32",
        latency="low", callback=host.callback,
    )  # fmt: skip
    with engine, stream:  # the engine starts first and stops last
        if state and state.exists():
            engine.restore(json.loads(state.read_text()), named)
        classes = ", ".join(engine.bundle.manifest.attributes[0].classes)
        print(f"{engine.bundle.path.name} plays {classes}, {1e3 * engine.latency / engine.sample_rate:.0f} ms later")
        for line in sys.stdin:
            if line.strip() == "quit":
                break
            try:
                host.do(line.strip())
            except (ValueError, EngineBusy) as error:
                print(error, file=sys.stderr)
        if state:
            wait(engine, 2 * engine.latency)  # until the last line is heard
            state.write_text(json.dumps(engine.state(), indent=1) + "\n")
        engine.all_off(release=0.1)
        wait(engine, engine.sample_rate // 5 + engine.latency)
    print(f"{engine.statistics().late} late, {host.underflows} underflows")


def wait(engine: Engine, frames: int) -> None:
    """Until the sound card has taken so many frames, or two seconds are over."""
    due, end = engine.time + frames, time.monotonic() + 2
    while engine.time < due and time.monotonic() < end:
        time.sleep(0.01)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
