"""`redline export`: files that other programs run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import options
from commands.output import talk
from scoring.errors import Exit, RedlineError

if TYPE_CHECKING:
    from capacity.deploying.order import Files, Order

AZURE_EXAMPLE = (
    "Example: redline export azure-load-testing churn-prod --users 40 --for 5m --threshold 'p95<=300ms' --out load-test"
)
export_app = typer.Typer(rich_markup_mode=None, help="Write files that other programs run.")


@export_app.command("azure-load-testing", epilog=AZURE_EXAMPLE)
def azure_load_testing(
    endpoint: options.Name = None,
    config: options.Config = "redline.toml",
    url: options.Url = None,
    payload: options.Payload = None,
    header: options.Header = None,
    hosting: options.Hosting = None,
    users: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="Requests in flight, all the time.")] = 10,
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="How long.")] = "5m",
    threshold: Annotated[
        list[str] | None, typer.Option(metavar="GOAL", help="Fails the test when missed; may be repeated.")
    ] = None,
    engines: Annotated[int, typer.Option(metavar="N", help="Test engines that share the load.")] = 1,
    key_uri: Annotated[
        str | None, typer.Option(metavar="URI", help="Secret identifier of the key in a Key Vault.")
    ] = None,
    deadline: options.Deadline = None,
    expect_any_body: options.AnyBody = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder that is missing or empty.")] = Path("load-test"),
) -> int:
    """Write a test that Azure Load Testing runs: Locust file, config.yaml, requirements.txt and what they need."""
    from capacity.azureloadtesting import PACKAGES, exported_test
    from capacity.begin import versions
    from capacity.openload import Shape
    from capacity.target import Target, load_plan, scenario_of
    from scoring.files import file_bytes

    target = Target(
        endpoint,
        config,
        url=url,
        payload=payload,
        headers=tuple(header or ()),
        hosting=hosting,
        deadline=deadline,
        any_body=expect_any_body,
    )
    plan = load_plan(target, Shape(users), duration, tuple(threshold or ("errors<=1%",)), 300, 1)
    found = versions()
    archive = f"redline-{found['redline']}.zip"
    ca = None if plan.endpoint.ca_file is None else file_bytes(Path(plan.endpoint.ca_file))
    test = exported_test(
        plan, scenario_of(plan), archive=archive, engines=engines, key_uri=key_uri, versions=found, ca=ca
    )
    _write(out, test.files, archive, PACKAGES)
    for note in test.notes:
        talk(f"note: {note}")
    talk(f"wrote {out}; next: az load test create --test-id ID --load-test-config-file {out}/config.yaml \\")
    talk("    --load-test-resource NAME --resource-group GROUP")
    return Exit.FINE


Name = Annotated[
    str | None, typer.Argument(metavar="ENDPOINT", help="Endpoint of redline.toml; the only one when left out.")
]
Image = Annotated[str | None, typer.Option(metavar="NAME", help="Container image that holds redline.")]
Folder = Annotated[Path, typer.Option(metavar="DIR", help="Folder that is missing or empty.")]


@export_app.command("systemd", epilog="Example: redline export systemd churn-prod --out units")
def systemd(endpoint: Name = None, config: options.Config = "redline.toml", out: Folder = Path("units")) -> int:
    """Write units of systemd: a watcher, and a check with its timer."""
    from capacity.deploying.systemd import systemd_files

    return _export(systemd_files, out, endpoint, config)


@export_app.command("container", epilog="Example: redline export container churn-prod --out image")
def container(
    endpoint: Name = None, config: options.Config = "redline.toml", image: Image = None, out: Folder = Path("image")
) -> int:
    """Write a Containerfile for an image that runs redline."""
    from capacity.deploying.container import container_files

    return _export(container_files, out, endpoint, config, image)


@export_app.command("kubernetes", epilog="Example: redline export kubernetes churn-prod --out kubernetes")
def kubernetes(
    endpoint: Name = None,
    config: options.Config = "redline.toml",
    image: Image = None,
    out: Folder = Path("kubernetes"),
) -> int:
    """Write a CronJob that checks, a Deployment that watches, and a load test on several machines."""
    from capacity.deploying.kubernetes import kubernetes_files

    return _export(kubernetes_files, out, endpoint, config, image)


@export_app.command("github-actions", epilog="Example: redline export github-actions churn-prod --out workflows")
def github_actions(
    endpoint: Name = None, config: options.Config = "redline.toml", out: Folder = Path("workflows")
) -> int:
    """Write workflows of GitHub Actions: checks on schedule, and a load test that fails when the limit has fallen."""
    from capacity.deploying.github import github_files

    return _export(github_files, out, endpoint, config)


@export_app.command("jenkins", epilog="Example: redline export jenkins churn-prod --out jenkins")
def jenkins(endpoint: Name = None, config: options.Config = "redline.toml", out: Folder = Path("jenkins")) -> int:
    """Write a Jenkinsfile that checks on schedule, and finds the limit when asked."""
    from capacity.deploying.jenkins import jenkins_files

    return _export(jenkins_files, out, endpoint, config)


def _export(
    files_of: Callable[[Order], Files], out: Path, endpoint: str | None, config: str, image: str | None = None
) -> int:
    from importlib.metadata import version

    from capacity.deploying.asked import order_of

    found = files_of(order_of(endpoint, config, image, version("redline")))
    _write_files(out, {name: text.encode() for name, text in found.texts.items()})
    for note in found.notes:
        talk(f"note: {note}")
    talk(f"wrote {out}: {', '.join(found.texts)}")
    return Exit.FINE


def _write_files(folder: Path, files: dict[str, bytes]) -> None:
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise RedlineError(f"{folder} is not empty", f"--out {folder}-2, or remove what is there")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise RedlineError(
            f"{folder} cannot be written: {error.strerror}", "choose another place: --out DIR"
        ) from error


def _write(folder: Path, files: dict[str, bytes], archive: str, packages: tuple[str, ...]) -> None:
    from capacity.archive import write_archive

    _write_files(folder, files)
    try:
        write_archive(folder / archive, packages)
    except OSError as error:
        raise RedlineError(
            f"{folder} cannot be written: {error.strerror}", "choose another place: --out DIR"
        ) from error
