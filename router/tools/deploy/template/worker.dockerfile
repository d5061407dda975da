# The worker of $config. Made by: router template --format docker
#   docker build --platform $platform -t message-router .
#   docker run --stop-timeout $stop_seconds -e AWS_REGION=… message-router
$variables
FROM python:$python-slim-bookworm AS build
$installation

FROM python:$python-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin router
COPY --from=build $home $home
WORKDIR $place
$copies
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
EXPOSE $port
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=${health_seconds}s --timeout=${health_timeout}s --start-period=${health_start}s --retries=$health_retries \
    CMD $health_command
CMD $command
