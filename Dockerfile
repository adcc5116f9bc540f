# The command line in an image that runs as an ordinary user, on a read-only file system:
#
#   docker build -t planhat-async .
#   docker run --rm --read-only --tmpfs /tmp --user "$(id -u):$(id -g)" -v "$PWD:/data" -e PLANHAT_API_TOKEN \
#       planhat-async upsert tickets tickets.csv --journal job.db
#
# Journals and rejected rows belong in /data: they must outlive the container.
FROM python:3.14-slim AS build
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.14-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[cli,excel,parquet,redis,zstd]" && rm -r /wheels
USER 10001:10001
WORKDIR /data
ENTRYPOINT ["planhat-async"]
CMD ["--help"]
