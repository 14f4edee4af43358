# The image of dlr-mo-connector: Node.js, production dependencies and the program. docs/kubernetes.md explains how to run it.
#
#   docker build --tag dlr-mo-connector .
#
# NODE_IMAGE builds the program and provides Node.js. BASE_IMAGE is the image that the program runs on: any image with glibc,
# libstdc++ and libgcc, including a "distroless" one. Its shell and package manager are not used.
ARG NODE_IMAGE=node:24-bookworm-slim
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS tools
# As process 1, Node.js would ignore signals until the program has installed its handlers, and would not reap orphans of
# `kubectl exec`. The static binary of tini depends on nothing in the base image.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && cp /usr/bin/tini-static "$(command -v node)" /usr/local/lib/ \
    && rm -rf /var/lib/apt/lists/*

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Install scripts are not needed, because packages with native code ship their binaries.
RUN npm ci --omit=dev --ignore-scripts

FROM dependencies AS build
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && find dist -name '*.d.ts' -delete

# All files of the image get the same time stamp, so that the same sources give the same layers.
FROM ${NODE_IMAGE} AS files
ARG SOURCE_DATE_EPOCH=0
COPY --from=tools /usr/local/lib/tini-static /image/runtime/usr/bin/tini
COPY --from=tools /usr/local/lib/node /image/runtime/usr/local/bin/node
COPY --from=dependencies /app/node_modules /image/dependencies/app/node_modules
COPY --from=build /app/dist /image/program/app/dist
COPY schemas /image/program/app/schemas
COPY config/providers /image/program/app/config/providers
COPY docs/runbook.md /image/program/app/docs/
COPY package.json LICENSE /image/program/app/
COPY config/connector.yaml /image/program/etc/dlr-mo-connector/connector.yaml
# The directory of the journal is closed to everybody but the user of the image. A volume that is mounted there has its own
# permissions, and any other user needs one.
RUN mkdir -p /image/program/usr/local/bin /image/program/var/lib /image/data/dlr-mo-connector \
    && chmod 700 /image/data/dlr-mo-connector \
    && chmod -R u=rwX,go=rX /image/dependencies /image/program/app /image/program/etc \
    && chmod 755 /image/program/app/dist/main.js \
    && ln -s /app/dist/main.js /image/program/usr/local/bin/dlr-mo-connector \
    && rm -f /image/dependencies/app/node_modules/.package-lock.json \
    && find /image/dependencies -type f -regex '.*\.\(map\|d\.[cm]?ts\|[Mm][Dd]\)' ! -iname 'licen[cs]e*' -delete \
    && rm -rf /image/dependencies/app/node_modules/@opentelemetry/*/build/esm /image/dependencies/app/node_modules/@opentelemetry/*/build/esnext \
    && find /image/dependencies -type d -empty -delete \
    && find /image -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE_IMAGE}
# Layers are ordered from what changes least to what changes most, so that an update of the program transfers only the last.
COPY --from=files /image/runtime/ /
COPY --from=files /image/dependencies/ /
COPY --from=files /image/program/ /
COPY --from=files --chown=10001:10001 /image/data/ /var/lib/

ENV NODE_ENV=production \
    CONNECTOR_CONFIG=/etc/dlr-mo-connector/connector.yaml \
    HEALTH_URL=http://127.0.0.1:9464/livez
# Relative paths of the configuration start here, so that data/journal is on the volume.
WORKDIR /var/lib/dlr-mo-connector
VOLUME /var/lib/dlr-mo-connector
# The user is numeric, so that Kubernetes can verify that it is not root. Any other id works too, with a volume that it can write to.
USER 10001:10001
EXPOSE 8080 9464
# The check asks whether the process is alive, not whether it is ready, because a full journal is no reason to restart.
# Kubernetes uses its own probes and ignores this one.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5m --retries=3 \
    CMD ["node", "--eval", "fetch(process.env.HEALTH_URL).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "node", "/app/dist/main.js"]
CMD ["run"]

ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=
ARG BASE_IMAGE
LABEL org.opencontainers.image.title="dlr-mo-connector" \
    org.opencontainers.image.description="Takes SMS delivery receipts and inbound messages into custody on disk and publishes each exactly once as Avro to Kafka" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}" \
    org.opencontainers.image.source="${SOURCE}" \
    org.opencontainers.image.base.name="${BASE_IMAGE}"
