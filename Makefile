NGS := .venv/bin/ngs

.PHONY: play demo quick quick-instruments quick-others test check docs bench bundle setup

setup:
	@scripts/setup

# The drum machine, live: q quits, ? shows the keys, OSC listens on port 9000
play: setup
	$(NGS) play drum-machine --osc 9000

# Into demo/: at once, what the bundle that comes with ngs plays; then, in demo/own/, the same from a model that is
# trained on procedural drum hits in about four minutes
demo: setup
	$(NGS) render loop --pattern house --bpm 122 --bars 4 -o demo/loop.wav
	$(NGS) render sample --class Snare --count 4 -o demo/samples
	$(NGS) render path --kind spiral --seconds 6 -o demo/path.wav
	@echo "The bundle that comes with ngs, ready to listen to: demo/loop.wav, demo/samples/, demo/path.wav"
	@echo "Now a model of your own: procedural drum hits, about four minutes of training ..."
	@rm -rf demo/run
	$(NGS) hits demo/sounds --count 40
	$(NGS) train demo/sounds --out demo/run --steps grain=900,embedding=800,prior=800
	$(NGS) export demo/run -o demo/drums.ngs
	$(NGS) render demo/drums.ngs loop --pattern house --bpm 122 --bars 4 -o demo/own/loop.wav
	$(NGS) render demo/drums.ngs sample --class Snare --count 4 -o demo/own/samples
	$(NGS) render demo/drums.ngs path --kind spiral --seconds 6 -o demo/own/path.wav
	$(NGS) spectrogram demo/own/loop.wav demo/own/samples/sample-Snare-0-0.wav demo/own/path.wav -o demo/own/picture.png
	$(NGS) report demo/drums.ngs demo/sounds --run demo/run -o demo/report
	@echo "The bundle that comes with ngs: demo/loop.wav, demo/samples/, demo/path.wav."
	@echo "Your own, demo/drums.ngs: demo/own/loop.wav, demo/own/samples/, demo/own/path.wav; look: demo/own/picture.png."
	@echo "The report, for a browser: demo/report/index.html"

# For every day: lint, types, and the tests that start no programs, train nothing and open no browser
# (tests/conftest.py marks these as slow), on two cores
quick: setup
	@$(MAKE) --no-print-directory -j2 check quick-instruments quick-others

quick-instruments:
	.venv/bin/python -m pytest -q -m "not slow" tests/pyo_instruments

quick-others:
	.venv/bin/python -m pytest -q -m "not slow" --ignore tests/pyo_instruments

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

# Train the bundle that comes with ngs anew, on DATA: the samples that docs/model-card.md names
bundle: setup
	scripts/shipped-bundle "$(DATA)" runtime/drums.ngs
