"""A container image that runs redline as nobody in particular."""

from __future__ import annotations

from capacity.deploying.order import Files, Order, filled

_CONTAINERFILE = """\
# Build beside the folder wheels/, which holds the wheel of redline:
#   podman build --tag @IMAGE@ .
FROM docker.io/library/python:3.12-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 HOME=/tmp
COPY wheels/redline-@VERSION@-py3-none-any.whl /tmp/wheels/
RUN python -m pip install /tmp/wheels/redline-@VERSION@-py3-none-any.whl \\
    && rm -r /tmp/wheels \\
    && ln -s "$(python -c 'import locustfiles; print(locustfiles.__path__[0])')" /opt/locustfiles \\
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin redline
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["redline"]
CMD ["check", "@NAME@", "--config", "/etc/redline/redline.toml"]
"""

_IGNORED = """\
# Nothing but the wheel goes into the image: no keys, no settings, no runs.
*
!wheels
!wheels/redline-*.whl
"""


def container_files(order: Order) -> Files:
    """A Containerfile, and the list of what the build leaves out."""
    containerfile = filled(_CONTAINERFILE, name=order.name, image=order.image, version=order.version)
    return Files({"Containerfile": containerfile, ".containerignore": _IGNORED})
