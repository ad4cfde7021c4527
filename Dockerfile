# One image for every Headrace part: API, Prefect server, MLflow server, workers.
# For a torch without CUDA give the index of the CPU wheels as PIP_EXTRA_INDEX_URL (see .env.example).

FROM node:22.19.0-bookworm-slim AS ui
WORKDIR /build
COPY ui/package.json ui/package-lock.json ui/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY ui/ ./
RUN npm run build

FROM python:3.11.13-slim-bookworm
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini tesseract-ocr tesseract-ocr-eng tesseract-ocr-fra \
       tesseract-ocr-deu tesseract-ocr-spa tesseract-ocr-ita tesseract-ocr-por \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 headrace \
    && install -d -o headrace /data
WORKDIR /app
COPY pyproject.toml constraints.txt README.md ./
COPY app app
COPY flows flows
COPY migrations migrations
COPY workers workers
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -e .
COPY --from=ui /build/dist ui/dist
USER headrace
ENV PYTHONUNBUFFERED=1 DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false MLFLOW_DISABLE_TELEMETRY=true \
    PREFECT_HOME=/data/prefect HEADRACE_HOME=/data HEADRACE_UI_DIST=/app/ui/dist
VOLUME /data
ENTRYPOINT ["tini", "-g", "--"]
CMD ["python", "-m", "uvicorn", "app.main:create_app", "--factory", "--host", "0.0.0.0", "--port", "8000", "--no-server-header"]
