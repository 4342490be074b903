"""Word lists from which the probes are made."""


def _both_cases(pairs: str) -> dict[str, str]:
    """{"we": "they", "We": "They"} from "we:they"."""
    table = dict(pair.split(":") for pair in pairs.split())
    return table | {key.capitalize(): value.capitalize() for key, value in table.items()}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# First person and present become third person and past.
PERSONS = _both_cases(
    "we:they our:their us:them I:he my:his is:was are:were has:had have:had will:would shall:should can:could am:was"
)

_OPPOSITES = _both_cases(
    "great:small peace:war more:less increase:decrease new:old good:bad all:few many:few first:last strong:weak "
    "high:low large:little best:worst most:least always:never public:private foreign:domestic increased:reduced "
    "better:worse same:different free:enslaved future:past necessary:needless important:trivial present:absent "
    "every:no long:short friends:enemies strength:weakness success:failure right:wrong full:empty up:down "
    "before:after confidence:doubt hope:fear prosperity:ruin life:death light:darkness true:false rich:poor "
    "win:lose just:unjust happy:sad early:late now:then with:without for:against to:from"
)
OPPOSITES = {value: key for key, value in _OPPOSITES.items()} | _OPPOSITES

AUXILIARIES = _words("is are was were has have had will would shall should can could may must")
DOUBTS = ("perhaps", "possibly", "probably", "maybe")
DENIALS = ("not", "never", "hardly", "no longer")

MONEY = _words(
    "money tax taxes debt dollars budget treasury revenue spending cost costs funds expenditures expenditure income "
    "deficit payment appropriations appropriation bank banks currency gold silver price prices bonds loans credit "
    "surplus pay paid"
)
MONEY_QUESTIONS = (
    "What does it say of money?",
    "How is it paid for?",
    "What does this cost the people?",
    "Which sums are meant?",
)

PRONOUNS = _words("it they them")
