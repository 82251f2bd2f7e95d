# The image that `bun run image` writes without an engine, for those who have one: scripts/image.ts puts
# the same files together for both, and scripts/image/image.test.ts holds the rest of this file against it.

FROM oven/bun:1.4.5 AS build
# git for the commit that `comet --version` names.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates git
WORKDIR /source
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --production
COPY . .
RUN bun scripts/build.ts && bun scripts/image.ts --folder /image

FROM scratch
COPY --from=build --chown=0:0 /image/system/ /
COPY --from=build --chown=65532:65532 /image/data/ /
COPY --from=build --chown=0:0 /image/program/ /
# Of the commit that is built: git rev-parse HEAD, git log -1 --format=%cI, and where it can be had.
ARG REVISION="" CREATED="" SOURCE=""
LABEL org.opencontainers.image.title="comet" \
      org.opencontainers.image.description="A push server in one executable: it holds an open stream for each user, and has the tools that check what it promises." \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE"
ENV PATH="/" COMET_LISTEN="0.0.0.0:8000"
USER 65532:65532
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["/comet", "health"]
ENTRYPOINT ["/comet"]
CMD ["serve"]
