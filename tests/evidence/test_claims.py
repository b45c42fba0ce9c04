"""claims.yaml: what is accepted, and one clear line for what is not."""

import pytest
import yaml
from synthetic import claim, ordering, quantity

from reparam.errors import ReparamError
from reparam.evidence.claims import check_claims, digest, load_claims

EXPERIMENTS = {"e": ["a", "b"], "fig2-latent3": ["a", "c"]}


def load(folder, *entries):
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": list(entries)}))
    return load_claims(path, "p")


def message(folder, *entries):
    with pytest.raises(ReparamError) as error:
        claims = load(folder, *entries)
        check_claims(claims, EXPERIMENTS, ["quick", "paper"], folder / "claims.yaml")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_right_inherits_what_it_does_not_say(tmp_path):
    left = quantity("a", "fig*", "elbo/train", minus="elbo/test", at={"samples_seen": 1e4})
    (loaded,) = load(tmp_path, claim({"kind": "ordering", "left": left, "right": {"estimator": "b"}}))
    (rule,) = loaded.rules
    assert rule.right.experiment == ""
    assert (rule.right.metric, rule.right.minus, rule.right.at) == (
        "elbo/train",
        "elbo/test",
        ("samples_seen", 1e4),
    )
    assert [(name, q.estimator) for name, q in rule.reads("fig2")] == [("fig2", "a"), ("fig2", "b")]


def test_a_star_on_the_right_is_what_the_left_one_stands_for(tmp_path):
    left = quantity("a", "sgd-width*-deep")
    entry = {"kind": "ordering", "left": left, "right": {"experiment": "dropout-width*"}}
    (rule,) = load(tmp_path, claim(entry))[0].rules
    planned = [("sgd-width5-deep", "a"), ("sgd-width20-deep", "a"), ("dropout-width20", "a")]
    assert rule.matches(planned) == ["sgd-width20-deep"]
    assert [name for name, _ in rule.reads("sgd-width20-deep")] == ["sgd-width20-deep", "dropout-width20"]
    known = {name: ["a"] for name, _ in planned}
    check_claims(load(tmp_path, claim(entry)), known, ["quick", "paper"], tmp_path)
    for stars in ({"left": quantity("a", "s*width*")}, {"left": quantity("a", "sgd-width5")}):
        assert "one * each" in message(tmp_path, claim({**entry, **stars}))


def test_reach_inherits_from_its_quantity(tmp_path):
    right = {"estimator": "b", "metric": "elbo/test", "reach": {"estimator": "a"}}
    rule = load(tmp_path, claim(ordering(right=right)))[0].rules[0]
    assert [(name, q.estimator, q.metric) for name, q in rule.reads("e")] == [
        ("e", "a", "elbo/test"),
        ("e", "b", "elbo/test"),
        ("e", "a", "elbo/test"),
    ]


@pytest.mark.parametrize(
    "value", [-1635.0, "1635", "−1635 ± 20", "7.4 / 1,635", "1000–1.635e3", "1.635E+3 s", "about 1635.0"]
)
def test_a_number_that_is_only_remembered_is_no_target_however_it_is_written(tmp_path, value) -> None:
    number = {"what": "seconds", "value": value, "tag": "memory"}
    rule = {"kind": "value", "left": quantity(), "at_most": -1635}
    entry = {**claim(rule), "numbers": [number]}
    assert "C-1: the bound -1635 is tagged memory" in message(tmp_path, entry)
    assert load(tmp_path, {**entry, "numbers": [number, {**number, "tag": "paper"}]})
    assert load(tmp_path, {**entry, "rules": [{**rule, "at_most": 20.5}]})


def test_unjudged_claims_need_a_reason_and_no_rules(tmp_path):
    entry = {
        "id": "C",
        "where": "Fig 4",
        "statement": "pictures",
        "unjudged": "visual",
        "reason": "only seen",
    }
    (loaded,) = load(tmp_path, entry)
    assert (loaded.unjudged, loaded.rules) == ("visual", ())
    assert "unjudged" in message(tmp_path, {**entry, "rules": [ordering()]})
    assert "reason" in message(tmp_path, {k: v for k, v in entry.items() if k != "reason"})
    assert "needs a GPU" in message(tmp_path, {**entry, "unjudged": "needs a GPU"})


@pytest.mark.parametrize(
    "entry, words",
    [
        (claim({**ordering(), "margn": 1}), ["C-1", "'margn'", "did you mean 'margin'?"]),
        ({**claim(ordering()), "paper_seting": []}, ["paper_seting", "paper_setting"]),
        (claim({"kind": "order", "left": quantity()}), ["order", "ordering"]),
        (claim({"kind": "value", "left": quantity()}), ["exactly one of at_least"]),
        (
            claim({"kind": "identity", "left": quantity(), "at_least": 1, "target": 2}),
            ["at_least", "with tolerance"],
        ),
        (claim({"kind": "identity", "left": quantity(), "at_least": 1, "tolerance": 2}), ["with tolerance"]),
        (claim({"kind": "value", "left": quantity(), "target": 1}), ["exactly one of at_least"]),
        (claim({"kind": "value", "left": quantity(), "at_least": 1, "target": 2}), ["with margin"]),
        (claim({"kind": "value", "left": quantity(), "target": 1, "margin": 0}), ["0"]),
        (claim({"kind": "value", "left": quantity(), "at_least": "high"}), ["high", "number"]),
        (claim({"kind": "ratio", "left": quantity(), "right": {}, "at_least": -1}), ["-1"]),
        (claim(ordering(left=quantity(at="end"))), ["end"]),
        (claim({"kind": "ordering", "left": {"experiment": "e", "metric": "m"}, "right": {}}), ["estimator"]),
        (claim(ordering(right={"experiment": "f*"})), ["only `left` may match several"]),
        (claim(ordering(left=quantity("a", "fig2-laten3"))), ["'fig2-laten3'", "fig2-latent3"]),
        (claim(ordering(right={"estimator": "bb"})), ["'bb'", "did you mean 'b'"]),
        (claim(ordering(left=quantity("b", "[ef]*"), right={"experiment": "fig2-latent3"})), ["'b'"]),
        (
            claim(ordering(left=quantity("b", "*"), right={"estimator": "c"})),
            ["no experiment", "every estimator"],
        ),
        (claim(ordering(), setting=["papr"]), ["'papr'", "paper"]),
        ({"id": "C-1", "where": "x", "statement": "y"}, ["rules"]),
    ],
)
def test_bad_claims_are_named_in_one_line(tmp_path, entry, words):
    said = message(tmp_path, entry)
    assert all(word in said for word in words), said
    assert "claims.yaml" in said


def test_an_id_given_twice_and_a_broken_file(tmp_path):
    assert "'C-1' is given twice" in message(tmp_path, claim(ordering()), claim(ordering()))
    path = tmp_path / "claims.yaml"
    for text in ("claims: [", "[]", "claims: 3", "claims: []\nclaims: []"):
        path.write_text(text)
        with pytest.raises(ReparamError, match=r"claims\.yaml"):
            load_claims(path, "p")
    with pytest.raises(ReparamError, match=r"none\.yaml"):
        load_claims(tmp_path / "none.yaml", "p")


def test_the_digest_sees_rules_and_setting_but_not_wording(tmp_path):
    def of(**changes):
        return load(tmp_path, {**claim(ordering()), **changes})[0].digest

    first = of()
    assert of(statement="other words", where="Tab 1") == first
    assert of(rules=[ordering(margin=0.1)]) != first
    assert of(paper_setting=["quick"]) != first
    assert digest([{"a": 1, "b": 2}], []) == digest([{"b": 2, "a": 1}], [])
