NGS := .venv/bin/ngs

.PHONY: demo test check bench setup

setup:
	@scripts/setup

# Procedural drum hits, a model trained on them in about four minutes, and what it plays, into demo/
demo: setup
	@rm -rf demo/run
	$(NGS) hits demo/sounds --count 40
	$(NGS) train demo/sounds --out demo/run --steps grain=1200,embedding=600,joint=40
	$(NGS) export demo/run -o demo/drums.ngs
	$(NGS) render demo/drums.ngs loop --pattern house --bpm 122 --bars 4 -o demo/loop.wav
	$(NGS) render demo/drums.ngs sample --class Snare --count 4 -o demo/samples
	$(NGS) render demo/drums.ngs path --kind spiral --seconds 6 -o demo/path.wav
	$(NGS) spectrogram demo/loop.wav demo/samples/sample-Snare-0-0.wav demo/path.wav -o demo/picture.png
	@echo "Listen: demo/loop.wav, demo/samples/, demo/path.wav. Look: demo/picture.png. The bundle: demo/drums.ngs"

test: setup
	.venv/bin/python -m pytest

# Lint and types
check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: setup
	.venv/bin/python benchmarks/decode.py
	.venv/bin/python benchmarks/training.py --presets fast fast-44k
