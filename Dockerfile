# The router in an image, for a worker or for a command:
#   docker build -t message-router .
#   docker run --rm -v "$PWD:/config:ro" -e AWS_REGION=… message-router worker
# `router template --format docker` makes one that has a configuration in it.
FROM python:3.13-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE message_router_pytest.py ./
COPY requirements/worker.lock requirements/
COPY router/ router/
RUN python -m venv /opt/router \
    && /opt/router/bin/python -m pip install --no-cache-dir --no-deps --require-hashes -r requirements/worker.lock \
    && /opt/router/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin router
COPY --from=build /opt/router /opt/router
ENV PATH=/opt/router/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /config
USER 10001
EXPOSE 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["router"]
CMD ["--help"]
