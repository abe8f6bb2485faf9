"""`redline export`: files that other programs run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands import options
from commands.output import talk
from scoring.errors import Exit, RedlineError

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
    plan = load_plan(target, users, duration, tuple(threshold or ("errors<=1%",)), 300, 1)
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


def _write(folder: Path, files: dict[str, bytes], archive: str, packages: tuple[str, ...]) -> None:
    from capacity.archive import write_archive

    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise RedlineError(f"{folder} is not empty", f"--out {folder}-2, or remove what is there")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        write_archive(folder / archive, packages)
    except OSError as error:
        raise RedlineError(
            f"{folder} cannot be written: {error.strerror}", "choose another place: --out DIR"
        ) from error
