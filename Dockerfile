# A server for trained runs, on CPUs, without root.
#   docker build --tag seq2seq-attn .
#   docker run --rm --publish 127.0.0.1:8000:8000 --volume "$PWD/runs:/runs:ro" --env SEQ2SEQ_ATTN_TOKEN seq2seq-attn /runs/toy
FROM python:3.11-slim AS build
WORKDIR /source
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/seq2seq-attn
ENV PATH="/opt/seq2seq-attn/bin:$PATH"
COPY constraints.txt ./
# What the usual index has of torch brings gigabytes of CUDA along. The address of an index with builds for CPUs alone
# is on pytorch.org ("Start locally", CPU): --build-arg TORCH_INDEX=ADDRESS
ARG TORCH_INDEX=""
RUN ${TORCH_INDEX:+env PIP_INDEX_URL="$TORCH_INDEX"} pip install --constraint constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --constraint constraints.txt ".[serve,export]"

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin translator
COPY --from=build /opt/seq2seq-attn /opt/seq2seq-attn
ENV PATH="/opt/seq2seq-attn/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /runs
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["seq2seq-attn", "serve", "--host", "0.0.0.0"]
