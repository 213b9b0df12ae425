"""`aggregate program`: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import aggregate.examples
from aggregate.cli.program import app

EXAMPLES = Path(aggregate.examples.__file__).parent
BANK = str(EXAMPLES / "bank" / "bank.agl")


def run(*args: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, args, input=stdin)


def test_check_shows_line_and_caret_and_fails(tmp_path: Path) -> None:
    file = tmp_path / "bad.agl"
    file.write_text("def apply(state, event):\n    return state.x +\n")
    result = run("check", str(file))
    assert result.exit_code == 1
    assert f"{file}:2:21: error[syntax]: unexpected the end of the line; expected an expression (in apply)\n" in result.stdout
    assert "    2 |     return state.x +\n      |                     ^\n" in result.stdout


def test_check_of_sound_files_says_ok() -> None:
    result = run("check", BANK, str(EXAMPLES / "order" / "order.agl"))
    assert result.exit_code == 0
    assert result.stdout.count(": ok\n") == 2


def test_check_warns_and_fails_by_a_warning_only_when_strict(tmp_path: Path) -> None:
    file = tmp_path / "warn.agl"
    file.write_text("A = 1\n")
    assert run("check", str(file)).exit_code == 0
    assert "warning: const A is never read" in run("check", str(file)).stdout
    assert run("check", "--strict", str(file)).exit_code == 1


def test_check_for_machines_is_a_line_for_each_mistake() -> None:
    result = run("check", "--json", "--kind", "filter", "-", stdin="reject(1) + foo(2)")
    assert result.exit_code == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["severity"], line["code"], line["line"], line["column"]) for line in lines] == [
        ("error", "unsupported", 1, 1),
        ("error", "name", 1, 13),
    ]


def test_check_of_what_cannot_be_read(tmp_path: Path) -> None:
    assert run("check", str(tmp_path / "none.agl")).exit_code == 3
    (tmp_path / "latin.agl").write_bytes(b"\xff")
    assert run("check", str(tmp_path / "latin.agl")).exit_code == 3
    assert run("check", "--kind", "query", BANK).exit_code == 2


def test_eval_prints_the_value() -> None:
    assert run("eval", "balance * 2 + 0.1", "--state", '{"balance":1.1}').stdout == "2.3\n"
    assert run("eval", "--json", "1").stdout == '{"ok":1,"gas":2}\n'
    assert run("eval", "--filter", "a.b > 1 or meta.version == 3", "--meta", '{"version":3}').stdout == "true\n"


def test_eval_of_what_fails_says_where() -> None:
    failed = run("eval", "1 / 0")
    assert failed.exit_code == 1
    assert "runtime/div_zero at 1:3" in failed.stderr
    mistaken = run("eval", "1 /")
    assert mistaken.exit_code == 1
    assert mistaken.stderr.endswith("    1 | 1 /\n      |    ^\n")
    assert json.loads(run("eval", "--json", "1 /").stdout)["error"]["code"] == "syntax"
    assert "out of gas" in run("eval", "--gas", "1", "1 + 1").stderr
    assert run("eval", "x", "--state", "{nope").exit_code == 1


def test_run_applies_events_and_decides_a_command(tmp_path: Path) -> None:
    events = tmp_path / "events.json"
    events.write_text('[{"type":"account_opened","owner":"ann","balance":5.50}]')
    result = run("run", BANK, "--events", f"@{events}", "--command", '{"type":"withdraw","amount":1.25}')
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == [
        'event  {"amount":1.25,"type":"withdrawn"}',
        'state  {"balance":4.25,"owner":"ann"}',
    ]
    machine = json.loads(run("run", BANK, "--json", "--events", f"@{events}", "--command", '{"type":"withdraw","amount":1.25}').stdout)
    assert machine["ok"]["state"] == {"balance": 4.25, "owner": "ann"}
    assert result.stdout.splitlines()[2] == f"gas    {machine['gas']}"
    assert json.loads(run("run", BANK, "--json", "--events", f"@{events}").stdout)["ok"] == {"state": {"balance": 5.5, "owner": "ann"}}


def test_run_tells_a_rejection_and_an_error_apart() -> None:
    rejected = run("run", BANK, "--command", '{"type":"withdraw","amount":1}')
    assert rejected.exit_code == 1
    assert rejected.stdout.startswith("rejected  not_open: account is not open\n")
    failed = run("run", BANK, "--state", '{"balance":1}', "--command", '{"type":"withdraw"}')
    assert failed.exit_code == 1
    assert "runtime/key at 13:20 in decide" in failed.stderr
    assert run("run", BANK).exit_code == 2
    assert run("run", BANK, "--command", "@nowhere").exit_code == 3


def test_test_runs_the_specs_of_a_folder() -> None:
    result = run("test", str(EXAMPLES))
    assert result.exit_code == 0
    assert result.stdout.endswith("48 passed, 0 failed\n")
    lines = [json.loads(line) for line in run("test", "--json", str(EXAMPLES / "bank")).stdout.splitlines()]
    assert all(line["passed"] and line["gas"] > 0 for line in lines)


def test_test_shows_what_differs(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text(f"aggregates: {{Account: {{program: {BANK}}}}}")
    (tmp_path / "spec.yaml").write_text("cases: [{name: wrong, when: {type: open_account}, then: []}]")
    result = run("test", str(tmp_path))
    assert result.exit_code == 1
    assert "FAIL" in result.stdout
    assert '+ [{"balance":0,"owner":null,"type":"account_opened"}]' in result.stdout
    assert result.stdout.endswith("0 passed, 1 failed\n")
    assert run("test", str(tmp_path / "empty")).exit_code == 3


def test_batch_reads_lines_and_writes_lines() -> None:
    stdin = b'{"id":1,"kind":"expression","source":"1","call":"eval"}\nnope\n'
    result = run("batch", "--engine", "pure", stdin=stdin)
    assert result.exit_code == 0
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [1, None]


@pytest.mark.parametrize("command", ["eval", "batch", "test"])
def test_an_unknown_engine_is_a_mistake_of_configuration(command: str) -> None:
    args = {"eval": ["1"], "batch": [], "test": [str(EXAMPLES)]}[command]
    result = run(command, *args, "--engine", "quick", stdin="")
    assert result.exit_code == 3
    assert "quick" in result.stderr
