"""The conformance kit: it lets every mechanism of the package pass, and catches each way to break a promise.

The mechanisms of the package are checked in a process of its own, as an author would do it: without pytest,
without shape checks at run time, with torch and the package alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import EntryPoint
from math import exp
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml
from broken_mechanisms import BROKEN, BROKEN_WHEN_COMPILED, Plain
from plain import dot, plus, sigmoid, tanh, times
from specs import NAMES, SPECS
from tiny import write_config

import seq2seq_attn.testing
from seq2seq_attn import train
from seq2seq_attn.attention import AttentionParts, attention_names, build_attention, mechanisms
from seq2seq_attn.attention.scores.additive import BahdanauScore
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.testing import ConformanceError, check_attention
from seq2seq_attn.testing.__main__ import main

TESTS = Path(__file__).parent

ALL_CHECKS = [
    "shapes",
    "described",
    "weights",
    "finite",
    "padding",
    "more-padding",
    "batch",
    "steps",
    "select",
    "read-only",
    "stateless",
    "gradients",
    "precision",
    "parameters",
    "copies",
    "compile",
    "devices",
    "reference",
]

# --- the mechanisms of the package -------------------------------------------------------------------

ALL_OF_THEM = """
import json, sys, warnings
warnings.simplefilter("error")
from broken_mechanisms import BROKEN_WHEN_COMPILED, Counting, Plain
from specs import SPECS, given
from seq2seq_attn.attention import build_attention
from seq2seq_attn.testing import ConformanceError, check_attention

def put_together(name):
    score, parts = name.split("+")[0], given(name)
    return lambda **sizes: build_attention(score, parts, **sizes)

found = {}
mechanisms = [(name, put_together(name) if "+" in name else name) for name in SPECS]
mechanisms += [(cls.__name__, cls) for cls in [Plain, Counting, *(broken[0] for broken in BROKEN_WHEN_COMPILED)]]
for name, mechanism in mechanisms:
    try:
        report = check_attention(mechanism)
        found[name] = [[outcome.check, outcome.state, outcome.detail] for outcome in report.outcomes]
    except ConformanceError as error:
        found[name] = str(error)
foreign = {"pytest", "beartype", "hypothesis"} & set(sys.modules)
print(json.dumps([found, sorted(foreign)]))
"""

ON_CUDA = torch.cuda.is_available()


@cache
def all_reports():
    """What a plain process says of every mechanism, and which libraries it has loaded that users may not have."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", ALL_OF_THEM], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", [*SPECS, "Plain", "Counting"])
def test_what_is_in_order_keeps_every_promise(name):
    """Standing for: a kit that cries wolf, and for a mechanism of ours that breaks a promise."""
    report = all_reports()[0][name]
    assert not isinstance(report, str), report
    assert [check for check, _, _ in report] == ALL_CHECKS
    skipped = {check: why for check, state, why in report if state == "skipped"}
    assert skipped.pop("reference") == "no reference was given"
    assert skipped.pop("steps", "") in ("", "a recurrent mechanism is given one query at a time only")
    expected = {} if ON_CUDA else {"devices": "there is no CUDA device"}
    if "+" in name:
        expected["described"] = "only a class or a name has a paper of its own, and no class was given"
    if name == "none":
        expected["gradients"] = "nothing that it gives depends on a number that could be learned"
    assert skipped == expected


def test_the_kit_needs_torch_and_the_package_alone():
    assert all_reports()[1] == []


# --- broken ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cls", "checks", "says"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_promise_is_found_and_told(cls, checks, says):
    message, report = told(cls)
    assert {outcome.check for outcome in report.of("broken")} >= checks
    for words in says:
        assert words in message, message
    assert message.startswith(f"{cls.__name__} breaks ")
    assert "(built from query_size " in message


@pytest.mark.parametrize(("cls", "_", "says"), BROKEN_WHEN_COMPILED, ids=lambda value: getattr(value, "__name__", ""))
def test_what_breaks_only_when_it_is_compiled(cls, _, says):
    message = all_reports()[0][cls.__name__]
    assert isinstance(message, str), "nothing was found"
    assert message.startswith(f"{cls.__name__} breaks a promise of an attention mechanism")
    for words in says:
        assert words in message


@pytest.mark.parametrize("cls", [cls for cls, checks, _ in BROKEN if checks == {"shapes"}])
def test_wrong_shapes_are_told_alone(cls):
    """Nothing else can be looked at then; a page of errors that all say the same helps nobody."""
    message, report = told(cls)
    assert len(report.outcomes) == 1
    assert len(message.splitlines()) == 4


def told(mechanism, **arguments):
    with pytest.raises(ConformanceError) as caught:
        check_attention(mechanism, **arguments)
    return str(caught.value), caught.value.report


def test_the_kit_has_these_names():
    assert seq2seq_attn.testing.__all__ == ["ConformanceError", "Outcome", "Report", "Sizes", "check_attention"]


def test_an_error_of_conformance_fails_a_test_as_an_assert_does():
    assert issubclass(ConformanceError, AssertionError)


@pytest.mark.skipif(not ON_CUDA, reason="no CUDA device")
@pytest.mark.gpu
def test_what_stays_behind_on_the_processor():
    class StaysBehind(Plain):
        def __init__(self, **sizes):
            super().__init__(**sizes)
            self.bias = torch.full((), 2.0, dtype=torch.float64)

        def energies(self, query, memory, state):
            return super().energies(query, memory, state) + self.bias.expand(1, 1, memory.mask.shape[1])

    assert "devices: " in told(StaysBehind)[0]


# --- equations ---------------------------------------------------------------------------------------


def bahdanau(parameters, query, values):
    """Bahdanau et al. 2015, A.1.2."""
    w, u, b = (parameters[name] for name in ("query_layer.weight", "key_layer.weight", "key_layer.bias"))
    return [
        dot(parameters["energy_layer.weight"][0], tanh(plus(times(w, query), times(u, value), b))) for value in values
    ]


@pytest.mark.parametrize("mechanism", ["bahdanau", BahdanauScore], ids=["name", "class"])
def test_energies_are_compared_with_equations(mechanism):
    report = check_attention(mechanism, reference=bahdanau)
    assert report.outcomes[-1].check == "reference"
    assert report.outcomes[-1].state == "kept"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda *given: [1.000001 * energy for energy in bahdanau(*given)], "energies at ["),
        (lambda *given: bahdanau(*given)[:-1], "energies have the shape (5,) instead of (4,)"),
        (lambda *given: bahdanau(*given)[::-1], "energies at ["),
        (lambda *given: {}["e"], "it raised KeyError: 'e'"),
    ],
    ids=["a little more", "one too few", "the wrong way round", "fails"],
)
def test_energies_that_are_not_those_of_the_equations(wrong, says):
    message, report = told("bahdanau", reference=wrong)
    assert [outcome.check for outcome in report.of("broken")] == ["reference"]
    assert says in message


def test_a_reference_for_what_has_no_score():
    with pytest.raises(TypeError, match="a reference gives the energies of a score, and Plain has none"):
        check_attention(Plain, reference=bahdanau)


# --- what it takes -----------------------------------------------------------------------------------


def composed(**sizes):
    return build_attention("bahdanau", AttentionParts(location_sensitive=True), **sizes)


def test_a_function_that_puts_a_mechanism_together():
    report = check_attention(composed)
    assert report.mechanism == "composed"
    assert "described" in {outcome.check for outcome in report.of("skipped")}


def test_a_ready_mechanism_is_checked_as_it_is_and_left_alone():
    ready = composed(query_size=5, value_size=7, hidden_size=3)
    before = {name: tensor.clone() for name, tensor in ready.state_dict().items()}
    assert check_attention(ready).sizes == "query_size 5, value_size 7, hidden_size 3"
    assert ready.training
    after = ready.state_dict()
    assert all(torch.equal(after[name], tensor) and tensor.dtype == torch.float32 for name, tensor in before.items())


def test_what_a_ready_mechanism_has_learned_matters():
    ready = Plain(query_size=5, value_size=7, hidden_size=3)
    check_attention(ready)
    torch.nn.init.constant_(ready.key_layer.weight, float("nan"))
    assert "weights" in told(ready)[0]


def test_sizes_can_be_given():
    assert check_attention("luong-dot").sizes == "query_size 5, value_size 5, hidden_size 3"
    assert check_attention("luong-dot", sizes=(7, 7, 2)).sizes == "query_size 7, value_size 7, hidden_size 2"
    message, report = told("luong-dot", sizes=(7, 3, 2))
    assert report is None
    assert message.startswith("luong-dot: it can be built from none of these sizes: query_size 7, value_size 3, hidd")
    assert "a dot score compares vectors of one size" in message
    assert message.endswith("name some that fit: check_attention(..., sizes=(query, value, hidden))")


def test_a_constructor_that_takes_something_else():
    class OtherArguments(Plain):
        def __init__(self, size):
            super().__init__(query_size=size, value_size=size, hidden_size=size)

    message, _ = told(OtherArguments)
    assert "raised TypeError" in message
    assert "a constructor takes query_size, value_size and hidden_size" in message


def test_a_function_that_makes_something_else():
    assert told(lambda **sizes: torch.nn.Identity())[0] == (
        "the mechanism: it gave Identity, which is no seq2seq_attn.attention.Attention"
    )


@pytest.mark.parametrize("wrong", [7, dict, torch.nn.Linear(2, 3), torch.nn.Linear, None], ids=repr)
def test_what_is_no_mechanism(wrong):
    unchecked = getattr(check_attention, "__wrapped__", check_attention)  # a plain script has no beartype in the way
    with pytest.raises(TypeError, match="is no mechanism; give a Score or an Attention class, the name of one"):
        unchecked(wrong)


def test_a_name_that_no_mechanism_has():
    with pytest.raises(ConfigError, match="no mechanism 'bahdanu'; did you mean 'bahdanau'"):
        check_attention("bahdanu")


def test_random_numbers_of_the_caller_go_on_as_they_would():
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    check_attention("bahdanau")
    assert torch.equal(torch.rand(3), wanted)


# --- what it says ------------------------------------------------------------------------------------


def test_a_report_is_read_line_by_line():
    lines = str(check_attention("luong-general", sizes=(3, 2, 1))).splitlines()
    assert lines[0].startswith("luong-general (query_size 3, value_size 2, hidden_size 1): ")
    assert lines[1] == (
        "kept     shapes        memory, context, weights and state have the shapes and types of the interface"
    )
    assert lines[-2].startswith("skipped  reference     energies are those of the equations")
    assert lines[-1].strip() == "because no reference was given"


def test_a_report_of_a_broken_mechanism():
    cls = next(cls for cls, checks, _ in BROKEN if checks == {"stateless"})
    text = str(told(cls)[1])
    assert ", 1 broken\n" in text
    assert "broken   stateless     nothing is kept on the module between calls\n" in text
    assert "                       found: calls changed last of the module" in text
    assert "                       mend:  put what belongs to a sentence into Memory" in text


@pytest.fixture
def own_table(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(mechanisms, "_MECHANISMS", dict(mechanisms._MECHANISMS))


def test_the_command_prints_a_report_for_each_name(capsys):
    assert main(["luong-dot", "none"]) == 0
    out = capsys.readouterr().out
    assert [line.split(" ")[0] for line in out.splitlines() if line.endswith(" skipped")] == ["luong-dot", "none"]


def test_the_command_fails_for_a_broken_promise(capsys, own_table, monkeypatch):
    point = EntryPoint("broken", "broken_mechanisms:KeepsWeights", "seq2seq_attn.attention")
    monkeypatch.setattr(mechanisms, "entry_points", lambda group: [point])
    assert main(["broken", "luong-dot"]) == 1
    out = capsys.readouterr().out
    assert "broken   stateless " in out
    assert "luong-dot (" in out


def test_the_command_names_what_is_no_mechanism(capsys, own_table, monkeypatch):
    assert main(["bahdanu"]) == 2
    assert capsys.readouterr().err.startswith("error: model.attention: no mechanism 'bahdanu'; did you mean 'bahdanau'")
    point = EntryPoint("elsewhere", "no_such_package:Score", "seq2seq_attn.attention")
    monkeypatch.setattr(mechanisms, "entry_points", lambda group: [point])
    assert main(["elsewhere"]) == 2
    assert capsys.readouterr().err == (
        "error: model.attention: 'elsewhere' is offered by no_such_package:Score, which fails to import: "
        "No module named 'no_such_package'\n"
    )


def test_the_command_lists_what_there_is(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert all(name in out for name in NAMES)


# --- the guide ---------------------------------------------------------------------------------------

GUIDE = TESTS.parent / "docs" / "own-attention.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    """What stands in the guide's Python blocks, run from top to bottom as one program, beside a tiny corpus."""
    folder = tmp_path_factory.mktemp("guide")
    write_config(folder, {"training.max_epochs": 1}, name="config.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mechanisms, "_MECHANISMS", dict(mechanisms._MECHANISMS))
        patch.chdir(folder)
        program = ModuleType("guide")
        patch.setitem(sys.modules, "guide", program)  # torch.compile looks globals up there
        for block in blocks("python"):
            exec(compile(block, GUIDE.name, "exec"), vars(program))
        yield vars(program)


def test_the_code_of_the_guide_runs(guide, capsys):
    assert guide["run"].step > 0
    assert guide["run"].folder.is_dir()
    assert attention_names()[-2:] == ["cosine", "smooth"]
    assert check_attention("cosine", reference=guide["energies"]).outcomes[-1].state == "kept"


def test_temporal_attention_is_that_of_its_equations(guide):
    """Paulus et al. 2017: exp(e), from the second step on over the sum of those before it, over the sum of all."""
    attention = guide["TemporalAttention"](query_size=5, value_size=3, hidden_size=2).double()
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(1, 4, 3, dtype=torch.float64, generator=generator)
    queries = torch.randn(1, 3, 5, dtype=torch.float64, generator=generator)
    memory = attention.memorize(values, torch.ones(1, 4, dtype=torch.bool))
    state, seen = attention.start(memory), [0.0] * 4
    for step in range(3):
        found = attention(queries[:, step : step + 1], memory, state)
        state = found.state
        keys = [times(attention.key_layer.weight.tolist(), value) for value in values[0].tolist()]
        masses = [exp(dot(queries[0, step].tolist(), key)) for key in keys]
        temporal = [mass / (before or 1.0) for mass, before in zip(masses, seen, strict=True)]
        wanted = [mass / sum(temporal) for mass in temporal]
        assert found.weights[0, 0].tolist() == pytest.approx(wanted, rel=1e-12)
        seen = plus(seen, masses)


def test_smoothing_is_a_sigmoid_over_its_sum(guide):
    energies = torch.tensor([[[-3.0, 0.5, 2.0, 7.0]]], dtype=torch.float64)
    weights = guide["Smoothing"]()(energies, torch.tensor([[[True, True, True, False]]]))
    masses = [sigmoid(energy) for energy in (-3.0, 0.5, 2.0)]
    assert weights[0, 0].tolist() == pytest.approx([mass / sum(masses) for mass in masses] + [0.0], rel=1e-12)


def test_the_configuration_of_the_guide_builds(guide, tmp_path):
    (block,) = blocks("yaml")
    attention = yaml.safe_load(block)["model"]["attention"]
    changes = {"model.attention": attention, "training.max_steps": 1, "training.max_epochs": None}
    run = train(write_config(tmp_path, changes), output=tmp_path / "run")
    assert run.step == 1


def test_the_guide_lists_every_promise():
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    report = check_attention(Plain)
    assert rows == [(outcome.check, outcome.promise) for outcome in report.outcomes]


def test_the_guide_shows_the_example_package():
    example = GUIDE.parent / "examples" / "cosine_attention"
    (block,) = blocks("toml")
    assert block in (example / "pyproject.toml").read_text(encoding="utf-8")
    score = (example / "src" / "cosine_attention" / "__init__.py").read_text(encoding="utf-8")
    for calculation in re.findall(r"return (.*)", blocks("python")[0]):
        assert calculation in score


def test_every_block_of_the_guide_is_run():
    """Commands are run by ``test_example_package.py``."""
    fences = re.findall(r"^```([a-z]+)$", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(fences) == {"python", "yaml", "toml", "console"}
