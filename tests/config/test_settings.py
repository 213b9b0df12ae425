"""Settings: where they come from, what is refused, what is shown."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aggregate.config import AggregateManifest, Settings
from aggregate.config.settings import GAS_CAP
from aggregate.errors import ConfigError

NATS = {"AGGREGATE_NATS_URL": "nats://localhost:4222"}
WITHOUT_MANIFEST = {"aggregates": AggregateManifest.of_sources({"Account": "x = 1\n"})}


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(env: dict[str, str] | None = None, path: Path | None = None, **values: object) -> Settings:
    return Settings.load(path, {**NATS, **(env or {})}, **{**WITHOUT_MANIFEST, **values})


def mistakes(call: Callable[[], object]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        call()
    assert str(caught.value) == "\n".join(map(str, caught.value.mistakes))
    return [str(mistake) for mistake in caught.value.mistakes]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_defaults_are_those_of_the_documentation() -> None:
    settings = load()
    assert settings.nats_servers == ["nats://localhost:4222"]
    assert (str(settings.grpc), str(settings.admin)) == ("127.0.0.1:50051", "127.0.0.1:8080")
    assert (settings.storage_path, settings.snapshot_threshold, settings.max_retries) == (Path("./data"), 100, 5)
    assert (settings.gas_decide, settings.gas_apply) == (200_000, 100_000)
    assert (settings.refusal_ttl, settings.attempt_max) == (3600, 300)
    assert (settings.multi_tenancy, settings.default_tenant, settings.aggregate_id_scope) == (False, "", "global")
    assert (settings.engine, settings.durability, settings.stream_replicas) == ("auto", "warn", 1)


def test_the_environment_overrides_the_file_and_arguments_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path / "own.yaml", "nats_url: nats://file:1\nmax_retries: 1\nsnapshot_threshold: 10\ngas_apply: 7\n")
    settings = load({"AGGREGATE_MAX_RETRIES": "2", "AGGREGATE_GAS_APPLY": "8"}, path, gas_apply=9)
    assert (settings.nats_url, settings.max_retries, settings.snapshot_threshold, settings.gas_apply) == ("nats://localhost:4222", 2, 10, 9)


@pytest.mark.parametrize(
    ("name", "text"),
    [("aggregate.yaml", "max_retries: 7\nmulti_tenancy: true\n"), ("aggregate.toml", "max_retries = 7\nmulti_tenancy = true\n")],
)
def test_a_file_in_the_working_folder_is_found(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path / name, text)
    settings = load()
    assert (settings.max_retries, settings.multi_tenancy) == (7, True)
    assert Settings.from_env({**NATS, "AGGREGATE_MANIFEST": str(manifest(tmp_path))}).max_retries == 5


def manifest(folder: Path) -> Path:
    write(folder / "bank.agl", "x = 1\n")
    return write(folder / "manifest.yaml", "aggregates:\n  Account:\n    program: bank.agl\n")


def test_the_file_that_the_environment_names_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere.json", '{"max_retries": 7}')
    assert load({"AGGREGATE_CONFIG": str(path)}).max_retries == 7
    assert Settings.from_env({**NATS, "AGGREGATE_CONFIG": str(path), "AGGREGATE_MANIFEST": str(manifest(tmp_path))}).max_retries == 7


def test_the_process_environment_is_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AGGREGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AGGREGATE_NATS_URL", "nats://there:4222")
    assert Settings.load(**WITHOUT_MANIFEST).nats_url == "nats://there:4222"


def test_settings_without_load_read_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGGREGATE_NATS_URL", "nats://there:4222")
    write(tmp_path / "aggregate.yaml", "max_retries: 7\n")
    assert (Settings().nats_url, Settings().max_retries) == ("", 5)


def test_all_mistakes_are_reported_at_once_with_their_places(tmp_path: Path) -> None:
    path = write(
        tmp_path / "own.yaml",
        "max_retries: many\n\nstorge_path: x\ngas_decide: 0\naggregates:\n  Account:\n    program: missing.agl\n    initail: null\n",
    )
    env = {"AGGREGATE_STREAM_REPLICAS": "7", "AGGREGATE_SNAPSHOT_TRESHOLD": "5", "AGGREGATE_ATTEMPT_MAX": "30m"}
    found = mistakes(lambda: Settings.load(path, env))
    assert sorted(found) == sorted(
        [
            f"{path}:1: max_retries: expected a valid integer, unable to parse string as an integer, got 'many'",
            f"{path}:3: storge_path: unknown setting 'storge_path'; did you mean 'storage_path'?",
            f"{path}:4: gas_decide: expected greater than or equal to 1, got 0",
            f"{path}:8: aggregates.Account.initail: unknown key 'initail'; did you mean 'initial'?",
            "AGGREGATE_STREAM_REPLICAS: expected less than or equal to 5, got '7'",
            "AGGREGATE_SNAPSHOT_TRESHOLD: unknown setting 'AGGREGATE_SNAPSHOT_TRESHOLD'; did you mean 'AGGREGATE_SNAPSHOT_THRESHOLD'?",
            "AGGREGATE_ATTEMPT_MAX: is 1800 s, expected at most a quarter of REFUSAL_TTL (900 s): a refusal must outlive every attempt",
            "AGGREGATE_NATS_URL: is required: the NATS servers, like nats://localhost:4222",
        ]
    )


def test_toml_mistakes_have_lines_too(tmp_path: Path) -> None:
    path = write(tmp_path / "own.toml", 'max_retries = -1\n\n[aggregates.Account]\nprogram = "gone.agl"\n')
    found = mistakes(lambda: Settings.load(path, NATS))
    assert f"{path}:1: max_retries: expected greater than or equal to 0, got -1" in found
    assert f"{path}:4: aggregates.Account.program: {tmp_path}/gone.agl cannot be read: No such file or directory" in found


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "a: [1\nb: 2\n", "a.yaml:2: is not YAML: "),
        ("a.yaml", "max_retries: 1\nmax_retries: 2\n", "a.yaml:2: max_retries stands twice, first in line 1"),
        ("a.yaml", "- 1\n", "a.yaml: expected a mapping at the top"),
        ("a.yaml", "1: 2\n", "a.yaml:1: a key must be text"),
        ("a.toml", "a = \n", "a.toml:1: is not TOML: Invalid value"),
        ("a.json", '{"a": 1,\n}', "a.json:2: is not JSON: "),
        ("a.json", '{"a": 1, "a": 2}', "a.json: is not JSON: key 'a' stands twice"),
        ("a.ini", "", "expected a file named *.yaml, *.yml, *.toml, *.json"),
    ],
)
def test_files_that_do_not_parse_say_where(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = write(tmp_path / name, text)
    [found] = mistakes(lambda: load(path=path))
    assert message in found


def test_a_missing_file_that_was_named_is_a_mistake(tmp_path: Path) -> None:
    assert mistakes(lambda: load(path=tmp_path / "no.yaml")) == [f"{tmp_path / 'no.yaml'}: cannot be read: No such file or directory"]


def test_yaml_words_and_dates_stay_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", "service_name: no\nenvironment: 2026-01-31\n")
    settings = load(path=path)
    assert (settings.service_name, settings.environment) == ("no", "2026-01-31")
    assert "expected a valid boolean" in mistakes(lambda: load(path=write(tmp_path / "b.yaml", "multi_tenancy: maybe\n")))[0]


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "place.yaml").write_text("{}")
    path = write(tmp_path / "conf" / "own.yaml", "storage_path: state\nplacement_file: place.yaml\n")
    settings = load(path=path)
    assert settings.storage_path == tmp_path / "conf" / "state"
    assert settings.placement_file == tmp_path / "conf" / "place.yaml"


@pytest.mark.parametrize(("text", "seconds"), [("250ms", 0.25), ("5", 5), ("1.5s", 1.5), ("10m", 600), ("1 h", 3600)])
def test_durations_may_have_a_unit(text: str, seconds: float) -> None:
    assert load({"AGGREGATE_DRAIN_TIMEOUT": text}).drain_timeout == seconds


@pytest.mark.parametrize("text", ["soon", "-1s", "1w", "nan", "inf", "1e3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    assert mistakes(lambda: load({"AGGREGATE_DRAIN_TIMEOUT": text}))[0].startswith("AGGREGATE_DRAIN_TIMEOUT: ")


def test_sizes_may_have_a_unit() -> None:
    assert load({"AGGREGATE_CACHE_BYTES": "64MiB"}).cache_bytes == 64 * 2**20
    assert load({"AGGREGATE_CACHE_BYTES": "1000"}).cache_bytes == 1000
    assert "a size like 64MiB" in mistakes(lambda: load({"AGGREGATE_CACHE_BYTES": "much"}))[0]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:4222", "the scheme is none of nats, tls"),
        ("http://host", "the scheme is none of"),
        ("nats://", "no host"),
        ("nats://host:99999", "Port out of range"),
        ("nats://a,nats://host name", "server 2: no host"),
    ],
)
def test_a_nats_url_that_is_none_is_refused(url: str, message: str) -> None:
    [found] = mistakes(lambda: load({"AGGREGATE_NATS_URL": url}))
    assert message in found


def test_several_nats_servers_as_text_and_as_a_list(tmp_path: Path) -> None:
    assert load({"AGGREGATE_NATS_URL": "nats://a:1, nats://b:2"}).nats_servers == ["nats://a:1", "nats://b:2"]
    path = write(tmp_path / "a.yaml", "nats_url: [nats://a:1, tls://b]\n")
    assert Settings.load(path, {}, **WITHOUT_MANIFEST).nats_servers == ["nats://a:1", "tls://b"]


def test_monitors_are_urls_of_http() -> None:
    assert load({"AGGREGATE_NATS_MONITORS": "http://a:8222,https://b"}).monitor_urls == ["http://a:8222", "https://b"]
    assert load({}).monitor_urls == []
    [found] = mistakes(lambda: load({"AGGREGATE_NATS_MONITORS": "nats://u:secret@a:4222"}))
    assert "the scheme is none of http, https" in found
    assert "secret" not in found


@pytest.mark.parametrize("address", ["8080", "host:", ":80", "host:70000", "::1:80", "host:8o"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    assert mistakes(lambda: load({"AGGREGATE_ADMIN_ADDRESS": address})) == [f"AGGREGATE_ADMIN_ADDRESS: expected host:port, got {address!r}"]


def test_addresses_know_whether_they_are_loopback() -> None:
    settings = load({"AGGREGATE_ADMIN_ADDRESS": "[::1]:80", "AGGREGATE_GRPC_ADDRESS": "0.0.0.0:0"})
    assert (settings.admin, settings.admin.is_loopback) == (("::1", 80), True)
    assert (settings.grpc, settings.grpc.is_loopback) == (("0.0.0.0", 0), False)
    assert str(settings.admin) == "[::1]:80"
    assert "is the same as GRPC_ADDRESS" in mistakes(lambda: load({"AGGREGATE_ADMIN_ADDRESS": "127.0.0.1:50051"}))[0]


def test_empty_variables_and_those_of_others_count_as_not_set() -> None:
    links = {"AGGREGATE_SERVICE_HOST": "10.0.0.1", "AGGREGATE_PORT": "tcp://10.0.0.1:50051", "AGGREGATE_PORT_50051_TCP_ADDR": "10.0.0.1"}
    assert (
        load({"AGGREGATE_MAX_RETRIES": "", "AGGREGATE_BUILD": "pure", "AGGREGATE_CI": "1", "OTHER_MAX_RETRIES": "x", **links}).max_retries
        == 5
    )


def test_secrets_are_read_from_files_and_never_shown(tmp_path: Path) -> None:
    secret = write(tmp_path / "token", "hush-hush\n")
    settings = load({"AGGREGATE_ADMIN_TOKEN_FILE": str(secret), "AGGREGATE_NATS_URL": "nats://me:hush-hush@host"})
    assert settings.admin_token.get_secret_value() == "hush-hush"
    for shown in (repr(settings), str(settings), str(settings.shown())):
        assert "hush" not in shown
        assert "nats://***@host" in shown
    assert settings.nats_url == "nats://me:hush-hush@host"
    path = write(tmp_path / "a.yaml", "nats_token_file: token\n")
    assert load(path=path).nats_token.get_secret_value() == "hush-hush"


def test_mistakes_never_show_secrets() -> None:
    found = mistakes(lambda: load({"AGGREGATE_NATS_URL": "http://me:hush-hush@host"}, admin_token=["hush-hush"], nats_password=7))
    assert len(found) >= 3
    assert not any("hush" in mistake for mistake in found)


def test_a_secret_is_given_once(tmp_path: Path) -> None:
    secret = write(tmp_path / "token", "x")
    assert mistakes(lambda: load({"AGGREGATE_ADMIN_TOKEN": "y", "AGGREGATE_ADMIN_TOKEN_FILE": str(secret)})) == [
        "AGGREGATE_ADMIN_TOKEN_FILE: AGGREGATE_ADMIN_TOKEN is given too; give one of them"
    ]
    [found] = mistakes(lambda: load({"AGGREGATE_NATS_TOKEN_FILE": str(tmp_path / "gone")}))
    assert "gone cannot be read: No such file or directory" in found


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nats_user": "me"}, "AGGREGATE_NATS_PASSWORD: is required with NATS_USER"),
        ({"nats_password": "x"}, "AGGREGATE_NATS_USER: is required with NATS_PASSWORD"),
        ({"nats_user": "me", "nats_password": "x", "nats_token": "y"}, "nats_token: is given beside NATS_USER; NATS takes one of them"),
        ({"tls_cert": "there"}, "AGGREGATE_TLS_KEY: is required with TLS_CERT"),
        ({"nats_tls_key": "there"}, "AGGREGATE_NATS_TLS_CERT: is required with NATS_TLS_KEY"),
        ({"tls_client_ca": "there"}, "tls_client_ca: needs TLS_CERT and TLS_KEY"),
        ({"placement_file": "gone"}, "placement_file: gone is no file"),
        ({"storage_path": "there"}, "storage_path: there is no folder"),
        ({"storage_path": "there/below"}, "storage_path: there is no folder"),
        ({"logger_socket": "."}, "logger_socket: . is a folder"),
        ({"manifest": "there"}, "manifest: is given beside `aggregates`"),
        ({"node_id": "a b"}, "node_id: String should match pattern"),
        ({"default_tenant": "a.b"}, "default_tenant: "),
        ({"gas_decide": GAS_CAP + 1}, "gas_decide: expected less than or equal to"),
        ({"breaker_threshold": 0}, "breaker_threshold: expected greater than or equal to 1"),
        ({"engine": "fast"}, "engine: expected 'auto', 'native' or 'pure', got 'fast'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, values: dict[str, object], message: str) -> None:
    (tmp_path / "there").write_text("")
    found = mistakes(lambda: load(**values))
    assert any(message in mistake for mistake in found)


def test_validate_finds_what_building_does_not(tmp_path: Path) -> None:
    settings = Settings(attempt_max=2000, tls_key=tmp_path / "key", **WITHOUT_MANIFEST)
    assert mistakes(settings.validate) == [
        "AGGREGATE_NATS_URL: is required: the NATS servers, like nats://localhost:4222",
        f"AGGREGATE_TLS_KEY: {tmp_path / 'key'} is no file",
        "AGGREGATE_TLS_CERT: is required with TLS_KEY",
        "AGGREGATE_ATTEMPT_MAX: is 2000 s, expected at most a quarter of REFUSAL_TTL (900 s): a refusal must outlive every attempt",
    ]
    Settings(nats_url="nats://localhost", **WITHOUT_MANIFEST).validate()


def test_building_with_wrong_values_is_an_error_at_once() -> None:
    assert mistakes(lambda: Settings(max_retries=-1, max_retry=3)) == [
        "max_retries: expected greater than or equal to 0, got -1",
        "max_retry: unknown key 'max_retry'; did you mean 'max_retries'?",
    ]


def test_settings_cannot_be_changed_but_copied_with_changes() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.max_retries = 3  # type: ignore[misc]
    changed = settings.model_copy(update={"nats_url": "nats://other"})
    assert (changed.nats_url, settings.nats_url) == ("nats://other", "nats://localhost:4222")
    assert copy.copy(settings) == settings
    assert copy.deepcopy(settings.model_copy(update={"aggregates": None})).max_retries == 5


def test_the_file_may_hold_the_manifest(tmp_path: Path) -> None:
    write(tmp_path / "bank.agl", "x = 1\n")
    path = write(tmp_path / "own.yaml", "nats_url: nats://a\naggregates:\n  Account:\n    program: bank.agl\n")
    settings = Settings.load(path, {})
    assert list(settings.load_manifest().aggregates) == ["Account"]
    assert not settings.uses_example
    assert settings.shown()["aggregates"] == ["Account"]


def test_the_manifest_of_its_own_file_is_checked_too(tmp_path: Path) -> None:
    path = write(tmp_path / "manifest.yaml", "aggregates:\n  Account: {program: gone.agl}\n")
    [found] = mistakes(lambda: Settings.load(env={**NATS, "AGGREGATE_MANIFEST": str(path)}))
    assert found.startswith(f"{path}:2: aggregates.Account.program: ")


def test_the_node_is_named_after_the_host_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "node-1.example.org")
    assert Settings().node_name == "node-1-example-org"
    assert Settings(node_id="b").node_name == "b"
    monkeypatch.setattr("socket.gethostname", lambda: "é" * 70)
    assert Settings().node_name == "-" * 64
