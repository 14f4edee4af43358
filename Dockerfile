# The image of dlr-mo-connector: Node.js, production dependencies, the program. docs/kubernetes.md tells how it is run.
#
#   docker build --tag dlr-mo-connector .
#
# NODE_IMAGE builds the program and gives it its Node; BASE_IMAGE is what it runs on: any image with glibc, libstdc++ and
# libgcc, a "distroless" one too. Neither shell nor package manager of it is used.
ARG NODE_IMAGE=node:24-bookworm-slim
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS tools
# As process 1, Node would ignore signals until our handlers stand, and would leave children of `kubectl exec` unreaped.
# The static binary needs nothing of the base.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && cp /usr/bin/tini-static "$(command -v node)" /usr/local/lib/ \
    && rm -rf /var/lib/apt/lists/*

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No install scripts: what needs a binary brings it along.
RUN npm ci --omit=dev --ignore-scripts

FROM dependencies AS build
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && find dist -name '*.d.ts' -delete -o -name '*.map' -delete

# All files of the image in their places, with one time stamp: the same sources give the same layers.
FROM ${NODE_IMAGE} AS files
ARG SOURCE_DATE_EPOCH=0
COPY --from=tools /usr/local/lib/tini-static /image/runtime/usr/bin/tini
COPY --from=tools /usr/local/lib/node /image/runtime/usr/local/bin/node
COPY --from=dependencies /app/node_modules /image/dependencies/app/node_modules
COPY --from=build /app/dist /image/program/app/dist
COPY schemas /image/program/app/schemas
COPY package.json LICENSE /image/program/app/
COPY config/connector.yaml /image/program/etc/dlr-mo-connector/connector.yaml
# The journal's directory must be writable for any user id; a volume that is mounted there brings permissions of its own.
RUN mkdir -p /image/program/usr/local/bin /image/program/var/lib/dlr-mo-connector \
    && chmod 1777 /image/program/var/lib/dlr-mo-connector \
    && chmod -R u=rwX,go=rX /image/dependencies /image/program/app /image/program/etc \
    && chmod 755 /image/program/app/dist/main.js \
    && ln -s /app/dist/main.js /image/program/usr/local/bin/dlr-mo-connector \
    && rm -f /image/dependencies/app/node_modules/.package-lock.json \
    && find /image/dependencies -type f -regex '.*\.\(map\|d\.[cm]?ts\|[Mm][Dd]\)' ! -iname 'licen[cs]e*' -delete \
    && find /image/dependencies -type d -empty -delete \
    && find /image -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE_IMAGE}
# From what changes least to what changes most: an update of the program transfers the last layer only.
COPY --from=files /image/runtime/ /
COPY --from=files /image/dependencies/ /
COPY --from=files /image/program/ /

ENV NODE_ENV=production \
    CONNECTOR_CONFIG=/etc/dlr-mo-connector/connector.yaml \
    HEALTH_URL=http://127.0.0.1:9464/livez
# Relative paths of the configuration begin here: data/journal is on the volume.
WORKDIR /var/lib/dlr-mo-connector
VOLUME /var/lib/dlr-mo-connector
# Numeric, so that Kubernetes can tell that it isn't root; any other will do.
USER 10001:10001
EXPOSE 8080 9464
# Alive, not ready: a full journal is no reason to restart. Kubernetes has its own probes and leaves this one out.
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
