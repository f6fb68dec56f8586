"""The block diagrams of docs/how-it-works.md. The sizes in them are read from the bundle's manifest."""

from __future__ import annotations

from collections.abc import Sequence

from diagram import Box, Diagram
from matplotlib.figure import Figure
from style import BLUE, GREEN, ORANGE, PURPLE, VERMILION

from ngs.runtime import Bundle

HEIGHT = 0.52  # of a box, in inches
TOP, LEFT, WIDTH, STEP = 0.15, 1.72, 2.9, 0.79  # of the column of boxes in the diagrams of the two levels
SIDE = LEFT + WIDTH + 0.2  # where their brackets are
INPUT_LEFT, INPUT_WIDTH = 0.1, 1.3  # boxes to the left of that column

Row = tuple[str, str, str]  # text, detail, colour


def grain_vae(bundle: Bundle) -> Figure:
    """Encoder, decoder, excitation, overlap-add and post-processing."""
    m = bundle.manifest
    length, hop, bins, latent = m.grain_length, m.hop_length, m.grain_length // 2 + 1, m.latent_size
    points = int({tensor.name: tensor.shape[1] for tensor in m.graphs["decoder"].outputs}["profile"])
    past = int({tensor.name: tensor.shape[1] for tensor in m.graphs["decoder_stream"].states}["history"])
    d = Diagram(8.05)
    boxes = _column(d, (
        ("windowed grain", f"samples [{length}]", BLUE),
        ("log spectrum, energy profile", f"features [{bins} + {points}]", BLUE),
        ("linear path + network", f"mean, log variance [{latent}]", BLUE),
        ("latent z", f"[{latent}]: sampled, or the mean", VERMILION),
        ("linear path + network", f"coefficients [{bins} + {points}]", GREEN),
        ("peaks: tone or noise?", f"magnitude, peak, advance [{bins}]", GREEN),
        ("excitation", f"spectrum [{bins}] → grain [{length}]", ORANGE),
        ("overlap-add", f"4 grains → one hop [{hop}]", PURPLE),
        ("FIR filter, soft sign", f"past [{past}] + [{hop}]", PURPLE),
        ("sound", f"[{hop}] per hop", PURPLE),
    ))  # fmt: skip
    condition = _input(d, boxes[4].y, "condition", f"one-hot [{m.condition_size}]", GREEN)
    noise = _input(d, boxes[5].y + 0.1, "noise", f"[{length}]", ORANGE)
    phase = _input(d, boxes[6].y + 0.33, "phases", f"state [{bins}]", ORANGE)
    d.arrow(condition.right, boxes[4].left)
    meeting = boxes[6].left
    d.arrow((1.4, noise.right[1]), (1.56, noise.right[1]), (1.56, meeting[1] - 0.1), (LEFT, meeting[1] - 0.1))
    d.arrow((1.4, phase.right[1]), (1.56, phase.right[1]), (1.56, meeting[1] + 0.1), (LEFT, meeting[1] + 0.1))
    d.bracket(SIDE, boxes[1].y, boxes[2].bottom[1], "encoder.onnx", BLUE)
    d.bracket(SIDE, boxes[4].y, boxes[5].bottom[1], "decoder.onnx", GREEN)
    d.bracket(SIDE, boxes[6].y, boxes[6].bottom[1], "synthesis.onnx", ORANGE)
    d.bracket(SIDE, boxes[7].y, boxes[7].bottom[1], "grains.py", PURPLE)
    d.bracket(SIDE, boxes[8].y, boxes[8].bottom[1], "postproces-\nsing.onnx", PURPLE)
    return d.figure


def embedding_vae(bundle: Bundle) -> Figure:
    """Level 2: from paths to embeddings and back."""
    m = bundle.manifest
    latent, embedding, path = m.latent_size, m.embedding_size, m.path_length
    shapes = {tensor.name: tensor.shape for tensor in m.graphs["embedding_step"].outputs}
    written, hidden = int(shapes["path"][1]), int(shapes["next_hidden"][1])
    d = Diagram(5.7)
    boxes = _column(d, (
        ("path of a sound", f"latents [{path}, {latent}]", BLUE),
        ("audible units", f"strongest components [{path}, 64]", BLUE),
        ("bidirectional GRU + PCA", f"mean, log variance [{embedding}]", BLUE),
        ("embedding e", f"[{embedding}]", VERMILION),
        ("GRU + row of the PCA", f"state [{hidden}], {written} grains per step", GREEN),
        ("new path", f"latents [{path}, {latent}] or longer", GREEN),
        ("grain decoder", "the figure above, from z on", ORANGE),
    ))  # fmt: skip
    below = f"one-hot [{m.condition_size}]"
    reads = _input(d, boxes[2].y, "condition", below, BLUE)
    drawn = _input(d, boxes[3].y, "prior", "from N(0, 1)", VERMILION)
    writes = _input(d, boxes[4].y, "condition", below, GREEN)
    d.arrow(reads.right, boxes[2].left)
    d.arrow(drawn.right, boxes[3].left)
    d.arrow(writes.right, boxes[4].left)
    d.arrow(reads.bottom, drawn.top, colour=VERMILION)
    d.bracket(SIDE, boxes[1].y, boxes[2].bottom[1], "embedding_\nencoder.onnx", BLUE)
    d.bracket(SIDE, boxes[3].y, boxes[3].bottom[1], "prior.onnx", VERMILION)
    d.bracket(SIDE, boxes[4].y, boxes[4].bottom[1], "embedding_\ndecoder.onnx,\nembedding_\nstep.onnx", GREEN)
    d.bracket(SIDE, boxes[6].y, boxes[6].bottom[1], "decoder_\nstream.onnx", ORANGE)
    return d.figure


def live(bundle: Bundle) -> Figure:
    """From a trained run to a sound card: what runs in which thread."""
    m = bundle.manifest
    d = Diagram(8.3)
    d.band(0.05, 1.05, "once, with torch", PURPLE)
    run = d.box(0.3, 0.42, 1.55, HEIGHT, "trained run", "checkpoints", PURPLE)
    exported = d.box(2.4, 0.42, 1.6, HEIGHT, "ngs export", "verifies graphs", PURPLE)
    opened = d.box(4.55, 0.42, 1.55, HEIGHT, "NAME.ngs", "ONNX, 8 graphs", PURPLE)
    d.arrow(run.right, exported.left)
    d.arrow(exported.right, opened.left)

    d.band(1.25, 1.05, "any thread: keys, OSC, MIDI", BLUE)
    notes = d.box(0.3, 1.62, 2.6, HEIGHT, "note_on, note_off, set", "times in frames", BLUE)
    load = d.box(3.5, 1.62, 2.6, HEIGHT, "load", "opens and warms up", BLUE)
    d.arrow((opened.bottom[0], opened.bottom[1]), (opened.bottom[0], load.y))

    queue = d.box(0.3, 2.5, 2.6, HEIGHT, "queue", "at most 4096 commands", BLUE, dashed=True)
    d.arrow(notes.bottom, queue.top)
    d.arrow((load.bottom[0], load.bottom[1]), (load.bottom[0], queue.right[1]), queue.right)

    d.band(3.2, 3.15, "the engine's thread: renders ahead", GREEN, x=2.0)
    synth = d.box(0.3, 3.57, 2.6, HEIGHT, "Synth", "cuts the block at events", GREEN)
    d.arrow(queue.bottom, synth.top)
    bank = d.box(0.3, 4.4, 2.6, HEIGHT, "VoiceBatch", "one row for each voice", GREEN)
    d.arrow(synth.bottom, bank.top)
    writer = d.box(3.5, 3.57, 2.6, HEIGHT, "embedding_step.onnx", "state: step, hidden", GREEN)
    decoder = d.box(3.5, 4.4, 2.6, HEIGHT, "decoder_stream.onnx", f"a hop [rows, {m.hop_length}]", GREEN)
    d.arrow((bank.right[0], bank.right[1] - 0.12), (3.2, bank.right[1] - 0.12), (3.2, writer.left[1]), writer.left)
    d.arrow(writer.bottom, decoder.top)
    d.arrow((bank.right[0], bank.right[1] + 0.1), (decoder.left[0], bank.right[1] + 0.1))
    state = d.box(3.5, 5.23, 2.6, HEIGHT, "state of each row", "sum, weight, history, phase", GREEN, dashed=True)
    middle = decoder.bottom[0]
    d.arrow((middle - 0.5, decoder.bottom[1]), (middle - 0.5, state.y))
    d.arrow((middle + 0.5, state.y), (middle + 0.5, decoder.bottom[1]))
    mixed = d.box(0.3, 5.63, 2.6, HEIGHT, "resample, pan, mix", "a rate for each voice", GREEN)
    d.arrow((3.5, decoder.left[1] + 0.19), (3.2, decoder.left[1] + 0.19), (3.2, mixed.right[1]), mixed.right)

    ring = d.box(0.3, 6.55, 2.6, HEIGHT, "Ring", "one writer, one reader", ORANGE, dashed=True)
    d.arrow(mixed.bottom, ring.top)
    d.band(7.2, 1.05, "the host's callback: only copies", ORANGE, x=2.0)
    read = d.box(0.3, 7.57, 2.6, HEIGHT, "read", "never waits", ORANGE)
    card = d.box(3.5, 7.57, 2.6, HEIGHT, "sound card", "JACK, pyo, a file", ORANGE)
    d.arrow(ring.bottom, read.top)
    d.arrow(read.right, card.left)
    return d.figure


def _column(d: Diagram, rows: Sequence[Row]) -> list[Box]:
    """Boxes below each other, joined by arrows."""
    boxes = [d.box(LEFT, TOP + row * STEP, WIDTH, HEIGHT, *texts) for row, texts in enumerate(rows)]
    d.column(boxes)
    return boxes


def _input(d: Diagram, y: float, text: str, detail: str, colour: str) -> Box:
    """A dashed box to the left of the column."""
    return d.box(INPUT_LEFT, y, INPUT_WIDTH, HEIGHT, text, detail, colour, dashed=True)
