"""Writes the IR that the crate's tests run, into `native/tests/ir/`: run it after a change of the IR or of the language.

`python native/tests/make_ir.py`. The programs are hostile: each tries to get much memory or time out of little gas.
"""

# ruff: noqa: E501 - a program a line
from __future__ import annotations

from pathlib import Path

from aggregate.language import compile as compile_source

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "aggregate" / "examples"

CASES = {
    "double_string": 'def decide(state, command):\n    s = "x"\n    for i in range(1000000):\n        s = s + s if len(s) < 90000 else "y" * 7\n    return []\n',
    "double_list": "def decide(state, command):\n    s = [1]\n    for i in range(1000000):\n        s = s + s if len(s) < 40000 else [s]\n    return []\n",
    "keep_lists": "def decide(state, command):\n    s = []\n    for i in range(1000000):\n        s.append([])\n        if len(s) > 90000:\n            s = [s]\n    return []\n",
    "keep_strings": 'def decide(state, command):\n    s = []\n    for i in range(1000000):\n        s.append("\U0001f600" * 16)\n        if len(s) > 90000:\n            s = [s]\n    return []\n',
    "keep_maps": 'def decide(state, command):\n    s = []\n    for i in range(1000000):\n        s.append({"a": i, "b": [i]})\n        if len(s) > 90000:\n            s = [s]\n    return []\n',
    "grow_map": 'def decide(state, command):\n    m = {}\n    for i in range(1000000):\n        m["k" + str(i * 7919 % 49999)] = i\n    return []\n',
    "long_keys": 'def decide(state, command):\n    m = {}\n    for i in range(1000000):\n        m["k" * 200 + str(i * 7919 % 49999)] = i\n    return []\n',
    "chain": "def decide(state, command):\n    s = None\n    for i in range(1000000):\n        s = [s]\n    return []\n",
    "cycles": 'def decide(state, command):\n    for i in range(1000000):\n        a = []\n        b = {"a": a}\n        a.append(b)\n        a.append(a)\n    return []\n',
    "nested_comprehension": "def decide(state, command):\n    x = [[a * b for a in range(1000)] for b in range(1000)]\n    return []\n",
    "pairs": 'def decide(state, command):\n    x = [i for i in range(1000)]\n    for i in range(1000000):\n        y = enumerate(x)\n        z = zip(x, y, x)\n        w = dict({"a": z}).items()\n    return []\n',
    "divide": "def decide(state, command):\n    x = 9999999999999999999999999999999999\n    y = 3.000000000000000000000000000000007\n    for i in range(1000000):\n        z = x / y\n        z = x / 7\n        z = x // y\n        z = x * 0.3333333333333333333333333333333331\n    return []\n",
    "modulo": "def decide(state, command):\n    x = 9999999999999999999999999999999999\n    y = 0.0000000000000000000000000000000007\n    for i in range(1000000):\n        z = x % y\n        z = (x - y) % 0.3333333333333333333333333333333331\n        z = y < x\n    return []\n",
    "search": 'def decide(state, command):\n    x = "a" * 100000 + "b"\n    y = "a" * 50000 + "b"\n    for i in range(1000000):\n        z = x.find(y)\n        z = x.count("ab")\n        z = y in x\n        z = x.replace("ab", "c")\n        z = x.split("ab")\n    return []\n',
    "wide_index": 'def decide(state, command):\n    x = "\u00e4" * 100000\n    for i in range(1000000):\n        z = x[99990]\n        z = x[50000:50010]\n        z = x.upper()\n    return []\n',
    "sort": "def decide(state, command):\n    x = [str(i * 7919 % 10007) for i in range(5000)]\n    y = [i * 0.5 + 0.1 for i in range(5000)]\n    for i in range(1000000):\n        z = sorted(x)\n        z = sorted(y)\n        z = min(y)\n    return []\n",
    "text": 'def decide(state, command):\n    x = [{"k": i, "t": "\\n\\u0001" * 20} for i in range(1000)]\n    for i in range(1000000):\n        z = str(x)\n        z = "{} {}".format(x, i)\n    return []\n',
    "equal": 'def decide(state, command):\n    x = [{"k": i, "t": "a" * 20} for i in range(1000)]\n    y = [{"k": i, "t": "a" * 20} for i in range(1000)]\n    for i in range(1000000):\n        z = x == y\n        z = y in [x, y]\n    return []\n',
    "insert": "def decide(state, command):\n    x = []\n    for i in range(1000000):\n        x.insert(0, i)\n        if len(x) > 90000:\n            x = []\n    return []\n",
    "calls": "def f(a, b):\n    return a\n\ndef decide(state, command):\n    for i in range(1000000):\n        z = f(f(f(i, 1), 2), 3)\n    return []\n",
    "fields": 'def decide(state, command):\n    x = {"a": {"b": {"c": 1}}}\n    for i in range(1000000):\n        x.a.b.c += x.a.b.c % 7\n        x["a"]["b"]["d"] = i\n    return []\n',
    "split_words": 'def decide(state, command):\n    x = "a " * 49000\n    for i in range(1000000):\n        z = x.split()\n        z = ",".join(z)\n    return []\n',
    "round": 'def decide(state, command):\n    for i in range(1000000):\n        z = fixed(12345678901234.56789, 7)\n        z = round(12345678901234.56789, 3, "half_up")\n        z = split(1000000000000000000000000000.01, 1000, 2)\n        z = number("123456789012345678901234567890.1234")\n    return []\n',
}


def main() -> None:
    """Write all files."""
    folder = HERE / "ir"
    folder.mkdir(exist_ok=True)
    for name, source in CASES.items():
        (folder / f"{name}.json").write_bytes(compile_source(source))
    for name in ("bank", "order", "inventory"):
        (folder / f"{name}.json").write_bytes(compile_source((EXAMPLES / name / f"{name}.agl").read_text()))
    row = 'balance > 50 and status in ["open", "held"] and owner.country == "DE"'
    (folder / "filter.json").write_bytes(compile_source(row, "filter"))
    (folder / "long_sum.json").write_bytes(compile_source(" + ".join(["1"] * 9000), "expression"))


if __name__ == "__main__":
    main()
