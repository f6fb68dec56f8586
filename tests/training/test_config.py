"""Presets, overrides and budgets; every mistake is one clear line."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from ngs import training
from ngs.training.config import STAGES, Config, ConfigError, budget, idle, load_preset, override, presets
from ngs.training.learning.plan import plan


def names(config: Config) -> list[str]:
    """Of the phases that a configuration trains."""
    return [planned.phase.name for planned in plan(config)]


def test_the_presets_are_these() -> None:
    assert presets() == ["fast", "fast-44k", "paper-16k", "paper-22k"]


@pytest.mark.parametrize("name", presets())
def test_a_preset_loads_and_survives_its_dictionary(name: str) -> None:
    config = load_preset(name)
    assert Config.from_dict(config.to_dict()) == config
    assert config.audio.hop_length * 4 == config.audio.grain_length
    fast, paper = ["spectra", "grains", "embedding", "prior"], ["grains", "embedding", "joint", "prior"]
    assert names(config) == (fast if name.startswith("fast") else paper)


def test_the_spectral_share_divides_the_budget() -> None:
    config = override(load_preset("fast"), ["grain_stage.steps=10", "grain_stage.spectral_share=0.9"])
    assert [planned.stage.steps for planned in plan(config)][:2] == [9, 1]
    only = override(config, ["grain_stage.spectral_share=1.0"])
    assert names(only) == ["spectra", "embedding", "prior"]


def test_only_the_joint_stage_may_be_left_out() -> None:
    config = load_preset("fast")
    for budgeted in ("joint_stage.minutes=0.1", "joint_stage.steps=1"):
        assert names(override(config, [budgeted])) == ["spectra", "grains", "embedding", "joint", "prior"]
    assert "joint" not in names(override(load_preset("paper-16k"), ["joint_stage.minutes=0"]))
    for stage in ("grain", "embedding", "prior"):
        with pytest.raises(ConfigError, match=f"{stage}_stage needs minutes or steps above 0"):
            override(config, [f"{stage}_stage.minutes=0"])


@pytest.mark.parametrize(("option", "number"), [("steps", 20), ("minutes", 0.5)])
def test_a_budget_for_all_stages_leaves_out_what_is_left_out(option: str, number: float) -> None:
    config = budget(load_preset("fast"), option, str(number))
    assert [getattr(config.stage(name), option) for name in ("grain", "embedding", "prior")] == [number] * 3
    assert config.joint_stage == load_preset("fast").joint_stage and "joint" not in names(config)
    asked = budget(config, option, f"joint={number}")
    assert getattr(asked.joint_stage, option) == number and "joint" in names(asked)


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("grain.latent_size=32", 32),
        (" grain.latent_size = 32 ", 32),
        ("grain.floor=1", 1.0),
        ("grain.floor=5e-2", 0.05),
        ("grain.excitation=noise", "noise"),
        ('grain.excitation="noise"', "noise"),
        ("data.normalize=false", False),
        ("loss.windows=[64, 128]", (64, 128)),
    ],
)
def test_an_override_changes_one_value(assignment: str, value: object) -> None:
    before = load_preset("fast")
    after = override(before, [assignment])
    section, _, key = assignment.partition("=")[0].strip().partition(".")
    found = getattr(getattr(after, section), key)
    assert found == value and type(found) is type(value)
    changed = after.to_dict()
    changed[section][key] = before.to_dict()[section][key]
    assert changed == before.to_dict()


def test_the_seed_is_an_override_and_later_ones_win() -> None:
    assert override(Config(), ["seed=3", "seed=123456789012"]).seed == 123456789012


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("grain.latent", "not of the form section.key=value"),
        ("grains.latent_size=3", "no section 'grains'; did you mean 'grain'"),
        ("grain.latentsize=3", "no key 'latentsize'; did you mean 'latent_size'"),
        ("grain=3", "no key ''"),
        ("grain.latent_size=many", "grain.latent_size is 'many': expected int"),
        ("grain.latent_size=1.5", "expected int"),
        ("grain.latent_size=true", "expected int"),
        ("data.normalize=1", "expected bool"),
        ("loss.windows=64", "expected a list of whole numbers"),
        ("loss.windows=[]", "at least 16"),
        ("loss.windows=[8]", "at least 16"),
        ("audio.sample_rate=10", "audio.sample_rate is 10"),
        ("audio.grain_length=1000", "power of two"),
        ("audio.path_length=66", "multiple of embedding.grains_per_step"),
        ("audio.path_length=2", "choose 4 to 65536 grains"),
        ("data.validation_share=1.0", "between 0 and 1"),
        ("data.pitch_semitones=-1", "between 0 and 12"),
        ("data.gain_db=nan", "between 0 and 96"),
        ("data.low_pass_share=2", "between 0 and 1"),
        ("grain.encoder=wavelet", "'spectral' or 'convolution'"),
        ("grain.decoder=mel", "'log_magnitude' or 'sigmoid'"),
        ("grain.excitation=sine", "'locked' or 'noise'"),
        ("grain.encoder=convolution", "'locked' needs grain.encoder 'spectral'"),
        ("grain.decoder=sigmoid", "'locked' needs .* grain.decoder 'log_magnitude'"),
        ("grain.latent_size=1", "between 2 and 4096"),
        ("grain.soft_sign_knee=1.0", r"\[0, 1\)"),
        ("grain.floor=0", "above 0"),
        ("grain.postprocessing_taps=1", "divides the hop"),
        ("grain.postprocessing_taps=100", "divides the hop"),
        ("grain.hidden_size=0", "grain.hidden_size is 0"),
        ("grain.blocks=-1", "grain.blocks is -1"),
        ("embedding.hidden_size=0", "embedding.hidden_size is 0"),
        ("embedding.embedding_size=0", "between 1 and 4096"),
        ("embedding.grains_per_step=0", "at least 1"),
        ("joint_stage.batch_size=0", "joint_stage.batch_size is 0: choose at least 1"),
        ("grain_stage.batch_size=0", "grain_stage.batch_size is 0"),
        ("joint_stage.learning_rate=-1", "joint_stage.learning_rate is -1.0: choose a number above 0"),
        ("joint_stage.final_learning_rate=-1", "joint_stage.final_learning_rate is -1.0: choose at least 0"),
        ("embedding_stage.steps=-1", "embedding_stage.steps is -1: choose at least 0"),
        ("embedding_stage.beta=-1", "embedding_stage.beta is -1.0: choose at least 0"),
        ("grain_stage.spectral_share=1.5", "grain_stage.spectral_share is 1.5: choose .* between 0 and 1"),
        ("joint_stage.spectral_share=0.5", "no key 'spectral_share'"),
        ("embedding_stage.spectral_share=0", "no key 'spectral_share'"),
        ("joint_stage.warm_up=2", "joint_stage.warm_up is 2.0: choose a number between 0 and 1"),
        ("grain.condition_dropout=-0.1", "between 0 and 1"),
        ("embedding.condition_dropout=2", "between 0 and 1"),
        ("embedding.components=0", "at least 1"),
        ("embedding.components=257", "embedding.components is 257: choose at most grain.latent_size, 256"),
        ("embedding.pool_mb=0", "above 0"),
        ("loss.floor=0", "above 0"),
        ("loss.log_frequency=-1", "at least 0"),
        ("embedding.prior_size=0", "embedding.prior_size is 0: choose at least 1"),
        ("prior_stage.batch_size=0", "prior_stage.batch_size is 0: choose at least 1"),
        ("prior_stage.beta=1", "no key 'beta'"),
        ("seed=-1", "seed is -1"),
        ("seed=now", "seed is 'now'"),
    ],
)
def test_a_wrong_override_is_one_clear_line(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        override(load_preset("fast"), [assignment])
    assert "\n" not in str(caught.value)


def test_strides_that_do_not_divide_the_grain_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"grain.stride \*\* grain.stages"):
        override(load_preset("paper-16k"), ["grain.stages=6"])


def test_an_unknown_preset_or_section_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match="no preset 'fats'; did you mean 'fast'"):
        load_preset("fats")
    with pytest.raises(ConfigError, match="'audio' is not a section"):
        Config.from_dict({"audio": 3})


def test_a_budget_for_all_stages_or_for_some() -> None:
    config = load_preset("paper-16k")
    every = budget(config, "steps", "20")
    assert [every.stage(name).steps for name in STAGES] == [20, 20, 20, 20]
    some = budget(config, "minutes", "grain=0.5, joint=2")
    assert (some.grain_stage.minutes, some.joint_stage.minutes) == (0.5, 2.0)
    assert some.embedding_stage == config.embedding_stage
    assert budget(every, "minutes", "grain=1").grain_stage.steps == 0


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("minutes", "grains=1", "no stage 'grains'; known: grain, embedding, joint, prior"),
        ("minutes", "long", "'long' is not a number"),
        ("minutes", "", "'' is not a number"),
        ("minutes", "0", "0 is not above 0"),
        ("minutes", "nan", "nan is not above 0"),
        ("steps", "1.5", "'1.5' is not a number"),
        ("steps", "grain=-3", "-3 is not above 0"),
    ],
)
def test_a_wrong_budget_is_one_clear_line(option: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"--{option}: .*{message}"):
        budget(load_preset("fast"), option, text)


def test_a_configuration_survives_its_dictionary() -> None:
    config = override(
        load_preset("paper-22k"), ["audio.path_length=50", "grain.encoder=spectral", "loss.windows=[64,512]", "seed=7"]
    )
    assert Config.from_dict(config.to_dict()) == config


def test_rules_across_sections_hold_for_the_result_not_for_the_order() -> None:
    changes = ["grain.encoder=convolution", "grain.excitation=noise", "grain_stage.spectral_share=0"]
    assert override(load_preset("fast"), changes) == override(load_preset("fast"), changes[::-1])
    with pytest.raises(ConfigError, match="spectral_share above 0 needs"):
        override(load_preset("fast"), changes[:2])


@pytest.mark.parametrize(
    ("preset", "assignments", "setting"),
    [
        ("fast", ["grain.channels=64"], "grain.channels"),
        ("fast", ["grain.stride=2"], "grain.stride"),
        ("fast", ["grain.stages=3"], "grain.stages"),
        ("fast", ["data.low_pass_share=0.5", "grain_stage.spectral_share=0"], "data.low_pass_share"),
        ("paper-16k", ["data.low_pass_share=0.5"], "data.low_pass_share"),
        ("paper-16k", ["grain.floor=0.1"], "grain.floor"),
    ],
)
def test_an_override_that_does_nothing_is_refused(preset: str, assignments: list[str], setting: str) -> None:
    with pytest.raises(ConfigError, match=f"^{setting} does nothing here: it needs .*"):
        override(load_preset(preset), assignments)


@pytest.mark.parametrize("name", presets())
def test_no_preset_has_a_setting_that_does_nothing(name: str) -> None:
    text = (resources.files(training) / "presets" / f"{name}.toml").read_text()
    settings = [(section, key) for section, entries in tomllib.loads(text).items() for key in entries]
    assert not {(section, key) for section, key, _ in idle(load_preset(name))}.intersection(settings)


def test_what_does_nothing_alone_may_be_set_together_with_what_it_needs() -> None:
    changes = ["grain.channels=64", "grain.encoder=convolution", "grain.excitation=noise"]
    assert override(load_preset("fast"), [*changes, "grain_stage.spectral_share=0"]).grain.channels == 64


def test_minutes_beside_steps_do_nothing() -> None:
    config = load_preset("paper-16k")
    with pytest.raises(ConfigError, match=r"^grain_stage.minutes does nothing here: it needs grain_stage.steps=0$"):
        override(config, ["grain_stage.minutes=9", "grain_stage.steps=5"])
    with pytest.raises(ConfigError, match=r"^joint_stage.minutes does nothing here"):
        override(budget(config, "steps", "5"), ["joint_stage.minutes=9"])
    assert override(budget(config, "steps", "grain=5"), ["joint_stage.minutes=9"]).joint_stage.minutes == 9
    assert override(budget(config, "minutes", "9"), ["joint_stage.steps=5"]).joint_stage.steps == 5


def test_fewer_latents_than_components_may_be_set() -> None:
    assert override(load_preset("fast"), ["grain.latent_size=16"]).embedding.components == 64


def test_windows_of_the_loss_have_whole_hops() -> None:
    with pytest.raises(ConfigError, match="multiples of 4"):
        override(load_preset("fast"), ["loss.windows=[512,1002]"])
