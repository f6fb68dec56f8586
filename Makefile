NGS := .venv/bin/ngs

.PHONY: play demo quick test check docs bench bundle setup

setup:
	@scripts/setup

# The drum machine, live: q ends, ? shows the keys, OSC comes in on port 9000
play: setup
	$(NGS) play drum-machine --osc 9000

# Into demo/: what the bundle that ships with ngs plays, at once; then, in demo/own/, what a model plays that is
# trained on procedural drum hits in about four minutes
demo: setup
	$(NGS) render loop --pattern house --bpm 122 --bars 4 -o demo/loop.wav
	$(NGS) render sample --class Snare --count 4 -o demo/samples
	$(NGS) render path --kind spiral --seconds 6 -o demo/path.wav
	@echo "Listen at once, this is the bundle that ships with ngs: demo/loop.wav, demo/samples/, demo/path.wav"
	@echo "Now a model of your own: procedural drum hits, about four minutes of training ..."
	@rm -rf demo/run
	$(NGS) hits demo/sounds --count 40
	$(NGS) train demo/sounds --out demo/run --steps grain=900,embedding=800,joint=40
	$(NGS) export demo/run -o demo/drums.ngs
	$(NGS) render demo/drums.ngs loop --pattern house --bpm 122 --bars 4 -o demo/own/loop.wav
	$(NGS) render demo/drums.ngs sample --class Snare --count 4 -o demo/own/samples
	$(NGS) render demo/drums.ngs path --kind spiral --seconds 6 -o demo/own/path.wav
	$(NGS) spectrogram demo/own/loop.wav demo/own/samples/sample-Snare-0-0.wav demo/own/path.wav -o demo/own/picture.png
	$(NGS) report demo/drums.ngs demo/sounds --run demo/run -o demo/report
	@echo "The bundle that ships with ngs: demo/loop.wav, demo/samples/, demo/path.wav."
	@echo "Your own, demo/drums.ngs: demo/own/loop.wav, demo/own/samples/, demo/own/path.wav; look: demo/own/picture.png."
	@echo "All of it to look at and listen to, in a browser: demo/report/index.html"

# For every day: lint, types, and the tests that start no programs, train nothing and open no browser
quick: check
	.venv/bin/python -m pytest -q -m "not slow"

test: setup
	@scripts/test-packages
	.venv/bin/python -m pytest

# Lint and types
check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# The documentation as a site; a broken link or reference is an error
docs: setup
	.venv/bin/sphinx-build -E -W --keep-going -n -q docs build/docs
	@echo "Open build/docs/index.html in a browser"

bench: setup
	OMP_NUM_THREADS=1 .venv/bin/python benchmarks/decode.py
	.venv/bin/python benchmarks/training.py --presets fast fast-44k

# The bundle that ships with ngs, trained anew on DATA, the samples that docs/model-card.md names
bundle: setup
	scripts/shipped-bundle "$(DATA)" runtime/drums.ngs
