"""Every setting, with a default that works.

Sources, strongest first: arguments, the environment (`CATRACA_…`), the file named by `CATRACA_CONFIG` or
`catraca.toml` in the working directory. `docs/settings.md` is generated from this class and a test keeps the two
equal.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="CATRACA_", extra="forbid", validate_default=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(Path("catraca-data"), description="Directory of the database, keys and RADIUS store")
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL (`postgresql+psycopg://…`); unset: SQLite in the data directory"
    )
    broker_url: SecretStr = Field(
        SecretStr("memory://"),
        description="Celery broker: `memory://` runs worker and beat inside `catraca up`; or `redis://…`, `amqp://…`",
    )
    key_file: Path | None = Field(
        None,
        description="File with the keys of secrets at rest, newest first; unset: `keys` in the data directory",
    )
    timezone: str = Field("America/Sao_Paulo", description="The company's time zone: its days begin and end there")

    http_address: str = Field("127.0.0.1", description="Address that the HTTP API listens on")
    http_port: int = Field(8080, ge=0, le=65535, description="TCP port of the HTTP API")
    worker_threads: int = Field(4, ge=1, le=64, description="Threads of the embedded worker")
    router_threads: int = Field(
        64, ge=1, le=512, description="Routers that one worker process may talk to over their API at the same time"
    )
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token that `/metrics` asks for; unset: it is open, as it shows no secret and no login"
    )

    radius_address: str = Field(
        "0.0.0.0", description="Addresses that RADIUS listens on, with commas: `0.0.0.0,::` is all IPv4 and IPv6"
    )
    radius_auth_port: int = Field(1812, ge=0, le=65535, description="UDP port of authentication")
    radius_acct_port: int = Field(1813, ge=0, le=65535, description="UDP port of accounting")
    radius_workers: int = Field(1, ge=1, le=64, description="Authentication processes on one port (SO_REUSEPORT)")
    radius_acct_workers: int = Field(
        1, ge=1, le=64, description="Accounting processes on one port, each with a spool of its own"
    )
    radius_poll_seconds: float = Field(
        0.05,
        gt=0,
        le=5,
        description="How often a RADIUS host asks for new access records where it cannot listen (SQLite)",
    )
    radsec_certificate: Path | None = Field(
        None,
        description="RadSec: PEM file with our certificate and its chain; set it, the key and the CA, or none of them",
    )
    radsec_private_key: Path | None = Field(
        None, description="RadSec: PEM file with the certificate's key, not encrypted"
    )
    radsec_ca: Path | None = Field(
        None, description="RadSec: PEM file with the CAs of the certificates of NAS, and their CRLs if there are any"
    )
    radsec_address: str | None = Field(None, description="Address that RadSec listens on; unset: `radius_address`")
    radsec_port: int = Field(2083, ge=1, le=65535, description="TCP port of RadSec (RADIUS over TLS)")
    radsec_idle_seconds: float = Field(
        900.0, ge=0, description="Silence after which a RadSec connection is closed; 0: never"
    )
    radius_metrics_address: str = Field(
        "127.0.0.1", description="Address on which `catraca radius` shows `/metrics` and `/healthz`"
    )
    radius_metrics_port: int = Field(
        0, ge=0, le=65535, description="TCP port of those; 0: off (`catraca up` shows them beside its API)"
    )
    reject_delay_seconds: float = Field(1.0, ge=0, le=10, description="Delay of each Access-Reject")
    duplicate_cache_seconds: float = Field(
        10.0, ge=5, le=30, description="How long a reply is kept for retransmissions"
    )
    coa_source_address: str = Field("0.0.0.0", description="Local address that CoA and Disconnect are sent from")
    coa_timeout_seconds: float = Field(1.0, gt=0, le=10, description="Wait for a CoA or Disconnect reply, each try")
    coa_tries: int = Field(3, ge=1, le=10, description="Transmissions of one CoA or Disconnect before it has timed out")
    session_proof_seconds: float = Field(
        60.0,
        gt=0,
        description="How long after an ACK the proof (Stop, Start or Interim) may take before another try",
    )

    interim_seconds: int = Field(300, ge=60, description="Acct-Interim-Interval that sessions are given")
    stale_after_interims: int = Field(3, ge=2, description="Missed interims after which a session counts as gone")
    reduced_bps: int = Field(1_000_000, ge=8_000, description="Speed of REDUCED, each way, where the plan names none")
    suspended_bps: int = Field(256_000, ge=8_000, description="Speed of SUSPENDED and PAUSED, each way")
    suspended_address_list: str = Field(
        "catraca-suspended", description="Address list of SUSPENDED: the walled garden of the router"
    )
    paused_address_list: str = Field("catraca-paused", description="Address list of PAUSED")
    session_keep_days: int = Field(
        30, ge=1, le=365, description="Days that a session that is over stays a session; then it is address history"
    )
    history_keep_days: int = Field(
        366,
        ge=365,
        description="Days that the address history is kept, and a calendar year at least (Lei 12.965/2014, art. 13)",
    )
    quarantine_days: int = Field(30, ge=0, description="Days that a released address rests before it is given again")

    suspension_cap_percent: float = Field(
        3.0,
        gt=0,
        le=100,
        description="A run that restricts more than this share of active subscriptions needs approval",
    )
    suspension_cap_minimum: int = Field(10, ge=0, description="A run may always restrict this many")
    approval_hours: int = Field(24, ge=1, le=720, description="Hours that a run over the cap waits for approval")
    fine_due_days: int = Field(10, ge=0, le=365, description="Days until the fine of a cancellation is due")
    company_name: str = Field("", max_length=120, description="The company's name, as receipts print it")
    company_document: str = Field("", max_length=40, description="The company's CNPJ, as receipts print it")
    feed_stale_hours: int = Field(
        26,
        ge=1,
        le=8760,
        description="A billing source that we ask counts as failing when its last full comparison is older than this",
    )
    trust_max_days: int = Field(10, ge=1, description="Longest trust unblock, in days, until trust rules are set")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="`auto`: text on a terminal, else JSON")
    rehearsal_clock: Path | None = Field(
        None,
        description="File with a time offset for rehearsals; never set it where real subscribers are served",
    )

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("not a time zone; for example America/Sao_Paulo") from None
        return name

    @model_validator(mode="after")
    def _radsec_whole(self) -> Self:
        files = (self.radsec_certificate, self.radsec_private_key, self.radsec_ca)
        if any(files) and not all(files):
            raise ValueError("radsec_certificate, radsec_private_key and radsec_ca go together: set all three, or none")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        named = os.environ.get("CATRACA_CONFIG")
        file = Path(named or "catraca.toml")
        if named and not file.is_file():  # the defaults would make an installation that nobody asked for
            raise ValueError(f"CATRACA_CONFIG names {named}, and there is no such file")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)

    @property
    def resolved_database_url(self) -> str:
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'catraca.db'}"

    @property
    def resolved_key_file(self) -> Path:
        return self.key_file or self.data_dir / "keys"

    @property
    def lmdb_path(self) -> Path:
        """The RADIUS host's own copy of the access records."""
        return self.data_dir / "radius" / "records.lmdb"

    @property
    def spool_dir(self) -> Path:
        """Accounting records that are durable but not yet in the database."""
        return self.data_dir / "radius" / "spool"

    @property
    def radsec(self) -> bool:
        """Whether RADIUS over TLS is on: its three files are named."""
        return self.radsec_certificate is not None

    @property
    def radsec_spool_dir(self) -> Path:
        """The spool of accounting that came over TLS."""
        return self.spool_dir.with_name("spool-radsec")

    @property
    def session_proof(self) -> timedelta:
        return timedelta(seconds=self.session_proof_seconds)

    @property
    def embedded(self) -> bool:
        return self.broker_url.get_secret_value().startswith("memory://")


def settings_table() -> str:
    """The Markdown table of every setting: environment name, default, meaning."""
    rows = ["| environment | file | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = default.get_secret_value() if isinstance(default, SecretStr) else default
        text = "unset" if shown is None else f"`{shown}`"
        rows.append(f"| `CATRACA_{name.upper()}` | `{name}` | {text} | {field.description} |")
    return "\n".join(rows) + "\n"


def settings_page() -> str:
    """`docs/settings.md`, whole."""
    return (
        "# Settings\n\n"
        "Each setting has a default that works. It is taken from the environment, else from the file that\n"
        "`CATRACA_CONFIG` names, else from `catraca.toml` in the working directory. `catraca settings` shows what is\n"
        "in force.\n\n"
        f"{settings_table()}"
    )
