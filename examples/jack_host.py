"""A live instrument in Python: a JACK client that plays a bundle.

python examples/jack_host.py [BUNDLE] [--demo SECONDS] [--ahead FRAMES] [--stats FILE.json] [--record FILE.wav]

It reads commands, one per line. A class plays a note ("Kick"), with a gain if you like ("Snare 0.5"); "swap OTHER.ngs"
changes the bundle while it plays; "stats", "quit" and "help" do what they say. MIDI notes play the drums that General
MIDI has there, 36 the kick; classes that are no drums are played in turn from 36 on. --demo plays random notes. It
needs a JACK server (PipeWire has one), and: pip install JACK-Client
"""

import argparse
import json
import random
import signal
import sys
import threading
import time
from collections import deque
from pathlib import Path
from queue import SimpleQueue
from typing import Any

try:
    import numpy as np
    import soundfile

    from ngs.runtime import CONTROLS, Bundle, Engine, EngineBusy, Note
    from ngs.runtime.drum_names import FIRST_KEY, drum_class, same_class
except KeyboardInterrupt:  # the imports take a moment
    sys.exit(130)

MOST_FRAMES = 8192  # the most that JACK asks for at once
NOTE_ON = 0x90  # on channel 1: the lower half of the byte is the channel
REMEMBERED = 256  # last notes kept
COMMANDS = "CLASS [GAIN], swap PATH, stats, quit, help"
NO_SERVER = "No JACK server is running: start one with jackd -d alsa, or jackd -d dummy if there is no sound card"


class Host:
    """An engine between the commands, from any thread, and JACK's thread, which calls `process`."""

    def __init__(self, client: Any, bundle: Bundle, ahead: int = 0, tape_seconds: float = 0.0) -> None:
        """`ahead`: frames rendered before they are heard. Fewer mean less latency, more suit a busier machine."""
        self.rate, self.frames = client.samplerate, client.blocksize
        self.engine = Engine(bundle, self.rate, ahead=ahead or 2 * self.frames + 512)
        self.outputs = [client.outports.register(name) for name in ("left", "right")]
        self.midi = client.midi_inports.register("midi")
        self.block = np.zeros((2, MOST_FRAMES), np.float32)
        self.tape = np.full((2, round(tape_seconds * self.rate)), 0.0, np.float32)
        self.taped = self.played = self.xruns = self.errors = 0
        self.notes: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self.commands: SimpleQueue[str | tuple[int, int, int]] = SimpleQueue()  # lines, or arguments of `press`
        client.set_process_callback(self.process)
        client.set_xrun_callback(self.count_xrun)
        client.set_shutdown_callback(lambda status, reason: self.commands.put("gone"))

    def process(self, frames: int) -> None:
        """Called by JACK's thread: it only copies, and passes keys on. An exception would end the sound for good."""
        try:
            block = self.block[:, :frames]
            self.engine.process(block)
            for output, channel in zip(self.outputs, block, strict=True):
                output.get_array()[:] = channel
            room = min(frames, self.tape.shape[1] - self.taped)
            self.tape[:, self.taped : self.taped + room] = block[:, :room]
            self.taped += room
            due = self.engine.time + self.engine.latency  # the same latency for every key
            for offset, event in self.midi.incoming_midi_events():
                if len(event) == 3:
                    status, key, velocity = bytes(event)
                    if status & 0xF0 == NOTE_ON and velocity:  # velocity 0 ends a note
                        self.commands.put((due + offset, key, velocity))
        except Exception:
            self.errors += 1

    def count_xrun(self, microseconds: float) -> None:
        self.xruns += 1

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the bundle's first attribute."""
        return self.engine.bundle.manifest.attributes[0].classes

    def help(self) -> str:
        keys = f"MIDI note {FIRST_KEY}: {drum_class(FIRST_KEY, self.classes)}"
        return f"{self.engine.bundle.path.name} plays {', '.join(self.classes)} ({keys}). Commands: {COMMANDS}"

    def do(self, command: str) -> None:
        """Carry a line out. Raises ValueError, EngineBusy."""
        word, _, rest = command.partition(" ")
        if command == "help":
            print(self.help(), flush=True)
        elif command == "stats":
            print(json.dumps(self.statistics()), flush=True)
        elif word == "swap" and rest:  # it takes a moment, and notes go on meanwhile
            threading.Thread(target=self.swap, args=(rest,), daemon=True).start()
        elif command:
            self.play(*self.understood(command))

    def understood(self, line: str) -> tuple[str, float]:
        """The class, in any spelling, and the gain of a line such as "Snare 0.5" or "Tom low". Raises ValueError."""
        chosen, gain = same_class(line, self.classes), "1"
        if chosen is None:
            head, _, gain = line.rpartition(" ")
            chosen = same_class(head.strip(), self.classes)
        if chosen is None:
            raise ValueError(f"{line!r} is neither a class ({', '.join(self.classes)}) nor a command: {COMMANDS}")
        try:
            return chosen, float(gain)
        except ValueError:
            low, high = CONTROLS["gain"].low, CONTROLS["gain"].high
            raise ValueError(f"gain is {gain!r}: choose {low:g} to {high:g}, as in '{chosen} 0.5'") from None

    def press(self, at: int, key: int, velocity: int) -> None:
        """Play a key at a frame. Keys without a class are silent."""
        if (chosen := drum_class(key, self.classes)) is not None:
            self.play(chosen, velocity / 127, at)

    def play(self, chosen: str, gain: float, at: int | None = None) -> None:
        self.engine.note_on(Note(chosen, index=self.played, controls={"gain": gain}), at)
        self.notes.append({"class": chosen, "index": self.played, "gain": gain, "at": at})
        self.played += 1

    def swap(self, path: str) -> None:
        try:
            self.engine.load(path)
            print(self.help(), flush=True)
        except (ValueError, OSError) as error:  # BundleError is a ValueError
            print(error, file=sys.stderr)

    def demo(self, seconds: float, over: threading.Event) -> None:
        """Play sixteenths at 120 bpm. Each is sent half a second early, so that it plays at its exact frame."""
        rng, lead = random.Random(0), self.engine.latency + self.rate // 2
        at = self.engine.time + lead
        end = at + seconds * self.rate
        while self.engine.time < end and not over.wait(0.01):
            while at < min(end, self.engine.time + lead):
                self.commands.put((at, FIRST_KEY + rng.randrange(len(self.classes)), rng.randint(40, 127)))
                at += self.rate // 8
        self.commands.put("end")

    def run(self) -> str:
        """Carry out commands until one that ends the host, which is returned. "end" lets notes ring out."""
        while (command := self.commands.get()) not in ("quit", "gone", "end"):
            try:
                if isinstance(command, str):
                    self.do(command)
                else:
                    self.press(*command)
            except (ValueError, EngineBusy) as error:
                print(error, file=sys.stderr)
        if command == "end":
            time.sleep(0.1)
            while self.engine.statistics().voices and self.commands.empty():
                time.sleep(0.01)
        return command

    def statistics(self) -> dict[str, Any]:
        own = {"bundle": str(self.engine.bundle.path), "sample_rate": self.rate, "frames_at_once": self.frames}
        counts = {"latency": self.engine.latency, "xruns": self.xruns, "errors": self.errors, "notes": self.played}
        return {**own, **self.engine.statistics().to_dict(), **counts}


def listen(commands: SimpleQueue[Any], last: str) -> None:
    """Read commands from stdin, then add `last`. This thread may never end, so it has no reference to the host."""
    for line in sys.stdin:
        commands.put(line.strip())
    commands.put(last)


def connect() -> Any:
    """A client of the running server, which is the one named by $JACK_DEFAULT_SERVER, or "default"."""
    try:
        import jack
    except (ImportError, OSError) as error:
        sys.exit(f"JACK for Python is missing ({error}): pip install JACK-Client, and the JACK library (jackd2)")
    jack.set_error_function(lambda message: None)  # its several lines say less than ours
    try:
        return jack.Client("ngs", no_start_server=True)
    except jack.JackOpenError:
        sys.exit(NO_SERVER)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", help="the one that comes with ngs, if none is given")
    parser.add_argument("--demo", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--ahead", type=int, default=0, metavar="FRAMES")
    parser.add_argument("--stats", type=Path, metavar="FILE", help="write statistics as JSON at the end")
    parser.add_argument("--record", type=Path, metavar="FILE", help="record the demo, or the first minute, as WAV")
    return parser.parse_args()


def main() -> None:
    """Raises KeyboardInterrupt if that ended it, after all files are written."""
    options = read_options()
    tape = (options.demo or 60) + 5 if options.record else 0
    try:
        bundle = Bundle.open(options.bundle)
        client = connect()
        host = Host(client, bundle, options.ahead, tape)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    last = "" if options.demo else "end"
    threading.Thread(target=listen, args=(host.commands, last), daemon=True).start()
    over, ended = threading.Event(), "quit"
    demo = threading.Thread(target=host.demo, args=(options.demo, over))
    with host.engine, client:  # the engine starts first and stops last
        speakers = client.get_ports(is_audio=True, is_physical=True, is_input=True)
        for output, speaker in zip(host.outputs, speakers, strict=False):
            client.connect(output, speaker)
        print(host.help(), flush=True)
        try:
            if options.demo:
                demo.start()
            ended = host.run()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends it at once
            ended = "interrupt"
        over.set()
        host.engine.all_off()
        time.sleep(0.2 + host.engine.latency / host.rate)  # until that is heard
    if demo.is_alive():
        demo.join()
    if options.stats:
        told = {**host.statistics(), "last_notes": [*host.notes]}
        options.stats.write_text(json.dumps(told, indent=1) + "\n")
    if options.record:
        soundfile.write(options.record, host.tape[:, : host.taped].T, host.rate, subtype="FLOAT")
    if ended == "gone":
        sys.exit("The JACK server has gone")
    if ended == "interrupt":
        raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
