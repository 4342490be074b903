"""Models timed in turns: what is told of them, never how long it took."""

from flexibert.encoder.turns import speed_in_turns, write_speed
from flexibert.files import read_json, write_json

SMALL = {"l": 1, "o": ["sa"], "h": [16], "n": [2], "f": [[32]], "p": ["sdp"]}
LARGE = {"l": 2, "o": ["c"] * 2, "h": [16] * 2, "n": [2] * 2, "f": [[32]] * 2, "p": [5, 5]}
SETTINGS = {"vocab_size": 300, "max_positions": 16}


def test_times_are_told_alone_and_beside_the_first_model():
    first, second = speed_in_turns([SMALL, LARGE], 8, turns=8, **SETTINGS)
    assert first["ratio"] == first["ratio_low"] == first["ratio_high"] == 1.0
    assert 0 < second["ratio_low"] <= second["ratio"] <= second["ratio_high"]
    assert min(first["latency_ms"], second["latency_ms"]) > 0


def test_each_model_passes_once_a_turn_and_turns_begin_with_another(monkeypatch):
    import flexibert.encoder.network

    order = []

    class Watched(flexibert.encoder.network.Encoder):
        def forward(self, *arguments):
            order.append(len(self.layers))
            return super().forward(*arguments)

    monkeypatch.setattr(flexibert.encoder.network, "Encoder", Watched)
    speed_in_turns([SMALL, LARGE], 8, turns=3, **SETTINGS)
    assert order[:4] == [1, 2, 2, 1]
    assert order.count(1) == order.count(2)


def test_winner_and_baselines_are_timed_and_equal_models_once(tmp_path):
    runs = [{"model": "aa", "architecture": SMALL}, {"model": "bb", "architecture": LARGE}]
    runs.append({"model": "cc", "architecture": LARGE})  # the scaled pattern, which is compared with nothing
    beside = [{"name": "bert", "model": "bb"}, {"name": "homogeneous", "model": "aa"}]
    write_json(tmp_path / "main.json", {"search": "main", "model": "aa", "baselines": beside, "proposals": runs})
    write_json(tmp_path / "meta.json", {"vocabulary": 300})
    write_speed(tmp_path / "main.json", tmp_path / "meta.json", 16, 8, tmp_path / "speed.json")
    made = read_json(tmp_path / "speed.json")
    assert [row["model"] for row in made["models"]] == ["aa", "bb"]
    assert (made["search"], made["batch"], made["length"], made["threads"]) == ("main", 1, 8, 1)
