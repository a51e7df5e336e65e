# The image that Velero's pod takes the plugin from, and the command `stillpoint`. See docs/image.md.
#
# BUILD_BASE needs Python 3.11 or 3.12 with its headers and libpython, a C compiler and binutils, and a glibc no newer than
# that of Velero's image; RUN_BASE needs glibc and zlib.
ARG BUILD_BASE=redhat/ubi9
ARG RUN_BASE=redhat/ubi9-micro

FROM ${BUILD_BASE} AS build
ARG PYTHON=python3.11
RUN command -v $PYTHON || dnf install --assumeyes $PYTHON-devel $PYTHON-pip gcc binutils
WORKDIR /build
COPY packaging/requirements.lock packaging/
# A build that has no registry mounts them there; see packaging/image.py.
RUN test -d /site || $PYTHON -m pip install --no-cache-dir --require-hashes --no-deps --no-compile --only-binary :all: \
    --target /site --requirement packaging/requirements.lock
COPY LICENSE pyproject.toml ./
COPY packaging packaging
COPY guest_hooks/stillpoint_guest/__init__.py guest_hooks/stillpoint_guest/
COPY plugin plugin
RUN $PYTHON packaging/payload.py /site /payload

FROM ${RUN_BASE}
COPY --from=build /payload /
USER 65532:65532
ENTRYPOINT ["/plugins/stillpoint/stillpoint"]
CMD ["install", "/target"]
