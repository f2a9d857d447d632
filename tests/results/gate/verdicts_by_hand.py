"""Hand-made verdicts of gates."""

from collections.abc import Sequence
from typing import Any

from results.gate.verdict import Check, Commit, Finding, Verdict
from tests.results.records_by_hand import ENVIRONMENT

BASE = Commit("main", "0123456789abcdef0123456789abcdef01234567", "Faster gathers")
HEAD = Commit("fedcba98", "fedcba9876543210fedcba9876543210fedcba98", "V2: another convolution")
COMMAND = "fmnist-bench gate --base main --models v0,v2,resnet8 --device cuda:0"
STEP, ACCURACY = "seconds a step", "validation accuracy"
SURE = "9 of 10 pairs, control +0.4 %"
GONE = "the base crashed: no module named 'my_layers'"
HOSTILE_TEXTS = (
    "</td></details><script>alert(1)</script>",
    "a|b|c \\| d",
    "`rm -rf` ``` $x$ ~~no~~ *b* _i_ __init__ **b**",
    "[click](https://evil.example) ![x](http://evil.example/x.png) www.evil.example",
    "@octocat and @org/team &lt;b&gt; &amp; &#124;",
    "# heading",
    "> quote",
    "1. one\n\n- two\n\n---\n\n| a | b |\n|---|---|\n| c | d |",
    "- [ ] task <!-- gone -->",
    "\x1b[31mred\x1b[0m\r::error::fake",
    "::warning file=a,line=1::fake %0A",
    "ends with a backslash \\",
    "[x]: https://evil.example",
    "lone surrogate \udcff",
)


def finding(
    check: Check,
    model: str,
    quantity: str,
    outcome: Any = "worse",  # noqa: ANN401 - a name of a parametrized test
    base: float | None = None,
    head: float | None = None,
    evidence: str = "",
) -> Finding:
    """Of a value that has become another one, whose change is derived."""
    change = None
    if check == "accuracy" and base is not None and head is not None:
        change = head - base
    elif base and head is not None:
        change = head / base - 1
    return Finding(
        check=check,
        model=model,
        quantity=quantity,
        outcome=outcome,
        base=base,
        head=head,
        change=change,
        evidence=evidence,
    )


def speed(model: str, outcome: str, head: float, evidence: str = SURE) -> Finding:
    """Of a step that took a hundredth of a second on the base."""
    return finding("speed", model, STEP, outcome, 0.01, head, evidence)


def accuracy(model: str, outcome: str, change: float) -> Finding:
    """Of a model that was right in 90 % on the base."""
    evidence = "5 seeds, margin 0.5 points"
    return finding("accuracy", model, ACCURACY, outcome, 0.9, 0.9 + change, evidence)


def memory(model: str, outcome: str, head_mib: float) -> Finding:
    """Of a training that took 48 MiB on the base."""
    return finding("memory", model, "peak memory", outcome, 48 * 2**20, head_mib * 2**20)


def count(row: str, quantity: str, outcome: str, base: int, head: int) -> Finding:
    """Of a count that differs."""
    return finding("counts", row, quantity, outcome, base, head)


def equal(row: str, number: int) -> Finding:
    """Of a row whose counts are all what they were."""
    return finding("counts", row, "counts", "same", evidence=f"{number} equal")


def make_verdict(findings: Sequence[Finding], **fields: Any) -> Verdict:  # noqa: ANN401
    """On a GPU, in three minutes."""
    stated: dict[str, Any] = {
        "base": BASE,
        "head": HEAD,
        "command": COMMAND,
        "environment": ENVIRONMENT,
        "seconds": 171.4,
    }
    return Verdict(findings=findings, **(stated | fields))


REGRESSION = make_verdict(
    [
        speed("v0", "same", 0.00995),
        speed("v2", "worse", 0.01148),
        speed("resnet8", "unclear", 0.0107, "7 of 10 pairs, control +6.1 %"),
        accuracy("v0", "same", -0.0001),
        accuracy("v2", "worse", -0.021),
        memory("v0", "same", 48),
        memory("v2", "worse", 53.9),
        memory("resnet8", "better", 40),
        equal("v0", 15),
        count("v2", "FLOPs a step", "worse", 53_296_320, 106_592_640),
        count("v2", "operators a step", "changed", 77, 81),
        equal("v2", 10),
        count("v2, plan compile", "graphs compiled in the second epoch", "worse", 0, 3),
        equal("resnet8", 12),
        equal("epoch, ragged batch kept", 3),
        finding("run", "my_net", "a training step", "unusable", evidence=GONE),
        finding("accuracy", "resnet8", ACCURACY, "skipped", evidence="only with --seeds"),
    ],
    notes=["kernels a step: the base does not know this stack"],
)
GOOD = make_verdict(
    [
        speed("v0", "same", 0.0101),
        speed("v2", "better", 0.0082),
        accuracy("v0", "same", 0.0),
        accuracy("v2", "same", 0.0012),
        memory("v0", "same", 48),
        equal("v0", 12),
        count("v2", "operators a step", "changed", 77, 70),
    ]
)
NO_HARNESS = "it has no harness: no module named 'bench.gate'"
UNUSABLE = make_verdict([finding("run", "", "the base", "unusable", evidence=NO_HARNESS)])
NONE = make_verdict([])
MANY = make_verdict(
    [
        *(count(f"net{n}", "FLOPs a step", "worse", 1000, 2000 + n) for n in range(300)),
        *(speed(f"net{n}", "same", 0.01) for n in range(300)),
        *(count(f"net{n}", "operators a step", "changed", 5, 6) for n in range(300)),
    ],
    notes=[f"note {n} " + "x" * 400 for n in range(300)],
)
HOSTILE = make_verdict(
    [
        finding("run", text, text, outcome, float("nan"), float("inf"), text)
        for text in HOSTILE_TEXTS
        for outcome in ("worse", "unclear", "unusable", "changed", "skipped")
    ],
    base=Commit(*HOSTILE_TEXTS[:3]),
    head=Commit(*HOSTILE_TEXTS[3:5], HOSTILE_TEXTS[7]),
    command="gate --models '``` </code></pre><b>'\n```\n# out",
    environment={"device": HOSTILE_TEXTS[0], "torch": HOSTILE_TEXTS[1]},
    notes=HOSTILE_TEXTS,
)
VERDICTS = {
    "regression": REGRESSION,
    "slower": make_verdict([speed("v2", "worse", 0.01148), speed("v0", "same", 0.01)]),
    "good": GOOD,
    "unusable": UNUSABLE,
    "none": NONE,
    "many": MANY,
    "hostile": HOSTILE,
}
