# SPDX-License-Identifier: GPL-2.0-or-later
# docker build -t vbng .            (scripts/image does it where no registry can be reached)
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
COPY scripts/deps /src/scripts/deps
RUN /src/scripts/deps build root
COPY . /src
WORKDIR /src
RUN meson setup /build -Dbuildtype=release -Dtests=false \
    && ninja -C /build src/vbng \
    && scripts/image-root /build/src/vbng /rootfs

FROM scratch
COPY --from=build /rootfs /
LABEL org.opencontainers.image.title="vbng" \
      org.opencontainers.image.description="An internet provider's edge in one container: WireGuard uplink, router advertisements, DHCPv6 prefix delegation" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="GPL-2.0-or-later"
ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin
VOLUME /var/lib/vbng
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/usr/bin/vbng", "healthcheck"]
ENTRYPOINT ["/usr/bin/vbng"]
