"""Model dictionaries, their canonical form and their digest."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexibert.errors import DesignSpaceError
from flexibert.space.architecture import Architecture

FLEXIBERT_MINI = {
    "l": 4,
    "o": ["sa", "sa", "l", "l"],
    "h": [256, 256, 128, 128],
    "n": [2, 2, 4, 4],
    "f": [[512, 512, 512], [512, 512, 512], [1024], [1024]],
    "p": ["sdp", "sdp", "dct", "dct"],
}
OPERATIONS = [("sa", "sdp"), ("sa", "wma"), ("l", "dft"), ("l", "dct"), ("c", 5), ("c", 9)]


@st.composite
def model_dictionaries(draw) -> dict:
    depth = draw(st.integers(1, 4))
    forms = [draw(st.sampled_from(OPERATIONS)) for _ in range(depth)]
    return {
        "l": depth,
        "o": [form[0] for form in forms],
        "p": [form[1] for form in forms],
        "h": draw(st.lists(st.sampled_from([32, 64, 128]), min_size=depth, max_size=depth)),
        "n": draw(st.lists(st.sampled_from([2, 4]), min_size=depth, max_size=depth)),
        "f": draw(
            st.lists(st.lists(st.sampled_from([64, 128]), min_size=1, max_size=3), min_size=depth, max_size=depth)
        ),
    }


@settings(deadline=None)  # a busy machine is no failure
@given(model_dictionaries())
def test_a_plain_dictionary_comes_back_as_it_was(model):
    assert Architecture.from_model_dict(model).to_model_dict() == model


@settings(deadline=None)  # a busy machine is no failure
@given(model_dictionaries(), model_dictionaries())
def test_digests_are_equal_exactly_for_equal_models(one, two):
    a, b = Architecture.from_model_dict(one), Architecture.from_model_dict(two)
    assert (a.digest == b.digest) == (one == two)
    assert len(a.digest) == 64
    assert a.id == a.digest[:12]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("o", ["sa", "l", "l", "l"]),
        ("h", [256, 128, 128, 128]),
        ("n", [2, 4, 4, 4]),
        ("f", [[512, 512], [512, 512, 512], [1024], [1024]]),
        ("f", [[512, 512, 1024], [512, 512, 512], [1024], [1024]]),
        ("p", ["wma", "sdp", "dct", "dct"]),
    ],
)
def test_any_difference_of_one_layer_changes_the_digest(key, value):
    other = copy.deepcopy(FLEXIBERT_MINI) | {key: value}
    if key == "o":
        other["p"] = ["sdp", "dft", "dct", "dct"]
    assert Architecture.from_model_dict(other).digest != Architecture.from_model_dict(FLEXIBERT_MINI).digest


def test_the_order_of_layers_and_of_widths_matters():
    swapped = {key: value if key == "l" else value[::-1] for key, value in FLEXIBERT_MINI.items()}
    assert Architecture.from_model_dict(swapped).digest != Architecture.from_model_dict(FLEXIBERT_MINI).digest
    one = {"l": 1, "o": ["sa"], "h": [64], "n": [2], "f": [[64, 128]], "p": ["sdp"]}
    assert Architecture.from_model_dict(one).digest != Architecture.from_model_dict(one | {"f": [[128, 64]]}).digest


def test_permuted_heads_are_the_same_network_and_uniform_ones_a_plain_layer():
    mixed = {"l": 1, "o": [["sa_sdp_64", "l_dct_64"]], "h": [128], "f": [[512]]}
    turned = mixed | {"o": [["l_dct_64", "sa_sdp_64"]]}
    a, b = Architecture.from_model_dict(mixed), Architecture.from_model_dict(turned)
    assert a == b
    assert a.digest == b.digest
    assert Architecture.from_model_dict(a.to_model_dict()) == a
    uniform = {"l": 1, "o": [["sa_sdp_64", "sa_sdp_64"]], "h": [128], "f": [[512]]}
    plain = {"l": 1, "o": ["sa"], "h": [128], "n": [2], "f": [[512]], "p": ["sdp"]}
    assert Architecture.from_model_dict(uniform).to_model_dict() == plain


def test_head_sizes_are_part_of_the_identity():
    even = {"l": 1, "o": [["sa_sdp_64", "l_dct_64"]], "h": [128], "f": [[512]]}
    uneven = even | {"o": [["sa_sdp_96", "l_dct_32"]]}
    assert Architecture.from_model_dict(even).digest != Architecture.from_model_dict(uneven).digest


def test_a_convolution_head_equals_two_of_half_its_size():
    one = {"l": 1, "o": ["c"], "h": [64], "n": [1], "f": [[64]], "p": [5]}
    two = one | {"n": [2]}
    four = one | {"n": [4]}
    digests = [Architecture.from_model_dict(model).digest for model in (one, two, four)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"o": ["sa", "sa", "x", "l"]}, "o[2]: unknown operation 'x' (allowed: sa, l, c)"),
        ({"h": [256, 256, 128]}, "h: has 3 entries, but l is 4"),
        ({"n": [2, 3, 4, 4]}, "n[1]: 3 heads do not divide hidden size 256"),
        ({"p": ["sdp", "dft", "dct", "dct"]}, "p[1]: 'dft' is no parameter of operation 'sa' (allowed: sdp, wma)"),
        ({"f": [[512], [], [1024], 1024]}, "f[1]: [] is not a feed-forward stack"),
        ({"l": 0}, "l: 0 is not a number of layers"),
        ({"l": True}, "l: True is not a number of layers"),
        ({"h": 256}, "h: 256 is not a list"),
        ({"h": [256, 256, 128, -1]}, "h[3]: -1 is not a size"),
        ({"q": 1}, "unknown key 'q'"),
        ({"o": ["c", "sa", "l", "l"], "p": [4, "sdp", "dct", "dct"]}, "p[0]: 4 is no kernel size"),
        ({"o": ["c", "sa", "l", "l"], "p": ["9", "sdp", "dct", "dct"]}, "p[0]: '9' is no kernel size"),
    ],
)
def test_mistakes_name_field_value_and_what_is_allowed(change, said):
    with pytest.raises(DesignSpaceError) as error:
        Architecture.from_model_dict(FLEXIBERT_MINI | change)
    assert said in str(error.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(DesignSpaceError) as error:
        Architecture.from_model_dict(FLEXIBERT_MINI | {"o": ["x", "y", "l", "l"], "h": [0, 256, 128, 128]})
    assert len(error.value.problems) == 3


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        (["sa_sdp_64", "l_dct"], "o[0][1]: 'l_dct' is not a head"),
        (["sa_sdp_64", "l_sdp_64"], "o[0][1]: 'sdp' is no parameter of operation 'l'"),
        (["sa_sdp_64", "l_dct_32"], "the head sizes add up to 96, but h[0] is 128"),
        (["c_5_63", "sa_sdp_65"], "1 heads c_5_63 cannot be halved"),
        ([], "o[0]: [] is not a list of heads"),
    ],
)
def test_mistakes_in_heterogeneous_heads(heads, said):
    with pytest.raises(DesignSpaceError) as error:
        Architecture.from_model_dict({"l": 1, "o": [heads], "h": [128], "f": [[512]]})
    assert said in str(error.value)


@pytest.mark.parametrize("model", [None, [], "sa", {"l": 1}])
def test_what_is_no_dictionary_is_told(model):
    with pytest.raises(DesignSpaceError):
        Architecture.from_model_dict(model)
